"""The states of an alert over evaluated ticks: inactive, pending, firing, kept firing (rules/alerting.go, Eval)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.simulation.backtest.ticks import Run, Skipped, joined


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of ticks in one state."""

    first: int
    """The first tick in that state."""
    end: int
    """The first tick that is not; if it still lasts, the one after the last tick that was looked at."""
    lasting: bool
    """Whether nobody knows when it ended: the last tick that was looked at is in it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a rule waits for, in ticks: a wait of 90 s at ticks 60 s apart is 2."""

    pending: int
    """Of `for`."""
    keep: int
    """Of `keep_firing_for`."""

    @classmethod
    def of(cls, hold: int, keep: int, step: int) -> Holding:
        """Return it for durations and a step of one unit."""
        return cls(-(-hold // step), -(-keep // step))


@dataclass(frozen=True, slots=True)
class Spells:
    """The states of one label set, in order of time."""

    firing: tuple[Spell, ...]
    pending: tuple[Spell, ...]
    """Those alone that did not lead to firing."""


def spells(runs: Sequence[Run], holding: Holding, segment: Run, skipped: Skipped) -> Spells:
    """Return the states of one label set within a segment, at whose begin no alert is active.

    The runs are the ticks at which the expression gave the label set. At a skipped tick the evaluation failed: then
    Prometheus leaves every alert as it is. The times of `for` and `keep_firing_for` go on meanwhile.
    """
    firing: list[Spell] = []
    pending: list[Spell] = []
    beyond = segment[1] + 1
    for first, last in _continued(_within(runs, segment), skipped):
        absent = min(skipped.after(last + 1), beyond)
        ends = absent if absent == beyond else min(skipped.after(absent + holding.keep), beyond)
        if firing and first <= firing[-1].end:
            firing[-1] = Spell(firing[-1].first, ends, ends == beyond)
            continue
        fires = skipped.after(first + holding.pending)
        if fires <= last:
            firing.append(Spell(fires, ends, ends == beyond))
        else:
            pending.append(Spell(first, absent, absent == beyond))
    return Spells(tuple(firing), tuple(pending))


def _within(runs: Sequence[Run], segment: Run) -> list[Run]:
    low, high = segment
    return [(max(first, low), min(last, high)) for first, last in runs if first <= high and last >= low]


def _continued(runs: Sequence[Run], skipped: Skipped) -> list[Run]:
    """Return the runs, those joined between which every tick was skipped."""
    found: list[Run] = []
    for first, last in joined(runs):
        start = skipped.after(first)
        if start > last:
            continue
        if found and skipped.after(found[-1][1] + 1) >= start:
            found[-1] = (found[-1][0], last)
        else:
            found.append((start, last))
    return found
