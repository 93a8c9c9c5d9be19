"""A prober of many probes: attempts begin at their ticks, a slow one is followed at once, and the end is an end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probe_endpoints.server import BEHAVIOURS, Endpoints
from tests.test_probe_handlers import handler_of
from tocsin.deadline import Unmet, wait_until
from tocsin.probes.attempt import Outcome
from tocsin.probes.prober import Observation, Probe, Prober, following

SECONDS = 30.0


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Endpoints]:
    """Serve every behaviour."""
    with Endpoints() as served:
        yield served


def probe(endpoints: Endpoints, name: str, *, period: float, timeout: float = 1.0, phase: float = 0.0) -> Probe:
    handler = handler_of(BEHAVIOURS[name], endpoints.ports[name])
    return Probe(name, handler, period, timeout=timeout, phase=phase)


def observed(probes: list[Probe], count: int) -> list[Observation]:
    """Run probes until each has been observed so often."""
    seen: list[Observation] = []
    prober = Prober(probes, seen.append)
    prober.start()
    try:
        wait_until(lambda: _enough(probes, list(seen), count), seconds=SECONDS, what="the attempts")
    finally:
        prober.stop()
    return seen


def _enough(probes: list[Probe], seen: list[Observation], count: int) -> bool | Unmet:
    few = [each.name for each in probes if sum(one.probe is each for one in seen) < count]
    return not few or Unmet(f"too few of {few}")


def test_each_probe_is_asked_at_its_ticks(endpoints: Endpoints) -> None:
    probes = [probe(endpoints, "ok", period=0.05), probe(endpoints, "status-500", period=0.07, phase=0.03)]
    seen = observed(probes, 4)
    for each in probes:
        mine = [one for one in seen if one.probe is each]
        assert {one.attempt.outcome for one in mine} == {Outcome(BEHAVIOURS[each.name].expected)}
        ticks = [(one.due - mine[0].due) / each.period for one in mine]
        assert ticks == pytest.approx([round(tick) for tick in ticks], abs=1e-6)
        assert all(one.started >= one.due - 1e-6 for one in mine)
        assert all(one.late >= -1e-6 for one in mine)


def test_attempts_of_one_probe_never_overlap(endpoints: Endpoints) -> None:
    """A hang takes the timeout, three periods here; each attempt begins when the one before it is over."""
    seen = observed([probe(endpoints, "hang", period=0.05, timeout=0.15)], 3)
    for before, after in pairwise(seen):
        assert after.started >= before.started + before.attempt.seconds
        assert after.due > before.due


def test_a_hang_holds_nobody_up(endpoints: Endpoints) -> None:
    """While one probe hangs for long, others are asked again and again."""
    slow = probe(endpoints, "hang", period=20, timeout=20)
    quick = probe(endpoints, "ok", period=0.02)
    seen: list[Observation] = []
    prober = Prober([slow, quick], seen.append)
    prober.start()
    try:
        wait_until(lambda: len(seen) >= 5 or Unmet(f"{len(seen)} attempts"), seconds=SECONDS, what="the quick ones")
    finally:
        prober.stop()
    assert {one.probe.name for one in seen} == {"ok"}


def test_nothing_is_observed_after_the_end(endpoints: Endpoints) -> None:
    seen: list[Observation] = []
    prober = Prober([probe(endpoints, "ok", period=0.01)], seen.append)
    prober.start()
    wait_until(lambda: len(seen) >= 2 or Unmet("not yet"), seconds=SECONDS, what="two attempts")
    prober.stop()
    count = len(seen)
    assert not any(thread.name == "prober" for thread in threading.enumerate())
    prober.stop()
    assert len(seen) == count


def test_what_the_observer_raises_comes_out_at_the_end(endpoints: Endpoints) -> None:
    called = threading.Event()

    def observe(_: Observation) -> None:
        called.set()
        raise RuntimeError("the disk is full")

    prober = Prober([probe(endpoints, "ok", period=0.01)], observe)
    prober.start()
    assert called.wait(SECONDS)
    with pytest.raises(RuntimeError, match="disk is full"):
        prober.stop()


def starts(durations: list[float], period: float) -> list[float]:
    """Return when attempts of these durations begin."""
    found, tick, free = list[float](), 0, 0.0
    for duration in durations:
        begin = max(tick * period, free)
        found.append(begin)
        free = begin + duration
        tick = following(tick, begin, period)
    return found


@pytest.mark.parametrize(
    ("durations", "period", "expected"),
    [
        ([0.7, 0, 0, 0, 1.2, 0, 0], 0.5, [0, 0.7, 1.0, 1.5, 2.0, 3.2, 3.5]),
        ([7, 0, 0, 0], 5, [0, 7, 10, 15]),
        ([7, 7, 7, 7], 5, [0, 7, 14, 21]),
        ([0, 0, 0], 10, [0, 10, 20]),
        ([25, 0, 0], 10, [0, 25, 30]),
    ],
)
def test_a_ticker_holds_one_tick(durations: list[float], period: float, expected: list[float]) -> None:
    assert starts(durations, period) == pytest.approx(expected)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=20), st.floats(0.5, 10))
def test_ticks_only_go_forward(durations: list[float], period: float) -> None:
    begins = starts(durations, period)
    assert all(after >= before for before, after in pairwise(begins))
