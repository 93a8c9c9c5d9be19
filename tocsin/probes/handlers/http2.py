"""HTTP/2 with one request on one connection (RFC 7540), as strict as Go's client (net/http, h2_bundle.go).

It is written here because no package that Tocsin needs anyway speaks it, and what a probe needs of it is small: the
stream is always number 1, the request has a few headers, and of the reply ten kilobytes are read.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from tocsin.probes.handlers.buffered import Ended, Reader
from tocsin.probes.handlers.connection import Connection
from tocsin.probes.handlers.hpack import BadCompression, Decoder, Field, encode
from tocsin.probes.handlers.kubelet import NEWEST
from tocsin.probes.handlers.reason import Broken, Reason

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STREAM = 1
STREAM_WINDOW = 4 << 20
CONNECTION_WINDOW = 1 << 30
"""What Go lets the other side send ahead (transportDefaultStreamFlow, transportDefaultConnFlow)."""

HEADER_LIST_BYTES = 10 << 20
ACKNOWLEDGES = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

_NAME = re.compile("[!#$%&'*+.^_`|~0-9a-z-]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_CODES = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)


class Kind(IntEnum):
    """Types of frames."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Setting(IntEnum):
    """Settings that a client has an opinion about."""

    ENABLE_PUSH = 2
    INITIAL_WINDOW_SIZE = 4
    MAX_HEADER_LIST_SIZE = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends_stream(self) -> bool:
        """Whether nothing follows on its stream."""
        return bool(self.flags & END_STREAM)

    def content(self) -> bytes:
        """Return the payload without padding and priority. Raises Broken."""
        data, padding = self.payload, 0
        if self.flags & PADDED:
            padding, data = (data[0] if data else 256), data[1:]
        if self.kind == Kind.HEADERS and self.flags & PRIORITISED:
            if len(data) < 5:
                raise broken("PROTOCOL_ERROR")
            data = data[5:]
        if padding > len(data):
            raise broken("PROTOCOL_ERROR")
        return data[: len(data) - padding]


@dataclass(frozen=True, slots=True)
class HeadersEvent:
    """A block of headers, or of trailers."""

    fields: tuple[Field, ...]
    ended: bool


@dataclass(frozen=True, slots=True)
class DataEvent:
    """A piece of the body."""

    data: bytes
    ended: bool


@dataclass(frozen=True, slots=True)
class ResetEvent:
    """The other side gave the stream up."""

    code: str


Event = HeadersEvent | DataEvent | ResetEvent


def broken(code: str) -> Broken:
    """Return the failure of a connection on which the other side breaks the protocol."""
    return Broken(Reason.MALFORMED_REPLY, f"http2: connection error: {code}")


def code_name(number: int) -> str:
    """Return the name of an error code."""
    return _CODES[number] if number < len(_CODES) else f"unknown error code 0x{number:x}"


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame as it is sent."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


