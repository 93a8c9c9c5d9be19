"""What one attempt comes to: the ways in which an endpoint may behave, each asked by a readiness probe.

A probe with failureThreshold 1 shows how each attempt ended: the kubelet counts successes and failures, says of a
warning that it was one, and of an error only that: it is discarded, and counted nowhere.

What is foreseen is what a kubelet built with Go 1.19 does, as the one is that was recorded: a kubelet 1.20 of Debian,
whereas Kubernetes built its own 1.20 with Go 1.15. CHANGED has those that another Go takes otherwise.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from tests.parity.recording import Recorded
from tests.parity.scenario import Life, Scenario, Script, ScriptedProbe
from tocsin.probes.attempt import Outcome

WATCHED = 14
TIMEOUT = 1
DELAY = 3
"""Seconds in which the server comes to listen, on a machine that is busy with other pods, too."""

SUCCESS, WARNING, FAILURE, ERROR = Outcome.SUCCESS, Outcome.WARNING, Outcome.FAILURE, Outcome.ERROR

Step = list[object]
"""A step of a play, as tests/parity/server.py reads it."""

Attempts = Mapping[str, tuple[str, Outcome]]
"""By name, what the server does, and how the attempt ends."""


def _lines(text: str) -> str:
    """Return a text with lines that end as HTTP's do."""
    return text.replace("\n", "\r\n")


def _raw(text: str, *, holds: bool = False) -> str:
    """Return the action of saying these bytes; lines end as HTTP's do."""
    return f"{'raw-hold' if holds else 'raw'}:{b64encode(_lines(text).encode('latin-1')).decode()}"


def _exactly(text: str) -> str:
    """Return the action of saying these bytes, line ends and all."""
    return f"raw:{b64encode(text.encode('latin-1')).decode()}"


def _status(line: str, *headers: str) -> str:
    return _raw("\n".join((f"HTTP/1.1 {line}", *headers, "Content-Length: 0", "", "")))


def _head(*headers: str) -> str:
    """Return the action of a 200 with these headers and a body of two bytes."""
    return _raw("\n".join(("HTTP/1.1 200 OK", *headers, "", "ok")))


def _chunked(text: str) -> str:
    """Return a 200 whose body is this, in the framing of chunks."""
    return f"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n{text}"


def _redirect(location: str, status: str = "302 Found") -> str:
    """Return the action of redirecting; who follows to /elsewhere on the same port is answered with 200."""
    reply = f"HTTP/1.1 {status}\nLocation: {location}\nContent-Length: 0\n\n"
    return _play(HEAR, _say(reply))


def _play(*steps: Step) -> str:
    """Return the action of these steps."""
    return "play:" + json.dumps(steps, separators=(",", ":"))


def _tls(*steps: Step, **options: object) -> str:
    """Return the action of these steps once TLS is spoken."""
    return _play(["tls", options], *steps)


def _say(text: str) -> Step:
    return ["say", _lines(text)]


HEAR: Step = ["hear"]
HOLD: Step = ["hold"]
RESET: Step = ["reset"]
NOTIFY: Step = ["notify"]
_MUCH = "x" * 12000
"""More than is read of a body."""

REPLY = "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"
OK: Step = _say(REPLY)
ANSWERED = (HEAR, OK, NOTIFY)

