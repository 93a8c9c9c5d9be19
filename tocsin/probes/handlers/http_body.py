"""The body of a reply of HTTP/1, read as far as the kubelet reads one (net/http: transfer.go, internal/chunked.go)."""

from __future__ import annotations

import re
from typing import Protocol

from tocsin.probes.handlers.buffered import Ended, Reader
from tocsin.probes.handlers.http_response import BodyLength, Head, read_headers
from tocsin.probes.handlers.reason import Broken, Reason

OVERHEAD_LIMITED = 21
"""From this minor version of Go on what is no data in a chunked body is limited (golang/go#64433), ..."""

OVERHEAD_BYTES = 16 << 10
"""... to this, beside 16 bytes and as much as the data for each chunk, ..."""

SIZE_NEEDED = 23
"""... a chunk's size has at least one digit (golang/go#64517), ..."""

BARE_FEED_REFUSED = 24
"""... and its line ends in CR LF (golang/go#71988, from Go 1.24.2 on)."""

_CUT = "unexpected EOF"


class Body(Protocol):
    """A body that is read piece by piece."""

    ended: bool
    """Whether it is complete."""

    async def read(self, most: int) -> bytes:
        """Return some more of it, so many bytes at most; nothing only once it has ended. Raises Broken."""
        ...


def body_of(head: Head, reader: Reader) -> Body:
    """Return the body that a head announces."""
    length = BodyLength.of(head)
    if head.switches_protocol:
        return PlainBody(reader, None)
    return ChunkedBody(reader) if length.chunked else PlainBody(reader, length.known)


async def read_at_most(body: Body, limit: int) -> bytes:
    """Return a body, or its first bytes if it has more than `limit`; the rest is left alone. Raises Broken."""
    data = b""
    while len(data) < limit and not body.ended:
        data += await body.read(limit - len(data))
    return data


class PlainBody:
    """A body of a known length, or one that lasts until the connection ends."""

    def __init__(self, reader: Reader, length: int | None) -> None:
        self._reader = reader
        self._left = length
        self.ended = length == 0

    async def read(self, most: int) -> bytes:
        """As Body.read."""
        data = await self._reader.read(most if self._left is None else min(most, self._left))
        if self._left is None:
            self.ended = not data
            return data
        if not data:
            raise Broken(Reason.BODY_CUT, _CUT)
        self._left -= len(data)
        self.ended = not self._left
        return data


class ChunkedBody:
    """A body in chunks, each with its size before it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left = 0
        self._between = False
        self._overhead = 0
        self.ended = False

    async def read(self, most: int) -> bytes:
        """As Body.read; what can be checked without waiting is checked, even behind the last byte asked for."""
        try:
            return await self._read(most)
        except Ended:
            raise Broken(Reason.BODY_CUT, _CUT) from None

    async def _read(self, most: int) -> bytes:
        data = b""
        while not self.ended:
            if self._between:
                if data and self._reader.buffered < 2:
                    break
                await self._end_chunk()
            elif not self._left:
                if data and not self._reader.has_line:
                    break
                await self._begin_chunk()
            elif len(data) == most:
                break
            else:
                data += await self._piece(most - len(data))
        return data

    async def _piece(self, most: int) -> bytes:
        piece = await self._reader.read(min(most, self._left))
        if not piece:
            raise Ended
        self._left -= len(piece)
        self._between = not self._left
        return piece

    async def _end_chunk(self) -> None:
        if await self._reader.exactly(2) != b"\r\n":
            raise Broken(Reason.BODY_MALFORMED, "malformed chunked encoding")
        self._between = False

    async def _begin_chunk(self) -> None:
        line = await self._reader.short_line()
        if line is None:
            raise Broken(Reason.BODY_MALFORMED, "header line too long")
        if self._reader.go >= BARE_FEED_REFUSED and not re.fullmatch(b"[^\r]*\r\n", line):
            bare = b"\r" not in line
            said = "chunked line ends with bare LF" if bare else "invalid CR in chunked line"
            raise Broken(Reason.BODY_MALFORMED, said)
        size = line.rstrip(b" \t\r\n").partition(b";")[0]
        if not size and self._reader.go >= SIZE_NEEDED:
            raise Broken(Reason.BODY_MALFORMED, "empty hex number for chunk length")
        if not re.fullmatch(b"[0-9a-fA-F]*", size):
            raise Broken(Reason.BODY_MALFORMED, "invalid byte in chunk length")
        if len(size) > 16:
            raise Broken(Reason.BODY_MALFORMED, "http chunk length too large")
        self._left = int(size or b"0", 16)
        self._overhead = max(0, self._overhead + len(line.rstrip(b"\r\n")) + 2 - 16 - 2 * self._left)
        if self._overhead > OVERHEAD_BYTES and self._reader.go >= OVERHEAD_LIMITED:
            raise Broken(Reason.BODY_MALFORMED, "chunked encoding contains too much non-data")
        if not self._left:
            await self._trailer()
            self.ended = True

    async def _trailer(self) -> None:
        """Read what stands behind the last chunk."""
        begin = await self._reader.peek(2)
        if len(begin) < 2:
            raise Broken(Reason.BODY_CUT, "http: unexpected EOF reading trailer")
        if begin == b"\r\n":
            await self._reader.exactly(2)
            return
        if not await self._reader.ends_with_blank_line():
            raise Broken(Reason.BODY_MALFORMED, "http: suspiciously long trailer after chunked body")
        await read_headers(self._reader)
