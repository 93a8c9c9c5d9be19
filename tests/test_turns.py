"""Turns of drills: how many at once, and what it is to be alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.deadline import Stopped
from tocsin.drill.turns import Turns

AT_ONCE = 0.2
"""Seconds in which somebody who is not held up has long begun."""
AT_LAST = 20.0
"""Seconds after which somebody who has not begun never will."""


@dataclass
class Visit:
    """A drill of a test, which does nothing, and goes on when it is told to."""

    turns: Turns
    alone: bool = False
    present: threading.Event = field(default_factory=threading.Event)
    may_drill: threading.Event = field(default_factory=threading.Event)
    drilling: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)
    ending: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)

    def go(self) -> None:
        """Start, drill and end, each when it is told to."""
        with self.turns.present():
            self.present.set()
            assert self.may_drill.wait(AT_LAST)
            with self.turns.turn(alone=self.alone):
                self.drilling.set()
                assert self.may_end.wait(AT_LAST)
            self.ending.set()
            assert self.may_go.wait(AT_LAST)


@dataclass
class Visits:
    """Drills of one run."""

    pool: ThreadPoolExecutor
    turns: Turns
    stop: threading.Event
    made: list[Visit] = field(default_factory=list)

    def one(self, *, alone: bool = False, may_drill: bool = True) -> Visit:
        """Begin a drill, which drills as soon as it has its turn unless `may_drill` is to be set first."""
        visit = Visit(self.turns, alone)
        if may_drill:
            visit.may_drill.set()
        self.made.append(visit)
        self.pool.submit(visit.go)
        return visit


@pytest.fixture
def visits() -> Iterator[Visits]:
    """Return drills of a run of three at once; all have ended when the test has."""
    stop = threading.Event()
    turns = Turns(3, stop)
    with ThreadPoolExecutor(8) as pool:
        visits = Visits(pool, turns, stop)
        yield visits
        stop.set()
        turns.wake()
        for visit in visits.made:
            for told in (visit.may_drill, visit.may_end, visit.may_go):
                told.set()


@pytest.fixture
def held_up(visits: Visits) -> tuple[Visit, Visit]:
    """Return a drill that starts, and one that wants to be alone and waits for nothing else."""
    starting = visits.one(may_drill=False)
    assert starting.present.wait(AT_LAST)
    alone = visits.one(alone=True)
    assert alone.present.wait(AT_LAST)
    assert not alone.drilling.wait(AT_ONCE)
    return starting, alone


def test_so_many_at_once_and_no_more(visits: Visits) -> None:
    """The fourth of three at once drills when one of them is over, and starts before."""
    three = [visits.one() for _ in range(3)]
    assert all(visit.drilling.wait(AT_LAST) for visit in three)
    fourth = visits.one()
    assert fourth.present.wait(AT_LAST)
    assert not fourth.drilling.wait(AT_ONCE)
    three[1].may_end.set()
    assert fourth.drilling.wait(AT_LAST)


def test_nobody_starts_beside_one_that_is_alone(visits: Visits) -> None:
    """What starts takes the processor from the one that is to have it; it starts when that is over."""
    alone = visits.one(alone=True)
    assert alone.drilling.wait(AT_LAST)
    other = visits.one()
    assert not other.present.wait(AT_ONCE)
    alone.may_end.set()
    assert other.present.wait(AT_LAST)


def test_alone_waits_for_those_that_start(held_up: tuple[Visit, Visit]) -> None:
    """Who starts already is let finish; who is up and waits does not matter."""
    starting, alone = held_up
    starting.may_drill.set()
    assert alone.drilling.wait(AT_LAST)
    assert not starting.drilling.is_set(), "it came to its turn after the one that is alone"
    alone.may_end.set()
    assert starting.drilling.wait(AT_LAST)


def test_alone_waits_for_those_that_end(visits: Visits) -> None:
    """Evidence is collected and processes are ended by work that takes a core."""
    first = visits.one()
    assert first.drilling.wait(AT_LAST)
    alone = visits.one(alone=True)
    assert alone.present.wait(AT_LAST)
    first.may_end.set()
    assert first.ending.wait(AT_LAST)
    assert not alone.drilling.wait(AT_ONCE)
    first.may_go.set()
    assert alone.drilling.wait(AT_LAST)


def test_nobody_starts_before_one_that_could_be_alone_at_once(visits: Visits, held_up: tuple[Visit, Visit]) -> None:
    """Else drills that start one after the other would keep it waiting for ever."""
    starting, alone = held_up
    late = visits.one()
    assert not late.present.wait(AT_ONCE)
    starting.may_drill.set()
    assert alone.drilling.wait(AT_LAST)
    assert not late.present.is_set()


def test_others_start_while_one_waits_for_drills_to_end(visits: Visits) -> None:
    """It could not have the machine yet, so that they take nothing from it."""
    drilling = visits.one()
    assert drilling.drilling.wait(AT_LAST)
    alone = visits.one(alone=True)
    assert alone.present.wait(AT_LAST)
    assert not alone.drilling.wait(AT_ONCE)
    assert visits.one().present.wait(AT_LAST)


@pytest.mark.parametrize("place", ["start", "turn"])
def test_a_stopped_run_lets_nobody_wait(visits: Visits, place: str) -> None:
    """Whoever waits is told that the run was stopped."""
    alone = visits.one(alone=True)
    assert alone.drilling.wait(AT_LAST)

    def wait() -> None:
        with visits.turns.present() if place == "start" else visits.turns.turn(alone=False):
            raise AssertionError("nobody may be let in")

    waiting = visits.pool.submit(wait)
    visits.stop.set()
    visits.turns.wake()
    with pytest.raises(Stopped):
        waiting.result(AT_LAST)


@given(drills=st.lists(st.booleans(), max_size=12), most=st.integers(1, 3), warming=st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_every_drill_has_its_turn_and_alone_is_alone(drills: Sequence[bool], most: int, warming: int) -> None:
    """Whatever comes in whatever order: all are performed, never too many, and beside one alone nobody acts."""
    stop = threading.Event()
    turns = Turns(most, stop)
    lock = threading.Lock()
    doing = {"busy": 0, "drilling": 0, "alone": 0, "done": 0}
    wrong: list[str] = []

    @contextmanager
    def counted(what: str) -> Iterator[None]:
        with lock:
            doing[what] += 1
            acting = doing["alone"] + doing["drilling"] + doing["busy"]
            if (doing["alone"] and acting > 1) or doing["drilling"] > most:
                wrong.append(f"{doing}")
        os.sched_yield()
        yield
        with lock:
            doing[what] -= 1

    def drill(alone: bool) -> None:
        with turns.present():
            with counted("busy"):
                pass
            with turns.turn(alone=alone), counted("alone" if alone else "drilling"):
                pass
            with counted("busy"):
                pass
        with lock:
            doing["done"] += 1

    with ThreadPoolExecutor(most + warming) as pool:
        try:
            for done in [pool.submit(drill, alone) for alone in drills]:
                done.result(AT_LAST)
        finally:
            stop.set()
            turns.wake()
    assert not wrong
    assert doing["done"] == len(drills)
