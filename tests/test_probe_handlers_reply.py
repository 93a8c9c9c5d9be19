"""Replies byte by byte: what Go's client forgives and what it does not, and that no reply can do harm."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probe_endpoints.raw import End, Piece, told
from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers import HttpGet, Kubelet, Reason

S, W, F, E = Outcome.SUCCESS, Outcome.WARNING, Outcome.FAILURE, Outcome.ERROR
LONG = 20.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b"HTTP/1.1 200 OK", S),
        (b"HTTP/1.1 200", S),
        (b"HTTP/1.1  200 OK", S),
        (b"HTTP/1.0 200 OK", S),
        (b"HTTP/2.0 200 OK", S),
        (b"HTTP/0.0 200 OK", S),
        (b"HTTP/1.1 399 Odd", W),
        (b"HTTP/1.1 999 Odd", F),
        (b"HTTP/1.1 20 OK", F),
        (b"HTTP/1.1 2000 OK", F),
        (b"HTTP/1.1 2x0 OK", F),
        (b"HTTP/1.1 +20 OK", F),
        (b"HTTP/1.1 0_0 OK", F),
        (b"HTTP/1.1 200OK", F),
        (b"http/1.1 200 OK", F),
        (b"HTTP/1.12 200 OK", F),
        (b"HTTP/1.1\t200 OK", F),
        (b" HTTP/1.1 200 OK", F),
        (b"ICY 200 OK", F),
        (b"", F),
        (b"SSH-2.0-OpenSSH_9.2", F),
    ],
)
def test_a_status_line(line: bytes, outcome: Outcome) -> None:
    assert told(line + b"\r\nContent-Length: 0\r\n\r\n").attempt.outcome is outcome


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        (b"Content-Length: 2", S),
        (b"content-length: 2", S),
        (b"Content-Length: 002", S),
        (b"Content-Length: 2\r\nContent-Length: 2", S),
        (b"Content-Length: 2\r\nContent-Length: 3", F),
        (b"Content-Length: 2, 2", F),
        (b"Content-Length: +2", F),
        (b"Content-Length: -2", F),
        (b"Content-Length: 0x2", F),
        (b"Content-Length: 99999999999999999999", F),
        (b"Content-Length:", F),
        (b"Content-Length : 9", S),
        (b"Content-Length: 9", E),
        (b"Transfer-Encoding: gzip", F),
        (b"Transfer-Encoding: gzip, chunked", F),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", F),
        (b"Transfer-Encoding: Chunked", E),
        (b"X: a\r\n b", S),
        (b": no name", F),
        (b"no colon", F),
        (b" X: begins with a blank", F),
        (b"X: \x00", F),
        (b"X: \xff", S),
        (b"X Y: z", S),
        (b"X: " + b"a" * 9000, S),
        (b"Transfer-Encoding: chunked\r\nTrailer: Content-Length", F),
    ],
)
def test_headers(headers: bytes, outcome: Outcome) -> None:
    assert told(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\nok").attempt.outcome is outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"2\r\nok\r\n0\r\n\r\n", S),
        (b"2;name=value\r\nok\r\n0\r\n\r\n", S),
        (b"2\nok\r\n0\n\r\n", E),
        (b"2\r\r\nok\r\n0\r\n\r\n", E),
        (b"\r\n\r\n", E),
        (b"1;" + b"x" * 3000 + b"\r\no\r\n0\r\n\r\n", S),
        ((b"1;" + b"x" * 3000 + b"\r\no\r\n") * 6 + b"0\r\n\r\n", E),
        ((b"800;" + b"x" * 3000 + b"\r\n" + b"o" * 2048 + b"\r\n") * 4 + b"0\r\n\r\n", S),
        (b"0002\r\nok\r\n0\r\n\r\n", S),
        (b"2\r\nok\r\n0\r\nX-Trailer: v\r\n\r\n", S),
        (b"2801\r\n" + b"x" * 10241, S),
        (b"2 ;x\r\nok\r\n0\r\n\r\n", E),
        (b"0x2\r\nok\r\n0\r\n\r\n", E),
        (b"-2\r\nok\r\n0\r\n\r\n", E),
        (b"2\r\nokay\r\n0\r\n\r\n", E),
        (b"2\r\nok\n0\r\n\r\n", E),
        (b"2\r\nok\r\n0\r\n", E),
        (b"2\r\nok\r\n", E),
        (b"00000000000000002\r\nok\r\n0\r\n\r\n", E),
        (b"2;" + b"x" * 5000 + b"\r\nok\r\n0\r\n\r\n", E),
        (b"2\r\nok\r\n0\r\nX: " + b"t" * 5000 + b"\r\n\r\n", E),
        (b"2\r\nok\r\n0\r\nno colon\r\n\r\n", E),
    ],
)
def test_chunks(body: bytes, outcome: Outcome) -> None:
    assert told(CHUNKED + body).attempt.outcome is outcome


HINT = b"HTTP/1.1 103 E\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("reply", "since", "before", "after"),
    [
        (b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\nok", 20, S, F),
        (b"HTTP/1.1 200 OK\r\nX: \x7f\r\n\r\nok", 20, S, F),
        (b"HTTP/1.1 200 OK\r\nX\tY: z\r\n\r\nok", 20, S, F),
        (CHUNKED + b"2\r\nok\r\n0\r\nX: \x00\r\n\r\n", 20, S, E),
        (CHUNKED + (b"1;" + b"x" * 3000 + b"\r\no\r\n") * 6 + b"0\r\n\r\n", 21, S, E),
        (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", 22, S, F),
        (b"HTTP/1.1 204 N\r\nContent-Length:\r\n\r\n", 22, S, S),
        (b"HTTP/1.1 200 OK\r\n: no name\r\n\r\nok", 23, S, F),
        (CHUNKED + b"\r\n\r\n", 23, S, E),
        (CHUNKED + b"2\nok\r\n0\r\n\r\n", 24, S, E),
        (CHUNKED + b"2\r\r\nok\r\n0\r\n\r\n", 24, S, E),
        (HINT * 6 + REPLY, 24, F, S),
        (HINT * 6, 24, F, F),
    ],
)
def test_what_a_later_go_takes_otherwise(reply: bytes, since: int, before: Outcome, after: Outcome) -> None:
    def taken(go: int) -> Outcome:
        return told(
            reply, probe=lambda port: HttpGet("127.0.0.1", port, kubelet=Kubelet(built_with=go))
        ).attempt.outcome

    assert (taken(since - 1), taken(since)) == (before, after)


def test_replies_of_1xx_and_the_reply_may_have_ten_mebibytes_together() -> None:
    large = HINT.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * (3 << 20) + b"\r\n\r\n")
    assert told(large * 3 + REPLY, seconds=LONG).attempt.outcome is S
    assert told(large * 4 + REPLY, seconds=LONG).attempt.reason is Reason.HEADERS_TOO_LONG

    def old(port: int) -> HttpGet:
        return HttpGet("127.0.0.1", port, kubelet=Kubelet(built_with=23))

    assert told(large * 4 + REPLY, seconds=LONG, probe=old).attempt.outcome is S  # each may have as much


def test_chunks_mean_nothing_to_http_1_0() -> None:
    made = told(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").attempt
    assert (made.outcome, made.message) == (S, "zz\r\n")


def test_bytes_that_come_one_by_one_are_the_same() -> None:
    reply = CHUNKED + b"2\r\nok\r\n0\r\n\r\n"
    assert told([Piece(reply[at : at + 1], 0.0005) for at in range(len(reply))], seconds=20).attempt.message == "ok"


def test_a_switch_of_protocol_is_read_to_its_end() -> None:
    switch = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello"
    assert told(switch).attempt.outcome is F
    hanging = told(switch, end=End.HANG, seconds=0.2).attempt
    assert (hanging.outcome, hanging.reason, hanging.status) == (E, Reason.SWITCHED_PROTOCOL, 101)
    assert told(switch.replace(b"Upgrade: x\r\n", b""), end=End.HANG).attempt.outcome is F


def test_a_reset_is_told_by_when_it_comes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    assert told(head[:20], end=End.RESET).attempt.outcome is F
    broken = told(head + b"ok", end=End.RESET).attempt
    assert (broken.outcome, broken.reason, broken.status) == (E, Reason.BODY_CUT, 200)


def test_a_redirect_whose_body_hangs_fails_with_the_timeout() -> None:
    redirect = b"HTTP/1.1 302 F\r\nLocation: /new\r\n\r\nx"
    made = told(redirect, end=End.HANG, seconds=0.2).attempt
    assert (made.outcome, made.reason) == (F, Reason.HEADERS_TIMED_OUT)


LINES = st.sampled_from(
    [
        *[b"HTTP/1.1 200 OK"] * 6,
        b"HTTP/1.1 503 No",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 204 N",
        b"HTTP/1.1 302 F",
        b"HTTP/1.1 103 E",
        b"hello",
        b"",
    ]
)
HEADERS = st.sampled_from(
    [
        b"Content-Length: 5",
        b"Content-Length: 50",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Location: /",
        b"Location: http://127.0.0.1:1/",
        b"Location: http://[",
        b"X: y",
        b"X: " + b"a" * 5000,
        b" folded",
        b"no colon",
    ]
)
BODIES = st.sampled_from(
    [
        b"hello",
        b"",
        b"x" * 10240,
        b"x" * 20000,
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"5\r\nhel",
        b"zz\r\n",
        b"ffffffffffffffff\r\n",
    ]
)
BREAKS = st.sampled_from([*[b"\r\n"] * 8, b"\n", b"\r"])
ENDS = st.sampled_from([*[End.CLOSE] * 6, End.RESET, End.HANG])


@st.composite
def replies(draw: st.DrawFn) -> list[Piece]:
    """Draw a reply: well made, or nearly, or noise; cut into pieces, some of them late."""
    lines = [draw(LINES), *draw(st.lists(HEADERS, max_size=4)), b""]
    raw = b"".join(line + draw(BREAKS) for line in lines) + draw(BODIES)
    raw = draw(st.one_of(st.just(raw), st.just(raw), st.binary(max_size=60), st.just(raw[: draw(st.integers(0, 60))])))
    at = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=3)))
    late = st.sampled_from([0.0, 0.0, 0.005])
    return [Piece(raw[begin:end], draw(late)) for begin, end in zip([0, *at], [*at, len(raw)], strict=True)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(replies(), ENDS)
def test_no_reply_raises_or_outlasts_the_deadline(reply: list[Piece], end: End) -> None:
    """Whatever comes is one of four ends, before the deadline and a little slack (which `told` sees to)."""
    made = told(reply, end=end, seconds=0.1).attempt
    assert made.outcome in Outcome
    assert made.reason in Reason
    assert made.outcome is not Outcome.ERROR or made.status is not None
