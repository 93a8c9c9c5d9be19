"""The states of an alert over ticks, held against rules/alerting.go written down tick by tick."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.simulation.backtest.states import Holding, spells
from tocsin.simulation.backtest.ticks import (
    Run,
    Skipped,
    Ticks,
    Window,
    gaps,
    joined,
    overlapping,
    parse_moment,
    written,
)

COUNT = 60
flags = st.lists(st.booleans(), min_size=COUNT, max_size=COUNT)


def runs_of(ticks: list[bool]) -> list[Run]:
    """Return the runs of the ticks that are true."""
    return joined((number, number) for number, true in enumerate(ticks) if true)


class Naive:
    """An alert, one evaluation after another."""

    def __init__(self, hold: int, keep: int) -> None:
        self.hold, self.keep = hold, keep
        self.state = "inactive"
        self.active_at = self.since = 0
        self.keep_since: int | None = None
        self.pending: list[tuple[int, int]] = []

    def evaluate(self, tick: int, now: int, *, true: bool) -> None:
        """Do what Eval does with one label set."""
        if true:
            self.keep_since = None
            if self.state == "inactive":
                self.state, self.active_at, self.since = "pending", now, tick
        elif self.state == "firing":
            self.keep_since = now if self.keep_since is None else self.keep_since
            if now - self.keep_since >= self.keep:
                self.state, self.keep_since = "inactive", None
        elif self.state == "pending":
            self.pending.append((self.since, tick))
            self.state = "inactive"
        if self.state == "pending" and now - self.active_at >= self.hold:
            self.state = "firing"


def naive(
    true: list[bool], skipped: list[bool], hold: int, keep: int, step: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return at which ticks an alert fires, and the spells that were pending alone."""
    alert = Naive(hold, keep)
    firing: list[int] = []
    for tick in range(COUNT):
        if not skipped[tick]:
            alert.evaluate(tick, tick * step, true=true[tick])
        if alert.state == "firing":
            firing.append(tick)
    return firing, alert.pending + ([(alert.since, COUNT)] if alert.state == "pending" else [])


@given(flags, st.lists(st.integers(0, 9), min_size=COUNT, max_size=COUNT), st.integers(0, 95), st.integers(0, 95))
def test_states_are_those_of_the_rule(true: list[bool], dice: list[int], hold: int, keep: int) -> None:
    """With any `for` and `keep_firing_for`, and evaluations that fail here and there."""
    step = 15
    skipped = [each == 0 for each in dice]
    firing, pending = naive(true, skipped, hold, keep, step)

    found = spells(
        runs_of([a and not b for a, b in zip(true, skipped, strict=True)]),
        Holding.of(hold, keep, step),
        (0, COUNT - 1),
        Skipped(runs_of(skipped)),
    )

    assert [tick for spell in found.firing for tick in range(spell.first, spell.end)] == firing
    assert [(spell.first, spell.end) for spell in found.pending] == pending


@given(flags, flags)
def test_ticks_in_two_of_the_runs_are_found(one: list[bool], other: list[bool]) -> None:
    """And gaps are what is left."""
    runs = [*runs_of(one), *runs_of(other)]

    assert overlapping(runs) == runs_of([a and b for a, b in zip(one, other, strict=True)])
    assert gaps(runs, COUNT) == runs_of([not a and not b for a, b in zip(one, other, strict=True)])


def test_no_state_outlives_a_segment() -> None:
    """What still fired at its end says that nobody knows how it went on."""
    found = [spells([(0, 20)], Holding(2, 5), segment, Skipped()) for segment in ((0, 9), (12, 40))]

    assert [(s.first, s.end, s.lasting) for each in found for s in each.firing] == [(2, 10, True), (14, 26, False)]


def test_ticks_are_multiples_of_the_step() -> None:
    """Whatever the window begins with; those before it are counted from the same origin."""
    window = Window(1_000_001, 1_100_000)

    assert Ticks.over(window, 15_000) == Ticks(1_005_000, 15_000, 7)
    assert Ticks.over(window, 15_000, before=20_000) == Ticks(990_000, 15_000, 8)
    assert Ticks.over(Window(1, 2), 1000).count == 0


NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
MOMENTS = {
    "now": "2026-03-08T12:00:00Z",
    "7d": "2026-03-01T12:00:00Z",
    "now-1h30m": "2026-03-08T10:30:00Z",
    "1700000000": "2023-11-14T22:13:20Z",
    "1700000000.25": "2023-11-14T22:13:20.250Z",
    "2026-03-01": "2026-03-01T00:00:00Z",
    "2026-03-01T12:00": "2026-03-01T12:00:00Z",
    "2026-03-01T12:00:00+02:00": "2026-03-01T10:00:00Z",
    "2026-03-01T12:00:00Z": "2026-03-01T12:00:00Z",
}


@pytest.mark.parametrize(("text", "expected"), MOMENTS.items(), ids=MOMENTS)
def test_a_moment_is_read(text: str, expected: str) -> None:
    """In each of the forms that the option offers."""
    assert written(parse_moment(text, NOW)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "7 d", "nan", "1e99", "2026-13-01", "999999999y"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match="is no moment"):
        parse_moment(text, NOW)
