"""One try of a httpGet probe, as the kubelet makes it (pkg/probe/http/http.go, over Go's net/http).

What a server does before the end of its headers can only make the try succeed or fail. What it does afterwards, while
the body is read, can make it an error, and the kubelet discards an error: the body is read before the status is judged.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers.buffered import Reader
from tocsin.probes.handlers.connection import Connection
from tocsin.probes.handlers.http2 import Http2
from tocsin.probes.handlers.http2_reply import content_length, read_reply
from tocsin.probes.handlers.http_body import Body, body_of, read_at_most
from tocsin.probes.handlers.http_request import HttpGet, Request, first_request, redirected
from tocsin.probes.handlers.http_response import BodyLength, Head, first, read_head
from tocsin.probes.handlers.reason import Broken, Reason, Verdict

BODY_BYTES = 10 * 1024
"""How much of a body is read; what follows is left, and the connection closed (pkg/probe/http/http.go)."""

MOST_REQUESTS = 10
"""How many requests a chain of redirects may have."""

REDIRECTS = (301, 302, 303, 307, 308)
LOCATION_NEEDED = (301, 302, 303)
LOCATION_LEFT_OUT = 19
"""The minor version of Go from which a reply of these without Location is returned as it is."""
SLURPED_BYTES = 2048
"""How much of a redirect's body is read before the next request (net/http, Client.do)."""

_OF_BODY = {
    Reason.RESET_BEFORE_HEADERS: Reason.BODY_CUT,
    Reason.CLOSED_BEFORE_HEADERS: Reason.BODY_CUT,
    Reason.TLS_FAILED: Reason.BODY_CUT,
    Reason.MALFORMED_REPLY: Reason.BODY_MALFORMED,
    Reason.HEADERS_TOO_LONG: Reason.BODY_MALFORMED,
}
"""What a trouble of the connection is called once the headers are there."""


