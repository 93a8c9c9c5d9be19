"""What an alert did over a stretch of the past, and how noisy that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from tocsin.simulation.backtest.history import Labels
from tocsin.simulation.backtest.rule_sets import Alert
from tocsin.simulation.backtest.ticks import Window

FLAP = 15 * 60_000
"""Milliseconds. For so long Prometheus goes on telling that an alert is over (rules/alerting.go, resolvedRetention)."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of time for which an alert fired, or was pending without firing. Times in milliseconds."""

    labels: Labels
    begin: int
    """The first evaluation at which it did."""
    end: int
    """The first at which it did not."""
    began_before: bool = False
    """It was so already when the window began; `begin` is the window's."""
    lasting: bool = False
    """It was still so at the last evaluation; `end` is the window's, or that of the gap in the history."""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.end - self.begin) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How often and how long."""

    episodes: int
    per_day: float
    flaps: int
    """Episodes of a label set that began less than 15 minutes after its last had ended."""
    seconds: float
    """For which it fired, whatever the label set."""
    share: float
    """Of the window."""
    longest: float
    """Seconds."""
    median: float
    """Seconds."""
    pending: int
    """Spells that were pending and never fired."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One alert over the window."""

    alert: Alert
    expression: str
    """As it was asked: with the recording rules written out that history does not have."""
    window: Window
    firing: tuple[Episode, ...] = ()
    """In order of time."""
    pending: tuple[Episode, ...] = ()
    """Spells that did not lead to firing."""
    refused: tuple[tuple[int, int, str], ...] = ()
    """Stretches in which the evaluation fails, from the first to the last tick, and why."""
    missing: tuple[str, ...] = ()
    """Selectors of which history has no series."""
    not_evaluated: str = ""
    """Why nothing can be said; empty where something can."""
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """What came of it, in a word or two."""
        if self.not_evaluated:
            return "not evaluated"
        if self.firing:
            return "fired"
        if self.pending:
            return "pending only"
        if self.refused:
            return "failing"
        return "no data" if self.missing else "quiet"

    @cached_property
    def noise(self) -> Noise:
        """How often and how long it fired."""
        return noise_of(self.firing, self.pending, self.window)

    @cached_property
    def by_labels(self) -> Mapping[Labels, Noise]:
        """The same of each label set that fired or was pending, the noisiest first."""
        found: dict[Labels, tuple[list[Episode], list[Episode]]] = {}
        for episode in self.firing:
            found.setdefault(episode.labels, ([], []))[0].append(episode)
        for episode in self.pending:
            found.setdefault(episode.labels, ([], []))[1].append(episode)
        noises = {labels: noise_of(*both, self.window) for labels, both in found.items()}
        return dict(sorted(noises.items(), key=lambda each: (-each[1].episodes, -each[1].seconds, each[0])))


def noise_of(firing: Iterable[Episode], pending: Iterable[Episode], window: Window) -> Noise:
    """Return how noisy episodes are."""
    fired = list(firing)
    lengths = [episode.seconds for episode in fired]
    together = sum(end - begin for begin, end in covered(fired)) / 1000
    whole = window.seconds or 1.0
    return Noise(
        episodes=len(fired),
        per_day=len(fired) * DAY / whole,
        flaps=sum(_flaps(fired)),
        seconds=together,
        share=min(1.0, together / whole),
        longest=max(lengths, default=0.0),
        median=median(lengths) if lengths else 0.0,
        pending=sum(1 for _ in pending),
    )


def covered(episodes: Iterable[Episode]) -> Iterator[tuple[int, int]]:
    """Yield the stretches of time in which any of the episodes was going on."""
    begin = end = None
    for episode in sorted(episodes, key=lambda each: each.begin):
        if begin is None or end is None:
            begin, end = episode.begin, episode.end
        elif episode.begin <= end:
            end = max(end, episode.end)
        else:
            yield begin, end
            begin, end = episode.begin, episode.end
    if begin is not None and end is not None:
        yield begin, end


def most_at_once(episodes: Iterable[Episode]) -> int:
    """Return how many episodes there were at one time, at most."""
    changes: Counter[tuple[int, int]] = Counter()
    for episode in episodes:
        changes[episode.begin, 1] += 1
        changes[episode.end, 0] -= 1
    now = most = 0
    for _, change in sorted(changes.items()):
        now += change
        most = max(most, now)
    return most


def _flaps(fired: Iterable[Episode]) -> Iterator[int]:
    own: dict[Labels, list[Episode]] = {}
    for episode in fired:
        own.setdefault(episode.labels, []).append(episode)
    for episodes in own.values():
        ordered = sorted(episodes, key=lambda each: each.begin)
        yield sum(later.begin - earlier.end < FLAP for earlier, later in pairwise(ordered))
