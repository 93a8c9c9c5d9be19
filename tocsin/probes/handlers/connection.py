"""One TCP connection as a probe makes it: dialled anew each time, with TLS that trusts everybody, closed without delay.

Everything here waits without a limit of its own; whoever makes the attempt sets the one deadline around all of it.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import ipaddress
import os
import socket
import ssl
import struct
import termios
from collections.abc import Generator
from functools import cache

from tocsin.probes.handlers.kubelet import Kubelet
from tocsin.probes.handlers.reason import Broken, Reason

RECEIVE_BYTES = 4096
"""The buffer of Go's transport (net/http, ReadBufferSize): what is read ahead is never more."""

LINGER_SECONDS = 1
"""pkg/probe/dialer_others.go: a socket is not left behind for the system's minute."""

_LINGER = struct.pack("ii", 1, LINGER_SECONDS)

HANDSHAKE_SECONDS = 10
"""Limit of a TLS handshake, under the probe's own (net/http, DefaultTransport.TLSHandshakeTimeout)."""

YIELD_AFTER = 16
"""Receives without a wait after which other probes get their turn."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES+SHA1:ECDHE+AES+SHA256"
"""What Go offers under TLS 1.2 (crypto/tls, cipher_suites.go)."""

CIPHERS_OF_RSA = "kRSA+AESGCM:kRSA+AES+SHA1:kRSA+AES+SHA256"
"""What it offers besides where it exchanges keys by RSA."""

ANY_KEY = "@SECLEVEL=0"
"""Weak keys are the server's business, as for Go."""


class Yield:
    """Give way to whatever else is ready."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def address_text(host: str, port: int) -> str:
    """Return host:port as in a URL; an IPv6 address has brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def dial(host: str, port: int) -> socket.socket:
    """Return a connected, non-blocking socket. Raises Broken in Go's words."""
    where = address_text(host, port)
    if not 0 <= port <= 65535:
        raise Broken(Reason.UNREACHABLE, f"dial tcp: address {port}: invalid port")
    failure: OSError | None = None
    for family, address in await _addresses(host, port):
        try:
            return await _connect(family, address)
        except OSError as error:
            failure = failure or error
    if failure is None:
        raise Broken(Reason.NAME_UNKNOWN, f"dial tcp: lookup {host}: no such host")
    reason = Reason.REFUSED if isinstance(failure, ConnectionRefusedError) else Reason.UNREACHABLE
    if failure.errno == errno.ETIMEDOUT:
        reason = Reason.DIAL_TIMED_OUT
    raise Broken(reason, f"dial tcp {where}: connect: {system_words(failure)}")


async def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int] | tuple[str, int, int, int]]]:
    """Return where to connect to: an address as it is, and what the resolver has for a name."""
    literal, _, zone = host.partition("%")
    try:
        address = ipaddress.ip_address(literal)
    except ValueError:
        pass
    else:
        if address.version == 4:
            return [(socket.AF_INET, (host, port))]
        scope = _scope(zone)
        return [(socket.AF_INET6, (literal, port, 0, scope))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc] # of INET and INET6 only


def _scope(zone: str) -> int:
    if not zone:
        return 0
    try:
        return int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    except OSError:
        return 0


async def _connect(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(address)  # asyncio's own would resolve the address again
        except BlockingIOError:
            await _writable(sock)
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number)) from None
    except BaseException:
        sock.close()
        raise
    return sock


async def _writable(sock: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock)


_UNACKNOWLEDGED = (4, 9, 11)
"""TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_CLOSING: the other side has not acknowledged our end yet (linux/tcp_states.h)."""


def release(sock: socket.socket) -> None:
    """Close a socket at once, as far as anybody can tell.

    A close with SO_LINGER waits up to a second for the other side's acknowledgement, which would hold up every other
    probe. Where there is something to wait for, a thread waits.
    """
    try:
        (unread,) = struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0" * 4))
        if not unread:  # else the close is a reset, and waits for nobody
            sock.shutdown(socket.SHUT_WR)
            if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _UNACKNOWLEDGED:
                asyncio.get_running_loop().run_in_executor(None, sock.close)
                return
    except OSError:
        pass  # never connected, or reset by the other side
    sock.close()


