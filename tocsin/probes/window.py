"""A moment or a length of time that is known within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `earliest` to `latest`, in seconds, both included."""

    earliest: float
    latest: float

    @classmethod
    def at(cls, seconds: float) -> Window:
        """Return one that is known exactly."""
        return cls(seconds, seconds)

    @property
    def width(self) -> float:
        """Seconds between its bounds."""
        return self.latest - self.earliest

    @property
    def exact(self) -> bool:
        """Whether nothing about it is unknown."""
        return self.earliest == self.latest

    def __add__(self, other: Window | float) -> Window:
        if isinstance(other, Window):
            return Window(self.earliest + other.earliest, self.latest + other.latest)
        return Window(self.earliest + other, self.latest + other)

    def __sub__(self, other: Window | float) -> Window:
        if isinstance(other, Window):
            return Window(self.earliest - other.latest, self.latest - other.earliest)
        return Window(self.earliest - other, self.latest - other)

    def __contains__(self, seconds: float) -> bool:
        return self.earliest <= seconds <= self.latest

    def meets(self, other: Window) -> bool:
        """Tell whether they have a moment in common."""
        return self.earliest <= other.latest and other.earliest <= self.latest

    def clipped(self, *, earliest: float = float("-inf"), latest: float = float("inf")) -> Window | None:
        """Return what lies between two bounds; None if that is nothing."""
        low, high = max(self.earliest, earliest), min(self.latest, latest)
        return Window(low, high) if low <= high else None

    def hull(self, other: Window) -> Window:
        """Return the least that holds both."""
        return Window(min(self.earliest, other.earliest), max(self.latest, other.latest))


ZERO = Window(0.0, 0.0)


def joined(windows: Iterable[Window], *, gap: float = 0.0) -> tuple[Window, ...]:
    """Return the same moments as few windows, in the order of time; what lies no more than `gap` apart is joined."""
    found: list[Window] = []
    for each in sorted(windows):
        if found and each.earliest <= found[-1].latest + gap:
            found[-1] = found[-1].hull(each)
        else:
            found.append(each)
    return tuple(found)
