"""The scenarios of the kubelet's probes that are about single attempts, by number, against real servers."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.probe_endpoints.raw import told
from tests.probe_endpoints.server import BEHAVIOURS, Endpoints
from tests.probe_scenarios import SINGLE_ATTEMPTS, numbers, scenario
from tests.test_probe_handlers import handler_of
from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers import (
    Exec,
    ExplainedAttempt,
    GrpcCheck,
    Handler,
    HttpGet,
    Kubelet,
    Reason,
    TcpSocket,
    attempt_now,
)
from tocsin.probes.handlers.exec import CommandEnd, CommandNotRun, expanded
from tocsin.probes.handlers.tcp import dialled

SUCCESS, WARNING, FAILURE, ERROR = Outcome.SUCCESS, Outcome.WARNING, Outcome.FAILURE, Outcome.ERROR
LONG = 20.0
"""A timeout that nothing here reaches which is meant to end otherwise."""


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Endpoints]:
    """Serve every behaviour."""
    with Endpoints() as served:
        yield served


def ask(endpoints: Endpoints, name: str, seconds: float = LONG) -> ExplainedAttempt:
    """Make one attempt at a behaviour."""
    return attempt_now(handler_of(BEHAVIOURS[name], endpoints.ports[name]), seconds)


def outcomes(endpoints: Endpoints, *names: str, seconds: float = LONG) -> list[Outcome]:
    return [ask(endpoints, name, seconds).outcome for name in names]


@scenario(61)
def test_61_a_2xx_is_a_success(endpoints: Endpoints) -> None:
    assert outcomes(endpoints, "ok", "status-204", "status-299") == [SUCCESS] * 3


@scenario(62)
def test_62_a_redirect_is_judged_by_what_is_behind_it(endpoints: Endpoints) -> None:
    names = [f"redirect-{status}" for status in (301, 302, 303, 307, 308)]
    assert outcomes(endpoints, *names) == [SUCCESS] * 5
    assert ask(endpoints, "redirect-to-500").outcome is FAILURE


@scenario(63)
@pytest.mark.parametrize("body", [b"", b"moved"])
def test_63_a_redirect_to_a_308_without_location_is_a_warning(body: bytes) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    first = b"HTTP/1.1 308 P\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"
    made = told(first, b"HTTP/1.1 308 P\r\n" + length + body).attempt
    assert (made.outcome, made.message) == (WARNING, f"Probe terminated redirects, Response body: {body.decode()}")


@pytest.mark.parametrize(
    ("status", "kubelet", "outcome"),
    [
        (301, Kubelet(1, 24), FAILURE),
        (302, Kubelet(1, 24), FAILURE),
        (303, Kubelet(1, 24), FAILURE),
        (302, Kubelet(1, 20, built_with=19), WARNING),
        (302, Kubelet(1, 25), WARNING),
        (307, Kubelet(1, 24), WARNING),
        (308, Kubelet(1, 24), WARNING),
    ],
)
@pytest.mark.parametrize("header", [b"", b"Location:\r\n"])
def test_a_redirect_without_location_failed_before_go_1_19(
    status: int, kubelet: Kubelet, outcome: Outcome, header: bytes
) -> None:
    """Kubernetes 1.24 is the last that was built with an older one; 307 and 308 were never refused."""
    reply = b"HTTP/1.1 %d M\r\n%bContent-Length: 0\r\n\r\n" % (status, header)
    made = told(reply, probe=lambda port: HttpGet("127.0.0.1", port, "/", kubelet=kubelet)).attempt
    assert made.outcome is outcome
    if outcome is FAILURE:
        assert made.message.endswith(f"{status} response missing Location header")


@scenario(64)
def test_64_a_redirect_to_another_host_is_a_warning(endpoints: Endpoints) -> None:
    assert ask(endpoints, "redirect-other-host").outcome is WARNING


@scenario(65)
def test_65_a_redirect_to_another_port_is_followed(endpoints: Endpoints) -> None:
    assert outcomes(endpoints, "redirect-other-port", "redirect-other-port-500") == [SUCCESS, FAILURE]


@scenario(66)
def test_66_a_loop_fails_after_ten_requests(endpoints: Endpoints) -> None:
    before = endpoints.accepted["redirect-loop"]
    made = ask(endpoints, "redirect-loop")
    assert (made.outcome, made.reason) == (FAILURE, Reason.TOO_MANY_REDIRECTS)
    assert endpoints.accepted["redirect-loop"] - before == 10


@scenario(67)
def test_67_a_redirect_to_a_closed_https_port_fails(endpoints: Endpoints) -> None:
    assert ask(endpoints, "redirect-https-closed").reason is Reason.REFUSED


@scenario(68)
def test_68_a_3xx_without_a_way_is_a_warning(endpoints: Endpoints) -> None:
    assert outcomes(endpoints, "status-300", "status-304", "redirect-no-location") == [WARNING] * 3


@scenario(69)
def test_69_any_other_status_fails(endpoints: Endpoints) -> None:
    names = [f"status-{status}" for status in ("101", "400", "401", "404", "500", "503", "negative")]
    assert outcomes(endpoints, *names) == [FAILURE] * 7


@scenario(70)
def test_70_a_hang_before_headers_fails_in_one_try(endpoints: Endpoints) -> None:
    made = ask(endpoints, "hang", 0.3)
    assert (made.outcome, made.tries, made.reason) == (FAILURE, 1, Reason.HEADERS_TIMED_OUT)
    assert made.seconds >= 0.3


@scenario(71)
@pytest.mark.parametrize("name", ["hang-in-body", "hang-in-body-500"])
def test_71_a_hang_in_the_body_is_an_error_of_three_tries(name: str, endpoints: Endpoints) -> None:
    made = ask(endpoints, name, 0.3)
    assert (made.outcome, made.tries, made.reason) == (ERROR, 3, Reason.BODY_TIMED_OUT)
    assert made.seconds >= 3 * 0.3


@scenario(72)
def test_72_a_broken_body_is_an_error(endpoints: Endpoints) -> None:
    names = ("short-body", "short-body-503", "bad-chunk", "cut-chunk")
    assert outcomes(endpoints, *names) == [ERROR] * 4


@scenario(73)
def test_73_a_big_body_is_cut_and_succeeds(endpoints: Endpoints) -> None:
    made = ask(endpoints, "big-body")
    assert (made.outcome, len(made.message)) == (SUCCESS, 10240)


@scenario(74)
def test_74_an_endless_body_succeeds(endpoints: Endpoints) -> None:
    assert outcomes(endpoints, "endless-body", "big-body-hangs") == [SUCCESS] * 2


@scenario(75)
def test_75_no_answer_fails_in_one_try(endpoints: Endpoints) -> None:
    for name in ("refused", "reset", "empty-reply", "http-0.9"):
        made = ask(endpoints, name)
        assert (made.outcome, made.tries) == (FAILURE, 1), name


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def sent(*headers: tuple[str, str], path: str = "/") -> bytes:
    """Return what a probe sends."""
    return told(OK, probe=lambda port: HttpGet("127.0.0.1", port, path, headers=headers)).requests[0]


@scenario(76)
def test_76_the_headers_are_exactly_these() -> None:
    lines = (
        "GET / HTTP/1.1",
        "Host: 127.0.0.1:PORT",
        "User-Agent: kube-probe/1.36",
        "Accept: */*",
        "Connection: close",
    )
    assert sent() == "\r\n".join((*lines, "", "")).encode()


@scenario(77)
def test_77_an_empty_value_takes_a_default_away() -> None:
    assert sent(("User-Agent", ""), ("Accept", "")) == (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n"
    )


@scenario(78)
def test_78_a_host_header_outlives_a_relative_redirect_only() -> None:
    def hosts(location: bytes) -> list[bytes]:
        redirect = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
        probe = told(redirect, OK, probe=lambda port: HttpGet("127.0.0.1", port, headers=(("Host", "shop.example"),)))
        return [request.split(b"\r\n")[1] for request in probe.requests]

    assert hosts(b"/new") == [b"Host: shop.example"] * 2
    assert hosts(b"http://127.0.0.1:PORT/new") == [b"Host: shop.example", b"Host: 127.0.0.1:PORT"]


@scenario(79)
@pytest.mark.parametrize(
    ("path", "target"), [("", "/"), ("/path", "/path"), ("?foo", "/?foo"), ("/path?bar", "/path?bar")]
)
def test_79_a_path_is_sent_as_it_is_written(path: str, target: str) -> None:
    assert sent(path=path).split()[1].decode() == target


@scenario(80)
@pytest.mark.parametrize("kind", [HttpGet, TcpSocket])
def test_80_a_port_of_another_container_is_an_error_of_three_tries(kind: type[HttpGet | TcpSocket]) -> None:
    handler: Handler = kind("127.0.0.1", "web", ports={"metrics": 9090})
    made = attempt_now(handler, LONG)
    assert (made.outcome, made.tries, made.reason) == (ERROR, 3, Reason.PORT_UNKNOWN)


@scenario(81)
def test_81_certificates_are_not_verified(endpoints: Endpoints) -> None:
    assert outcomes(endpoints, "tls-self-signed", "tls-expired", "tls-wrong-name") == [SUCCESS] * 3


@scenario(82)
def test_82_no_proxy_is_used(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{endpoints.ports['refused']}")
    assert ask(endpoints, "ok").outcome is SUCCESS


@scenario(83)
def test_83_tcp_is_content_with_a_connection(endpoints: Endpoints) -> None:
    assert outcomes(endpoints, "tcp-closes", "tcp-hangs") == [SUCCESS] * 2


@scenario(84)
def test_84_tcp_refused_or_to_no_port_fails(endpoints: Endpoints) -> None:
    assert ask(endpoints, "tcp-refused").reason is Reason.REFUSED
    verdict = asyncio.run(dialled("127.0.0.1", -1, LONG))
    assert (verdict.outcome, verdict.message) == (FAILURE, "dial tcp: address -1: invalid port")


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Return a port whose queue is full, so that the kernel drops who else knocks."""
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@scenario(85)
@pytest.mark.parametrize("kind", [HttpGet, TcpSocket])
def test_85_a_black_hole_fails_with_the_timeout(black_hole: int, kind: type[HttpGet | TcpSocket]) -> None:
    made = attempt_now(kind("127.0.0.1", black_hole), 0.3)
    assert (made.outcome, made.reason) == (FAILURE, Reason.DIAL_TIMED_OUT)
    assert made.seconds >= 0.3
    assert "i/o timeout" in made.message