class Phase(StrEnum):
    """How far a try has got; it decides what a timeout means."""

    DIAL = "dial"
    HANDSHAKE = "handshake"
    HEADERS = "headers"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose headers are there."""

    head: Head
    body: Body
    length: int | None
    """What it declares of its length; None if nothing."""

    @property
    def location(self) -> str:
        """Where it redirects to; empty if it does not."""
        return first(self.head.headers, "Location") if self.head.status in REDIRECTS else ""


async def try_http(probe: HttpGet, seconds: float) -> Verdict:
    """Make one try, which ends within so many seconds. Nothing is raised: trouble is a verdict too."""
    try:
        request = first_request(probe)
    except Broken as error:
        return Verdict(Outcome.ERROR, error.said, error.reason)
    return await HttpTry(probe, request).run(seconds)


class HttpTry:
    """One try, with all the requests that redirects ask for."""

    def __init__(self, probe: HttpGet, request: Request) -> None:
        self._probe = probe
        self._origin = request
        self._request = request
        self._phase = Phase.DIAL
        self._reply: Reply | None = None
        self._connection: Connection | None = None

    async def run(self, seconds: float) -> Verdict:
        """As `try_http`."""
        try:
            async with asyncio.timeout(seconds):
                reply = await self._last_reply()
                self._reply, self._phase = reply, Phase.BODY
                body = await read_at_most(reply.body, BODY_BYTES)
        except Broken as error:
            return self._broken(error)
        except TimeoutError:
            return self._late()
        finally:
            self._close()
        return judged(reply.head.status, body)

    async def _last_reply(self) -> Reply:
        """Return the reply that is judged. Raises Broken."""
        made = 1
        while True:
            reply = await self._exchange()
            if not reply.location:
                self._expect_none(reply.head.status)
                return reply
            following = redirected(self._request, self._origin, reply.location)
            if following.url.hostname != self._origin.url.hostname:
                return reply
            if made >= MOST_REQUESTS:
                raise Broken(Reason.TOO_MANY_REDIRECTS, f"stopped after {MOST_REQUESTS} redirects")
            await self._slurp(reply)
            self._close()
            self._request, made = following, made + 1

    def _expect_none(self, status: int) -> None:
        """Raise Broken if a reply of this status is refused without a Location.

        Until Go 1.19 (its release notes, net/http) 301, 302 and 303 were; 307 and 308 never (golang/go#17773).
        """
        if status in LOCATION_NEEDED and self._probe.kubelet.go < LOCATION_LEFT_OUT:
            raise Broken(Reason.BAD_LOCATION, f"{status} response missing Location header")

    async def _slurp(self, reply: Reply) -> None:
        if reply.length is None or reply.length <= SLURPED_BYTES:
            try:
                await read_at_most(reply.body, SLURPED_BYTES)
            except Broken:
                return  # nobody asks how a redirect's body ends

    async def _exchange(self) -> Reply:
        """Send the request on a connection of its own, and return the reply once its headers are there."""
        self._phase = Phase.DIAL
        host, port = self._request.address
        self._request.check()
        self._connection = connection = await Connection.dialled(host, port)
        if self._request.url.scheme == "https":
            self._phase = Phase.HANDSHAKE
            await connection.start_tls(host, self._probe.kubelet)
        self._phase = Phase.HEADERS
        if connection.protocol == "h2":
            stream = Http2(connection, self._probe.kubelet.go)
            await stream.start()
            await stream.request(self._request.as_http2())
            head, body = await read_reply(stream)
            return Reply(head, body, content_length(head.headers))
        await connection.send(self._request.as_http1())
        reader = Reader(connection, self._probe.kubelet.go)
        head = await read_head(reader)
        return Reply(head, body_of(head, reader), BodyLength.of(head).known)

    def _close(self) -> None:
        if self._connection:
            self._connection.close()

    @property
    def _where(self) -> str:
        url = self._request.url
        if url.password is None:
            return f'Get "{url}"'
        return f'Get "{str(url).replace(f"{url.userinfo}@", f"{url.user}:***@", 1)}"'

    def _broken(self, error: Broken) -> Verdict:
        if self._reply:
            reason = _OF_BODY.get(error.reason, error.reason)
            return Verdict(Outcome.ERROR, error.said, reason, self._reply.head.status)
        said = error.said
        if error.reason is Reason.CLOSED_BEFORE_HEADERS:
            said = "EOF" if said == "unexpected EOF" else said
        return Verdict(Outcome.FAILURE, f"{self._where}: {said}", error.reason)

    def _late(self) -> Verdict:
        if self._reply and self._reply.head.switches_protocol:
            # net/http gives such a connection to its caller, and the client's timeout does not close it: the attempt of
            # a kubelet 1.20 was seen to last as long as the connection. Nothing is counted meanwhile, as for an error.
            said = "the connection was switched to another protocol; the attempt lasts until it ends"
            return Verdict(Outcome.ERROR, said, Reason.SWITCHED_PROTOCOL, self._reply.head.status)
        if self._reply:
            said = "context deadline exceeded (Client.Timeout or context cancellation while reading body)"
            return Verdict(Outcome.ERROR, said, Reason.BODY_TIMED_OUT, self._reply.head.status)
        reasons = {Phase.DIAL: Reason.DIAL_TIMED_OUT, Phase.HANDSHAKE: Reason.TLS_TIMED_OUT}
        cause = "context deadline exceeded"
        if self._phase is Phase.DIAL:
            cause = f"dial tcp {self._request.url.host}: i/o timeout"
        said = f"{self._where}: {cause} (Client.Timeout exceeded while awaiting headers)"
        return Verdict(Outcome.FAILURE, said, reasons.get(self._phase, Reason.HEADERS_TIMED_OUT))


def judged(status: int, body: bytes) -> Verdict:
    """Return the verdict on a whole reply."""
    text = body.decode("utf-8", "replace")
    if 200 <= status < 300:
        return Verdict(Outcome.SUCCESS, text, Reason.ANSWERED, status)
    if 300 <= status < 400:
        said = f"Probe terminated redirects, Response body: {text}"
        return Verdict(Outcome.WARNING, said, Reason.REDIRECT_NOT_FOLLOWED, status)
    return Verdict(Outcome.FAILURE, f"HTTP probe failed with statuscode: {status}", Reason.STATUS, status)
