"""What a httpGet probe sends: paths as Go reads URLs, headers in Go's order, and what a redirect changes."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probe_endpoints.raw import told
from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers import HttpGet, Kubelet, Reason, attempt_now
from tocsin.probes.handlers.connection import address_text
from tocsin.probes.handlers.http_request import first_request
from tocsin.probes.handlers.ports import resolve_port
from tocsin.probes.handlers.reason import Broken
from tocsin.probes.handlers.url_reference import BadUrl, as_bytes, parse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECONDS = 20.0


def sent(*headers: tuple[str, str], path: str = "/") -> list[str]:
    """Return the lines that a probe sends, without the two last."""
    made = told(OK, probe=lambda port: HttpGet("127.0.0.1", port, path, headers=headers))
    assert made.attempt.outcome is Outcome.SUCCESS, made.attempt
    return made.requests[0].decode("latin-1").split("\r\n")[:-2]


def followed(location: str, *headers: tuple[str, str]) -> list[str]:
    """Return the lines of the request that a redirect brings about."""
    redirect = f"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode()
    made = told(redirect, OK, probe=lambda port: HttpGet("127.0.0.1", port, "/a/b?c", headers=headers))
    return made.requests[1].decode("latin-1").split("\r\n")[:-2]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("healthz", "/healthz"),
        ("/a?b=c&d#e", "/a?b=c&d"),
        ("//a/b", "/b"),
        ("http://zz/q", "/q"),
        ("/%zz", "/%25zz"),
        ("/a b", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/%2f", "/%2f"),
        ("/a\x01", "/a%01"),
        ("/?", "/?"),
        ("?x", "/?x"),
        ("/a/../b", "/a/../b"),
        ("*", "/*"),
    ],
)
def test_a_path_is_read_as_a_reference(path: str, target: str) -> None:
    assert sent(path=path)[0] == f"GET {target} HTTP/1.1"


def test_a_path_with_a_scheme_alone_has_no_host_to_go_to() -> None:
    made = attempt_now(HttpGet("127.0.0.1", 80, "a:b"), SECONDS)
    assert (made.outcome, made.reason) == (Outcome.FAILURE, Reason.UNSENDABLE)
    assert made.message == 'Get "http:b": http: no Host in request URL'


def test_a_user_in_the_path_becomes_credentials() -> None:
    assert "Authorization: Basic dTpw" in sent(path="//u:p@h/x")
    assert "Authorization: mine" in sent(("Authorization", "mine"), path="//u:p@h/x")


def test_a_password_is_not_told() -> None:
    made = attempt_now(HttpGet("127.0.0.1", 1, "//u:secret@h/x"), SECONDS)
    assert "secret" not in made.message
    assert "u:***@" in made.message


def test_headers_are_sorted_and_keep_their_repetitions() -> None:
    given_headers = (("x-b", "2"), ("X-A", " 1 "), ("x-B", "3"), ("user-agent", "me"), ("accept", "text/plain"))
    assert sent(*given_headers) == [
        "GET / HTTP/1.1",
        "Host: 127.0.0.1:PORT",
        "User-Agent: me",
        "Accept: text/plain",
        "X-A: 1",
        "X-B: 2",
        "X-B: 3",
        "Connection: close",
    ]


@pytest.mark.parametrize(
    ("header", "last"),
    [
        (("Connection", "close"), "Connection: close"),
        (("Connection", "keep-alive"), "Connection: close"),
        (("Content-Length", "5"), "Connection: close"),
        (("Transfer-Encoding", "chunked"), "Connection: close"),
    ],
)
def test_what_go_writes_itself_is_not_the_manifests_to_say(header: tuple[str, str], last: str) -> None:
    lines = sent(header)
    assert lines[-1] == last
    assert not any(line.startswith(("Content-Length", "Transfer-Encoding")) for line in lines)
    assert len([line for line in lines if line == "Connection: close"]) == 1


def test_a_switch_of_protocol_is_not_closed() -> None:
    assert sent(("Connection", "Upgrade"), ("Upgrade", "x"))[-1] == "Upgrade: x"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("X-A", "a\nb"), 'invalid header field value for "X-A"'),
        (("X A", "b"), 'invalid header field name "X A"'),
        (("", "b"), 'invalid header field name ""'),
    ],
)
def test_a_header_that_cannot_be_sent_fails_here(header: tuple[str, str], said: str) -> None:
    made = attempt_now(HttpGet("127.0.0.1", 1, headers=(header,)), SECONDS)
    assert (made.outcome, made.reason) == (Outcome.FAILURE, Reason.UNSENDABLE)
    assert said in made.message


@pytest.mark.parametrize(
    ("host", "line"),
    [("shop.example", "shop.example"), ("shop.example/x", "shop.example"), ("é", "xn--9ca"), ("", "127.0.0.1:PORT")],
)
def test_a_host_header_takes_the_addresses_place(host: str, line: str) -> None:
    assert sent(("Host", host), ("Host", "second"))[1] == f"Host: {line}"


def test_the_kubelet_says_its_version() -> None:
    made = told(OK, probe=lambda port: HttpGet("127.0.0.1", port, kubelet=Kubelet(1, 20)))
    assert b"\r\nUser-Agent: kube-probe/1.20\r\n" in made.requests[0]


def test_a_redirect_tells_where_it_comes_from() -> None:
    lines = followed("../new?x#y", ("X-A", "1"), ("Cookie", "c"))
    assert lines[0] == "GET /new?x HTTP/1.1"
    assert lines[-3:] == ["Referer: http://127.0.0.1:PORT/a/b?c", "X-A: 1", "Connection: close"]
    assert "Cookie: c" in lines


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("?q", "/a/b?q"),
        ("c", "/a/c"),
        ("/x y", "/x%20y"),
        ("http://127.0.0.1:PORT", "/"),
        ("#f", "/a/b?c"),
        ("//127.0.0.1:PORT/d/./e/../f", "/d/f"),
    ],
)
def test_a_location_is_seen_from_where_it_was_said(location: str, target: str) -> None:
    assert followed(location)[0] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("location", "outcome", "reason"),
    [
        ("http://[::1", Outcome.FAILURE, Reason.BAD_LOCATION),
        ("%zz", Outcome.FAILURE, Reason.BAD_LOCATION),
        ("http://127.0.0.1:x/", Outcome.FAILURE, Reason.BAD_LOCATION),
        ("http://127.0.0.1:99999/", Outcome.FAILURE, Reason.UNREACHABLE),
        ("ftp://127.0.0.1/", Outcome.FAILURE, Reason.UNSENDABLE),
        ("mailto:someone", Outcome.WARNING, Reason.REDIRECT_NOT_FOLLOWED),
        ("http://127.0.0.2/", Outcome.WARNING, Reason.REDIRECT_NOT_FOLLOWED),
        ("//LOCALHOST/", Outcome.WARNING, Reason.REDIRECT_NOT_FOLLOWED),
    ],
)
def test_a_location_decides_the_attempt(location: str, outcome: Outcome, reason: Reason) -> None:
    reply = f"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode()
    made = told(reply).attempt
    assert (made.outcome, made.reason) == (outcome, reason)


@pytest.mark.parametrize("host", ["a b", "a\x7fb"])
def test_a_host_of_which_no_url_can_be_made_is_an_error(host: str) -> None:
    made = attempt_now(HttpGet(host, 80), SECONDS)
    assert (made.outcome, made.reason, made.tries) == (Outcome.ERROR, Reason.BAD_REQUEST, 3)


def test_a_name_that_nobody_knows_fails() -> None:
    made = attempt_now(HttpGet("nobody.invalid", 80), SECONDS)
    assert (made.outcome, made.reason) == (Outcome.FAILURE, Reason.NAME_UNKNOWN)
    assert "no such host" in made.message


def test_an_ipv6_address_has_brackets() -> None:
    assert address_text("fd00::1", 80) == "[fd00::1]:80"
    assert first_request(HttpGet("fd00::1", 80)).host_header == "[fd00::1]:80"
    assert first_request(HttpGet("fe80::1%25eth0", 80)).host_header == "[fe80::1]:80"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_server_is_asked() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    made = told(OK, probe=lambda port: HttpGet("::1", port), host="::1")
    assert made.attempt.outcome is Outcome.SUCCESS
    assert b"\r\nHost: [::1]:PORT\r\n" in made.requests[0]


@pytest.mark.parametrize(
    ("port", "number"), [(80, 80), ("80", 80), ("web", 8080), ("+80", 80), ("65535", 65535), ("0080", 80)]
)
def test_a_port_is_a_number_or_a_name(port: int | str, number: int) -> None:
    assert resolve_port(port, {"web": 8080}) == number


@pytest.mark.parametrize("port", [0, 65536, -1, "0", "other", "", "80 ", "8_0", "99999999999999999999", "٨٠"])
def test_what_is_no_port_is_refused(port: int | str) -> None:
    with pytest.raises(Broken) as refused:
        resolve_port(port, {"web": 8080})
    assert refused.value.reason is Reason.PORT_UNKNOWN


@given(st.text(alphabet="ab/?#%2fz:@[]. é\x01*&=+", max_size=20))
def test_a_url_that_was_written_is_read_as_the_same(text: str) -> None:
    """What Go prints of a URL, Go reads again; a host must stand before a path that begins with two slashes."""
    try:
        url = parse(f"http://h/{as_bytes(text)}")
    except BadUrl:
        return
    again = parse(str(url))
    assert (str(again), again.request_target, again.host) == (str(url), url.request_target, url.host)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_path_and_no_header_raises(path: str, value: str) -> None:
    try:
        first_request(HttpGet("127.0.0.1", 80, path, headers=(("X", value),))).as_http1()
    except Broken as error:
        assert error.said  # noqa: PT017 - what is not sent is told, and that is all there is to see
