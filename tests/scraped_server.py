"""A real small server on loopback that answers as it is told, and does all that a target must not do."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tocsin.exposition.http import Reply, Visit


class Target(ThreadingHTTPServer):
    """A server; `seen` is what it was asked, in order."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, reply: Callable[[Visit], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.seen: list[Visit] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Where its metrics are."""
        return f"http://127.0.0.1:{self.server_port}/metrics"

    def handle_error(self, *_: object) -> None:
        """Say nothing: those who ask leave early."""


class _Handler(BaseHTTPRequestHandler):
    server: Target
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.close_connection = True
        visit = Visit(self.command, self.path, dict(self.headers.items()))
        self.server.seen.append(visit)
        reply = self.server.reply(visit)
        if reply.waits:
            self.server.over.wait(reply.waits)
        self.send_response_only(reply.status)
        if reply.type is not None:
            self.send_header("Content-Type", reply.type)
        named = {name.lower() for name, _ in reply.headers}
        if "content-length" not in named and "transfer-encoding" not in named:
            self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(reply.body[:-1] if reply.hangs else reply.body)
        self.wfile.flush()
        if reply.hangs:
            self.server.over.wait(30)

    do_GET = do_HEAD = do_POST = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(reply: Callable[[Visit], Reply], tls: ssl.SSLContext | None = None) -> Iterator[Target]:
    """Give a server that answers so, through TLS if there are settings for it."""
    server = Target(reply)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
