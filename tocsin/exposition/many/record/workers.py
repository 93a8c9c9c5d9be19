"""How many processes answer behind one address, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, islice, pairwise
from operator import le
from typing import Any

from tocsin.exposition.many.record.comparing import fallen, moments, steps
from tocsin.exposition.many.record.reading import Reading, stem
from tocsin.exposition.many.record.scrapes import Scrape
from tocsin.exposition.many.record.snapshot import Meaning, Snapshot

MOST_COUNTERS = 1_000
"""So many counters are compared where a process says nothing of itself."""
OFTEN = 2
"""So many scrapes each of two must have answered, and as many all on an average, to be told apart by counters alone."""
STEADY = 5
"""So many values a counter must have had to be known as one that only rises; time comes in ticks, and has fewer."""

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Workers:
    """Who answered the scrapes of one target."""

    scrapes: int
    seen: int
    """Processes that could be told apart."""
    alternate: bool
    """One answered, then another, then the first again: which no restart does."""
    by: str
    """What they were told apart by."""
    falls: int
    """Steps from one scrape to the next in which a counter fell."""
    steps: int

    @property
    def chance_missed(self) -> float:
        """The chance that a second process, asked evenly, answered none of the scrapes, or all."""
        return 2.0 ** (1 - self.scrapes) if self.scrapes else 1.0


def workers(scrapes: Sequence[Scrape], reading: Reading) -> Workers:
    """Return who answered; `scrapes` are whole, by their start, and each came over a connection of its own."""
    snapshots = [reading.of(scrape) for scrape in scrapes]
    pairs = list(steps(scrapes))
    falls = sum(next(fallen(reading.of(earlier), reading.of(later)), None) is not None for earlier, later in pairs)
    told = _identities(snapshots)
    if falls:  # two that started within a tick of the clock say the same of themselves
        told.append(("the values of counters", _by_counters(scrapes, reading)))
    for by, names in told:
        if _alternate(scrapes, names) or _goes_back(snapshots, names):
            return Workers(len(scrapes), len({*names}), True, by, falls, len(pairs))
    by, seen = (told[0][0], len({*told[0][1]})) if told else ("", min(1, len(scrapes)))
    return Workers(len(scrapes), seen, False, by, falls, len(pairs))


def _identities(snapshots: Sequence[Snapshot]) -> list[tuple[str, list[object]]]:
    """Return what each scrape says of the process that answered, by what tells it; nothing if they say nothing."""
    found: list[tuple[str, list[object]]] = []
    starts = [taken.start for taken in snapshots]
    if snapshots and None not in starts:
        found.append(("process_start_time_seconds", list(starts)))
    created = [moments(taken) for taken in snapshots]
    shared = sorted(reduce(lambda known, new: known & new.keys(), created[1:], {*created[0]})) if created else []
    if shared:
        found.append(("_created", [tuple(each[key] for key in shared) for each in created]))
    return found


def _alternate(scrapes: Sequence[Scrape], names: Sequence[object]) -> bool:
    """Tell whether one is seen again after another was, each scrape having ended before the next began."""
    ended: dict[object, float] = {}
    left: dict[object, float] = {}
    for scrape, name in sorted(zip(scrapes, names, strict=True), key=lambda pair: pair[0].start):
        if name in left and scrape.start >= left[name]:
            return True
        for other, end in ended.items():
            if other != name and end <= scrape.start:
                left[other] = min(left.get(other, scrape.end), scrape.end)
        ended[name] = min(ended.get(name, scrape.end), scrape.end)
    return False


def _goes_back(snapshots: Sequence[Snapshot], names: Sequence[Any]) -> bool:
    """Tell whether a counter falls where the moment of the start goes back: who restarts begins later, not earlier."""
    steps_of = zip(pairwise(snapshots), pairwise(names), strict=True)
    return any(now < before and next(fallen(*pair), None) is not None for pair, (before, now) in steps_of)


def _by_counters(scrapes: Sequence[Scrape], reading: Reading) -> list[object]:
    """Return a number for each scrape, the same for those between which no counter falls; one for all if unsure.

    A metric that rises through every change from one to another speaks for one process; where more of them fall, and
    two at least, they are another process's, for a counter that is sick is sick alone.
    """
    one: list[object] = [0] * len(scrapes)
    families, vectors = _vectors(scrapes, reading)
    names = _chains(scrapes, vectors)
    changes = [
        (vectors[earlier], vectors[later])
        for earlier, later in combinations(range(len(vectors)), 2)
        if names[earlier] != names[later] and scrapes[earlier].end <= scrapes[later].start
    ]
    falling, rising = set(), set()
    for place, family in enumerate(families):
        if any(now[place] < before[place] for before, now in changes):
            falling.add(family)
        elif len({vector[place] for vector in vectors}) >= STEADY:
            rising.add(family)
    sure = len(falling) >= 2 and len(falling) > len(rising - falling)
    often = sum(names.count(name) >= OFTEN for name in {*names})
    return list(names) if sure and often >= 2 and OFTEN * len({*names}) <= len(names) else one


def _chains(scrapes: Sequence[Scrape], vectors: Sequence[Vector]) -> list[int]:
    """Return a number for each scrape, so that the counters of those with one number only rise."""
    chains: list[list[int]] = []
    names: list[int] = []
    for place in range(len(vectors)):
        fitting = [
            (sum(vectors[chain[-1]]), number)
            for number, chain in enumerate(chains)
            if all(_follows(scrapes, vectors, earlier, place) for earlier in chain)
        ]
        if fitting:
            number = max(fitting)[1]
            chains[number].append(place)
        else:
            number = len(chains)
            chains.append([place])
        names.append(number)
    return names


def _follows(scrapes: Sequence[Scrape], vectors: Sequence[Vector], earlier: int, later: int) -> bool:
    """Tell whether one process could have answered both; two that overlap may have been read in either order."""
    before, now = vectors[earlier], vectors[later]
    if all(map(le, before, now)):
        return True
    return scrapes[earlier].end > scrapes[later].start and all(map(le, now, before))


def _vectors(scrapes: Sequence[Scrape], reading: Reading) -> tuple[list[str], list[Vector]]:
    """Return the counters that all scrapes have and that change, the first ones of the body: families and values."""
    snapshots = [reading.of(scrape) for scrape in scrapes]
    first = snapshots[0]
    counters = (k for k, m in zip(first.shape.keys, first.shape.meanings, strict=True) if m == Meaning.COUNTER)
    columns: dict[int, list[float]] = {key: [] for key in islice(counters, MOST_COUNTERS)}
    for taken in snapshots:
        for key, value in zip(taken.shape.keys, taken.values, strict=True):
            if key in columns:
                columns[key].append(value)
    columns = {key: c for key, c in columns.items() if len(c) == len(snapshots) and len({*c}) > 1}
    spelled = reading.spelled(scrapes[0], columns.keys())
    return [stem(spelled[key].name, first) for key in columns], list(zip(*columns.values(), strict=True))
