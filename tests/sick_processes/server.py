"""A small server with probes, which can have the diseases that probes are there for. Standard library, one file.

    server.py --port PORT [--host ADDRESS] [--boot SECONDS] [--one-thread] [--on-term exit|ignore|drain] ...

/live, /ready and /started are its probes; any other path is its work, which takes `--work` seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

NEVER = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    options: argparse.Namespace
    stopping = threading.Event()

    def do_GET(self) -> None:
        """Answer a probe, or work."""
        asked = {"/live": self.options.live_asks, "/ready": self.options.ready_asks}.get(self.path)
        if self.path == "/ready" and self.stopping.is_set():
            self._answer(503)
        elif asked:
            self._answer(200 if self._reached(asked) else 503)
        elif self.path in ("/live", "/ready", "/started"):
            self._answer(200)
        else:
            NEVER.wait(self.options.work)
            self._answer(200)

    def _reached(self, url: str) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=self.options.patience) as reply:
            return bool(reply.status == 200)
        return False

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Threads(ThreadingHTTPServer):
    """As many requests at a time as there are; those that are being answered are finished before the end."""

    daemon_threads = False
    request_queue_size = 128


class OneThread(HTTPServer):
    """One request at a time."""

    request_queue_size = 128


def at_the_end(server: HTTPServer, options: argparse.Namespace) -> None:
    """Do at SIGTERM what is to be done: nothing, leave at once, or leave when nobody comes any more."""

    def leave(*_: object) -> None:
        Handler.stopping.set()
        threading.Timer(options.drain, server.shutdown).start()

    if options.on_term == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif options.on_term == "drain":
        signal.signal(signal.SIGTERM, leave)


def main() -> None:
    """Serve until the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on")
    parser.add_argument("--boot", type=float, default=0.0, help="seconds until it listens")
    parser.add_argument("--dies", action="store_true", help="end with code 3 in place of listening")
    parser.add_argument("--work", type=float, default=0.0, help="seconds that its work takes")
    parser.add_argument("--one-thread", action="store_true")
    parser.add_argument("--live-asks", help="the URL that /live asks first")
    parser.add_argument("--ready-asks", help="the URL that /ready asks first")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that it waits for these")
    parser.add_argument("--on-term", choices=("exit", "ignore", "drain"), default="exit")
    parser.add_argument("--drain", type=float, default=0.0, help="seconds that it goes on after SIGTERM")
    Handler.options = options = parser.parse_args()
    NEVER.wait(options.boot)
    if options.dies:
        sys.exit("it cannot start: its settings are wrong")
    server = (OneThread if options.one_thread else Threads)((options.host, options.port), Handler)
    at_the_end(server, options)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.02)
    server.server_close()


if __name__ == "__main__":
    main()
