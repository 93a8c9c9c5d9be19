"""Waiting for a condition, to a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tocsin.deadline import DeadlineExceeded, Stopped, Unmet, wait_until


def test_the_value_of_the_condition_is_returned() -> None:
    """Falsy and unmet looks are passed over; the first true value is the answer."""
    looks: Iterator[object] = iter([None, False, Unmet("not yet"), 0, "here"])
    assert wait_until(lambda: next(looks), seconds=5, what="it", every=0.001) == "here"


def test_the_deadline_tells_the_last_reason() -> None:
    """What was waited for, how long, and what stood in the way are all in the message."""
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"the door: not within 0\.1 s; it is locked") as caught:
        wait_until(lambda: Unmet("it is locked"), seconds=0.1, what="the door")
    assert 0.1 <= time.monotonic() - began < 2
    assert caught.value.reason == "it is locked"


def test_no_time_at_all_is_one_look() -> None:
    """With zero seconds a condition that holds is met, and one that does not is looked at once."""
    assert wait_until(lambda: 7, seconds=0, what="it") == 7
    looks: list[int] = []
    with pytest.raises(DeadlineExceeded):
        wait_until(lambda: looks.append(1), seconds=0, what="it")
    assert looks == [1]


def test_the_stop_event_ends_the_wait_at_once() -> None:
    """A wait of a minute, between looks of a minute, ends as soon as the event is set."""
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Stopped, match="waiting for it"):
        wait_until(lambda: False, seconds=60, what="it", every=60, stop=stop)
    assert time.monotonic() - began < 5
    timer.join()


def test_what_the_condition_raises_goes_through() -> None:
    """An error in the condition is not a reason to look again."""

    def fail() -> bool:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        wait_until(fail, seconds=5, what="it")
