"""A server whose health is scripted, for a container in a cluster: standard library only, one file, nothing of ours.

    server.py serve          serves the script in the variable SCRIPT; what happens is a line of JSON on standard output
    server.py wait SECONDS   does nothing for so long; for init containers
    server.py ask PORT       asks a scripted probe from inside the container: the exit code is the answer (exec probes)

SCRIPT is JSON: {"history": "/history/lines", "lives": [LIFE, ...]}, one LIFE a process of the container, the last one
stays: {"probes": {"liveness": {"port": 8081, "phases": [[0, "refused"], [4, "ok"]], "attempts": []}},
"exits_at": null, "exit_code": 1, "ignores_sigterm": 0}. Times are seconds since the process began. `attempts`, where
given, are the actions of the first attempts in place of the phases; the last stays.

Actions: ok, 404, 500, reset, hang (says nothing), body-hang (headers, then nothing), slow:SECONDS, redirect-away (to
another host), redirect-here (to /elsewhere on this one), refused (nothing listens; phases only), raw:BASE64 (these
bytes, with {host} for the name that was asked, and the end), raw-hold:BASE64 (these bytes, then nothing).

What earlier processes of the same container said is said again first, from the history file: a log holds one process
only, and all of them are wanted.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any

BEGAN = time.monotonic()
BEGAN_WALL = time.time()
FOR_EVER = 3600.0


class Diary:
    """Lines of JSON on standard output, kept in a file for the processes that follow."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        try:
            with open(path, encoding="utf-8") as earlier:  # noqa: PTH123
                lines = earlier.read()
        except OSError:
            lines = ""
        sys.stdout.write(lines)
        self.incarnation = lines.count('"event": "start"')
        self._file = open(path, "a", encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends

    def write(self, event: str, **more: Any) -> None:
        """Write what happened now."""
        wall = BEGAN_WALL if event == "start" else time.time()
        age = 0.0 if event == "start" else time.monotonic() - BEGAN
        said = {"event": event, "incarnation": self.incarnation, "wall": round(wall, 3), "age": round(age, 3), **more}
        with self._lock:
            for out in (sys.stdout, self._file):
                out.write(json.dumps(said) + "\n")
                out.flush()


class Probe(threading.Thread):
    """One probe's port: listens when the script says so, and answers as it says."""

    def __init__(self, name: str, script: dict[str, Any], diary: Diary) -> None:
        super().__init__(daemon=True)
        self.what = name
        self.port = int(script["port"])
        self.inherited = script.get("socket")
        self.phases = [(float(since), str(action)) for since, action in script.get("phases") or [[0, "ok"]]]
        self.attempts = list(script.get("attempts") or [])
        self.diary = diary
        self.asked = 0
        self._lock = threading.Lock()

    def action(self, age: float, attempt: int) -> str:
        """Return what the script says for an age and an attempt."""
        if self.attempts:
            return str(self.attempts[min(attempt, len(self.attempts) - 1)])
        return next((action for since, action in reversed(self.phases) if since <= age), "refused")

    def run(self) -> None:
        """Listen and serve until the process ends."""
        listener: socket.socket | None = None
        while True:
            age = time.monotonic() - BEGAN
            if self.action(age, 0) == "refused":
                if listener:
                    listener.close()
                listener = None
            elif listener is None:
                listener = self.listen()
            change = next((since - age for since, _ in self.phases if since > age), FOR_EVER)
            if listener is None:
                threading.Event().wait(change)
            elif select.select([listener], [], [], change)[0]:
                with contextlib.suppress(OSError):
                    self.accept(*listener.accept())

    def listen(self) -> socket.socket:
        """Return the socket that was handed over with the script, else one of our own on every address."""
        if self.inherited is not None:
            return socket.socket(fileno=int(self.inherited))
        return socket.create_server(("0.0.0.0", self.port), backlog=64, reuse_port=False)

    def accept(self, peer: socket.socket, address: tuple[str, int]) -> None:
        """Take a connection, decide what it gets, and answer beside the others."""
        with self._lock:
            attempt = self.asked
            self.asked += 1
        action = self.action(time.monotonic() - BEGAN, attempt)
        self.diary.write("request", probe=self.what, attempt=attempt, action=action, of=address[0])
        threading.Thread(target=self.answer, args=(peer, action), daemon=True).start()

    def answer(self, peer: socket.socket, action: str) -> None:
        """Answer one connection."""
        with peer, contextlib.suppress(OSError):
            if action == "reset":
                return
            peer.settimeout(10)
            first = peer.recv(4096)
            if not first:  # a TCP probe: it came and went
                return
            if action.startswith("slow:"):
                threading.Event().wait(float(action.partition(":")[2]))
                action = "ok"
            if action == "hang":
                held(peer)
            elif action.startswith("raw"):
                kind, _, text = action.partition(":")
                host = first.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0].partition(b":")[0]
                peer.sendall(base64.b64decode(text).replace(b"{host}", host))
                if kind == "raw-hold":
                    held(peer)
            elif first.startswith(b"ASK"):
                peer.sendall(b"0" if action == "ok" else b"1")
            else:
                peer.sendall(reply(action, first))
                if action == "body-hang":
                    held(peer)


def reply(action: str, request: bytes) -> bytes:
    """Return the HTTP reply to a request."""
    if request.startswith(b"GET /elsewhere"):
        action = "ok"
    status, headers, body = {
        "ok": ("200 OK", (), b"ok"),
        "404": ("404 Not Found", (), b"no"),
        "500": ("500 Internal Server Error", (), b"no"),
        "redirect-away": ("302 Found", ("Location: http://elsewhere.invalid/",), b""),
        "redirect-here": ("302 Found", ("Location: /elsewhere",), b""),
        "body-hang": ("200 OK", (), b"ok"),
    }[action]
    length = len(body) + (100 if action == "body-hang" else 0)
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def held(peer: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    peer.settimeout(None)
    while peer.recv(4096):
        pass


def serve(script: dict[str, Any]) -> None:
    """Serve a script until it, or SIGTERM, ends the process."""
    diary = Diary(script.get("history", "/dev/null"))
    lives = script["lives"]
    life = lives[min(diary.incarnation, len(lives) - 1)]
    diary.write("start", pid=os.getpid())
    over = threading.Event()
    ends_with: list[int] = []

    def end(code: int, why: str) -> None:
        diary.write("exit", code=code, why=why)
        ends_with.append(code)
        over.set()

    def terminate(_number: int, _frame: FrameType | None) -> None:
        diary.write("sigterm")
        ignored = float(life.get("ignores_sigterm", 0))
        threading.Timer(ignored, end, (143, "sigterm")).start()

    signal.signal(signal.SIGTERM, terminate)
    for name, probe in life.get("probes", {}).items():
        Probe(name, probe, diary).start()
    if life.get("exits_at") is not None:
        timer = threading.Timer(float(life["exits_at"]), end, (int(life.get("exit_code", 1)), "script"))
        timer.daemon = True
        timer.start()
    over.wait()
    os._exit(ends_with[0])


def ask(port: int) -> int:
    """Return the exit code that a scripted probe gives."""
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"ASK\n")
            return 0 if connection.recv(1) == b"0" else 1
    except OSError:
        return 1


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    if arguments[:1] == ["serve"]:
        serve(json.loads(os.environ["SCRIPT"]))
    if arguments[:1] == ["ask"]:
        return ask(int(arguments[1]))
    if arguments[:1] == ["wait"]:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        threading.Event().wait(float(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
