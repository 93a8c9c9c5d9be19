"""Ctrl-C in the midst of real drills: what was over is reported, the rest is inconclusive, and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.staged import REFERENCE, alive
from tocsin.deadline import Unmet, wait_until

ROOT = Path(__file__).parents[1]
FIRST, SECOND = "backend-down", "control"
CHOSEN = ("-m", "load or faults", "-k", f"{FIRST} or {SECOND}")
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", *CHOSEN, "--system")
COMMANDS = {
    "tocsin": (("-m", "tocsin.cli", "drill"), (FIRST, SECOND), 130),
    "pytest": (PYTEST, (), 2),
    "pytest, two workers": (PYTEST, ("-n", "2"), 2),
}


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Give the reference system, with a second drill that goes on for minutes."""
    copy = tmp_path / "system"
    shutil.copytree(REFERENCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    declared = yaml.safe_load((copy / "system.yaml").read_text())
    declared["drills"][SECOND]["hold"] = "300m"
    declared["drills"][SECOND].pop("exclusive", None)  # whichever comes first: the first must not wait for the second
    (copy / "system.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    return copy


@pytest.mark.xdist_group("exclusive")
@pytest.mark.parametrize(("command", "more", "code"), COMMANDS.values(), ids=COMMANDS)
def test_ctrl_c_ends_a_run_with_reports(
    command: tuple[str, ...], more: tuple[str, ...], code: int, slow: Path, tmp_path: Path
) -> None:
    """The drill that was over has its verdict, the other was interrupted; exit code, reports and processes tell."""
    output = tmp_path / "output.log"
    with output.open("w") as log:
        where = ("--environment", "local", "--reports", str(tmp_path / "reports"))
        arguments = [sys.executable, *command, str(slow), *more, *where]
        run = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def over() -> bool | Unmet:
        said = output.read_text()
        assert run.poll() is None, said
        return any(FIRST in line and "done" in line for line in said.splitlines()) or Unmet(said)

    started: list[psutil.Process] = []
    try:
        wait_until(over, seconds=300, what="the first drill to be over")
        started = psutil.Process(run.pid).children(recursive=True)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of the group
        assert run.wait(60) == code, output.read_text()
    finally:
        if run.poll() is None:
            run.kill()
            run.wait()
    wait_until(lambda: not alive(started), seconds=10, what="everything that was started to end")
    latest = tmp_path / "reports" / "latest"
    results: dict[str, Any] = json.loads((latest / "results.json").read_text())
    drills = {drill["name"]: drill for drill in results["drills"]}
    first = drills[FIRST]
    assert "interrupted" not in first["reason"]
    assert first["expected"][0]["stages"]["resolution_notified"] is not None, first["reason"]
    assert drills[SECOND]["verdict"] == "inconclusive"
    assert drills[SECOND]["reason"].startswith("interrupted")
    assert (latest / "report.html").is_file()
    assert sorted(case["subject"] for case in results["cases"]) == [FIRST, SECOND]
    assert "Traceback" not in output.read_text()
