"""A small server on loopback that shows given bodies, each under a path of its own, and counts who asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT_TYPES = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}


@dataclass(slots=True)
class Shown:
    """What is shown where, and how often it was asked for."""

    address: str
    bodies: Mapping[str, tuple[str, bytes]]
    """Syntax and body by path."""
    asked: Counter[str] = field(default_factory=Counter)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    shown: Shown

    def handle_error(self, *_: object) -> None:
        """Say nothing of who asked and went."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Show the body of a path."""
        found = self.server.shown.bodies.get(self.path)
        if found is None:
            self.send_error(404)
            return
        self.server.shown.asked[self.path] += 1
        syntax, body = found
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPES[syntax])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def showing(bodies: Mapping[str, tuple[str, bytes]]) -> Iterator[Shown]:
    """Show bodies by path as long as the block runs."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        host, port = server.server_address[:2]
        server.shown = Shown(f"{host!s}:{port}", bodies)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.shown
        finally:
            server.shutdown()
            thread.join()