@scenario(86)
def test_86_grpc_serving_and_not_serving(endpoints: Endpoints) -> None:
    assert ask(endpoints, "grpc-serving").outcome is SUCCESS
    made = ask(endpoints, "grpc-not-serving")
    assert (made.outcome, made.message) == (FAILURE, 'service unhealthy (responded with "NOT_SERVING")')


@scenario(87)
def test_87_a_closed_grpc_port_fails_with_the_timeout(endpoints: Endpoints) -> None:
    made = ask(endpoints, "grpc-refused", 0.4)
    assert made.seconds >= 0.4
    where = f"127.0.0.1:{endpoints.ports['grpc-refused']}"
    assert made.message.startswith(f'timeout: failed to connect service "{where}" within 400ms')


@scenario(88)
def test_88_grpc_against_http1_fails(endpoints: Endpoints) -> None:
    assert ask(endpoints, "grpc-on-http1", 0.4).outcome is FAILURE


@scenario(89)
def test_89_a_slow_grpc_call_fails_with_the_timeout(endpoints: Endpoints) -> None:
    made = ask(endpoints, "grpc-hang", 2)
    assert (made.outcome, made.message) == (FAILURE, "timeout: health rpc did not complete within 2s")


@scenario(90)
def test_90_an_unknown_service_no_service_and_tls_fail(endpoints: Endpoints) -> None:
    reasons = [ask(endpoints, f"grpc-{name}").reason for name in ("unknown-service", "unimplemented")]
    assert reasons == [Reason.RPC_FAILED, Reason.NOT_IMPLEMENTED]
    assert ask(endpoints, "grpc-on-tls", 0.4).reason is Reason.RPC_TIMED_OUT


