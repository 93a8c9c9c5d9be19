"""Two scrapes beside each other: which came first, what fell, what is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress

from tocsin.exposition.many.record.scrapes import Scrape
from tocsin.exposition.many.record.snapshot import Meaning, Snapshot


def steps(scrapes: Sequence[Scrape]) -> Iterator[tuple[Scrape, Scrape]]:
    """Yield each scrape with the last one that had ended before it began: of overlapping ones nobody knows an order."""
    for later in scrapes:
        ended = [one for one in scrapes if one.end <= later.start and one is not later]
        if ended:
            yield max(ended, key=lambda one: one.end), later


def restarted(earlier: Snapshot, later: Snapshot) -> bool:
    """Tell whether the process says that it started anew."""
    return earlier.start is not None and later.start is not None and later.start > earlier.start


def fallen(earlier: Snapshot, later: Snapshot) -> Iterator[tuple[int, float, float]]:
    """Yield the counters whose value is less than before: key, value before, and value now."""
    if earlier.shape is later.shape:
        if earlier.values == later.values:
            return
        for key, meaning, before, now in zip(
            earlier.shape.keys, earlier.shape.meanings, earlier.values, later.values, strict=True
        ):
            if now < before and meaning == Meaning.COUNTER:
                yield key, before, now
        return
    values = later.by_key()
    for key, meaning, before in zip(earlier.shape.keys, earlier.shape.meanings, earlier.values, strict=True):
        if meaning == Meaning.COUNTER and (now := values.get(key, before)) < before:
            yield key, before, now


def gone(earlier: Snapshot, later: Snapshot) -> set[int]:
    """Return the keys of the series that the later scrape does not have."""
    return set() if earlier.shape is later.shape else {*earlier.shape.keys} - {*later.shape.keys}


def moments(taken: Snapshot) -> dict[int, float]:
    """Return the moments of creation that a scrape tells."""
    created = [meaning == Meaning.CREATED for meaning in taken.shape.meanings]
    return dict(zip(compress(taken.shape.keys, created), compress(taken.values, created), strict=True))
