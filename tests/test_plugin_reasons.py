"""Reasons are shown once, and a terminal breaks them between words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from _pytest._io import TerminalWriter

from tests.test_plugin import SILENT, TROUBLED, Bench
from tocsin.verdict import failed
from tocsin_pytest.reporting import Reason

LONG = "Down: Alertmanager had it, and the sink of pager heard nothing before the drill's deadline\n\nand so on"


def shown(*, terminal: bool) -> list[str]:
    """Return the lines in which a reason is shown at 40 columns."""
    out = TerminalWriter(io.StringIO())
    out.fullwidth, out.hasmarkup = 40, terminal
    Reason(failed(LONG)).toterminal(out)
    file = out._file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def test_a_log_keeps_the_lines() -> None:
    """What is searched by line stays on one."""
    assert shown(terminal=False) == LONG.splitlines()


def test_a_terminal_breaks_between_words() -> None:
    """No line is longer than the terminal is wide, and no word is cut."""
    lines = shown(terminal=True)

    assert all(len(line) <= 40 for line in lines)
    assert " ".join(lines).split() == LONG.split()
    assert "" in lines, "an empty line stays one"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
@pytest.mark.parametrize("world", [SILENT, TROUBLED], ids=["failed", "inconclusive"])
def test_a_reason_is_printed_once(tmp_path: Path, world: dict[str, object], workers: tuple[str, ...]) -> None:
    """With the item, pytest shows it, so the closing table does not repeat it; JUnit holds it, and nothing of ours."""
    bench = Bench(tmp_path).system().drill("down", **world)
    reason = "heard nothing" if world is SILENT else "grew by 3 during the drill"

    done = bench.on_system("-m", "faults", "--tb=short", "-r", "N", *workers)

    assert done.stdout.count(reason) == 1, done.stdout
    junit = (bench.latest / "junit.xml").read_text()
    assert reason in junit
    assert "<property" not in junit
