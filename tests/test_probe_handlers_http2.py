"""HTTP/2 as a probe needs it: header compression by the examples of its standard, frames as Go takes them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.probes.handlers.hpack import STATIC, BadCompression, Decoder, encode, huffman_codes
from tocsin.probes.handlers.http2 import (
    END_HEADERS,
    END_STREAM,
    PADDED,
    PRIORITISED,
    STREAM,
    DataEvent,
    Event,
    Frame,
    HeadersEvent,
    Http2,
    Kind,
    ResetEvent,
    frame,
)
from tocsin.probes.handlers.http2_reply import read_reply
from tocsin.probes.handlers.http_body import read_at_most
from tocsin.probes.handlers.kubelet import NEWEST
from tocsin.probes.handlers.reason import Broken, Reason

REQUESTS = (
    ("828684418cf1e3c2e5f23a6ba0ab90f4ff", {":path": "/", ":authority": "www.example.com"}),
    ("828684be5886a8eb10649cbf", {":authority": "www.example.com", "cache-control": "no-cache"}),
    ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", {":path": "/index.html", "custom-key": "custom-value"}),
)
"""Three requests on one connection (RFC 7541, appendix C.4), and something of what they say."""


class Script:
    """A connection on which everything that comes is known beforehand."""

    def __init__(self, received: bytes) -> None:
        self._left = received
        self.sent = b""

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def receive(self, most: int) -> bytes:
        data, self._left = self._left[:most], self._left[most:]
        return data


SETTINGS = frame(Kind.SETTINGS, 0, 0)
OK = b"\x88"


def events(*frames: bytes, settings: bytes = SETTINGS, count: int = 1) -> list[Event]:
    """Return what a stream tells of these frames."""
    stream = Http2(Script(settings + b"".join(frames)))  # type: ignore[arg-type]

    async def take() -> list[Event]:
        return [await stream.event() for _ in range(count)]

    return asyncio.run(take())


def reply(*frames: bytes, go: int = NEWEST.go) -> tuple[int, bytes]:
    """Return status and body of these frames."""
    stream = Http2(Script(SETTINGS + b"".join(frames)), go)  # type: ignore[arg-type]

    async def take() -> tuple[int, bytes]:
        head, body = await read_reply(stream)
        return head.status, await read_at_most(body, 10240)

    return asyncio.run(take())


def test_the_standards_requests_are_decoded() -> None:
    decoder = Decoder()
    for block, expected in REQUESTS:
        fields = dict(decoder.decode(bytes.fromhex(block)))
        assert expected.items() <= fields.items()


def test_the_tables_are_whole() -> None:
    assert (len(STATIC), STATIC[0][0], STATIC[60][0]) == (61, ":authority", "www-authenticate")
    codes = huffman_codes()
    assert len(codes) == 256
    assert sum(2.0**-length for length, _ in codes) == 1 - 2.0**-30  # the last code ends a text, and never comes


@pytest.mark.parametrize(
    "block",
    ["80", "ff80808080808080", "be", "0005", "000561", "4081ff00", "40827fff00", "3fe21f", "88408161016220", "00"],
)
def test_a_bad_block_is_refused(block: str) -> None:
    with pytest.raises(BadCompression):
        Decoder().decode(bytes.fromhex(block))


@given(
    st.lists(st.tuples(st.text(alphabet="abc-", min_size=1), st.text(alphabet="xyz \xe9", max_size=300)), max_size=5)
)
def test_what_is_encoded_is_decoded(fields: list[tuple[str, str]]) -> None:
    assert Decoder().decode(encode(fields)) == fields


@given(st.binary(max_size=60))
def test_no_block_does_harm(block: bytes) -> None:
    try:
        Decoder().decode(block)
    except BadCompression as error:
        assert str(error)  # noqa: PT017 - it is either read or refused with a reason


@given(st.binary(max_size=120))
def test_no_frames_do_harm(frames: bytes) -> None:
    try:
        reply(frames)
    except Broken as error:
        assert error.said  # noqa: PT017 - as above


def test_headers_and_data_are_told() -> None:
    told = events(frame(Kind.HEADERS, END_HEADERS, STREAM, OK), frame(Kind.DATA, END_STREAM, STREAM, b"ok"), count=2)
    assert told == [HeadersEvent(((":status", "200"),), ended=False), DataEvent(b"ok", ended=True)]


def test_a_block_in_two_frames_is_one() -> None:
    first = frame(Kind.HEADERS, 0, STREAM, OK + b"\x00\x01")
    (told,) = events(first, frame(Kind.CONTINUATION, END_HEADERS, STREAM, b"a\x01b"))
    assert told == HeadersEvent(((":status", "200"), ("a", "b")), ended=False)


def test_a_reset_is_told_by_its_name() -> None:
    assert events(frame(Kind.RST_STREAM, 0, STREAM, (8).to_bytes(4))) == [ResetEvent("CANCEL")]


def test_settings_and_pings_are_answered() -> None:
    script = Script(SETTINGS + frame(Kind.PING, 0, 0, b"12345678") + frame(Kind.RST_STREAM, 0, STREAM, b"\0" * 4))
    asyncio.run(Http2(script).event())  # type: ignore[arg-type]
    assert script.sent == frame(Kind.SETTINGS, 1, 0) + frame(Kind.PING, 1, 0, b"12345678")


class Gone(Script):
    """A connection whose other side has said all it will, and left."""

    async def send(self, data: bytes) -> None:
        if data[3] == Kind.SETTINGS:
            raise Broken(Reason.RESET_BEFORE_HEADERS, "connection reset by peer")


def test_a_server_that_has_left_is_heard_to_its_end() -> None:
    """Its answer is there, although nothing can be acknowledged any more."""
    stream = Http2(Gone(SETTINGS + frame(Kind.HEADERS, END_HEADERS, STREAM, OK)))  # type: ignore[arg-type]
    assert isinstance(asyncio.run(stream.event()), HeadersEvent)


@pytest.mark.parametrize(
    "frames",
    [
        frame(Kind.DATA, 0, 3, b"x"),
        frame(Kind.PUSH_PROMISE, END_HEADERS, STREAM, b"\0\0\0\2"),
        frame(Kind.CONTINUATION, END_HEADERS, STREAM, OK),
        frame(Kind.PING, 0, 0, b"short"),
        frame(Kind.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
        frame(Kind.SETTINGS, 0, 0, b"12345"),
        frame(Kind.SETTINGS, 0, 1),
        frame(Kind.RST_STREAM, 0, STREAM, b"x"),
        frame(Kind.GOAWAY, 0, 0, b"\0" * 8),
        frame(Kind.DATA, PADDED, STREAM, b"\x09x"),
        frame(Kind.HEADERS, END_HEADERS | PRIORITISED, STREAM, OK),
        frame(Kind.HEADERS, END_HEADERS, STREAM, b"\x82"),
        frame(Kind.HEADERS, END_HEADERS, STREAM, OK + OK),
        frame(Kind.HEADERS, END_HEADERS, STREAM, encode([("Upper", "x"), (":status", "200")])),
        frame(Kind.HEADERS, END_HEADERS, STREAM, encode([(":status", "200"), ("x", "\x01")])),
        b"",
    ],
    ids=range(16),
)
def test_what_go_takes_for_broken_is_broken(frames: bytes) -> None:
    with pytest.raises(Broken):
        events(frames)


def test_settings_come_first() -> None:
    with pytest.raises(Broken, match="PROTOCOL_ERROR"):
        events(frame(Kind.HEADERS, END_HEADERS, STREAM, OK), settings=b"")


def test_headers_of_other_streams_are_passed_over() -> None:
    other = frame(Kind.HEADERS, END_HEADERS, 3, OK)
    assert len(events(other, frame(Kind.HEADERS, END_HEADERS, STREAM, OK))) == 1


def test_padding_and_priority_are_taken_off() -> None:
    payload = b"\x02" + b"\0\0\0\0\x10" + b"text" + b"\0\0"
    assert Frame(Kind.HEADERS, PADDED | PRIORITISED, STREAM, payload).content() == b"text"


HEAD = frame(Kind.HEADERS, END_HEADERS, STREAM, OK + encode([("content-length", "5")]))


def test_a_body_has_the_length_that_it_declares() -> None:
    assert reply(HEAD, frame(Kind.DATA, END_STREAM, STREAM, b"hello")) == (200, b"hello")
    with pytest.raises(Broken, match="unexpected EOF"):
        reply(HEAD, frame(Kind.DATA, END_STREAM, STREAM, b"hell"))
    with pytest.raises(Broken, match="more than declared"):
        reply(HEAD, frame(Kind.DATA, END_STREAM, STREAM, b"hello!"))


def test_replies_of_1xx_are_passed_over_five_times_until_go_1_24_and_then_as_long_as_they_are_short() -> None:
    hint = frame(Kind.HEADERS, END_HEADERS, STREAM, encode([(":status", "103")]))
    last = frame(Kind.HEADERS, END_HEADERS | END_STREAM, STREAM, OK)
    assert reply(hint * 5, last, go=23) == reply(hint * 6, last, go=24) == (200, b"")
    with pytest.raises(Broken, match="too many 1xx"):
        reply(hint * 6, last, go=23)
    large = frame(Kind.HEADERS, END_HEADERS, STREAM, encode([(":status", "103"), ("x", "a" * (3 << 20))]))
    assert reply(large * 3, last) == (200, b"")
    with pytest.raises(Broken, match="too large"):
        reply(large * 4, last)


def test_trailers_end_a_body() -> None:
    head = frame(Kind.HEADERS, END_HEADERS, STREAM, OK)
    data = frame(Kind.DATA, 0, STREAM, b"ok")
    trailer = encode([("x-t", "v")])
    assert reply(head, data, frame(Kind.HEADERS, END_HEADERS | END_STREAM, STREAM, trailer)) == (200, b"ok")
    with pytest.raises(Broken):
        reply(head, data, frame(Kind.HEADERS, END_HEADERS, STREAM, trailer))
