"""A server whose health is scripted, for a container in a cluster: standard library only, one file, nothing of ours.

    server.py serve [FILE]   serves the script in the file, or in the variable SCRIPT; what happens is a line of JSON on
                             standard output
    server.py wait SECONDS   does nothing for so long; for init containers
    server.py ask PORT       asks a scripted probe from inside the container: the exit code is the answer (exec probes)

SCRIPT is JSON: {"history": "/history/lines", "lives": [LIFE, ...]}, one LIFE a process of the container, the last one
stays: {"probes": {"liveness": {"port": 8081, "phases": [[0, "refused"], [4, "ok"]], "attempts": []}},
"exits_at": null, "exit_code": 1, "ignores_sigterm": 0}. Times are seconds since the process began. `attempts`, where
given, are the actions of the first attempts in place of the phases; the last stays. `beside`, where given, is the
action of a second port, 1000 above (or `beside_port`).

Actions: ok, 404, 500, reset, hang (says nothing), body-hang (headers, then nothing), slow:SECONDS, redirect-away (to
another host), redirect-here (to /elsewhere on this one), refused (nothing listens; phases only), raw:BASE64 (these
bytes, with {host} for the name that was asked, and the end), raw-hold:BASE64 (these bytes, then nothing), chain:COUNT
(so many redirects, then ok), play:STEPS (a JSON list of STEPS, each a list of its name and what it needs):

    hear                 waits for a request; who asks for /elsewhere is answered with 200, and that is all
    say TEXT             these characters as bytes, with {host}, {port} and {beside} replaced
    fill TEXT COUNT      the same text so many times
    drip TEXT SECONDS    a byte at a time, so long apart
    wait SECONDS
    tls OPTIONS          speaks TLS from here on: certificate (self-signed, expired, wrong-name), least and most (the
                         versions), protocols (ALPN), asks (optional, required: a certificate of the client), ciphers
    half TEXT            these characters in a record of TLS of which only the first half is sent
    notify               says that TLS ends here, as it should
    hear2                waits for a request of HTTP/2
    hold                 nothing, until the other side gives up
    reset                ends the connection with a reset

At its end a play sends the end of the connection and waits for the other side's.

What earlier processes of the same container said is said again first, from the history file: a log holds one process
only, and all of them are wanted.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import os
import random
import select
import signal
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import warnings
from types import FrameType
from typing import Any

BEGAN = time.monotonic()
BEGAN_WALL = time.time()
FOR_EVER = 3600.0
BESIDE = 1000
"""How far above a probe's port its second one is."""

PATIENCE_SECONDS = 10.0


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


class Ended(Exception):
    """There is nothing more to do on a connection."""


