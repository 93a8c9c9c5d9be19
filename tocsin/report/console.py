"""The closing table of a run, for the terminal."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.drill.judge import DrillResult
from tocsin.report.results import left_out
from tocsin.verdict import RANK, Outcome

WIDTH = 140
"""Columns where there is no terminal to ask: a log wraps nothing."""
STYLES = {
    Outcome.PASSED: "green",
    Outcome.WAIVED: "yellow",
    Outcome.INCONCLUSIVE: "magenta",
    Outcome.FAILED: "bold red",
}


def run_console() -> Console:
    """Return the console of a run: as wide as the terminal, or wide enough for a log."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def print_drills(
    console: Console, drills: Iterable[DrillResult], report: str, reasons: Container[Outcome] = RANK
) -> None:
    """Print a line for each expected alert of each drill, then reasons in full, then where the report is.

    Only drills that ended in one of `reasons` have theirs printed: pytest has shown some already.
    """
    shown = sorted(drills, key=lambda d: d.name)
    table = Table(title="Fire drill", title_justify="left", header_style="bold", pad_edge=False)
    for title in ("drill", "alert", "receiver", "crossed → notified", "least", "budget", "verdict"):
        table.add_column(title, justify="right" if title in ("crossed → notified", "least", "budget") else "left")
    for drill in shown:
        verdict = Text(str(drill.verdict.outcome), style=STYLES[drill.verdict.outcome])
        manifest = drill.evidence.manifest
        quiet = manifest is not None and not manifest.expect
        rows = list(_rows(drill)) or [("nothing may fire" if quiet else "not judged", "", "", "", "")]
        for i, row in enumerate(rows):
            table.add_row(drill.name if i == 0 else "", *row, verdict if i == 0 else "")
    console.print(table)
    for drill in shown:
        if drill.verdict.reason and drill.verdict.outcome in reasons:
            console.print(Text(f"{drill.verdict.outcome} {drill.name}", style=STYLES[drill.verdict.outcome]))
            for line in drill.verdict.reason.splitlines():
                console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    for said in _notes(shown):
        console.print(f"note: {said}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"report: {report}", highlight=False, markup=False, soft_wrap=True)


def _notes(drills: Sequence[DrillResult]) -> Iterator[str]:
    """Yield what is to be said of drills although it is no fault of theirs."""
    for drill in drills:
        yield from (f"{drill.name}: {said}" for said in drill.notes)
    for each in left_out(drills):
        if each.kind == "relabelling":  # the page lists rules too, whose owners decided on them
            yield f"{each.name} ({each.file}:{each.line}) was left out: {each.reason}"


def _rows(drill: DrillResult) -> Iterable[tuple[str, str, str, str, str]]:
    for e in drill.expected:
        severity = e.expected.labels.get("severity", "")
        receiver = ", ".join(e.receivers) or ("" if e.expected.outcome == "notified" else e.expected.outcome)
        yield (
            f"{e.expected.alert} {severity}".strip(),
            receiver,
            _seconds(e.took_seconds),
            _seconds(e.minimum_seconds),
            _seconds(sum(e.budget.values()) if e.budget and e.expected.outcome == "notified" else None),
        )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