STATUSES: Attempts = {
    "ok": ("ok", SUCCESS),
    "status-204": (_raw("HTTP/1.1 204 No Content\n\n"), SUCCESS),
    "status-299": (_status("299 Odd"), SUCCESS),
    "status-300": (_status("300 Multiple Choices"), WARNING),
    "status-304": (_raw("HTTP/1.1 304 Not Modified\n\n"), WARNING),
    "status-101": (_raw("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: x\n\n"), FAILURE),
    "status-101-and-much": (
        _raw(f"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: x\n\n{_MUCH}", holds=True),
        FAILURE,
    ),
    "status-101-without-upgrade-hangs": (_raw("HTTP/1.1 101 Switching Protocols\n\n", holds=True), FAILURE),
    "status-400": (_status("400 Bad Request"), FAILURE),
    "status-401": (_status("401 Unauthorized"), FAILURE),
    "status-404": ("404", FAILURE),
    "status-408": (_status("408 Request Timeout"), FAILURE),
    "status-500": ("500", FAILURE),
    "status-503": (_status("503 Service Unavailable"), FAILURE),
    "status-000": (_status("000 Odd"), FAILURE),
    "status-099": (_status("099 Odd"), FAILURE),
    "status-99": (_status("99 Odd"), FAILURE),
    "status-600": (_status("600 Odd"), FAILURE),
    "status-999": (_status("999 Odd"), FAILURE),
    "status-1000": (_status("1000 Odd"), FAILURE),
    "status-with-sign": (_status("+20 Odd"), FAILURE),
    "status-204-with-body": (_raw("HTTP/1.1 204 No Content\nContent-Length: 2\n\nok"), SUCCESS),
    "status-204-whose-body-hangs": (_raw("HTTP/1.1 204 No Content\nContent-Length: 9\n\n", holds=True), SUCCESS),
    "status-304-with-body": (_raw("HTTP/1.1 304 Not Modified\nContent-Length: 2\n\nok"), WARNING),
    "status-304-whose-body-hangs": (_raw("HTTP/1.1 304 Not Modified\nContent-Length: 9\n\n", holds=True), WARNING),
    "status-205-with-body": (_raw("HTTP/1.1 205 Reset Content\nContent-Length: 2\n\nok"), SUCCESS),
    "status-without-reason": (_raw("HTTP/1.1 200\nContent-Length: 2\n\nok"), SUCCESS),
    "status-with-blank-reason": (_raw("HTTP/1.1 200 \nContent-Length: 2\n\nok"), SUCCESS),
    "http-1-0": (_raw("HTTP/1.0 200 OK\nContent-Length: 2\n\nok"), SUCCESS),
    "http-2-0-in-text": (_raw("HTTP/2.0 200 OK\nContent-Length: 2\n\nok"), SUCCESS),
    "http-2-in-text": (_raw("HTTP/2 200 OK\nContent-Length: 2\n\nok"), FAILURE),
    "http-small-letters": (_raw("http/1.1 200 OK\nContent-Length: 2\n\nok"), FAILURE),
    "http-0-9": (_raw("<html>ok</html>\n"), FAILURE),
    "bad-status-line": (_raw("HTP/1.1 200 OK\n\n"), FAILURE),
    "no-status": (_raw("hello, this is no HTTP at all\n"), FAILURE),
    "blank-line-first": (_raw("\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok"), FAILURE),
    "line-feeds-only": (_exactly("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), SUCCESS),
    "carriage-returns-only": (_exactly("HTTP/1.1 200 OK\rContent-Length: 2\r\rok"), FAILURE),
}
"""Status lines."""

_EARLY = "HTTP/1.1 103 Early Hints\nLink: </a.css>; rel=preload\n\n"
INFORMATIONAL: Attempts = {
    "continue-then-200": (_raw("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok"), SUCCESS),
    "processing-then-200": (_raw(f"HTTP/1.1 102 Processing\n\n{REPLY}"), SUCCESS),
    "early-hints-then-200": (_raw(_EARLY + REPLY), SUCCESS),
    "unknown-1xx-then-200": (_raw(f"HTTP/1.1 199 Odd\n\n{REPLY}"), SUCCESS),
    "early-hints-then-503": (_raw(f"{_EARLY}HTTP/1.1 503 No\nContent-Length: 0\n\n"), FAILURE),
    "five-1xx-then-200": (_raw(_EARLY * 5 + REPLY), SUCCESS),
    "six-1xx-then-200": (_raw(_EARLY * 6 + REPLY), FAILURE),
    "twenty-1xx-then-200": (_raw("HTTP/1.1 100 Continue\n\n" * 20 + REPLY), FAILURE),
    "1xx-and-the-end": (_raw(_EARLY), FAILURE),
    "1xx-and-silence": (_raw(_EARLY, holds=True), FAILURE),
    "1xx-with-body": (_raw(f"HTTP/1.1 100 Continue\nContent-Length: 5\n\nhello{REPLY}"), FAILURE),
    "1xx-dripping-in-time": (_play(HEAR, ["drip", _lines(f"HTTP/1.1 100 Continue\n\n{REPLY}"), 0.004]), SUCCESS),
}
"""Replies before the reply."""

_SHORT = "HTTP/1.1 200 OK\nContent-Length: 12\n\n"
SPEEDS: Attempts = {
    "refused": ("refused", FAILURE),
    "closes-at-once": ("reset", FAILURE),
    "closes-after-request": (_play(HEAR), FAILURE),
    "resets-at-once": (_play(RESET), FAILURE),
    "resets-after-request": (_play(HEAR, RESET), FAILURE),
    "resets-in-header": (_play(HEAR, _say("HTTP/1.1 200 OK\nContent-Le"), ["wait", 0.1], RESET), FAILURE),
    "resets-in-body": (_play(HEAR, _say(f"{_SHORT}hello"), ["wait", 0.1], RESET), ERROR),
    "resets-in-body-without-length": (_play(HEAR, _say("HTTP/1.1 200 OK\n\nhello"), ["wait", 0.1], RESET), ERROR),
    "banner-first": (_play(_say("220 mail.example ESMTP\n"), HEAR), FAILURE),
    "hangs": ("hang", FAILURE),
    "slow-in-time": ("slow:0.4", SUCCESS),
    "slow-too-late": ("slow:1.6", FAILURE),
    "half-a-header": (_raw("HTTP/1.1 200 OK\nContent-Le", holds=True), FAILURE),
    "header-cut": (_raw("HTTP/1.1 200 OK\nContent-Le"), FAILURE),
    "header-drips-in-time": (_play(HEAR, ["drip", _lines(REPLY), 0.004]), SUCCESS),
    "header-drips-too-late": (_play(HEAR, ["drip", _lines(REPLY), 0.06]), FAILURE),
    "body-drips-in-time": (_play(HEAR, _say(_SHORT), ["drip", "hello, world", 0.02]), SUCCESS),
    "body-drips-too-late": (_play(HEAR, _say(_SHORT), ["drip", "hello, world", 0.2]), ERROR),
    "body-drips-too-late-500": (
        _play(HEAR, _say("HTTP/1.1 500 Oh\nContent-Length: 12\n\n"), ["drip", "hello, world", 0.2]),
        ERROR,
    ),
    "chunks-drip-in-time": (_play(HEAR, _say(_chunked("")), ["drip", _lines("2\nok\n0\n\n"), 0.02]), SUCCESS),
    "chunks-drip-too-late": (_play(HEAR, _say(_chunked("")), ["drip", _lines("2\nok\n0\n\n"), 0.2]), ERROR),
}
"""When the connection ends, and how fast it is."""

BODIES: Attempts = {
    "body-hangs": ("body-hang", ERROR),
    "body-hangs-500": (_raw("HTTP/1.1 500 Oh\nContent-Length: 9\n\nno", holds=True), ERROR),
    "body-hangs-without-length": (_raw("HTTP/1.1 200 OK\n\nok", holds=True), ERROR),
    "body-hangs-http-1-0": (_raw("HTTP/1.0 200 OK\nConnection: keep-alive\n\nok", holds=True), ERROR),
    "body-cut": (_raw("HTTP/1.1 200 OK\nContent-Length: 100\n\nhello"), ERROR),
    "body-cut-503": (_raw("HTTP/1.1 503 No\nContent-Length: 100\n\nhello"), ERROR),
    "body-missing": (_raw("HTTP/1.1 200 OK\nContent-Length: 100\n\n"), ERROR),  # as in answer to a HEAD
    "body-too-long": (_raw("HTTP/1.1 200 OK\nContent-Length: 2\n\nok, and more"), SUCCESS),
    "body-unannounced": (_raw("HTTP/1.1 200 OK\nContent-Length: 0\n\nok"), SUCCESS),
    "no-length": (_raw("HTTP/1.0 200 OK\n\nhello"), SUCCESS),
    "big-body": (_raw(f"HTTP/1.1 200 OK\nContent-Length: 20000\n\n{'x' * 20000}"), SUCCESS),
    "big-body-hangs": (_raw(f"HTTP/1.1 200 OK\nContent-Length: 999999\n\n{_MUCH}", holds=True), SUCCESS),
    "big-body-cut": (_raw(f"HTTP/1.1 200 OK\nContent-Length: 999999\n\n{_MUCH}"), SUCCESS),
    "big-body-503": (_raw(f"HTTP/1.1 503 No\nContent-Length: 999999\n\n{_MUCH}", holds=True), FAILURE),
    "body-hangs-at-10240": (_raw(f"HTTP/1.1 200 OK\n\n{'x' * 10240}", holds=True), SUCCESS),
    "body-hangs-at-10239": (_raw(f"HTTP/1.1 200 OK\n\n{'x' * 10239}", holds=True), ERROR),
    "gzip": (_head("Content-Encoding: gzip", "Content-Length: 2"), SUCCESS),  # broken, but nobody decodes it
    "gzip-cut": (_raw("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 9\n\n\x1f\x8b\x08"), ERROR),
}
"""Bodies of a known length, or of none."""

CHUNKS: Attempts = {
    "chunks": (_raw(_chunked("2\nok\n0\n\n")), SUCCESS),
    "bad-chunk": (_raw(_chunked("zz\nhello\n")), ERROR),
    "bad-chunk-503": (_raw("HTTP/1.1 503 No\nTransfer-Encoding: chunked\n\nzz\nhello\n"), ERROR),
    "chunk-cut": (_raw(_chunked("5\nhel")), ERROR),
    "chunk-cut-in-size": (_raw(_chunked("2\nok\n1")), ERROR),
    "chunk-hangs": (_raw(_chunked("5\nhel"), holds=True), ERROR),
    "chunk-longer-than-said": (_raw(_chunked("2\nokay\n0\n\n")), ERROR),
    "chunk-whose-end-is-other-bytes": (_raw(_chunked("2\nokXX0\n\n")), ERROR),
    "chunk-negative": (_raw(_chunked("-2\nok\n0\n\n")), ERROR),
    "chunk-hex-prefix": (_raw(_chunked("0x2\nok\n0\n\n")), ERROR),
    "chunk-leading-zeros": (_raw(_chunked("0002\nok\n0\n\n")), SUCCESS),
    "chunk-without-size": (_raw(_chunked("\n\n")), SUCCESS),
    "chunk-lines-end-in-lf": (_exactly(_chunked("2\nok\r\n0\n\r\n")), SUCCESS),
    "last-chunk-missing": (_raw(_chunked("2\nok\n")), ERROR),
    "last-chunk-hangs": (_raw(_chunked("2\nok\n"), holds=True), ERROR),
    "last-line-missing": (_raw(_chunked("2\nok\n0\n")), ERROR),
    "last-line-hangs": (_raw(_chunked("2\nok\n0\n"), holds=True), ERROR),
    "trailer": (_raw(_chunked("2\nok\n0\nX-Sum: 1\n\n")), SUCCESS),
    "trailer-announced": (
        _raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X-Sum\n\n2\nok\n0\nX-Sum: 1\n\n"),
        SUCCESS,
    ),
    "trailer-forbidden": (
        _raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: Content-Length\n\n2\nok\n0\n\n"),
        FAILURE,
    ),
    "trailer-without-colon": (_raw(_chunked("2\nok\n0\nX-Sum\n\n")), ERROR),
    "trailer-too-long": (_raw(_chunked(f"2\nok\n0\nX-Sum: {'1' * 5000}\n\n")), ERROR),
    "chunk-extension": (_raw(_chunked("2;name=value\nok\n0;last\n\n")), SUCCESS),
    "chunk-extension-after-blank": (_raw(_chunked("2 ;name=value\nok\n0\n\n")), ERROR),
    "chunk-extension-too-long": (_raw(_chunked(f"2;{'x' * 5000}\nok\n0\n\n")), ERROR),
    "chunk-extensions-too-many": (_raw(_chunked(f"1;{'x' * 3000}\no\n" * 10 + "0\n\n")), SUCCESS),
    "chunk-enormous": (_raw(_chunked("FFFFFFFFFFFFFFFF\nhello")), ERROR),
    "chunk-enormous-and-much": (_raw(_chunked(f"FFFFFFFFFFFFFFFF\n{_MUCH}"), holds=True), SUCCESS),
    "chunk-too-enormous": (_raw(_chunked(f"FFFFFFFFFFFFFFFFF\n{_MUCH}")), ERROR),
    "chunks-in-http-1-0": (_raw("HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\nzz\n"), SUCCESS),
    "chunks-and-length": (
        _raw("HTTP/1.1 200 OK\nContent-Length: 99\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n"),
        SUCCESS,
    ),
    "length-and-no-chunks": (_raw("HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked\n\nok"), ERROR),
    "coding-unknown": (_head("Transfer-Encoding: gzip"), FAILURE),
    "coding-twice": (_head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), FAILURE),
    "coding-in-a-list": (_head("Transfer-Encoding: gzip, chunked"), FAILURE),
}
"""Bodies in chunks."""

HEADERS: Attempts = {
    "two-lengths": (_head("Content-Length: 2", "Content-Length: 3"), FAILURE),
    "same-length-twice": (_head("Content-Length: 2", "Content-Length: 2"), SUCCESS),
    "length-in-a-list": (_head("Content-Length: 2, 2"), FAILURE),
    "length-negative": (_head("Content-Length: -2"), FAILURE),
    "length-with-sign": (_head("Content-Length: +2"), FAILURE),
    "length-garbage": (_head("Content-Length: two"), FAILURE),
    "length-empty": (_head("Content-Length:"), SUCCESS),
    "length-too-enormous": (_head("Content-Length: 99999999999999999999"), FAILURE),
    "length-enormous-and-much": (_raw(f"HTTP/1.1 200 OK\nContent-Length: {(1 << 63) - 1}\n\n{_MUCH}"), SUCCESS),
    "header-without-colon": (_head("Content-Length: 2", "no colon"), FAILURE),
    "header-without-name": (_head("Content-Length: 2", ": none"), SUCCESS),
    "header-without-value": (_head("Content-Length: 2", "X-None:"), SUCCESS),
    "header-with-blank-before-colon": (_head("Content-Length : 9"), SUCCESS),  # so it is no Content-Length
    "header-begins-with-blank": (_head(" X-First: blank", "Content-Length: 2"), FAILURE),
    "header-folded": (_head("Content-Length: 2", "X-Folded: a", " b", "\tc"), SUCCESS),
    "header-with-nul": (_head("Content-Length: 2", "X-Nul: a\0b"), SUCCESS),
    "header-with-bell": (_head("Content-Length: 2", "X-Bell: a\x07b"), SUCCESS),
    "header-of-foreign-name": (_head("Content-Length: 2", "X-\xe4: b"), SUCCESS),
    "header-of-foreign-value": (_head("Content-Length: 2", "X-Name: \xe4"), SUCCESS),
    "header-1-mib": (
        _play(HEAR, _say("HTTP/1.1 200 OK\nX: "), ["fill", "a", 1 << 20], _say(f"\n{REPLY[16:]}")),
        SUCCESS,
    ),
    "header-11-mib": (
        _play(HEAR, _say("HTTP/1.1 200 OK\nX: "), ["fill", "a", 11 << 20], _say(f"\n{REPLY[16:]}")),
        FAILURE,
    ),
    "headers-20000": (
        _play(HEAR, _say("HTTP/1.1 200 OK\n"), ["fill", "X-Many: value\r\n", 20000], _say(REPLY[16:])),
        SUCCESS,
    ),
    "headers-without-end": (_raw("HTTP/1.1 200 OK\nContent-Length: 0\n"), FAILURE),
    "headers-none": (_raw("HTTP/1.1 200 OK\n\n"), SUCCESS),
}
"""Headers."""

ELSEWHERE = "http://{host}:{port}/elsewhere"
REDIRECTS: Attempts = {
    "redirect-same-host": ("redirect-here", SUCCESS),
    "redirect-other-host": ("redirect-away", WARNING),
    # a failure before Go 1.18, with which Kubernetes built 1.20 to 1.23 itself; not told apart by the handlers
    "redirect-without-location": (_status("302 Found"), WARNING),
    "redirect-empty-location": (_status("302 Found", "Location:"), WARNING),  # likewise
    "redirect-loop": (_status("302 Found", "Location: /readiness"), FAILURE),
    "redirect-bad-location": (_status("302 Found", "Location: http://[::1"), FAILURE),
    "redirect-closed-port": (_status("302 Found", "Location: http://{host}:1/"), FAILURE),
    "redirect-closed-https": (_status("302 Found", "Location: https://{host}:1/"), FAILURE),
    **{
        f"redirect-{code}-{where}": (_redirect(location, f"{code} Moved"), outcome)
        for code in (301, 302, 303, 307, 308)
        for where, location, outcome in (
            ("same-host", ELSEWHERE, SUCCESS),
            ("other-host", "http://elsewhere.invalid/", WARNING),
            ("other-port", "http://{host}:{beside}/", SUCCESS),
            ("https", "https://{host}:{beside}/", SUCCESS),
        )
    },
    **{f"redirect-{code}-unfollowed": (_redirect(ELSEWHERE, f"{code} Odd"), WARNING) for code in (300, 304, 305, 306)},
    "redirect-201": (_redirect("/readiness", "201 Created"), SUCCESS),
    "redirect-other-port-500": (_redirect("http://{host}:{beside}/"), FAILURE),
    "redirect-https-on-plain-port": (_redirect("https://{host}:{beside}/"), FAILURE),
    "redirect-http-on-tls-port": (_redirect("http://{host}:{beside}/"), FAILURE),
    "redirect-by-name": (_redirect("http://localhost:{port}/elsewhere"), WARNING),
    "redirect-with-user": (_redirect("http://me:secret@{host}:{port}/elsewhere"), SUCCESS),
    "redirect-without-scheme": (_redirect("//{host}:{port}/elsewhere"), SUCCESS),
    "redirect-relative": (_redirect("elsewhere"), SUCCESS),
    "redirect-up": (_redirect("../../elsewhere"), SUCCESS),
    "redirect-to-fragment": (_redirect("/elsewhere#part"), SUCCESS),
    "redirect-fragment-only": (_redirect("#part"), FAILURE),  # to itself, again and again
    "redirect-query-only": (_redirect("?again"), FAILURE),
    "redirect-other-scheme": (_redirect("ftp://{host}/elsewhere"), FAILURE),
    "redirect-mailto": (_redirect("mailto:somebody@elsewhere.invalid"), WARNING),
    "redirect-chain-of-9": ("chain:9", SUCCESS),
    "redirect-chain-of-10": ("chain:10", FAILURE),
    "redirect-chain-of-11": ("chain:11", FAILURE),
    # a redirect's body is read, up to 2 KiB, before it is followed
    "redirect-body-hangs": (
        _play(HEAR, _say("HTTP/1.1 302 F\nLocation: /elsewhere\nContent-Length: 9\n\nno"), HOLD),
        FAILURE,
    ),
    "redirect-body-without-length-hangs": (
        _play(HEAR, _say("HTTP/1.1 302 F\nLocation: /elsewhere\n\nno"), HOLD),
        FAILURE,
    ),
    "redirect-big-body-hangs": (
        _play(HEAR, _say("HTTP/1.1 302 F\nLocation: /elsewhere\nContent-Length: 9999\n\nno"), HOLD),
        SUCCESS,
    ),
    "redirect-body-cut": (
        _play(HEAR, _say("HTTP/1.1 302 F\nLocation: /elsewhere\nContent-Length: 9\n\nno")),
        SUCCESS,
    ),
    "redirect-body-bad-chunk": (
        _play(HEAR, _say("HTTP/1.1 302 F\nLocation: /elsewhere\nTransfer-Encoding: chunked\n\nzz\n")),
        SUCCESS,
    ),
    "redirect-other-host-body-hangs": (
        _play(HEAR, _say("HTTP/1.1 302 F\nLocation: http://elsewhere.invalid/\nContent-Length: 9\n\nno"), HOLD),
        ERROR,
    ),
    "redirect-to-hang": (_redirect("http://{host}:{beside}/"), FAILURE),
    "redirect-to-body-hang": (_redirect("http://{host}:{beside}/"), ERROR),
    "redirect-to-reset": (_redirect("http://{host}:{beside}/"), FAILURE),
}
"""Redirects."""

BESIDE: Mapping[str, str] = {
    **{f"redirect-{code}-other-port": "ok" for code in (301, 302, 303, 307, 308)},
    **{f"redirect-{code}-https": _tls(*ANSWERED) for code in (301, 302, 303, 307, 308)},
    "redirect-other-port-500": "500",
    "redirect-https-on-plain-port": "ok",
    "redirect-http-on-tls-port": _tls(*ANSWERED),
    "redirect-to-hang": "hang",
    "redirect-to-body-hang": "body-hang",
    "redirect-to-reset": _play(HEAR, RESET),
    "tls-redirect-to-http": "ok",
}
"""What a second port does, where there is one."""

HELLO = "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"
"""How a server's part of a handshake begins."""

TLS: Attempts = {
    "https-to-a-plain-port": ("ok", FAILURE),
    "tls-self-signed": (_tls(*ANSWERED), SUCCESS),
    "tls-expired": (_tls(*ANSWERED, certificate="expired"), SUCCESS),
    "tls-wrong-name": (_tls(*ANSWERED, certificate="wrong-name"), SUCCESS),
    "tls-1-0-only": (_tls(*ANSWERED, least="1.0", most="1.0"), FAILURE),
    "tls-1-1-only": (_tls(*ANSWERED, least="1.1", most="1.1"), FAILURE),
    "tls-1-2-only": (_tls(*ANSWERED, most="1.2"), SUCCESS),
    "tls-1-3-only": (_tls(*ANSWERED, least="1.3"), SUCCESS),
    "tls-rsa-key-exchange-only": (_tls(*ANSWERED, most="1.2", ciphers="kRSA"), SUCCESS),
    "tls-finite-field-only": (_tls(*ANSWERED, most="1.2", ciphers="kDHE"), FAILURE),
    "tls-asks-for-certificate": (_tls(*ANSWERED, asks="optional"), SUCCESS),
    "tls-1-2-needs-certificate": (_tls(*ANSWERED, most="1.2", asks="required"), FAILURE),
    "tls-1-3-needs-certificate": (_tls(*ANSWERED, least="1.3", asks="required"), FAILURE),
    "tls-500": (_tls(HEAR, _say("HTTP/1.1 500 Oh\nContent-Length: 0\n\n"), NOTIFY), FAILURE),
    "tls-redirect": (_tls(HEAR, _say("HTTP/1.1 302 F\nLocation: /elsewhere\nContent-Length: 0\n\n")), SUCCESS),
    "tls-redirect-to-http": (
        _tls(HEAR, _say("HTTP/1.1 302 F\nLocation: http://{host}:{beside}/\nContent-Length: 0\n\n")),
        SUCCESS,
    ),
    "tls-closes-at-once": (_play(), FAILURE),
    "tls-resets-at-once": (_play(RESET), FAILURE),
    "tls-hangs": ("hang", FAILURE),
    "tls-closes-in-handshake": (_play(["say", HELLO]), FAILURE),
    "tls-resets-in-handshake": (_play(["say", HELLO], ["wait", 0.1], RESET), FAILURE),
    "tls-hangs-in-handshake": (_play(["say", HELLO], HOLD), FAILURE),
    "tls-alert": (_play(["say", "\x15\x03\x03\x00\x02\x02\x28"]), FAILURE),
    "tls-answered-by-ssh": (_play(["say", "SSH-2.0-OpenSSH_9.2\r\n"]), FAILURE),
    "tls-closes-after-request": (_tls(HEAR), FAILURE),
    "tls-notifies-after-request": (_tls(HEAR, NOTIFY), FAILURE),
    "tls-resets-after-request": (_tls(HEAR, RESET), FAILURE),
    "tls-hangs-after-request": (_tls(HEAR, HOLD), FAILURE),
    "tls-body-hangs": (_tls(HEAR, _say(f"{_SHORT}hello"), HOLD), ERROR),
    "tls-body-cut": (_tls(HEAR, _say(f"{_SHORT}hello")), ERROR),
    "tls-body-cut-with-notice": (_tls(HEAR, _say(f"{_SHORT}hello"), NOTIFY), ERROR),
    "tls-body-cut-in-record": (_tls(HEAR, _say(_SHORT), ["half", "hello, world"]), ERROR),
    "tls-body-reset": (_tls(HEAR, _say(f"{_SHORT}hello"), ["wait", 0.1], RESET), ERROR),
    "tls-body-without-length": (_tls(HEAR, _say("HTTP/1.1 200 OK\n\nhello"), NOTIFY), SUCCESS),
    "tls-body-without-length-nor-notice": (_tls(HEAR, _say("HTTP/1.1 200 OK\n\nhello")), SUCCESS),
    "tls-body-without-length-cut-in-record": (_tls(HEAR, _say("HTTP/1.1 200 OK\n\n"), ["half", "hello, world"]), ERROR),
    "tls-header-cut-in-record": (_tls(HEAR, ["half", _lines(REPLY)]), FAILURE),
    "tls-1-2-body-cut-in-record": (_tls(HEAR, _say(_SHORT), ["half", "hello, world"], most="1.2"), ERROR),
}
"""What is asked by https."""

TO_TLS: Attempts = {
    "http-to-a-tls-port": (_tls(*ANSWERED), FAILURE),
    "http-to-a-tls-port-of-go": (
        _raw("HTTP/1.0 400 Bad Request\n\nClient sent an HTTP request to an HTTPS server.\n"),
        FAILURE,
    ),
    "http-answered-by-alert": (_play(HEAR, ["say", "\x15\x03\x01\x00\x02\x02\x46"]), FAILURE),
}
"""A port that speaks TLS, asked by http."""


def _frame(kind: int, flags: int, stream: int, payload: str = "") -> Step:
    """Return the step of sending a frame of HTTP/2 (RFC 9113, section 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return ["say", head.decode("latin-1") + payload]


def _field(name: str, value: str) -> str:
    """Return a header field that enters no table (RFC 7541, section 6.2.2)."""
    return f"\0{chr(len(name))}{name}{chr(len(value))}{value}"


def _http2(*steps: Step, protocols: tuple[str, ...] = ("h2",)) -> str:
    """Return the action of these steps once settings were exchanged and a request of HTTP/2 came."""
    return _tls(_frame(4, 0, 0), ["hear2"], *steps, protocols=protocols)


def _goaway(last: int, code: int) -> Step:
    return _frame(7, 0, 0, f"\0\0\0{chr(last)}\0\0\0{chr(code)}")


STATUS_200 = "\x88"
STATUS_500 = "\x8e"
HEADERS_200 = _frame(1, 4, 1, STATUS_200)
DATA_OK = _frame(0, 1, 1, "ok")
HTTP2_OK = (HEADERS_200, DATA_OK, HOLD)
HTTP2: Attempts = {
    "http2": (_http2(*HTTP2_OK), SUCCESS),
    "http2-or-http1": (_http2(*HTTP2_OK, protocols=("h2", "http/1.1")), SUCCESS),
    "http1-or-http2": (_tls(*ANSWERED, protocols=["http/1.1", "h2"]), SUCCESS),
    "http1-agreed": (_tls(*ANSWERED, protocols=["http/1.1"]), SUCCESS),
    "neither-agreed": (_tls(*ANSWERED, protocols=["spdy/3.1"]), SUCCESS),
    "http2-agreed-http1-spoken": (_tls(HEAR, OK, HOLD, protocols=["h2"]), FAILURE),
    "http2-500": (_http2(_frame(1, 5, 1, STATUS_500), HOLD), FAILURE),
    "http2-204": (_http2(_frame(1, 5, 1, "\x89"), HOLD), SUCCESS),
    "http2-304": (_http2(_frame(1, 5, 1, "\x8b"), HOLD), WARNING),
    "http2-redirect-other-host": (
        _http2(_frame(1, 5, 1, _field(":status", "302") + _field("location", "https://elsewhere.invalid/")), HOLD),
        WARNING,
    ),
    "http2-hangs": (_http2(HOLD), FAILURE),
    "http2-closes": (_http2(), FAILURE),
    "http2-without-settings": (_tls(HEADERS_200, DATA_OK, HOLD, protocols=["h2"]), FAILURE),
    "http2-silent": (_tls(HOLD, protocols=["h2"]), FAILURE),
    "http2-garbage": (_http2(["say", "\xff" * 64], HOLD), FAILURE),
    "http2-body-hangs": (_http2(HEADERS_200, _frame(0, 0, 1, "ok"), HOLD), ERROR),
    "http2-body-cut": (_http2(HEADERS_200, _frame(0, 0, 1, "ok")), ERROR),
    "http2-body-reset": (_http2(HEADERS_200, _frame(0, 0, 1, "ok"), _frame(3, 0, 1, "\0\0\0\2"), HOLD), ERROR),
    "http2-body-shorter-than-said": (
        _http2(_frame(1, 4, 1, STATUS_200 + _field("content-length", "9")), DATA_OK, HOLD),
        ERROR,
    ),
    "http2-body-longer-than-said": (
        _http2(_frame(1, 4, 1, STATUS_200 + _field("content-length", "1")), DATA_OK, HOLD),
        ERROR,
    ),
    "http2-big-body-hangs": (_http2(HEADERS_200, _frame(0, 0, 1, "x" * 12000), HOLD), SUCCESS),
    "http2-trailer": (_http2(HEADERS_200, _frame(0, 0, 1, "ok"), _frame(1, 5, 1, _field("x-sum", "1")), HOLD), SUCCESS),
    "http2-padded": (_http2(_frame(1, 12, 1, f"\2{STATUS_200}\0\0"), _frame(0, 9, 1, "\3ok\0\0\0"), HOLD), SUCCESS),
    "http2-continued": (_http2(_frame(1, 0, 1, STATUS_200), _frame(9, 4, 1, _field("x", "y")), DATA_OK, HOLD), SUCCESS),
    "http2-ping-first": (_http2(_frame(6, 0, 0, "\0" * 8), *HTTP2_OK), SUCCESS),
    "http2-unknown-frame-first": (_http2(_frame(200, 0, 0, "?"), *HTTP2_OK), SUCCESS),
    "http2-push": (_http2(_frame(5, 4, 1, f"\0\0\0\2{STATUS_200}"), *HTTP2_OK), FAILURE),
    "http2-data-first": (_http2(DATA_OK, HOLD), FAILURE),
    "http2-without-status": (_http2(_frame(1, 5, 1, _field("x", "y")), HOLD), FAILURE),
    "http2-capital-letter": (_http2(_frame(1, 5, 1, STATUS_200 + _field("X", "y")), HOLD), FAILURE),
    "http2-bad-compression": (_http2(_frame(1, 5, 1, "\xff\xff\xff"), HOLD), FAILURE),
    "http2-early-hints": (_http2(_frame(1, 4, 1, _field(":status", "103")), *HTTP2_OK), SUCCESS),
    "http2-six-1xx": (_http2(*[_frame(1, 4, 1, _field(":status", "103"))] * 6, *HTTP2_OK), FAILURE),
    "http2-reset": (_http2(_frame(3, 0, 1, "\0\0\0\2"), HOLD), FAILURE),
    "http2-refused-stream": (_http2(_frame(3, 0, 1, "\0\0\0\7"), HOLD), FAILURE),  # tried again, until the timeout
    "http2-wants-http1": (_http2(_frame(3, 0, 1, "\0\0\0\x0d"), HOLD), FAILURE),
    "http2-goaway": (_http2(_goaway(0, 0)), FAILURE),
    "http2-goaway-and-silence": (_http2(_goaway(0, 0), HOLD), FAILURE),
    "http2-goaway-with-error": (_http2(_goaway(0, 11)), FAILURE),
    "http2-goaway-and-answer": (_http2(_goaway(1, 0), *HTTP2_OK), SUCCESS),
    "http2-answer-and-goaway": (_http2(HEADERS_200, DATA_OK, _goaway(1, 0)), SUCCESS),
    "http2-goaway-in-body": (_http2(HEADERS_200, _goaway(1, 0), _frame(0, 0, 1, "o"), HOLD), ERROR),
}
"""HTTP/2, which a kubelet agrees to over TLS (ALPN), unless DISABLE_HTTP2 stands in its environment."""

UNASKED_HTTP2: Attempts = {
    "http2-settings-in-plain": (_play(HEAR, _frame(4, 0, 0)), FAILURE),
    "http2-settings-in-plain-and-silence": (_play(HEAR, _frame(4, 0, 0), HOLD), FAILURE),
    "http2-goaway-in-plain": (_play(HEAR, _frame(4, 0, 0), _goaway(0, 1)), FAILURE),
}
"""HTTP/2 in answer to a request of HTTP/1."""

HTTP: Attempts = {
    **STATUSES,
    **INFORMATIONAL,
    **SPEEDS,
    **BODIES,
    **CHUNKS,
    **HEADERS,
    **REDIRECTS,
    **TO_TLS,
    **UNASKED_HTTP2,
}
"""What is asked by http."""
OTHERS: Mapping[str, tuple[str, str, Outcome]] = {
    **{name: ("https", *found) for name, found in {**TLS, **HTTP2}.items()},
    "tcp-listens": ("tcp", "ok", SUCCESS),
    "tcp-refused": ("tcp", "refused", FAILURE),
    "tcp-closes-at-once": ("tcp", _play(), SUCCESS),
    # at once, it may come while the kubelet still dials, and then the attempt fails: no one outcome is foreseen of that
    "tcp-resets-soon": ("tcp", _play(["wait", 0.1], RESET), SUCCESS),
    "tcp-says-something": ("tcp", _play(_say("220 mail.example ESMTP\n")), SUCCESS),
    "exec-0": ("exec", "ok", SUCCESS),
    "exec-1": ("exec", "500", FAILURE),
    "exec-hangs": ("exec", "hang", FAILURE),
    "exec-missing-program": ("missing-program", "ok", ERROR),
    "undeclared-port": ("undeclared-port", "ok", ERROR),
}
"""The handler, what the server does, and how the attempt ends."""
BEHAVIOURS = {name: ("http", *found) for name, found in HTTP.items()} | dict(OTHERS)


UNENDING: Mapping[str, str] = {
    "status-101-hangs": _raw("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: x\n\n", holds=True),
}
"""What the server does where the kubelet's timeout does not end the attempt: it lasts as long as the connection."""


@dataclass(frozen=True, slots=True)
class Change:
    """What another Go makes of a behaviour; the kubelet's handlers are asked, for no other kubelet was recorded."""

    since: int
    """The minor version of Go that was the first to take it otherwise."""
    before: Outcome
    after: Outcome


CHANGED: Mapping[str, Change] = {
    "tls-1-0-only": Change(18, SUCCESS, FAILURE),
    "tls-1-1-only": Change(18, SUCCESS, FAILURE),
    "header-with-nul": Change(20, SUCCESS, FAILURE),
    "header-with-bell": Change(20, SUCCESS, FAILURE),
    "header-of-foreign-name": Change(20, SUCCESS, FAILURE),
    "chunk-extensions-too-many": Change(21, SUCCESS, ERROR),
    "length-empty": Change(22, SUCCESS, FAILURE),
    "tls-rsa-key-exchange-only": Change(22, SUCCESS, FAILURE),
    "header-without-name": Change(23, SUCCESS, FAILURE),
    "chunk-without-size": Change(23, SUCCESS, ERROR),
    "chunk-lines-end-in-lf": Change(24, SUCCESS, ERROR),
    "six-1xx-then-200": Change(24, FAILURE, SUCCESS),
    "twenty-1xx-then-200": Change(24, FAILURE, SUCCESS),
    "http2-six-1xx": Change(24, FAILURE, SUCCESS),
}
"""By name."""


def scenarios() -> tuple[Scenario, ...]:
    """Return a pod for each behaviour."""
    found = []
    asked = [(name, handler, action) for name, (handler, action, _) in BEHAVIOURS.items()]
    asked += [(name, "http", action) for name, action in UNENDING.items()]
    for name, handler, action in asked:
        probe = ScriptedProbe("readiness", handler, delay=DELAY, period=2, timeout=TIMEOUT)
        life = Life({"readiness": Script(((0.0, action),), beside=BESIDE.get(name, ""))})
        found.append(Scenario(f"attempt-{name}", "single-attempts", (probe,), (life,), watched=WATCHED))
    return tuple(found)


def outcome(recorded: Recorded) -> Outcome | None:
    """Return how a pod's attempts ended; None if they did not all end in the same way, or none was seen.

    A first failure before the server listens is left out of account where successes follow.
    """
    counts = {each.result: each.value for each in recorded.counts}
    reasons = {each.reason for each in recorded.events}
    errors = any(each.reason == "Unhealthy" and "errored" in each.message for each in recorded.events)
    succeeded, failed = counts.get("successful", 0), counts.get("failed", 0)
    ready = bool(recorded.pod.ready) and recorded.pod.ready[-1].ready
    if succeeded and failed <= 1 and ready and not errors:
        return WARNING if "ProbeWarning" in reasons else SUCCESS
    if failed and not succeeded and not ready and "Unhealthy" in reasons and not errors:
        return FAILURE
    if errors and not succeeded and failed <= 1 and not ready:
        return ERROR
    return None
