"""How long scrapes take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from tocsin.exposition.many.record.scrapes import Scrape


@dataclass(frozen=True, slots=True)
class Durations:
    """Of some scrapes, in seconds; one that was given up counts as long as it was waited for."""

    count: int
    p50: float
    p99: float
    longest: float
    timed_out: int
    """Scrapes that had no whole answer by the end of their time."""

    def __str__(self) -> str:
        return f"p50 {self.p50:.3g} s, p99 {self.p99:.3g} s of {self.count} scrapes"


def durations(scrapes: Sequence[Scrape]) -> Durations | None:
    """Return how long scrapes took that were answered, or not in time; None if there are none."""
    known = [scrape for scrape in scrapes if scrape.whole or scrape.timed_out]
    if not known:
        return None
    seconds = sorted(scrape.seconds for scrape in known)
    slow = sum(1 for scrape in known if scrape.timed_out)
    return Durations(len(seconds), quantile(seconds, 0.5), quantile(seconds, 0.99), seconds[-1], slow)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed (nearest rank)."""
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, min(len(ordered) - 1, int(rank) - 1))]


def slope(points: Sequence[tuple[int, float]]) -> float | None:
    """Return the seconds that one more series costs, by the median of all pairs (Theil and Sen).

    `points` are series and seconds. None if the number of series was much the same all the time.
    """
    if not points or max(count for count, _ in points) < 2 * max(1, min(count for count, _ in points)):
        return None
    return median((b - a) / (more - less) for (less, a), (more, b) in combinations(points, 2) if more != less)
