"""The handlers against real small servers: each behaviour ends as an attempt of a kubelet does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.probe_endpoints import server
from tests.probe_endpoints.server import BEHAVIOURS, Behaviour, Endpoints
from tocsin.probes.attempt import TRIES, Outcome
from tocsin.probes.handlers import (
    EXPLANATIONS,
    ExplainedAttempt,
    GrpcCheck,
    Handler,
    HttpGet,
    Reason,
    TcpSocket,
    attempt,
    event,
)
from tocsin.probes.handlers.reason import go_duration

SECONDS = 1.0
LATE = ("hang", "slow", "tls-hang", "grpc-hang", "grpc-on", "grpc-refused", "http2-hang")
"""Behaviours that end with the timeout begin like this."""
OF_ONE_TRY = {Reason.SWITCHED_PROTOCOL}
"""An error that is not tried again, for which the table has no place; tests/test_parity_attempts.py brings it about."""
NOT_ON_A_WIRE = {
    Reason.UNREACHABLE,
    Reason.NAME_UNKNOWN,
    Reason.DIAL_TIMED_OUT,
    Reason.UNSENDABLE,
    Reason.BAD_REQUEST,
    Reason.PORT_UNKNOWN,
    Reason.EXIT_CODE,
    Reason.COMMAND_TIMED_OUT,
    Reason.COMMAND_NOT_RUN,
}
"""Reasons that no behaviour of a listening server brings about; they are tested with the requests and commands."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Every behaviour, asked once."""

    attempts: Mapping[str, ExplainedAttempt]
    accepted: Mapping[str, int]


def handler_of(behaviour: Behaviour, port: int, host: str = "127.0.0.1") -> Handler:
    """Return how a behaviour is probed."""
    match behaviour.handler:
        case "tcp":
            return TcpSocket(host, port)
        case "grpc":
            return GrpcCheck(host, port)
    return HttpGet(host, port, scheme=behaviour.handler.upper())


async def _ask_all(ports: Mapping[str, int]) -> dict[str, ExplainedAttempt]:
    tries = (attempt(handler_of(each, ports[name]), SECONDS) for name, each in BEHAVIOURS.items())
    return dict(zip(BEHAVIOURS, await asyncio.gather(*tries), strict=True))


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """Ask every behaviour, all at once."""
    with Endpoints() as endpoints:
        attempts = asyncio.run(_ask_all(endpoints.ports))
        yield Asked(attempts, dict(endpoints.accepted))


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_an_attempt_ends_as_a_kubelets_does(name: str, asked: Asked) -> None:
    assert asked.attempts[name].outcome == BEHAVIOURS[name].expected, asked.attempts[name]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_only_an_error_is_tried_again(name: str, asked: Asked) -> None:
    """Three tries are three connections; whatever else comes is believed at once, and costs no second try."""
    made = asked.attempts[name]
    assert made.tries == (TRIES if made.outcome is Outcome.ERROR else 1)
    if made.outcome is Outcome.ERROR:
        assert asked.accepted[name] == TRIES


@pytest.mark.parametrize("name", [name for name in BEHAVIOURS if name.startswith(LATE)])
def test_what_never_answers_ends_with_the_timeout(name: str, asked: Asked) -> None:
    """Neither sooner, nor by anything else than the deadline."""
    made = asked.attempts[name]
    assert made.seconds >= SECONDS * made.tries
    assert made.reason.value.endswith("timed out")


def test_there_are_behaviours_of_each_end() -> None:
    assert len(BEHAVIOURS) >= 30
    assert {each.expected for each in BEHAVIOURS.values()} == set(Outcome)
    assert all(each.says for each in BEHAVIOURS.values())


def test_each_reason_is_seen_or_known_to_come_otherwise(asked: Asked) -> None:
    """A reason that nothing brings about would be a promise of a cure that nobody ever reads."""
    seen = {made.reason for made in asked.attempts.values()}
    assert set(Reason) - seen == NOT_ON_A_WIRE | OF_ONE_TRY


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_meaning_and_a_cure(reason: Reason) -> None:
    healthy = (Reason.ANSWERED, Reason.CONNECTED)
    assert EXPLANATIONS[reason].meaning
    assert bool(EXPLANATIONS[reason].cure) == (reason not in healthy)


def test_the_event_says_what_the_kubelet_says(asked: Asked) -> None:
    said = {name: event("readiness", made) for name, made in asked.attempts.items()}
    assert said["ok"] is None
    assert said["status-503"] == "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert str(said["refused"]).endswith("connect: connection refused")
    assert str(said["redirect-other-host"]).startswith("Readiness probe warning: Probe terminated redirects")
    assert str(said["hang-in-body"]).startswith("Readiness probe errored: context deadline exceeded")
    assert said["grpc-not-serving"] == 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
    assert "(Client.Timeout exceeded while awaiting headers)" in str(said["hang"])


def test_a_try_tells_what_it_means(asked: Asked) -> None:
    made = asked.attempts["hang-in-body"]
    assert "restarts nothing" in made.meaning
    assert "short body" in made.cure


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500ms"), (1, "1s"), (1.5, "1.5s"), (90, "1m30s"), (3600, "1h0m0s"), (60, "1m0s")]
)
def test_durations_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_the_server_runs_as_a_plain_script() -> None:
    """In a container there is nothing but Python and this one file."""
    command = [sys.executable, "-I", "-S", server.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ports = json.loads(process.stdout.readline())["ready"]
        made = asyncio.run(attempt(handler_of(BEHAVIOURS["ok"], ports["ok"]), 5))
        process.communicate("", timeout=20)
    assert list(ports) == list(BEHAVIOURS)
    assert made.outcome is Outcome.SUCCESS
    assert process.returncode == 0
