"""A reply of HTTP/2, in the shape of one of HTTP/1 (net/http, h2_bundle.go: handleResponse, transportResponseBody)."""

from __future__ import annotations

import re

from tocsin.probes.handlers.http2 import HEADER_LIST_BYTES, STREAM, DataEvent, HeadersEvent, Http2, ResetEvent, broken
from tocsin.probes.handlers.http_response import Head, Headers, canonical, too_many_informational
from tocsin.probes.handlers.reason import Broken, Reason

_WHOLE_NUMBER = re.compile("[+-]?[0-9]+")


async def read_reply(stream: Http2) -> tuple[Head, Http2Body]:
    """Return the head and the body of the reply that counts, past those of 1xx. Raises Broken."""
    passed, size = 0, 0
    while True:
        match await stream.event():
            case HeadersEvent(fields, ended):
                head = _head(fields)
                size += sum(len(name) + len(value) + 32 for name, value in fields)
            case DataEvent():
                raise _stream_error("PROTOCOL_ERROR")
            case ResetEvent(code):
                raise _stream_error(code)
        if not 100 <= head.status <= 199:
            return head, Http2Body(stream, content_length(head.headers), ended=ended)
        if ended:
            raise _stream_error("PROTOCOL_ERROR; 1xx informational response with END_STREAM flag")
        passed += 1
        if too_many_informational(passed, stream.go):
            raise _stream_error("PROTOCOL_ERROR; http2: too many 1xx informational responses")
        if size > HEADER_LIST_BYTES:
            raise _stream_error("PROTOCOL_ERROR; header list too large")


def _head(fields: tuple[tuple[str, str], ...]) -> Head:
    status = next((value for name, value in fields if name == ":status"), "")
    if not _WHOLE_NUMBER.fullmatch(status):
        raise _stream_error("PROTOCOL_ERROR; malformed response from server: no status")
    headers: Headers = {}
    for name, value in fields:
        if not name.startswith(":"):
            headers.setdefault(canonical(name), []).append(value)
    return Head(int(status), (2, 0), headers)


def content_length(headers: Headers) -> int | None:
    """Return the length that a reply of HTTP/2 declares, if it does so once and readably."""
    values = headers.get("Content-Length", [])
    return int(values[0]) if len(values) == 1 and re.fullmatch("[0-9]{1,18}", values[0]) else None


def _stream_error(said: str) -> Broken:
    return Broken(Reason.MALFORMED_REPLY, f"stream error: stream ID {STREAM}; {said}")


class Http2Body:
    """The body that follows on a stream."""

    def __init__(self, stream: Http2, length: int | None, *, ended: bool) -> None:
        self._stream = stream
        self._left = length
        self._data = b""
        self._over = ended
        self.ended = ended and not length

    async def read(self, most: int) -> bytes:
        """Return some more of it, so many bytes at most; nothing only once it has ended. Raises Broken."""
        while not self._data and not self._over:
            await self._take()
        data, self._data = self._data[:most], self._data[most:]
        if self._left is not None:
            if len(data) > self._left:
                said = "net/http: server replied with more than declared Content-Length; truncated"
                raise Broken(Reason.BODY_MALFORMED, said)
            self._left -= len(data)
        if self._over and not self._data:
            if self._left:
                raise Broken(Reason.BODY_CUT, "unexpected EOF")
            self.ended = True
        return data

    async def _take(self) -> None:
        match await self._stream.event():
            case DataEvent(data, ended):
                self._data, self._over = data, ended
            case HeadersEvent(fields, ended):
                if not ended or any(name.startswith(":") for name, _ in fields):
                    raise broken("PROTOCOL_ERROR")
                self._over = True
            case ResetEvent(code):
                raise _stream_error(f"{code}; received from peer")
