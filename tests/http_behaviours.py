"""Ways in which a target can answer, by name: what real servers did with each is told by the corpus, or by one here."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from tocsin.exposition.http import OPENMETRICS, OPENMETRICS_BODY, TEXT, Reply, Visit

BODY = b"# HELP m A metric.\n# TYPE m gauge\nm 1\n"
QUOTED = b'{"m.dotted"} 1\n'
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
_PACKED = gzip.compress(BODY)
_CHUNKS = b"%x\r\n%s\r\n" % (len(BODY), BODY)
_LARGE = b"".join(b'm{i="%d"} 1\n' % i for i in range(130_000))
_LINES = (200, 201, 202, 203, 204, 206, 299, 401, 403, 404, 429, 500, 503)


def _typed(kind: str | None, body: bytes = BODY) -> Reply:
    return Reply(body, kind)


def _encoded(encoding: str, body: bytes) -> Reply:
    return Reply(body, TEXT, headers=(("Content-Encoding", encoding),))


def _to(location: str, status: int) -> Reply:
    return Reply(b"", None, status=status, headers=(("Location", location),))


def _chunked(body: bytes) -> Reply:
    return Reply(body, TEXT, headers=(("Transfer-Encoding", "chunked"),))


REPLIES: dict[str, Reply] = {
    "2mb": _typed(TEXT, _LARGE),
    "GZIP-upper": _encoded("GZIP", _PACKED),
    "br-label": _encoded("br", BODY),
    "charset-latin1": _typed("text/plain; version=0.0.4; charset=latin-1"),
    "chunked-cut": _chunked(_CHUNKS),
    "chunked-ok": _chunked(_CHUNKS + b"0\r\n\r\n"),
    "cl-too-long": Reply(BODY, TEXT, length=len(BODY) + 50),
    "deflate": _encoded("deflate", zlib.compress(BODY)),
    "dup-param": _typed("text/plain; version=0.0.4; version=0.0.4"),
    "empty": _typed(""),
    "empty-body-ct": _typed(TEXT, b""),
    "empty-body-noct": _typed(None, b""),
    "garbage": _typed("text"),
    "gzip-body-no-header": _typed(TEXT, _PACKED),
    "gzip-concat": _encoded("gzip", gzip.compress(BODY[:19]) + gzip.compress(BODY[19:])),
    "gzip-header-plain-body": _encoded("gzip", BODY),
    "gzip-ok": _encoded("gzip", _PACKED),
    "gzip-trailing-junk": _encoded("gzip", _PACKED + b"junk"),
    "gzip-truncated": _encoded("gzip", _PACKED[:-9]),
    "html": _typed("text/html; charset=utf-8"),
    "identity": _encoded("identity", BODY),
    "json": _typed("application/json"),
    "none": _typed(None),
    "octet": _typed("application/octet-stream"),
    "om": _typed(OPENMETRICS, OPENMETRICS_BODY),
    "om-bare": _typed("application/openmetrics-text", OPENMETRICS_BODY),
    "om-no-eof": _typed(OPENMETRICS),
    "om-v2": _typed("application/openmetrics-text; version=2.0.0; charset=utf-8", OPENMETRICS_BODY),
    "om-with-json-suffix": _typed("application/openmetrics-text+json"),
    "proto-bare-text": _typed("application/vnd.google.protobuf"),
    "proto-with-text": _typed(PROTOBUF),
    "quoted": _typed('text/plain; version="0.0.4"'),
    "redir-301": _to("/v0.0.4", 301),
    "redir-302": _to("/v0.0.4", 302),
    "redir-308": _to("/v0.0.4", 308),
    "redir-loop": _to("/redir-loop", 302),
    "redir-slash": _to("/v0.0.4", 301),
    "slash": _typed("text/"),
    "slow-3s": Reply(BODY, TEXT, waits=0.2),
    "slow-6s": Reply(BODY, TEXT, waits=20.0),
    "text-with-om-body": _typed(TEXT, OPENMETRICS_BODY),
    "text/plain": _typed("text/plain"),
    "trailing-semi": _typed("text/plain; version=0.0.4;"),
    "two-ct": _typed("text/plain, text/plain"),
    "upper": _typed("TEXT/PLAIN; VERSION=0.0.4"),
    "v0.0.4": _typed("text/plain; version=0.0.4"),
    "v0.0.4-charset": _typed(TEXT),
    "v0.0.4-nospace": _typed("text/plain;version=0.0.4;charset=utf-8"),
    "v0.0.4-utf8body": _typed(TEXT, QUOTED),
    "v0.0.5": _typed("text/plain; version=0.0.5"),
    "v1.0.0": _typed("text/plain; version=1.0.0; charset=utf-8"),
    "v1.0.0-utf8body": _typed("text/plain; version=1.0.0; escaping=allow-utf-8; charset=utf-8", QUOTED),
    "x-prom": _typed("application/x-prometheus"),
    **{f"status-{status}": Reply(b"" if status == 204 else BODY, TEXT, status=status) for status in _LINES},
    "cl-not-a-number": Reply(BODY, TEXT, headers=(("Content-Length", "many"),)),
    "gzip-empty": _encoded("gzip", b""),
    "gzip-zeros-behind": _encoded("gzip", _PACKED + b"\0" * 32),
    "om-blank-type": _typed(" ", BODY),
    "parameter-twice": _typed("application/openmetrics-text; charset=UTF-8; charset=utf-8", OPENMETRICS_BODY),
    "parameter-broken": _typed("text/plain; version", BODY),
}
"""By name, as the corpus has them; the last ones are our own."""


def behaving(replies: dict[str, Reply] | None = None) -> Callable[[Visit], Reply]:
    """Return a server's answers: the path is a behaviour's name."""
    known = REPLIES if replies is None else replies

    def reply(visit: Visit) -> Reply:
        return known.get(visit.path.removeprefix("/"), Reply(b"", status=404))

    return reply


_LOST_ON_3 = """
empty garbage html json none octet om-blank-type om-with-json-suffix parameter-broken parameter-twice slash two-ct
x-prom
"""
LOST_ON_3 = frozenset(_LOST_ON_3.split())
"""Kept by 2.42 and 2.53, dropped by 3.5, as the real servers did."""
LOST_ON_2 = frozenset({"v0.0.4-utf8body", "v1.0.0-utf8body"})
"""Kept by 3.5 alone."""
_LOST = """
GZIP-upper chunked-cut cl-not-a-number cl-too-long deflate gzip-body-no-header gzip-empty gzip-header-plain-body
gzip-trailing-junk gzip-truncated gzip-zeros-behind om-no-eof proto-bare-text proto-with-text redir-loop slow-6s
"""
LOST = frozenset(_LOST.split()) | {f"status-{status}" for status in _LINES if status != 200}
"""Dropped by all."""
