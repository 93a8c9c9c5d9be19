"""Endpoints that behave in the ways in which endpoints do, each on a port of its own: standard library, one file.

    server.py [--host HOST] [--base PORT]

serves every behaviour of the table, on free ports or from PORT on, in the table's order; the first line that it prints
is JSON, {"ready": {"NAME": PORT, ...}}. It ends with its standard input, or when it is killed.

BEHAVIOURS says what each one does and how one attempt of a kubelet ends there: success, warning, failure, or error
(which is discarded). A probe of it has `timeoutSeconds: 1`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import ssl
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

PATIENCE_SECONDS = 5.0
"""How long a connection that hangs is held at most; longer than any attempt here."""

REQUEST_BYTES = 64 << 10


class Wire:
    """One connection, as a behaviour sees it."""

    def __init__(self, sock: socket.socket, ports: Mapping[str, int], stopped: threading.Event) -> None:
        self.sock = sock
        self.ports = ports
        self.stopped = stopped
        self.request = b""

    def read_request(self) -> None:
        """Read to the end of a request's headers."""
        while b"\r\n\r\n" not in self.request and len(self.request) < REQUEST_BYTES:
            data = self.sock.recv(4096)
            if not data:
                return
            self.request += data

    @property
    def asked_host(self) -> str:
        """The host that was asked for, without its port, with the brackets of IPv6."""
        for line in self.request.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "host":
                return value.strip().rpartition(":")[0] or value.strip()
        return "127.0.0.1"

    @property
    def path(self) -> str:
        """The path that was asked for."""
        parts = self.request.split(b" ", 2)
        return parts[1].decode("latin-1") if len(parts) > 2 else ""

    def hang(self) -> None:
        """Say nothing more until the other side has gone, or patience ends."""
        self.sock.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(OSError):
            while self.sock.recv(4096):
                pass

    def drip(self, data: bytes, every: float) -> None:
        """Send a byte at a time."""
        for position in range(len(data)):
            if self.stopped.wait(every):
                return
            self.sock.sendall(data[position : position + 1])

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Serve = Callable[[Wire], None]


@dataclass(frozen=True)
class Behaviour:
    """One way in which an endpoint behaves."""

    handler: str
    """http, https, tcp or grpc: how it is probed."""
    expected: str
    """How an attempt of a kubelet ends."""
    serve: Serve | None
    """What it does with a connection; None if it does not listen."""
    says: str
    certificate: str = ""
    """Where it speaks TLS: which certificate it has."""
    protocols: tuple[str, ...] = ()
    """What it agrees to speak over TLS."""


def _reply(text: str | bytes, *, then: str = "close") -> Serve:
    """Return a behaviour: these bytes to any request, and the end. {host} is who was asked, {port:NAME} a port."""
    raw = text.replace("\n", "\r\n").encode() if isinstance(text, str) else text

    def serve(wire: Wire) -> None:
        wire.read_request()
        sent = raw.replace(b"{host}", wire.asked_host.encode())
        for name, port in wire.ports.items():
            sent = sent.replace(f"{{port:{name}}}".encode(), str(port).encode())
        wire.sock.sendall(sent)
        if then == "hang":
            wire.hang()

    return serve


def _status(line: str, *headers: str) -> Serve:
    """Return a behaviour: a status with some headers and no body."""
    return _reply("\n".join([f"HTTP/1.1 {line}", *headers, "Content-Length: 0", "", ""]))


def _redirect(target: str, status: str = "302 Found") -> Serve:
    return _status(status, f"Location: {target}")


def _redirect_then(status: str, answer: str) -> Serve:
    """Return a behaviour: any path redirects to /new, which answers."""
    first, second = _redirect("/new", status), _status(answer)

    def serve(wire: Wire) -> None:
        wire.read_request()
        (second if wire.path == "/new" else first)(wire)

    return serve


def _silent(wire: Wire) -> None:
    wire.hang()


def _refuses_what_is_no_http(wire: Wire) -> None:
    wire.sock.recv(4096)
    wire.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def _speaks_ssh(wire: Wire) -> None:
    wire.sock.recv(4096)
    wire.sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def _closes(wire: Wire) -> None:
    wire.read_request()


