"""`tocsin up` puts a system on fixed ports, says how to drill it, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import requests

from tests.staged import alive, family, free_base, staged, staging_of, system_with
from tocsin.cli import main
from tocsin.deadline import wait_until
from tocsin.system import Environment, load_system
from tocsin.up import environment_of, ports_of

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_up_serves_and_leaves_nothing_behind(ending: signal.Signals, tmp_path: Path) -> None:
    """Every address that it prints answers, and whatever ends it ends all that it started."""
    base = free_base()
    directory = system_with(tmp_path, {"staging": staging_of(base)})
    with staged(directory, base) as up:
        said = up.output.read_text()
        local = load_system(directory).declaration.environments["local"]
        for name, port in ports_of(local, base).items():
            assert f"http://127.0.0.1:{port}" in said, name
        for port, path in ((base, "/-/ready"), (base + 3, "/-/ready"), (base + 4, "/notifications")):
            assert requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).ok
        assert f"pytest -m load --system {directory} --environment staging" in said
        started = family(up.process.pid)
        assert len(started) >= 6, "the supervisor and five servers"

        os.kill(up.process.pid, ending)
        code = up.process.wait(30)

        wait_until(lambda: not alive(started), seconds=15, what="everything that was started to end")
    assert code == (-signal.SIGKILL if ending is signal.SIGKILL else 0)


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    """A second one on the same ports is refused, with the port and the cure."""
    base = free_base()
    directory = system_with(tmp_path, {})
    with staged(directory, base) as up:
        before = len(family(os.getpid()))
        second = up.tocsin("up", str(directory), "--port-base", str(base))
        assert len(family(os.getpid())) == before
        assert second.returncode == 2
        assert f"127.0.0.1:{base}" in second.stderr
        assert "--port-base" in second.stderr
        said = up.output.read_text()
    assert "add:" in said, "no environment fits, so one is offered"
    assert f"url: http://127.0.0.1:{base + 4}" in said


def test_the_offered_environment_is_valid() -> None:
    """What is printed for system.yaml is an environment that runs already, at the pace at which it was started."""
    local = load_system(REFERENCE).declaration.environments["local"]
    offered = Environment.model_validate(environment_of(local, ports_of(local, 19090)))
    assert not offered.ours
    assert offered.speed == local.factor
    assert set(offered.addresses) == {name for name, process in local.processes.items() if not process.optional}


def test_the_reference_declares_what_is_up() -> None:
    """Its `staging` has the ports, the pace and the processes of what script/up starts."""
    system = load_system(REFERENCE)
    local, staging = (system.declaration.environments[name] for name in ("local", "staging"))
    offered = Environment.model_validate(environment_of(local, ports_of(local, 19090)))
    for field in ("prometheus", "alertmanager", "sink", "addresses", "pace", "factor", "hosts", "allow_load"):
        assert getattr(staging, field) == getattr(offered, field), field


def test_an_environment_that_runs_already_is_not_started() -> None:
    """There is nothing to start where a Prometheus is named."""
    assert main(["up", str(REFERENCE), "--environment", "staging"]) == 2
    assert main(["up", str(REFERENCE), "--factor", "0.5"]) == 2
