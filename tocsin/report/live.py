"""The live view of drills: on a terminal a table that moves, elsewhere a line for each new stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tocsin.drill.perform import AGAIN, Progress
from tocsin.drill.planning import PlannedDrill

EVERY = 4
"""Refreshes in a second."""
WIDEST = 28
"""Columns of a stage, so that the table does not jump when it changes."""
WIDE = 24
"""Columns of a budget's bar."""
OF_ALERTS = (" pending", " firing")
"""How a stage ends that an alert reached while its drill waits: the wait and its budget go on."""


class LiveView:
    """Shows what drills are doing; `tell` may be called from any thread."""

    def __init__(self, plans: Iterable[PlannedDrill], console: Console, started: float) -> None:
        self._names = [plan.name for plan in plans]
        self._console = console
        self._started = started
        self._states: dict[str, Progress] = {}
        self._begun: dict[str, float] = {}
        self._shown: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=EVERY, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def tell(self, progress: Progress) -> None:
        """Take in what a drill does now."""
        with self._lock:
            before = self._states.get(progress.drill)
            self._begun.setdefault(progress.drill, progress.time)
            if before and before.stage == progress.stage:
                return
            elapsed = progress.time - self._started
            if before and progress.stage.endswith(OF_ALERTS):
                progress = replace(progress, time=before.time, until=before.until)
            self._states[progress.drill] = progress
            if progress.stage == AGAIN:  # its stages are news once more
                self._shown = {shown for shown in self._shown if shown[0] != progress.drill}
                self._begun[progress.drill] = progress.time
            first = (progress.drill, progress.stage) not in self._shown
            self._shown.add((progress.drill, progress.stage))
        if not self._console.is_terminal and first and not progress.stage.startswith("waiting"):
            said = f"{elapsed:7.1f} s  {progress.drill:<22} {progress.stage}"
            self._console.print(said, highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        now = time.time()
        table = Table(box=None, pad_edge=False, title=f"{now - self._started:.0f} s", title_justify="left")
        for title, width in (("drill", None), ("stage", WIDEST), ("elapsed", 7), ("budget", WIDE)):
            table.add_column(title, justify="right" if title == "elapsed" else "left", no_wrap=True, min_width=width)
        with self._lock:
            states = dict(self._states)
        for name in self._names:
            state = states.get(name)
            if state is None:
                table.add_row(Text(name, style="dim"), Text("waiting", style="dim"), "", "")
                continue
            style = "green" if state.stage == "done" else "red" if "firing" in state.stage else ""
            elapsed = "" if state.stage == "done" else f"{now - self._begun[name]:.1f} s"
            table.add_row(name, Text(state.stage, style=style), elapsed, _bar(state, now))
        return table


def _bar(state: Progress, now: float) -> ProgressBar | str:
    if state.until is None or state.until <= state.time:
        return ""
    return ProgressBar(total=state.until - state.time, completed=min(now, state.until) - state.time, width=WIDE)