def _closes_at_once(wire: Wire) -> None:
    del wire


def _resets(wire: Wire) -> None:
    wire.read_request()
    wire.reset()


def _drips_headers(wire: Wire) -> None:
    wire.read_request()
    wire.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 40, 0.1)


def _drips_body(wire: Wire) -> None:
    wire.read_request()
    wire.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
    wire.drip(b"a" * 40, 0.1)


def _never_ends(wire: Wire) -> None:
    wire.read_request()
    wire.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    wire.sock.settimeout(PATIENCE_SECONDS)
    while not wire.stopped.is_set():
        wire.sock.sendall(b"a" * 4096)


def _huge_header(wire: Wire) -> None:
    wire.read_request()
    wire.sock.sendall(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    for _ in range(11 << 4):
        wire.sock.sendall(b"a" * (64 << 10))
    wire.sock.sendall(b"\r\n\r\n")


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _field(name: str, value: str) -> bytes:
    """Return a header field of HTTP/2 that enters no table."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frames(wire: Wire) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, flags and payload of what a client of HTTP/2 sends, after its preface."""
    data, begun = b"", False
    while True:
        if not begun and len(data) >= 24:
            data, begun = data[24:], True
        while begun and len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
            yield data[3], data[4], data[9:end]
            data = data[end:]
        more = wire.sock.recv(4096)
        if not more:
            return
        data += more


def _http2(*answer: bytes) -> Serve:
    """Return a behaviour: these frames to any request of HTTP/2, and then nothing.

    The client closes first: a close with an acknowledgement unread would be a reset, and could take the answer along.
    """

    def serve(wire: Wire) -> None:
        wire.sock.sendall(_frame(4, 0, 0))
        for kind, flags, _ in _frames(wire):
            if kind == 4 and not flags & 1:
                wire.sock.sendall(_frame(4, 1, 0))
            if kind in (0, 1) and flags & 1:
                wire.sock.sendall(b"".join(answer))
                wire.hang()
                return

    return serve


_STATUS_200 = b"\x88"


def _rpc(status: int | None, code: int = 0, message: str = "") -> Serve:
    """Return a health service of gRPC that says a serving status, or fails with a code."""
    kind = _field("content-type", "application/grpc")
    end = _field("grpc-status", str(code)) + _field("grpc-message", message)
    if status is None:
        return _http2(_frame(1, 5, 1, _STATUS_200 + kind + end))
    body = b"\x08" + bytes([status]) if status else b""
    message_frame = _frame(0, 0, 1, b"\0" + len(body).to_bytes(4, "big") + body)
    return _http2(_frame(1, 4, 1, _STATUS_200 + kind), message_frame, _frame(1, 5, 1, end))


_OK = _reply("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
_HTTP2_OK = _http2(_frame(1, 4, 1, _STATUS_200), _frame(0, 1, 1, b"ok"))
_LONG = "x" * 10241


def _http(expected: str, serve: Serve | None, says: str) -> Behaviour:
    return Behaviour("http", expected, serve, says)


def _https(expected: str, serve: Serve, says: str, certificate: str = "", *protocols: str) -> Behaviour:
    return Behaviour("https", expected, serve, says, certificate, protocols)


def _grpc(expected: str, serve: Serve | None, says: str, certificate: str = "") -> Behaviour:
    return Behaviour("grpc", expected, serve, says, certificate)


BEHAVIOURS: Mapping[str, Behaviour] = {
    "ok": _http("success", _OK, "200 with a short body"),
    "status-204": _http("success", _reply("HTTP/1.1 204 No Content\n\n"), "204"),
    "status-299": _http("success", _status("299 Odd"), "299"),
    "status-300": _http("warning", _status("300 Multiple Choices"), "300"),
    "status-304": _http("warning", _reply("HTTP/1.1 304 Not Modified\n\n"), "304"),
    "status-101": _http("failure", _reply("HTTP/1.1 101 Switching Protocols\n\n"), "101, and no other status after it"),
    "status-400": _http("failure", _status("400 Bad Request"), "400"),
    "status-401": _http("failure", _status("401 Unauthorized"), "401"),
    "status-404": _http("failure", _status("404 Not Found"), "404"),
    "status-500": _http("failure", _status("500 Internal Server Error"), "500"),
    "status-503": _http("failure", _status("503 Service Unavailable"), "503"),
    "status-negative": _http("failure", _status("-50 Odd"), "a negative status"),
    "informational": _http(
        "success",
        _reply("HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        "100 and 103 before the 200",
    ),
    "informational-only": _http("failure", _reply("HTTP/1.1 103 Early Hints\n\n" * 6), "six replies of 1xx"),
    "refused": _http("failure", None, "nothing listens"),
    "reset": _http("failure", _resets, "a reset in place of an answer"),
    "empty-reply": _http("failure", _closes, "the end in place of an answer"),
    "hang": _http("failure", _silent, "nothing at all, until the timeout"),
    "slow-headers": _http("failure", _drips_headers, "headers byte by byte"),
    "hang-in-body": _http("error", _reply("HTTP/1.1 200 OK\nContent-Length: 9\n\nok", then="hang"), "200, half a body"),
    "hang-in-body-500": _http(
        "error", _reply("HTTP/1.1 500 Oh\nContent-Length: 9\n\nno", then="hang"), "500, and half a body"
    ),
    "slow-body": _http("error", _drips_body, "a body byte by byte"),
    "short-body": _http(
        "error", _reply("HTTP/1.1 200 OK\nContent-Length: 100\n\nhello"), "5 bytes of 100, and the end"
    ),
    "short-body-503": _http("error", _reply("HTTP/1.1 503 No\nContent-Length: 100\n\nhello"), "the same under a 503"),
    "bad-chunk": _http(
        "error", _reply("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\nhello\n"), "a chunk of no size"
    ),
    "cut-chunk": _http("error", _reply("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhel"), "a chunk cut short"),
    "no-length": _http("success", _reply("HTTP/1.0 200 OK\n\nhello"), "a body that ends with the connection"),
    "big-body": _http(
        "success", _reply(f"HTTP/1.1 200 OK\nContent-Length: 10241\n\n{_LONG}"), "one byte more than is read"
    ),
    "big-body-hangs": _http(
        "success", _reply(f"HTTP/1.1 200 OK\nContent-Length: 99999\n\n{_LONG}", then="hang"), "10 KiB of 99,999 bytes"
    ),
    "endless-body": _http("success", _never_ends, "a body without end, fast"),
    "redirect-301": _http("success", _redirect_then("301 Moved", "200 OK"), "301 to a path that answers 200"),
    "redirect-302": _http("success", _redirect_then("302 Found", "200 OK"), "302 to a path that answers 200"),
    "redirect-303": _http("success", _redirect_then("303 See Other", "200 OK"), "303 to a path that answers 200"),
    "redirect-307": _http("success", _redirect_then("307 Temporary", "200 OK"), "307 to a path that answers 200"),
    "redirect-308": _http("success", _redirect_then("308 Permanent", "200 OK"), "308 to a path that answers 200"),
    "redirect-to-500": _http("failure", _redirect_then("302 Found", "500 No"), "302 to a path that answers 500"),
    "redirect-to-308": _http(
        "warning", _redirect_then("308 Permanent", "308 Permanent"), "308 to a path that answers 308 without Location"
    ),
    "redirect-other-host": _http("warning", _redirect("http://elsewhere.invalid/"), "302 to another host"),
    "redirect-other-port": _http(
        "success", _redirect("http://{host}:{port:ok}/"), "302 to another port that answers 200"
    ),
    "redirect-other-port-500": _http(
        "failure", _redirect("http://{host}:{port:status-500}/"), "302 to another port that answers 500"
    ),
    "redirect-https": _http("success", _redirect("https://{host}:{port:tls-self-signed}/"), "302 to https, same host"),
    "redirect-https-closed": _http(
        "failure", _redirect("https://{host}:{port:refused}/"), "302 to https on a port where nothing listens"
    ),
    "redirect-loop": _http("failure", _redirect("/again"), "302 to itself"),
    "redirect-bad-location": _http("failure", _redirect("http://[::1"), "302 to what is no URL"),
    "redirect-no-location": _http("warning", _status("302 Found"), "302 to nowhere"),
    "bad-status-line": _http("failure", _reply("HTP/1.1 200 OK\n\n"), "a status line of another protocol"),
    "http-0.9": _http("failure", _reply("hello\n"), "a body alone, as of HTTP/0.9"),
    "two-lengths": _http(
        "failure", _reply("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\nok"), "two lengths that differ"
    ),
    "same-length-twice": _http(
        "success", _reply("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2\n\nok"), "one length, said twice"
    ),
    "large-header": _http(
        "success", _reply(f"HTTP/1.1 200 OK\nX-Large: {'a' * 60000}\nContent-Length: 2\n\nok"), "a header of 60 kB"
    ),
    "huge-header": _http("failure", _huge_header, "a header of 11 MiB"),
    "http-on-tls": Behaviour("http", "failure", _closes, "plain HTTP to a TLS port", "self_signed"),
    "tls-self-signed": _https("success", _OK, "a certificate that nobody signed", "self_signed", "http/1.1"),
    "tls-expired": _https("success", _OK, "a certificate of the past", "expired"),
    "tls-wrong-name": _https("success", _OK, "a certificate of somebody else", "wrong_name"),
    "tls-on-plain": _https("failure", _refuses_what_is_no_http, "HTTPS to a plain port"),
    "tls-to-ssh": _https("failure", _speaks_ssh, "HTTPS to a port of SSH"),
    "tls-hang": _https("failure", _silent, "a port that answers no handshake"),
    "http2": _https("success", _HTTP2_OK, "HTTP/2, agreed on over TLS", "self_signed", "h2"),
    "http2-reset": _https("failure", _http2(_frame(3, 0, 1, b"\0\0\0\2")), "a stream given up", "self_signed", "h2"),
    "http2-hang-in-body": _https(
        "error", _http2(_frame(1, 4, 1, _STATUS_200)), "200 over HTTP/2, and no body", "self_signed", "h2"
    ),
    "tcp-closes": Behaviour("tcp", "success", _closes_at_once, "a connection that is closed at once"),
    "tcp-hangs": Behaviour("tcp", "success", _silent, "a connection on which nothing comes"),
    "tcp-refused": Behaviour("tcp", "failure", None, "nothing listens"),
    "grpc-serving": _grpc("success", _rpc(1), "SERVING"),
    "grpc-not-serving": _grpc("failure", _rpc(2), "NOT_SERVING"),
    "grpc-unknown-status": _grpc("failure", _rpc(0), "UNKNOWN"),
    "grpc-unknown-service": _grpc("failure", _rpc(None, 5, "unknown service"), "NotFound: no such service"),
    "grpc-unimplemented": _grpc("failure", _rpc(None, 12, "unknown method"), "Unimplemented: no health service"),
    "grpc-hang": _grpc("failure", _http2(), "a call that is not answered"),
    "grpc-on-http1": _grpc("failure", _OK, "a server of HTTP/1"),
    "grpc-on-tls": _grpc("failure", _closes, "a server that speaks TLS", "self_signed"),
    "grpc-refused": _grpc("failure", None, "nothing listens"),
}
"""What each endpoint does, and what becomes of an attempt."""


_KEY = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIAcg6xVUQMZbb2NU/+dd0bQsg/h9sIGpSUSEcy1rHpcKoAoGCCqGSM49
AwEHoUQDQgAE7413EXb/43tQ1Jl9wNQYu9JG50qtIRSYvHNBqQZFc58qbfzVNWU5
hkeDJwZBsGOOJpXCVbns79QwfJCf28IN3w==
-----END EC PRIVATE KEY-----
"""
"""Of these certificates alone; they vouch for nothing."""

_CERTIFICATES = {
    "self_signed": """\
-----BEGIN CERTIFICATE-----
MIIBEDCBuAIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcN
MjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2Fs
aG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO+NdxF2/+N7UNSZfcDUGLvS
RudKrSEUmLxzQakGRXOfKm381TVlOYZHgycGQbBjjiaVwlW57O/UMHyQn9vCDd8w
CgYIKoZIzj0EAwIDRwAwRAIgMu69iM1oD9plcu6Hnibd5WzCpKr/8FG9BefUe0rt
HhICIC6y7+APCVyjn125LlS7Df47T6lQdml/+9Kp6g5mClol
-----END CERTIFICATE-----
""",
    "expired": """\
-----BEGIN CERTIFICATE-----
MIIBDzCBtgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwHhcN
MjAwMTAxMDAwMDAwWhcNMjAwMjAxMDAwMDAwWjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATvjXcRdv/je1DUmX3A1Bi70kbn
Sq0hFJi8c0GpBkVznypt/NU1ZTmGR4MnBkGwY44mlcJVuezv1DB8kJ/bwg3fMAoG
CCqGSM49BAMCA0gAMEUCIQC7C1RhVWjbBedvqKXH490WSZ//cMq4gR2V5jbB4Ive
RwIgX+9N9/qjPsp/PBrtdzmeRVONV2tfvU3C2FlHrU3y3/o=
-----END CERTIFICATE-----
""",
    "wrong_name": """\
-----BEGIN CERTIFICATE-----
MIIBIjCByAIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFlbHNld2hlcmUuaW52
YWxpZDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEaMBgGA1UE
AwwRZWxzZXdoZXJlLmludmFsaWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATv
jXcRdv/je1DUmX3A1Bi70kbnSq0hFJi8c0GpBkVznypt/NU1ZTmGR4MnBkGwY44m
lcJVuezv1DB8kJ/bwg3fMAoGCCqGSM49BAMCA0kAMEYCIQCyetmqfC4fNwinq0p+
yD/75fLvB1vbR9JajjUvxpImiAIhAKikNqbqpV7G1FZxI0DwOMbAREVcDCeHFO8r
i80Lq3h+
-----END CERTIFICATE-----
""",
}


@cache
def _context(certificate: str, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pem"
        path.write_text(_KEY + _CERTIFICATES[certificate])
        context.load_cert_chain(path)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class Endpoints:
    """Every behaviour of the table, each on a port, from entering to leaving."""

    def __init__(self, host: str = "127.0.0.1", base: int = 0) -> None:
        self.ports: dict[str, int] = {}
        self.accepted = dict.fromkeys(BEHAVIOURS, 0)
        """How many connections each has taken."""
        self._host = host
        self._base = base
        self._stopped = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for position, (name, behaviour) in enumerate(BEHAVIOURS.items()):
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listener = socket.socket(family)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._base + position if self._base else 0))
            self.ports[name] = listener.getsockname()[1]
            self._sockets.add(listener)  # bound, so that nobody else takes the port, where nobody listens too
            if behaviour.serve:
                listener.listen(1024)
                self._start(self._accept, name, listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        for each in self._sockets:
            each.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        with self._lock:
            self._threads = [*(each for each in self._threads if each.is_alive()), thread]

    def _accept(self, name: str, listener: socket.socket) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.accepted[name] += 1
            self._start(self._serve, name, sock)

    def _serve(self, name: str, sock: socket.socket) -> None:
        behaviour = BEHAVIOURS[name]
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            held.callback(self._forget, held.enter_context(sock))
            sock.settimeout(PATIENCE_SECONDS)
            with self._lock:
                if self._stopped.is_set():
                    return
                self._sockets.add(sock)
            if behaviour.certificate:
                context = _context(behaviour.certificate, behaviour.protocols)
                sock = held.enter_context(context.wrap_socket(sock, server_side=True))
            if behaviour.serve:
                behaviour.serve(Wire(sock, self.ports, self._stopped))

    def _forget(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--base", type=int, default=0, help="first port; 0 takes free ones")
    parser.add_argument("--forever", action="store_true", help="go on when standard input ends")
    options = parser.parse_args()
    with Endpoints(options.host, options.base) as endpoints:
        print(json.dumps({"ready": endpoints.ports}), flush=True)
        if options.forever:
            threading.Event().wait()
        sys.stdin.read()


if __name__ == "__main__":
    main()
