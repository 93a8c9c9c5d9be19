"""How single attempts end: what a real kubelet made of each behaviour, and what the handlers make of it.

tests/parity/attempts-1.20.json.gz is a recording of a real kubelet v1.20.2, made on 26 November 2026 by the runner in
tests/parity; tests/test_parity.py makes another with --parity-record-attempts. It is Debian's, built with Go 1.19. The
handlers ask the same server here, on loopback.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.parity import single_attempts
from tests.parity.recording import Recorded, Run, read
from tests.parity.single_attempts import BEHAVIOURS, BESIDE, CHANGED, HTTP, TIMEOUT, UNENDING
from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers import ExplainedAttempt, Handler, HttpGet, Kubelet, Reason, TcpSocket, attempt, attempt_now

FOLDER = Path(__file__).parent / "parity"
FIXTURE = FOLDER / "attempts-1.20.json.gz"
RECORDED = Kubelet(1, 20, built_with=19)
AT_ONCE = 8
PATIENCE = 15.0
"""Seconds; far more than any answer takes that came in time."""
ON_LOOPBACK = [*HTTP, *(name for name, (handler, *_) in BEHAVIOURS.items() if handler in ("https", "tcp"))]

pytestmark = pytest.mark.xdist_group("attempts")  # one process asks them, and all of them once


@cache
def recording() -> Run:
    """Return the recording."""
    return read(FIXTURE)


def of(name: str) -> Recorded:
    """Return one behaviour of it."""
    return next(each for each in recording().recorded if each.scenario.name == f"attempt-{name}")


def test_the_recording_is_of_a_real_kubelet() -> None:
    """It says which and when, and holds the behaviours of today."""
    assert (recording().kubelet, recording().date) == ("v1.20.2", "2026-11-26")
    made = sorted(single_attempts.scenarios(), key=lambda each: each.name)
    assert [each.scenario for each in recording().recorded] == made
    assert len(made) >= 290


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_the_kubelet_took_it_so(name: str) -> None:
    """The recorded outcome is the one that the rules foresee."""
    assert single_attempts.outcome(of(name)) is BEHAVIOURS[name][2]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Serve every behaviour on a port of its own, which is held from here on: nobody else can come to listen on it."""
    with ExitStack() as held:
        actions = {name: BEHAVIOURS[name][1] for name in ON_LOOPBACK} | UNENDING
        sockets = {name: held.enter_context(_bound(listens=each != "refused")) for name, each in actions.items()}
        besides = {name: held.enter_context(_bound(listens=True)) for name in BESIDE}
        chosen = {name: each.getsockname()[1] for name, each in sockets.items()}
        probes: dict[str, dict[str, Any]] = {
            name: {"port": chosen[name], "socket": each.fileno(), "phases": [[0, actions[name]]]}
            for name, each in sockets.items()
        }
        for name, each in besides.items():
            probes[name] |= {
                "beside": BESIDE[name],
                "beside_port": each.getsockname()[1],
                "beside_socket": each.fileno(),
            }
        folder = tmp_path_factory.mktemp("attempts")
        script = folder / "script.json"
        script.write_text(json.dumps({"history": str(folder / "lines"), "lives": [{"probes": probes}]}))
        command = [sys.executable, "-I", "-S", str(FOLDER / "server.py"), "serve", str(script)]
        handed = [each.fileno() for each in (*sockets.values(), *besides.values())]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, pass_fds=handed) as process:
            try:
                yield chosen
            finally:
                process.kill()


def _bound(*, listens: bool) -> socket.socket:
    """Return a socket on a free port of loopback; one that does not listen refuses, and keeps its port."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    if listens:
        made.listen(64)
    return made


@pytest.mark.parametrize("name", UNENDING)
def test_an_attempt_without_end_is_the_only_one(name: str, ports: dict[str, int]) -> None:
    """The kubelet asked once and counted nothing, where it asks others many times; the handler says why."""
    recorded = of(name)
    assert sum(each["event"] == "request" for each in recorded.lines) == 1
    assert [each for each in recorded.counts if each.result != "failed" or each.value > 1] == []
    assert not any("errored" in each.message or "deadline" in each.message for each in recorded.events)
    assert sum(each["event"] == "request" for each in of("body-hangs").lines) > 3
    made = attempt_now(HttpGet("127.0.0.1", ports[name], kubelet=RECORDED), PATIENCE)
    assert (made.outcome, made.reason, made.tries) == (Outcome.ERROR, Reason.SWITCHED_PROTOCOL, 1)


def handler_for(name: str, port: int, kubelet: Kubelet) -> Handler:
    """Return what asks a behaviour, as this kubelet would."""
    how = BEHAVIOURS[name][0]
    if how == "tcp":
        return TcpSocket("127.0.0.1", port)
    return HttpGet("127.0.0.1", port, path="/readiness", scheme=how.upper(), kubelet=kubelet)


def _patience(name: str) -> float:
    """Return the seconds of one try: more where the kubelet was answered in time, for this machine may be busy."""
    answered = single_attempts.outcome(of(name))
    return PATIENCE if answered is not None and answered.healthy else TIMEOUT


async def _all(ports: dict[str, int], kubelet: Kubelet) -> dict[str, ExplainedAttempt]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(name: str) -> ExplainedAttempt:
        async with turns:
            return await attempt(handler_for(name, ports[name], kubelet), _patience(name))

    made = await asyncio.gather(*(ask(name) for name in ON_LOOPBACK))
    return dict(zip(ON_LOOPBACK, made, strict=True))


@pytest.fixture(scope="module")
def taken(ports: dict[str, int]) -> dict[str, ExplainedAttempt]:
    """Ask every behaviour as the recorded kubelet did, a few at a time: many of them take a second or three."""
    return asyncio.run(_all(ports, RECORDED))


@pytest.mark.parametrize("name", ON_LOOPBACK)
def test_the_handler_takes_it_as_the_kubelet_did(name: str, taken: dict[str, ExplainedAttempt]) -> None:
    """On the same bytes, the same outcome."""
    made = taken[name]
    assert made.outcome is single_attempts.outcome(of(name)), made
    assert isinstance(made.outcome, Outcome)


@pytest.mark.parametrize("name", CHANGED)
def test_the_handler_knows_what_another_go_makes_of_it(name: str, ports: dict[str, int]) -> None:
    """The last before the change, and the first after it; the recorded kubelet is on its side of it."""
    change = CHANGED[name]
    kubelets = (Kubelet(built_with=change.since - 1), Kubelet(built_with=change.since))
    made = [attempt_now(handler_for(name, ports[name], each), TIMEOUT).outcome for each in kubelets]
    assert made == [change.before, change.after]
    assert BEHAVIOURS[name][2] is (change.after if RECORDED.go >= change.since else change.before)


def test_the_newest_kubelet_differs_only_where_it_is_said(ports: dict[str, int]) -> None:
    """What is not known to have changed is taken today as it was then."""
    foreseen = {name: BEHAVIOURS[name][2] for name in ON_LOOPBACK} | {name: CHANGED[name].after for name in CHANGED}
    made = asyncio.run(_all(ports, Kubelet()))
    assert {name: each.outcome for name, each in made.items()} == foreseen
