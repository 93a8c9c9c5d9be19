"""The bench of what metrics, logs and traces cost a request measures all of them, and judges by its own figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VARIANTS = ("bare application", "metrics", "log line", "log line, shipped", "tracing, ratio 0.1", "tracing, ratio 1")


@pytest.mark.xdist_group("exclusive")
def test_the_bench_of_monitoring_tells_what_is_over_its_bar() -> None:
    """Each variant has a row; it ends with 1 if one is over its bar, else with 0. How much it is, is the machine's."""
    command = [sys.executable, str(ROOT / "bench" / "monitoring_cost.py"), "--rounds", "4", "--requests", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    rows = done.stdout.splitlines()[2:]
    assert [line[:22].strip() for line in rows] == list(VARIANTS), done.stdout + done.stderr
    figures = [line[22:].replace("-", " ").split() for line in rows[1:]]
    over = [float(each[1]) > float(each[5]) for each in figures if len(each) == 6]
    assert len(over) == 4
    assert done.returncode == any(over), done.stdout