def run(*command: str, seconds: float = LONG) -> ExplainedAttempt:
    """Make one attempt with a command on this machine."""
    return attempt_now(Exec(command), seconds)


async def _broken_runtime(command: Sequence[str], seconds: float) -> CommandEnd:
    raise CommandNotRun(f"container not running, {command[0]}, {seconds:g} s")


@scenario(91)
def test_91_exec_by_its_end() -> None:
    assert (run("true").outcome, run("false").outcome) == (SUCCESS, FAILURE)
    assert run("sh", "-c", "echo no; exit 7").status == 7
    made = attempt_now(Exec(("app",), run=_broken_runtime), LONG)
    assert (made.outcome, made.tries, made.reason) == (ERROR, 3, Reason.COMMAND_NOT_RUN)
    late = run("sleep", "10", seconds=0.2)
    assert (late.outcome, late.message) == (FAILURE, 'command "sleep 10" timed out')


@scenario(92)
def test_92_exec_keeps_ten_kilobytes() -> None:
    made = run(sys.executable, "-c", "print('x' * 11264)")
    assert (made.outcome, made.message) == (SUCCESS, "x" * 10240)


@scenario(93)
def test_93_a_missing_program_is_an_error_of_three_tries() -> None:
    made = run("/no/such/program")
    assert (made.outcome, made.tries, made.reason) == (ERROR, 3, Reason.COMMAND_NOT_RUN)


@scenario(94)
def test_94_a_slow_command_fails() -> None:
    assert run("sleep", "10", seconds=0.2).reason is Reason.COMMAND_TIMED_OUT


@scenario(95)
def test_95_a_child_in_the_background_fails_too() -> None:
    assert run("sh", "-c", "sleep 10 & exit 1", seconds=0.3).outcome is FAILURE


@scenario(96)
@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("some $(A) $(B)", "some script $(B)"),
        ("$$(A)", "$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_96_only_known_variables_are_expanded(text: str, becomes: str) -> None:
    assert expanded(text, {"A": "script"}) == becomes


async def _echo(command: Sequence[str], _: float) -> CommandEnd:
    return CommandEnd(0, " ".join(command).encode())


@scenario(96)
def test_96_a_container_gets_the_expanded_command() -> None:
    made = attempt_now(Exec(("run", "$(A)"), run=_echo, environment={"A": "script"}), LONG)
    assert made.message == "run script"


def test_a_grpc_probe_takes_no_named_port() -> None:
    assert attempt_now(GrpcCheck("127.0.0.1", 0), LONG).reason is Reason.PORT_UNKNOWN


SCENARIOS = frozenset(numbers(list(globals().values())))
"""The scenarios that have a test here."""


def test_none_of_the_single_attempts_is_missing() -> None:
    assert set(range(61, 97)) == SCENARIOS
    assert SINGLE_ATTEMPTS <= SCENARIOS
