"""How single attempts end: what a real kubelet made of each behaviour, and what the handlers make of it.

tests/parity/attempts-1.20.json.gz is a recording of a real kubelet v1.20.2, made on 26 November 2026 by the runner in
tests/parity; tests/test_parity.py makes another with --parity-record-attempts. The handlers ask the same server here,
on loopback.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.parity import single_attempts
from tests.parity.recording import Recorded, Run, read
from tests.parity.single_attempts import BEHAVIOURS, HTTP, TIMEOUT
from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers import Handler, HttpGet, TcpSocket, attempt_now

FOLDER = Path(__file__).parent / "parity"
FIXTURE = FOLDER / "attempts-1.20.json.gz"
ON_LOOPBACK = [*HTTP, *(name for name, (handler, *_) in BEHAVIOURS.items() if handler in ("https", "tcp"))]


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
    assert len(made) >= 30


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_the_kubelet_took_it_so(name: str) -> None:
    """The recorded outcome is the one that the rules foresee."""
    assert single_attempts.outcome(of(name)) is BEHAVIOURS[name][2]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Serve every behaviour on a port of its own, which is held from here on: nobody else can come to listen on it."""
    with ExitStack() as held:
        sockets = {name: held.enter_context(_bound(listens=BEHAVIOURS[name][1] != "refused")) for name in ON_LOOPBACK}
        chosen = {name: each.getsockname()[1] for name, each in sockets.items()}
        probes = {
            name: {"port": chosen[name], "socket": each.fileno(), "phases": [[0, BEHAVIOURS[name][1]]]}
            for name, each in sockets.items()
        }
        history = tmp_path_factory.mktemp("attempts") / "lines"
        script = json.dumps({"history": str(history), "lives": [{"probes": probes}]})
        command = [sys.executable, "-I", "-S", str(FOLDER / "server.py"), "serve"]
        handed = [each.fileno() for each in sockets.values()]
        environment = {**os.environ, "SCRIPT": script}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, pass_fds=handed) as process:
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


@pytest.mark.parametrize("name", ON_LOOPBACK)
def test_the_handler_takes_it_as_the_kubelet_did(name: str, ports: dict[str, int]) -> None:
    """On the same bytes, the same outcome."""
    port = ports[name]
    handler: Handler = TcpSocket("127.0.0.1", port)
    if BEHAVIOURS[name][0] != "tcp":
        scheme = "HTTPS" if BEHAVIOURS[name][0] == "https" else "HTTP"
        handler = HttpGet("127.0.0.1", port, path="/readiness", scheme=scheme)
    made = attempt_now(handler, TIMEOUT)
    assert made.outcome is single_attempts.outcome(of(name)), made
    assert isinstance(made.outcome, Outcome)
