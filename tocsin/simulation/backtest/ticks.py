"""The moments at which a rule is evaluated over a stretch of the past. Times are whole milliseconds of Unix time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tocsin.durations import parse_duration

Run = tuple[int, int]
"""A stretch of ticks without a gap: the numbers of its first and its last."""


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of the past that is asked about, both ends included."""

    begin: int
    end: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.begin) / 1000


@dataclass(frozen=True, slots=True)
class Ticks:
    """Every multiple of `step` from `first` on, as promtool counts.

    Prometheus moves the ticks of each group by a constant of its own, less than a step, which hangs on the path of the
    group's file (rules/group.go, EvalTimestamp).
    """

    first: int
    step: int
    count: int

    @classmethod
    def over(cls, window: Window, step: int, *, before: int = 0) -> Ticks:
        """Return the ticks of a window, and those of so many milliseconds before it."""
        first = -(-(window.begin - before) // step) * step
        return cls(first, step, max(0, (window.end - first) // step + 1))

    def time(self, number: int) -> int:
        """Return the time of a tick."""
        return self.first + number * self.step

    def number(self, time: float) -> int:
        """Return the number of the tick nearest to a time."""
        return round((time - self.first) / self.step)


class Skipped:
    """Ticks at which a rule had no evaluation that counts."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.runs = joined(runs)
        self._firsts = [first for first, _ in self.runs]

    def after(self, number: int) -> int:
        """Return the first tick from a number on that was not skipped."""
        at = bisect_right(self._firsts, number) - 1
        return self.runs[at][1] + 1 if at >= 0 and number <= self.runs[at][1] else number


def joined(runs: Iterable[Run]) -> list[Run]:
    """Return the same ticks in order, as few runs as can be."""
    found: list[Run] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def gaps(runs: Iterable[Run], count: int) -> list[Run]:
    """Return the runs of the first `count` ticks that are in none of the given ones."""
    found, at = [], 0
    for first, last in joined(runs):
        if first > at:
            found.append((at, first - 1))
        at = max(at, last + 1)
    return [*found, (at, count - 1)] if at < count else found


def overlapping(runs: Iterable[Run]) -> list[Run]:
    """Return the ticks that are in more than one of the runs."""
    found: list[Run] = []
    reach = -1
    for first, last in sorted(runs):
        if first <= reach:
            found.append((first, min(last, reach)))
        reach = max(reach, last)
    return joined(found)


def parse_moment(text: str, now: datetime) -> int:
    """Return the moment that a text names: `now`, `7d` (ago), a Unix time in seconds, or ISO 8601, else in UTC.

    Raises ValueError with what is understood.
    """
    ago = text.removeprefix("now").removeprefix("-")
    if text == "now":
        return milliseconds(now)
    try:
        return milliseconds(now - timedelta(seconds=parse_duration(ago)))
    except (ValueError, OverflowError):
        pass
    try:
        return milliseconds(datetime.fromtimestamp(float(text), UTC))
    except (ValueError, OverflowError, OSError):
        pass
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        said = f"{text!r} is no moment: write 2026-03-01T12:00:00Z, a Unix time in seconds, now, or 7d for a week ago"
        raise ValueError(said) from error
    return milliseconds(read if read.tzinfo else read.replace(tzinfo=UTC))


def milliseconds(moment: datetime) -> int:
    """Return a moment as Unix time."""
    return round(moment.timestamp() * 1000)


def written(time: int) -> str:
    """Return a Unix time as ISO 8601, in UTC, with milliseconds only where it has any."""
    moment = datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{time % 1000:03}Z" if time % 1000 else f"{moment}Z"