class Http2:
    """One connection with one stream."""

    def __init__(self, connection: Connection, go: int = NEWEST.go) -> None:
        self.go = go
        """The minor version of Go 1 whose rules hold for the reply."""
        self._connection = connection
        self._reader = Reader(connection, go)
        self._decoder = Decoder()
        self._settled = False
        self._gone: Broken | None = None
        """Why the other side will not answer; what has come from it already still counts."""

    async def start(self) -> None:
        """Send what a connection begins with. Raises Broken."""
        settings = (
            (Setting.ENABLE_PUSH, 0),
            (Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            (Setting.MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES),
        )
        await self._connection.send(
            PREFACE
            + frame(Kind.SETTINGS, 0, 0, b"".join(struct.pack(">HI", *each) for each in settings))
            + frame(Kind.WINDOW_UPDATE, 0, 0, CONNECTION_WINDOW.to_bytes(4))
        )

    async def settled(self) -> None:
        """Wait for the settings of the other side. Raises Broken."""
        while not self._settled:
            await self._housekeep(await self._frame())

    async def request(self, fields: Sequence[Field], data: bytes | None = None) -> None:
        """Send a request, with a body or without. Raises Broken."""
        ends = END_STREAM if data is None else 0
        sent = frame(Kind.HEADERS, END_HEADERS | ends, STREAM, encode(fields))
        if data is not None:
            sent += frame(Kind.DATA, END_STREAM, STREAM, data)
        await self._connection.send(sent)

    async def event(self) -> Event:
        """Return what happens next on the stream. Raises Broken if the connection, or the stream, is lost."""
        while True:
            received = await self._frame()
            match received.kind:
                case Kind.HEADERS:
                    if headers := await self._headers(received):
                        return headers
                case Kind.DATA if received.stream == STREAM:
                    return DataEvent(received.content(), received.ends_stream)
                case Kind.RST_STREAM:
                    if len(received.payload) != 4:
                        raise broken("FRAME_SIZE_ERROR")
                    if received.stream == STREAM:
                        return ResetEvent(code_name(int.from_bytes(received.payload)))
                case Kind.DATA | Kind.CONTINUATION | Kind.PUSH_PROMISE:
                    raise broken("PROTOCOL_ERROR")
                case _:
                    await self._housekeep(received)

    async def _frame(self) -> Frame:
        if self._gone and not self._reader.buffered:
            raise self._gone
        try:
            header = await self._reader.exactly(9)
            payload = await self._reader.exactly(int.from_bytes(header[:3]))
        except Ended:
            raise Broken(Reason.CLOSED_BEFORE_HEADERS, "unexpected EOF") from None
        received = Frame(header[3], header[4], int.from_bytes(header[5:]) & 0x7FFFFFFF, payload)
        if not self._settled and received.kind != Kind.SETTINGS:
            raise broken("PROTOCOL_ERROR")
        return received

    async def _housekeep(self, received: Frame) -> None:
        """Do what a frame about the connection asks for."""
        match received.kind:
            case Kind.SETTINGS:
                await self._settle(received)
            case Kind.PING:
                if len(received.payload) != 8:
                    raise broken("FRAME_SIZE_ERROR")
                if not received.flags & ACKNOWLEDGES:
                    await self._acknowledge(Kind.PING, received.payload)
            case Kind.GOAWAY:
                self._go_away(received.payload)
            case Kind.WINDOW_UPDATE:
                if len(received.payload) != 4:
                    raise broken("FRAME_SIZE_ERROR")
                if not int.from_bytes(received.payload) & 0x7FFFFFFF:
                    raise broken("PROTOCOL_ERROR")

    async def _settle(self, received: Frame) -> None:
        acknowledges = bool(received.flags & ACKNOWLEDGES)
        if received.stream:
            raise broken("PROTOCOL_ERROR")
        if len(received.payload) % 6 or (acknowledges and received.payload):
            raise broken("FRAME_SIZE_ERROR")
        for setting, value in struct.iter_unpack(">HI", received.payload):
            if setting == Setting.INITIAL_WINDOW_SIZE and value >= 1 << 31:
                raise broken("FLOW_CONTROL_ERROR")
        self._settled = True
        if not acknowledges:
            await self._acknowledge(Kind.SETTINGS)

    async def _acknowledge(self, kind: Kind, payload: bytes = b"") -> None:
        """Acknowledge a frame; if the other side has gone, what it sent before still counts."""
        with contextlib.suppress(Broken):
            await self._connection.send(frame(kind, ACKNOWLEDGES, 0, payload))

    def _go_away(self, payload: bytes) -> None:
        if len(payload) < 8:
            raise broken("FRAME_SIZE_ERROR")
        last, code = struct.unpack(">II", payload[:8])
        if last & 0x7FFFFFFF < STREAM:
            said = f"http2: server sent GOAWAY and closed the connection; ErrCode={code_name(code)}"
            self._gone = Broken(Reason.CLOSED_BEFORE_HEADERS, said)

    async def _headers(self, received: Frame) -> HeadersEvent | None:
        block, last = received.content(), received
        while not last.flags & END_HEADERS:
            last = await self._frame()
            if last.kind != Kind.CONTINUATION or last.stream != received.stream:
                raise broken("PROTOCOL_ERROR")
            block += last.payload
            if len(block) > HEADER_LIST_BYTES:
                raise Broken(Reason.HEADERS_TOO_LONG, "http2: response header list larger than advertised limit")
        try:
            fields = self._decoder.decode(block)
        except BadCompression:
            raise broken("COMPRESSION_ERROR") from None
        if received.stream != STREAM:
            return None
        _check(fields)
        return HeadersEvent(tuple(fields), received.ends_stream)


def _check(fields: Sequence[Field]) -> None:
    """Refuse fields that may not be in a reply."""
    pseudo = [name for name, _ in fields if name.startswith(":")]
    ordered = [name for name, _ in fields[: len(pseudo)]] == pseudo
    wrong = any(_CONTROL.search(value) for _, value in fields)
    wrong |= any(not _NAME.fullmatch(name) for name, _ in fields if not name.startswith(":"))
    if wrong or not ordered or len(set(pseudo)) < len(pseudo) or not set(pseudo) <= {":status"}:
        raise Broken(Reason.MALFORMED_REPLY, f"stream error: stream ID {STREAM}; PROTOCOL_ERROR; invalid header field")
    if sum(len(name) + len(value) + 32 for name, value in fields) > HEADER_LIST_BYTES:
        raise Broken(Reason.HEADERS_TOO_LONG, "http2: response header list larger than advertised limit")
