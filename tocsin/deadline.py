"""Wait for a condition, to a deadline; the only way in which anything here waits for something it polls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tocsin.explained import Explained

T = TypeVar("T")

EVERY_SECONDS = 0.02


class Stopped(Exception):
    """The stop event was set while something was waited for."""

    def __init__(self, what: str) -> None:
        super().__init__(f"stopped while waiting for {what}")
        self.what = what


class DeadlineExceeded(Explained):
    """A condition did not come true in time; `reason` is what stood in its way when it was last looked at."""

    def __init__(self, what: str, seconds: float, reason: str = "") -> None:
        super().__init__(f"{what}: not within {seconds:g} s" + (f"; {reason}" if reason else ""))
        self.what = what
        self.seconds = seconds
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Unmet:
    """What a condition returns in place of a bare False: why it does not hold yet. It is false."""

    reason: str

    def __bool__(self) -> bool:
        return False


def wait_until(
    condition: Callable[[], T | Unmet],
    *,
    seconds: float,
    what: str,
    every: float = EVERY_SECONDS,
    stop: threading.Event | None = None,
) -> T:
    """Look at a condition every so many seconds until it is true, and return its value.

    It is looked at once at least, and once more at the deadline. Raises DeadlineExceeded, and Stopped as soon as
    `stop` is set; what the condition raises goes through.
    """
    deadline = time.monotonic() + seconds
    pause = stop or threading.Event()
    while True:
        if pause.is_set():
            raise Stopped(what)
        last = time.monotonic() >= deadline
        value = condition()
        if not isinstance(value, Unmet) and value:
            return value
        if last:
            raise DeadlineExceeded(what, seconds, value.reason if isinstance(value, Unmet) else "")
        pause.wait(min(every, max(0.0, deadline - time.monotonic())))
