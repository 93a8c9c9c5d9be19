"""The capture sink: takes the webhooks of an Alertmanager and writes each down before it answers.

It is a process of its own (`python webhook.py --port 0 --file notifications.jsonl`), so that its clock does not wait
for the harness; the part that serves needs the standard library alone and starts in a fraction of a second.
POST /RECEIVER/INTEGRATION/INDEX takes a notification, GET /notifications?since=N gives those after the first N,
GET /-/ready answers 200.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_LARGEST_BODY_BYTES = 64 << 20
_PATH_PARTS = 3


class Server(ThreadingHTTPServer):
    """The sink's server; one thread a connection, one writer at a time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], file: str) -> None:
        super().__init__(address, Handler)
        self.file = open(file, "ab+", buffering=0)  # noqa: SIM115, PTH123 - open for as long as it serves
        self.writing = threading.Lock()

    def append(self, record: dict[str, Any]) -> None:
        """Write one line, whole."""
        with self.writing:
            self.file.write(json.dumps(record).encode() + b"\n")

    def notifications(self, since: int) -> list[Any]:
        """Return the notifications after the first so many."""
        with self.writing, open(self.file.name, "rb") as file:  # noqa: PTH123
            return [json.loads(line) for line in file.read().splitlines()[since:]]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def do_POST(self) -> None:
        """Take a notification."""
        moment = time.time()
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY_BYTES:
            self.close_connection = True
            self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"more than {_LARGEST_BODY_BYTES} bytes"})
            return
        body = self.rfile.read(length)
        try:
            record = _record(moment, self.path, body)
        except ValueError as error:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self.server.append(record)
        self.answer(HTTPStatus.OK, {})

    def do_GET(self) -> None:
        """Give what was taken."""
        parts = urlsplit(self.path)
        if parts.path == "/-/ready":
            self.answer(HTTPStatus.OK, {})
        elif parts.path == "/notifications":
            try:
                since = max(0, int(parse_qs(parts.query).get("since", ["0"])[0]))
            except ValueError:
                self.answer(HTTPStatus.BAD_REQUEST, {"error": "since must be a whole number"})
                return
            self.answer(HTTPStatus.OK, self.server.notifications(since))
        else:
            self.answer(HTTPStatus.NOT_FOUND, {"error": "there are /notifications and /-/ready"})

    def answer(self, status: HTTPStatus, value: Any) -> None:
        """Answer with JSON."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Leave the log to what matters; the file has the requests."""


def _record(moment: float, path: str, body: bytes) -> dict[str, Any]:
    parts = [unquote(part) for part in urlsplit(path).path.split("/")[1:]]
    if len(parts) != _PATH_PARTS:
        raise ValueError(f"the path must be /RECEIVER/INTEGRATION/INDEX, not {path}")
    receiver, integration, index = parts
    payload = json.loads(body)
    return {"time": moment, "receiver": receiver, "integration": integration, "index": int(index), "payload": payload}


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Write down the webhooks of an Alertmanager.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, told on the first line of output")
    parser.add_argument("--file", required=True, help="JSON lines are appended to it")
    arguments = parser.parse_args()
    try:
        server = Server((arguments.host, arguments.port), arguments.file)
    except OSError as error:
        sys.exit(f"the capture sink cannot start: {error}")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # every line is on its way to the disk before its answer
    print(f"capture sink listening on http://{arguments.host}:{server.server_address[1]}", flush=True)
    server.serve_forever()


LISTENS = re.compile(r"capture sink listening on http://[^:]+:(?P<port>[1-9]\d*)")

if __name__ == "__main__":
    main()
