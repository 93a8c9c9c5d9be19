"""A connection read through a buffer of 4 KiB, as Go's bufio does; what Go calls too long depends on that size."""

from __future__ import annotations

from tocsin.probes.handlers.connection import RECEIVE_BYTES, Connection
from tocsin.probes.handlers.kubelet import NEWEST
from tocsin.probes.handlers.reason import Broken, Reason

HEADER_BYTES = 10 << 20
"""What all of a reply's headers may have (net/http, Transport.maxHeaderResponseSize)."""


class Ended(Exception):
    """The connection ended where something had to follow."""


class Reader:
    """Reads lines and pieces of a connection."""

    def __init__(self, connection: Connection, go: int = NEWEST.go) -> None:
        self.go = go
        """The minor version of Go 1 whose rules hold for what is read."""
        self._connection = connection
        self._buffer = bytearray()
        self._allowed: int | None = None

    def allow_headers(self) -> None:
        """Let headers come, as many bytes as a reply may have."""
        self._allowed = HEADER_BYTES

    def allow_all(self) -> None:
        """Let anything come: the headers are over."""
        self._allowed = None

    @property
    def buffered(self) -> int:
        """How many bytes are there without waiting."""
        return len(self._buffer)

    @property
    def has_line(self) -> bool:
        """Whether a whole line is there without waiting."""
        return b"\n" in self._buffer

    async def _fill(self) -> bool:
        """Take in what comes next, as far as the buffer has room; False at the end."""
        room = RECEIVE_BYTES - len(self._buffer)
        if self._allowed is not None:
            if self._allowed <= 0:
                said = f"net/http: server response headers exceeded {HEADER_BYTES} bytes; aborted"
                raise Broken(Reason.HEADERS_TOO_LONG, said)
            room = min(room, self._allowed)
        data = await self._connection.receive(room)
        if self._allowed is not None:
            self._allowed -= len(data)
        self._buffer += data
        return bool(data)

    async def peek(self, count: int) -> bytes:
        """Return the next bytes without taking them; fewer at the end, or if the buffer is full."""
        while len(self._buffer) < count <= RECEIVE_BYTES and await self._fill():
            pass
        return bytes(self._buffer[:count])

    async def line(self) -> bytes:
        """Return the next line without LF or CRLF; the last one may lack them. Raises Ended."""
        line = bytearray()
        while (end := self._buffer.find(b"\n")) < 0:
            line += self._buffer
            self._buffer.clear()
            if not await self._fill():
                if not line:
                    raise Ended
                return bytes(line)
        line += self._buffer[:end]
        del self._buffer[: end + 1]
        return bytes(line[:-1] if line.endswith(b"\r") else line)

    async def short_line(self) -> bytes | None:
        """Return the next line with its LF; None if it does not fit the buffer. Raises Ended."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) >= RECEIVE_BYTES:
                return None
            if not await self._fill():
                raise Ended
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line if len(line) < RECEIVE_BYTES else None

    async def skip_blanks(self) -> bool:
        """Take the blanks and tabs that come next; whether there were any. The end is no more than the end."""
        skipped = False
        while self._buffer or await self._fill():
            if self._buffer[0] not in b" \t":
                return skipped
            del self._buffer[0]
            skipped = True
        return skipped

    async def read(self, most: int) -> bytes:
        """Return what is there, or what comes next; nothing at the end."""
        if not self._buffer:
            await self._fill()
        data = bytes(self._buffer[:most])
        del self._buffer[:most]
        return data

    async def exactly(self, count: int) -> bytes:
        """Return so many bytes. Raises Ended."""
        data = b""
        while len(data) < count:
            piece = await self.read(count - len(data))
            if not piece:
                raise Ended
            data += piece
        return data

    async def ends_with_blank_line(self) -> bool:
        """Whether a blank line comes within what the buffer can hold."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) >= RECEIVE_BYTES or not await self._fill():
                return False
        return True
