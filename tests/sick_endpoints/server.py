"""A small real server: every answer is written to the socket as it is, so that it can be as sick as it has to be."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import urlsplit

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that arrived."""

    path: str
    query: str
    headers: Mapping[str, str]
    closing: threading.Event
    """Set when the server is being ended: who waits for something waits for this too."""

    @property
    def openmetrics(self) -> bool:
        """Whether OpenMetrics is what is wanted most."""
        accepted = self.headers.get("Accept", "")
        return "openmetrics" in accepted and "q=0," not in accepted and "q=0.1," not in accepted

    @property
    def agent(self) -> str:
        """Who asks."""
        return self.headers.get("User-Agent", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    body: bytes = b""
    type: str | None = TEXT
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """What Content-Length says, where that is not the truth."""

    def gzipped(self, visit: Visit) -> Reply:
        """Compress the answer if that is accepted."""
        if "gzip" not in visit.headers.get("Accept-Encoding", ""):
            return self
        return replace(self, body=gzip.compress(self.body), headers=(*self.headers, ("Content-Encoding", "gzip")))


class Application(Protocol):
    """Answers requests, several at a time."""

    def __call__(self, visit: Visit, /) -> Reply:
        """Answer one."""


@dataclass(slots=True)
class Metrics:
    """An application that has nothing but metrics: the same text for everybody, or whatever `reply` makes."""

    reply: Callable[[Visit], Reply]
    pages: Callable[[Visit], Reply] = field(default=lambda _: Reply(b"here you are\n"))

    def __call__(self, visit: Visit) -> Reply:
        """Answer one."""
        return self.reply(visit) if visit.path == "/metrics" else self.pages(visit)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        reply = self.server.application(Visit(parts.path, parts.query, self.headers, self.server.closing))
        self.send_response(reply.status)
        if reply.type is not None:
            self.send_header("Content-Type", reply.type)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, application: Application) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.application = application
        self.closing = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever asked has gone, which is their right."""


@contextmanager
def served(application: Application) -> Iterator[str]:
    """Serve an application until the end of the block; gives its address."""
    server = _Server(application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
