"""What metrics, logs and traces cost a request stays under its bars."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VARIANTS = ("bare application", "metrics", "log line", "log line, shipped", "tracing, ratio 0.1", "tracing, ratio 1")


@pytest.mark.xdist_group("exclusive")
def test_monitoring_costs_no_more_than_it_may() -> None:
    """A short run of the bench keeps every bar; at twice to five times under them, it needs no quiet machine."""
    command = [sys.executable, str(ROOT / "bench" / "monitoring_cost.py"), "--rounds", "8", "--requests", "300"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[:22].strip() for line in done.stdout.splitlines()[2:]] == list(VARIANTS)
