"""One request and its answer on a connection of its own, under one deadline.

http.client is used and not urllib3, which reads the head of a chunk into memory without an end. HTTP/2 is not offered.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, LineTooLong
from urllib.parse import quote, urlsplit, urlunsplit

from tocsin.exposition.decoding import BadEncoding, Gunzip
from tocsin.exposition.limits import MOST_HEADERS, PIECE_BYTES
from tocsin.exposition.scraped import Ending, Request, Tls

_SAFE = "/%:@!$&'()*+,;=~?-._[]"
_PORTS = {"http": 80, "https": 443}


class Watch:
    """One deadline. At its end the connection is shut, whoever waits for it, and at whatever."""

    def __init__(self, seconds: float) -> None:
        self._begun = time.monotonic()
        self._seconds = seconds
        self._shut = False

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds; a little at least, for a timeout of 0 would mean something else."""
        return max(0.001, self._seconds - self.passed)

    @property
    def up(self) -> bool:
        """Whether the time is over."""
        return self._shut or self.passed >= self._seconds

    @contextmanager
    def over(self, connection: socket.socket) -> Iterator[None]:
        """Shut a connection when the time is up."""

        def shut() -> None:
            self._shut = True
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # not that of TLS, which would answer first

        timer = threading.Timer(self.left, shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def origin(url: str) -> tuple[str, int]:
    """Return host and port of an address; an empty host if it cannot be read."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the settings of TLS. Raises OSError if a file cannot be read or is no certificate."""
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    if not tls.verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None)
    return context


def connected(url: str, watch: Watch, tls: Tls) -> socket.socket:
    """Return a connection, through TLS if the address says so. Raises OSError, ValueError, UnicodeError."""
    parts = urlsplit(url)
    host, port = origin(url)
    context = tls_context(tls) if parts.scheme == "https" else None
    error = OSError("there is no such address")
    for family, kind, protocol, _, address in _resolved(host, port, watch):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(watch.left)
            plain.connect(address)
            if context is None:
                return plain
            return context.wrap_socket(plain, server_hostname=tls.server_name or host)
        except OSError as failed:
            plain.close()
            error = failed
            if watch.up:
                break
    raise error


def _resolved(host: str, port: int, watch: Watch) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """Return the addresses of a host; the resolver itself knows no deadline, so it is left alone at ours."""
    found: queue.SimpleQueue[list[tuple[int, int, int, str, tuple[str, int]]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))  # type: ignore[arg-type]
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = found.get(timeout=watch.left)
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def answered(connection: socket.socket, request: Request, url: str, *, authorized: bool) -> HTTPResponse:
    """Send a request and return the answer, its headers read. Raises OSError, HTTPException, ValueError."""
    parts = urlsplit(url)
    client = HTTPConnection(*origin(url))
    client.sock = connection
    selector = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_SAFE)
    client.putrequest(request.method, selector, skip_host=True, skip_accept_encoding=True)
    client.putheader("Host", parts.netloc.rpartition("@")[2].encode("ascii" if parts.netloc.isascii() else "idna"))
    for name, value in request.headers:
        client.putheader(name, value)
    if request.authorization and authorized:
        client.putheader("Authorization", request.authorization)
    client.endheaders()
    response = HTTPResponse(connection, method=request.method, url=url)
    try:
        response.begin()
        _expect_a_length(response)
    except BaseException:
        response.close()
        raise
    return response


def _expect_a_length(response: HTTPResponse) -> None:
    """Raise HTTPException where Go refuses what Content-Length says (net/http, transfer.go, fixLength)."""
    said = {value.strip() for value in response.headers.get_all("Content-Length", [])}
    if not response.chunked and said and (len(said) > 1 or not all(v.isascii() and v.isdigit() for v in said)):
        raise HTTPException("its Content-Length is no number")


class Body:
    """The body of an answer while it is read, decoded, and counted."""

    def __init__(self, response: HTTPResponse, watch: Watch, *, gzip: bool, most: int) -> None:
        self._response = response
        self._watch = watch
        self._gunzip = Gunzip() if gzip else None
        self._most = most
        self.wire = 0
        self.size = 0
        """Decoded bytes."""
        self.more = False
        """Bytes came after the end that Content-Length tells."""
        self.ending = Ending.WHOLE
        self.problem = ""

    def pieces(self) -> Iterator[bytes]:
        """Yield it, decoded, to its end or to a bound; `ending` tells which. Raises nothing."""
        try:
            yield from self._decoded()
        except BadEncoding as error:
            self.ending, self.problem = Ending.BAD_ENCODING, str(error)
        except (OSError, HTTPException, ValueError) as error:
            self.ending, self.problem = Ending.CUT, _cut(error)
        if self._watch.up and self.ending in (Ending.CUT, Ending.BAD_ENCODING):
            self.ending, self.problem = Ending.TIMED_OUT, f"{self.size:,} bytes had come"

    def _decoded(self) -> Iterator[bytes]:
        while data := self._piece():
            self.wire += len(data)
            for piece in self._gunzip.feed(data) if self._gunzip else (data,):
                self.size += len(piece)
                if max(self.size, self.wire) > self._most:
                    self.size = min(self.size, self._most)
                    self.ending, self.problem = Ending.TOO_LARGE, f"it is larger than {self._most:,} bytes"
                    return
                yield piece
            if self.wire > self._most or self._watch.up:
                break
        if self._watch.up or self._response.length:
            missing = f"{self._response.length or 0:,} of the bytes that Content-Length tells never came"
            self.ending, self.problem = Ending.CUT, missing
        elif self._gunzip:
            self._gunzip.finish()

    def _piece(self) -> bytes:
        """Return the next bytes; the last one that Content-Length tells of by itself, to see whether more follows."""
        response = self._response
        length = response.length
        if length is None or response.chunked:
            return response.read1(PIECE_BYTES)
        if length != 1:
            return response.read1(min(PIECE_BYTES, length - 1)) if length else b""
        self.more = len(response.fp.peek(2)) > 1
        return response.read1(1)


# What went wrong, in words that hold nothing secret


def connection_problem(error: Exception, url: str) -> str:
    """Say why there is no connection."""
    parts = urlsplit(url)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        plain = error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
        return "it speaks no TLS, and the scheme is https" if plain else f"TLS failed: {error.reason}"
    if isinstance(error, TimeoutError):
        return "no connection came about in time"
    if isinstance(error, socket.gaierror):
        return f"the name {parts.hostname} is not known: {error.strerror}"
    if isinstance(error, OSError):
        return (error.strerror or "no connection came about").lower()
    return "its address cannot be read"


def answer_problem(error: Exception) -> str:
    """Say why an answer cannot be read."""
    if f"more than {MOST_HEADERS} headers" in str(error):
        return f"it sends more than {MOST_HEADERS} header lines; Prometheus would read them, we do not"
    if isinstance(error, LineTooLong):
        return "a line of its headers is longer than 64 KiB"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, TimeoutError):
        return "no answer came in time"
    if isinstance(error, OSError):
        return "it closed the connection without an answer"
    said = str(error)
    return said if said == "its Content-Length is no number" else "its answer is not HTTP"


def _cut(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return "a chunk of it ended before its own word, or was none"
    return "the connection was closed before its end"
