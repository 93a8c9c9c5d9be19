"""A drill whose own instruments are killed is Inconclusive, names them, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from bench.kills import SYSTEM, VICTIMS, kill_once
from tocsin.deadline import wait_until
from tocsin.drill.planning import plan_drills
from tocsin.drill.preparation import prepare
from tocsin.supervisor import MARKER
from tocsin.system import load_system
from tocsin.verdict import Outcome

pytestmark = pytest.mark.xdist_group("exclusive")


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_instrument_makes_the_drill_inconclusive(victim: str) -> None:
    """Whichever of them dies at whichever moment, nothing is proven, the cause is named and no process is left."""
    system = load_system(SYSTEM)
    plan = next(plan for plan in plan_drills(system, "local") if plan.name == VICTIMS[victim])
    after = random.SystemRandom().uniform(0.05, 2.5)

    kill = kill_once(prepare(system, "local"), plan, victim, after)

    assert kill.killed, "the drill was over before the kill"
    assert kill.outcome is Outcome.INCONCLUSIVE, f"{victim} after {after:.2f} s: {kill.outcome}: {kill.reason}"
    assert victim in kill.reason
    assert kill.left == 0


def test_nothing_outlives_a_harness_that_is_killed(tmp_path: Path) -> None:
    """Kill -9 of the command itself: every process that it started, and theirs, is gone soon after, and its scratch."""
    before = _scratch()
    harness = subprocess.Popen(
        [
            *(sys.executable, "-m", "tocsin.cli", "drill", str(SYSTEM), "high-error-rate"),
            *("--environment", "local", "--reports", str(tmp_path)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        started = wait_until(lambda: _load_runs(harness.pid), seconds=60, what="the drill's load to run")
        scratch = _scratch() - before
        assert scratch
        os.kill(harness.pid, signal.SIGKILL)
        harness.wait(10)

        wait_until(lambda: not _running(started), seconds=15, what="everything that was started to end")
        wait_until(lambda: not _scratch() & scratch, seconds=20, what=f"{scratch} to be removed")
    finally:
        if harness.poll() is None:
            harness.kill()
            harness.wait()
    folder = next(tmp_path.glob("*/evidence/high-error-rate"))
    assert not (folder / "manifest.json").exists()
    judged = subprocess.run(
        [sys.executable, "-m", "tocsin.cli", "rejudge", str(folder)], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 10, judged.stdout + judged.stderr
    assert "cut off" in judged.stdout


def _scratch() -> set[Path]:
    """Return the scratch folders of stacks: in memory, or among temporary files where the machine has none."""
    return {path for place in (Path("/dev/shm"), Path(tempfile.gettempdir())) for path in place.glob("tocsin-high-*")}


def _load_runs(harness: int) -> dict[int, str] | None:
    """Return the marked processes of a harness, by pid, once both of its load generators run."""
    found = {}
    for process in psutil.Process(harness).children(recursive=True):
        try:
            if MARKER in process.environ():
                found[process.pid] = json.dumps(process.cmdline())
        except psutil.Error:
            continue
    return found if sum("locust" in command for command in found.values()) >= 2 else None


def _running(started: dict[int, str]) -> list[int]:
    alive = []
    for pid, command in started.items():
        try:
            if json.dumps(psutil.Process(pid).cmdline()) == command:
                alive.append(pid)
        except psutil.Error:
            continue
    return alive
