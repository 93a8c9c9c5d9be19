"""A backtest as a picture: a lane for each alert with its episodes, before and now where two rule sets are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tocsin.report.backtest.words import noisiest
from tocsin.simulation.backtest import Backtest, Change, Episode, Kind, Outcome, compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LANES = 60
"""The noisiest; more than that nobody can read."""
SUFFIXES = (".png", ".svg", ".pdf")
_WIDTH, _LANE, _AROUND = 12.0, 0.3, 1.3
"""Inches."""
_NOW, _BEFORE, _PENDING, _GAP = "#c0392b", "#7f8c8d", "#f0b27a", "#d5d8dc"
_THINNEST = 0.0015
"""Share of the window that an episode takes at least, so that it can be seen."""
_LONGEST_NAME = 48
DAY = 86_400
_STEPS = (1, 5, 15, 60, 300, 900, 3600, 10_800, 21_600, 43_200, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 365 * DAY)
"""Seconds between two moments that are written on the time axis."""
_MOST_TICKS = 12

Lane = tuple[str, Outcome | None, Outcome | None]
"""Name, before, now."""


def draw(done: Backtest, file: Path) -> None:
    """Draw a backtest into a file, in the format of its suffix."""
    with mpl.rc_context({"svg.hashsalt": "tocsin", "svg.fonttype": "none", "text.parse_math": False}):
        figure = _figure(done)
        dated = {} if file.suffix == ".png" else {"CreationDate" if file.suffix == ".pdf" else "Date": None}
        figure.savefig(file, metadata=dated, dpi=110)


def _figure(done: Backtest) -> Figure:
    lanes, left_out = _lanes(done)
    figure = Figure(figsize=(_WIDTH, _AROUND + _LANE * max(2, len(lanes))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    begin, end = _day(done.window.begin), _day(done.window.end)
    for first, last in done.gaps:
        axes.axvspan(_day(first), _day(last), color=_GAP, zorder=0)
    for row, (_, before, now) in enumerate(lanes):
        if done.before is None:
            _bars(axes, now, (row, 0.7), _NOW, (begin, end))
        else:
            _bars(axes, before, (row - 0.2, 0.34), _BEFORE, (begin, end))
            _bars(axes, now, (row + 0.2, 0.34), _NOW, (begin, end))
    axes.set_xlim(begin, end)
    axes.set_ylim(max(len(lanes), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(lanes)), [_short(name) for name, _, _ in lanes])
    axes.set_xticks(*_ticks(done))
    axes.grid(axis="x", linewidth=0.4, color=_GAP)
    axes.set_axisbelow(True)
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)
    axes.set_title(_title(done, lanes, left_out), loc="left", fontsize=10)
    figure.legend(handles=_legend(done), loc="outside lower left", ncols=4, frameon=False, fontsize=8)
    return figure


def _lanes(done: Backtest) -> tuple[list[Lane], int]:
    """Return the lanes, and how many alerts have none for want of room."""
    if done.before is None:
        told: list[Lane] = [
            (each.alert.rule.name, None, each) for each in noisiest(done.outcomes) if each.firing or each.pending
        ]
    else:
        told = [_lane(each) for each in compare(done.before, done.outcomes) if _seen(each)]
    return told[:MOST_LANES], max(0, len(told) - MOST_LANES)


def _lane(change: Change) -> Lane:
    kind = "" if change.kind is Kind.SAME else f" ({change.kind})"
    return change.name + kind, change.before, change.after


def _seen(change: Change) -> bool:
    return any(side is not None and (side.firing or side.pending) for side in (change.before, change.after))


def _bars(
    axes: Axes, outcome: Outcome | None, place: tuple[float, float], paint: str, window: tuple[float, float]
) -> None:
    if outcome is None:
        return
    middle, height = place
    least = (window[1] - window[0]) * _THINNEST
    for episodes, colour in ((outcome.pending, _PENDING), (outcome.firing, paint)):
        if episodes:
            axes.broken_barh(_ranges(episodes, least), (middle - height / 2, height), color=colour, linewidth=0)


def _ranges(episodes: Iterable[Episode], least: float) -> Sequence[tuple[float, float]]:
    return [(_day(each.begin), max(least, _day(each.end) - _day(each.begin))) for each in episodes]


def _title(done: Backtest, lanes: Sequence[Lane], left_out: int) -> str:
    if not lanes:
        return f"none of {len(done.outcomes)} alerts fired or was pending"
    more = f", {left_out} more not drawn" if left_out else ""
    return f"{len(lanes)} alerts that fired or were pending{more} (UTC)"


def _legend(done: Backtest) -> list[Patch]:
    paints = {"firing": _NOW, "pending without firing": _PENDING}
    if done.before is not None:
        paints = {"firing before": _BEFORE, "firing now": _NOW, "pending without firing": _PENDING}
    if done.gaps:
        paints["no history"] = _GAP
    return [Patch(color=paint, label=name) for name, paint in paints.items()]


def _ticks(done: Backtest) -> tuple[list[float], list[str]]:
    """Return where on the time axis a moment is written, and how."""
    step = next((each for each in _STEPS if done.window.seconds / each <= _MOST_TICKS), _STEPS[-1])
    form = "%b %d" if step >= DAY else "%b %d %H:%M" if step >= 60 else "%H:%M:%S"
    first = -(-done.window.begin // (step * 1000)) * step
    count = min(_MOST_TICKS, (done.window.end // 1000 - first) // step + 1)
    seconds = [first + n * step for n in range(count)]
    return [_day(each * 1000) for each in seconds], [f"{datetime.fromtimestamp(each, UTC):{form}}" for each in seconds]


def _day(time: int) -> float:
    """Return a time in days, a number in which bars have a sensible width."""
    return time / 1000 / DAY


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