def system_words(error: OSError) -> str:
    """Return what the system says of an error, as Go writes it: in small letters."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


@cache
def _context(kubelet: Kubelet) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = kubelet.minimum_tls
    context.set_ciphers(":".join((CIPHERS, *[CIPHERS_OF_RSA] * kubelet.exchanges_keys_by_rsa, ANY_KEY)))
    if kubelet.http2:
        context.set_alpn_protocols(("h2", "http/1.1"))
    return context


class _Records:
    """Follows the framing of TLS, to know whether an end came between two records or within one."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    def take(self, data: bytes) -> None:
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
            else:
                taken = min(5 - len(self._header), len(data))
                self._header += data[:taken]
                if len(self._header) == 5:
                    self._left = int.from_bytes(self._header[3:])
                    self._header = b""
            data = data[taken:]

    @property
    def between(self) -> bool:
        return not self._left and not self._header


class Connection:
    """A connection that is read in pieces of at most 4 KiB."""

    def __init__(self, sock: socket.socket, where: str) -> None:
        self.where = where
        """host:port, for messages."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._receives = 0
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._records = _Records()
        self._first = b""

    @classmethod
    async def dialled(cls, host: str, port: int) -> Connection:
        """Connect. Raises Broken."""
        return cls(await dial(host, port), address_text(host, port))

    def close(self) -> None:
        """Close it, without a word more to the other side. May be called again."""
        if self._sock.fileno() >= 0:
            release(self._sock)

    @property
    def protocol(self) -> str:
        """What both sides agreed to speak (ALPN), or an empty text."""
        return (self._tls.selected_alpn_protocol() or "") if self._tls else ""

    async def start_tls(self, host: str, kubelet: Kubelet) -> None:
        """Shake hands, with whoever it is. Raises Broken."""
        self._tls = _context(kubelet).wrap_bio(self._incoming, self._outgoing, server_hostname=_server_name(host))
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS) as limit:
                await self._shake_hands(self._tls)
        except TimeoutError:
            if limit.expired():
                raise Broken(Reason.TLS_TIMED_OUT, "net/http: TLS handshake timeout") from None
            raise

    async def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    raise Broken(Reason.TLS_FAILED, "EOF") from None
            except ssl.SSLError as error:
                raise self._no_tls(error) from None
            else:
                await self._flush()
                return

    def _no_tls(self, error: ssl.SSLError) -> Broken:
        if self._first == b"HTTP/":
            return Broken(Reason.PLAIN_TEXT_ON_TLS, "http: server gave HTTP response to HTTPS client")
        return Broken(Reason.TLS_FAILED, f"tls: {_words_of_tls(error)}")

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises Broken."""
        if self._tls:
            self._tls.write(data)
            await self._flush()
        else:
            await self._send(data)

    async def _send(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as error:
            raise Broken(Reason.RESET_BEFORE_HEADERS, f"write tcp {self.where}: {system_words(error)}") from None

    async def receive(self, most: int = RECEIVE_BYTES) -> bytes:
        """Return what comes next, so many bytes at most, or nothing at the end. Raises Broken."""
        while self._tls:
            try:
                return self._tls.read(most)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    if self._records.between:
                        return b""
                    raise Broken(Reason.BODY_CUT, "unexpected EOF") from None
            except ssl.SSLError as error:
                raise Broken(Reason.TLS_FAILED, f"remote error: tls: {_words_of_tls(error)}") from None
        return await self._receive(most)

    async def _receive(self, most: int) -> bytes:
        self._receives += 1
        if self._receives % YIELD_AFTER == 0:
            await Yield()
        try:
            return await self._loop.sock_recv(self._sock, most)
        except OSError as error:
            said = f"read tcp {self.where}: read: {system_words(error)}"
            raise Broken(Reason.RESET_BEFORE_HEADERS, said) from None

    async def _feed(self) -> bool:
        """Take in what came; False at the end."""
        data = await self._receive(RECEIVE_BYTES)
        if len(self._first) < 5:
            self._first = (self._first + data)[:5]
        self._records.take(data)
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._send(data)


def _server_name(host: str) -> str | None:
    """Return the name for SNI; an address is never sent, nor what no server name can be."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.rstrip(".")
        return name if name and name.isascii() and len(name) < 254 and not name.startswith(".") else None
    return None


def _words_of_tls(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
