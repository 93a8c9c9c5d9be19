"""One scrape, as Prometheus makes it: GET on a connection of its own, one deadline for all of it, bounds on all.

Credentials are not sent on to another host, whatever the target redirects to.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from http.client import HTTPException
from types import MappingProxyType
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.limits import Limits
from tocsin.exposition.scraped import Ending, Hop, Request, Scraped, Tls, shown_url
from tocsin.exposition.transport import (
    Body,
    Watch,
    answer_problem,
    answered,
    connected,
    connection_problem,
    origin,
)

__all__ = ["ACCEPTS", "AGENTS", "Ending", "Hop", "Request", "Scraped", "Tls", "scrape", "scrape_headers", "shown_url"]

ACCEPTS: Mapping[Generation, str] = MappingProxyType(
    {
        Generation.V2_42: "application/openmetrics-text;version=1.0.0,"
        "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        Generation.V2_53: "application/openmetrics-text;version=1.0.0;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Generation.V3_5: "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    }
)
"""What each generation asks for, as its server was seen to send it."""
AGENTS: Mapping[Generation, str] = MappingProxyType(
    {Generation.V2_42: "Prometheus/2.42.0", Generation.V2_53: "Prometheus/2.53.3", Generation.V3_5: "Prometheus/3.5.3"}
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOWHERE = "unreadable:"


def scrape_headers(
    generation: Generation, timeout_seconds: float, *, accept: str | None = None, gzip: bool = True
) -> tuple[tuple[str, str], ...]:
    """Return the headers of a scrape; `accept` in place of that of the generation (empty: none)."""
    wanted = ACCEPTS[generation] if accept is None else accept
    headers = [("User-Agent", AGENTS[generation])]
    headers += [("Accept", wanted)] if wanted else []
    headers.append(("Accept-Encoding", "gzip" if gzip else "identity"))
    headers.append(("X-Prometheus-Scrape-Timeout-Seconds", _plain(timeout_seconds)))
    return tuple(headers)


def scrape(request: Request, into: BinaryIO, limits: Limits | None = None) -> Scraped:
    """Ask once, write the decoded body to `into`, and tell how it went. Nothing that the target does raises.

    Raises OSError if `into` cannot be written, or if a certificate's file cannot be read.
    """
    bounds = limits or Limits()
    started, watch = time.time(), Watch(bounds.seconds)
    url = request.url
    hops: list[Hop] = []
    while True:
        answer = _once(request, url, into, watch, bounds)
        target = _next(answer, url, request)
        if target is None:
            break
        hops.append(Hop(answer.status, shown_url(target), origin(target) != origin(url)))
        if problem := _astray(target, len(hops), bounds):
            answer = replace(answer, ending=Ending.REDIRECTS, problem=problem)
            break
        url = target
        into.seek(0)
        into.truncate()
    return replace(answer, hops=tuple(hops), started=started, seconds=watch.passed)


def _once(request: Request, url: str, into: BinaryIO, watch: Watch, limits: Limits) -> Scraped:
    """Ask one address, without following where it leads."""
    known = Scraped(shown_url(url), Ending.WHOLE)
    try:
        connection = connected(url, watch, request.tls)
    except (OSError, UnicodeError, ValueError) as error:
        ending = Ending.TIMED_OUT if watch.up or isinstance(error, TimeoutError) else Ending.UNREACHABLE
        return replace(known, ending=ending, problem=connection_problem(error, url))
    with connection, watch.over(connection):
        connection.settimeout(watch.left)
        try:
            response = answered(connection, request, url, authorized=_may_know(request.url, url))
        except (OSError, HTTPException, ValueError) as error:
            ending = Ending.TIMED_OUT if watch.up else Ending.MALFORMED
            return replace(known, ending=ending, problem=answer_problem(error))
        with response:
            headers = tuple(response.getheaders())
            known = replace(known, status=response.status, reason=response.reason, headers=headers)
            if _leads_on(known, request):
                return known
            gzip = known.header("Content-Encoding") == "gzip" and request.method != "HEAD"
            body = Body(response, watch, gzip=gzip, most=limits.body_bytes)
            into.writelines(body.pieces())
    return replace(
        known,
        ending=body.ending,
        problem=body.problem,
        wire_bytes=body.wire,
        body_bytes=body.size,
        more=body.more,
    )


def _leads_on(answer: Scraped, request: Request) -> bool:
    return answer.status in _REDIRECTS and request.follows and answer.has("Location")


def _next(answer: Scraped, url: str, request: Request) -> str | None:
    """Return where an answer leads; None if it is the last."""
    if not _leads_on(answer, request):
        return None
    try:
        return urljoin(url, answer.header("Location"))
    except ValueError:
        return _NOWHERE


def _astray(target: str, hops: int, limits: Limits) -> str:
    """Say why a redirect is not followed; nothing if it is."""
    if hops > limits.redirects:
        return f"it redirects more than {limits.redirects} times"
    try:
        followed = urlsplit(target).scheme in ("http", "https") and bool(origin(target)[0])
    except ValueError:
        followed = False
    return "" if followed else "it redirects to something that is no HTTP address"


def _may_know(first: str, now: str) -> bool:
    """Whether the credentials of one address are for another: the same host and port, or its TLS."""
    if origin(first) == origin(now):
        return not (first.startswith("https:") and now.startswith("http:"))
    return origin(first)[0] == origin(now)[0] and first.startswith("http:") and now.startswith("https:")


def _plain(seconds: float) -> str:
    """Return a number as Go's `strconv.FormatFloat(s, 'f', -1, 64)` writes it."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".")