class Play:
    """One connection that is answered step by step."""

    def __init__(self, peer: socket.socket, port: int, beside: int) -> None:
        self.peer = peer
        self.port = port
        self.beside = beside
        self.host = b"localhost"
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None

    def perform(self, steps: list[list[Any]]) -> None:
        """Do the steps, then end the connection in an orderly way."""
        with contextlib.suppress(Ended):
            for name, *needs in steps:
                getattr(self, f"do_{name}")(*needs)
        with contextlib.suppress(OSError):
            self.peer.shutdown(socket.SHUT_WR)
            while self.peer.recv(4096):  # a close with something unread would be a reset
                pass

    def send(self, data: bytes) -> None:
        """Send bytes, through TLS where it is spoken."""
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.peer.sendall(data)

    def receive(self) -> bytes:
        """Return what comes next; nothing at the end."""
        while self.tls:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self.tls.read(4096)
            self.feed()
        return self.peer.recv(4096)

    def feed(self) -> None:
        """Let TLS have what comes next."""
        data = self.peer.recv(4096)
        if not data:
            raise Ended
        self.incoming.write(data)

    def bytes_of(self, text: str) -> bytes:
        """Return a text with what stands for the host and the ports replaced."""
        found = text.encode("latin-1").replace(b"{host}", self.host)
        return found.replace(b"{port}", b"%d" % self.port).replace(b"{beside}", b"%d" % self.beside)

    def do_hear(self) -> None:
        """Wait for a request."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = self.receive()
            if not data:
                raise Ended
            request += data
        self.host = request.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0].partition(b":")[0]
        if request.startswith(b"GET /elsewhere"):
            self.send(reply("ok", request))
            raise Ended

    def do_hear2(self) -> None:
        """Wait for a request of HTTP/2, and acknowledge the settings that come before it."""
        data = b""
        while len(data) < 24:
            data += self.receive() or b"\0" * 24
        data = data[24:]
        while True:
            while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
                kind, flags, data = data[3], data[4], data[end:]
                if kind == 4 and not flags & 1:
                    self.send(b"\0\0\0\4\1\0\0\0\0")
                if kind == 1:
                    return
            data += self.receive() or self.end()

    def end(self) -> bytes:
        """Give up."""
        raise Ended

    def do_say(self, text: str) -> None:
        """Send a text."""
        self.send(self.bytes_of(text))

    def do_fill(self, text: str, count: int) -> None:
        """Send a text again and again."""
        piece = self.bytes_of(text)
        at_once = max(1, (64 << 10) // len(piece))
        for sent in range(0, count, at_once):
            self.send(piece * min(at_once, count - sent))

    def do_drip(self, text: str, seconds: float) -> None:
        """Send a text byte by byte."""
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in self.bytes_of(text):
            self.do_wait(seconds)
            self.send(bytes([byte]))

    def do_wait(self, seconds: float) -> None:
        """Let time pass."""
        threading.Event().wait(seconds)

    def do_hold(self) -> None:
        """Say nothing until the other side gives up."""
        held(self.peer)
        raise Ended

    def do_reset(self) -> None:
        """End the connection with a reset."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()
        raise Ended

    def do_tls(self, options: dict[str, Any]) -> None:
        """Shake hands."""
        tls = context(json.dumps(options)).wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.peer.sendall(self.outgoing.read())
                self.feed()
            except ssl.SSLError:
                self.peer.sendall(self.outgoing.read())  # what was wrong
                raise Ended from None
            else:
                self.peer.sendall(self.outgoing.read())
                self.tls = tls
                return

    def do_half(self, text: str) -> None:
        """Send the first half of a record."""
        assert self.tls
        self.tls.write(self.bytes_of(text))
        record = self.outgoing.read()
        self.peer.sendall(record[: len(record) // 2])

    def do_notify(self) -> None:
        """Say that TLS ends here."""
        assert self.tls
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.peer.sendall(self.outgoing.read())


VERSIONS = {"1.0": "TLSv1", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}


@functools.lru_cache
def context(written: str) -> ssl.SSLContext:
    """Return a server's side of TLS with the options of a step, written as JSON."""
    options = json.loads(written)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers(f"{options.get('ciphers', 'DEFAULT')}:@SECLEVEL=0")  # old versions, and a small key
    with warnings.catch_warnings(action="ignore"):  # Python's, of old versions
        made.minimum_version = ssl.TLSVersion[VERSIONS[options.get("least", "1.2")]]
        made.maximum_version = ssl.TLSVersion[VERSIONS[options.get("most", "1.3")]]
    if options.get("protocols"):
        made.set_alpn_protocols(options["protocols"])
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem("RSA PRIVATE KEY", private_key()))
        file.write(pem("CERTIFICATE", certificate(options.get("certificate", "self-signed"))))
        file.flush()
        made.load_cert_chain(file.name)
        if options.get("asks"):
            made.load_verify_locations(file.name)
            made.verify_mode = {"optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}[options["asks"]]
    return made


CERTIFICATES = {
    "self-signed": ("localhost", "20200101000000Z", "21200101000000Z"),
    "expired": ("localhost", "20200101000000Z", "20200201000000Z"),
    "wrong-name": ("elsewhere.invalid", "20200101000000Z", "21200101000000Z"),
}
"""Name, and from when to when it is valid."""

KEY_BITS = 1024
"""Small enough to be made at once; the least that every client accepts."""

PUBLIC_EXPONENT = 65537
RSA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
SHA256_WITH_RSA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"
SHA256_DIGEST = bytes.fromhex("3031300d060960864801650304020105000420")
COMMON_NAME = b"\x06\x03\x55\x04\x03"


@functools.lru_cache
def key() -> tuple[int, int]:
    """Return two primes of a key that is made anew for each process: none is kept anywhere."""
    found: list[int] = []
    while len(found) < 2:
        number = random.SystemRandom().getrandbits(KEY_BITS // 2) | 3 << (KEY_BITS // 2 - 2) | 1
        if number % PUBLIC_EXPONENT != 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
            found.append(number)
    return found[0], found[1]


def der(tag: int, *parts: bytes) -> bytes:
    """Return a value of DER."""
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + content


def integer(number: int) -> bytes:
    """Return a positive number in DER."""
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def private_key() -> bytes:
    """Return the process's key (RFC 8017, RSAPrivateKey)."""
    one, two = key()
    secret = pow(PUBLIC_EXPONENT, -1, (one - 1) * (two - 1))
    parts = (0, one * two, PUBLIC_EXPONENT, secret, one, two, secret % (one - 1), secret % (two - 1), pow(two, -1, one))
    return der(0x30, *map(integer, parts))


def certificate(kind: str) -> bytes:
    """Return a certificate of the process's key, signed with it (RFC 5280, of version 1)."""
    name, since, until = CERTIFICATES[kind]
    one, two = key()
    subject = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0C, name.encode()))))
    valid = der(0x30, der(0x18, since.encode()), der(0x18, until.encode()))
    public = der(0x03, b"\0", der(0x30, integer(one * two), integer(PUBLIC_EXPONENT)))
    algorithm = der(0x30, SHA256_WITH_RSA)
    told = der(0x30, integer(1), algorithm, subject, valid, subject, der(0x30, der(0x30, RSA), public))
    digest = SHA256_DIGEST + hashlib.sha256(told).digest()
    padded = b"\0\1" + b"\xff" * (KEY_BITS // 8 - 3 - len(digest)) + b"\0" + digest
    secret = pow(PUBLIC_EXPONENT, -1, (one - 1) * (two - 1))
    signature = pow(int.from_bytes(padded, "big"), secret, one * two).to_bytes(KEY_BITS // 8, "big")
    return der(0x30, told, algorithm, der(0x03, b"\0", signature))


def pem(what: str, value: bytes) -> str:
    """Return a value of DER as OpenSSL reads it from a file."""
    return f"-----BEGIN {what}-----\n{base64.encodebytes(value).decode()}-----END {what}-----\n"


class Probe(threading.Thread):
    """One probe's port: listens when the script says so, and answers as it says."""

    def __init__(self, name: str, script: dict[str, Any], diary: Diary) -> None:
        super().__init__(daemon=True)
        self.what = name
        self.port = int(script["port"])
        self.inherited = script.get("socket")
        self.phases = [(float(since), str(action)) for since, action in script.get("phases") or [[0, "ok"]]]
        self.attempts = list(script.get("attempts") or [])
        self.beside_port = int(script.get("beside_port", self.port + BESIDE))
        self.diary = diary
        self.asked = 0
        self._lock = threading.Lock()
        if '"tls"' in json.dumps(script).replace("\\", ""):
            key()  # before anybody asks: it takes a moment

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
            peer.settimeout(PATIENCE_SECONDS)
            if action.startswith("play:"):
                Play(peer, self.port, self.beside_port).perform(json.loads(action.partition(":")[2]))
            elif first := peer.recv(4096):  # a TCP probe came and went
                tell(peer, action, first)


def tell(peer: socket.socket, action: str, first: bytes) -> None:
    """Answer what a connection began with."""
    if action.startswith("slow:"):
        threading.Event().wait(float(action.partition(":")[2]))
        action = "ok"
    kind, _, text = action.partition(":")
    if action == "hang":
        held(peer)
    elif kind in ("raw", "raw-hold"):
        host = first.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0].partition(b":")[0]
        peer.sendall(base64.b64decode(text).replace(b"{host}", host))
    elif kind == "chain":
        peer.sendall(hop(int(text), first))
    elif first.startswith(b"ASK"):
        peer.sendall(b"0" if action == "ok" else b"1")
    else:
        peer.sendall(reply(action, first))
    if kind in ("raw-hold", "body-hang"):
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


def hop(count: int, request: bytes) -> bytes:
    """Return the reply of a chain of so many redirects; the path says how many are behind already."""
    name = request.split(b" ")[1].rpartition(b"/")[2]
    behind = int(name) if name.isdigit() else 0
    if behind >= count:
        return reply("ok", request)
    return f"HTTP/1.1 302 Found\r\nLocation: /{behind + 1}\r\nContent-Length: 0\r\n\r\n".encode()


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
        first = Probe(name, probe, diary)
        first.start()
        if probe.get("beside"):
            second = {"port": first.beside_port, "socket": probe.get("beside_socket"), "phases": [[0, probe["beside"]]]}
            Probe(f"{name}-beside", second, diary).start()
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
        if arguments[1:]:
            with open(arguments[1], encoding="utf-8") as file:  # noqa: PTH123
                serve(json.load(file))
        serve(json.loads(os.environ["SCRIPT"]))
    if arguments[:1] == ["ask"]:
        return ask(int(arguments[1]))
    if arguments[:1] == ["wait"]:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        threading.Event().wait(float(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
