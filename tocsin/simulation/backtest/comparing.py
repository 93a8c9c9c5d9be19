"""Rules compared with those that they replace: which alerts are new, gone, more noisy or less."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tocsin.simulation.backtest.episodes import Episode, Outcome


class Kind(StrEnum):
    """What became of an alert, from what a reader looks at first to what he may leave out."""

    NOISIER = "noisier"
    """More episodes or longer ones, and none of the old is gone."""
    NEW = "new"
    OTHER = "different"
    """More in one way and less in another, or as much at other times."""
    QUIETER = "quieter"
    """Fewer episodes or shorter ones, and none is new."""
    GONE = "gone"
    UNKNOWN = "not comparable"
    """On one side it could not be evaluated."""
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Pair:
    """An episode before and now; None where there is none that overlaps it."""

    before: Episode | None
    after: Episode | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One alert on both sides."""

    kind: Kind
    before: Outcome | None
    after: Outcome | None
    pairs: tuple[Pair, ...]
    """The episodes side by side, in order of time."""

    @property
    def name(self) -> str:
        """Its name; where it was renamed, both."""
        names = [side.alert.rule.name for side in (self.before, self.after) if side is not None]
        return names[0] if len(set(names)) == 1 else " → ".join(names)

    @property
    def lost(self) -> tuple[Episode, ...]:
        """Episodes that there were before, and of which nothing is left."""
        return tuple(pair.before for pair in self.pairs if pair.before is not None and pair.after is None)

    @property
    def gained(self) -> tuple[Episode, ...]:
        """Episodes that there are now, and of which there was nothing before."""
        return tuple(pair.after for pair in self.pairs if pair.after is not None and pair.before is None)


def compare(before: Sequence[Outcome], after: Sequence[Outcome]) -> tuple[Change, ...]:
    """Return what became of every alert, the most important first."""
    changes = [_change(old, new) for old, new in _matched(before, after)]
    order = list(Kind)
    return tuple(sorted(changes, key=lambda change: (order.index(change.kind), change.name)))


def _matched(before: Sequence[Outcome], after: Sequence[Outcome]) -> Iterator[tuple[Outcome | None, Outcome | None]]:
    """Yield both sides of each alert: by its place, else by name and labels, by name, or by what it asks."""
    old, new = list(before), list(after)
    ways: tuple[Callable[[Outcome], Hashable], ...] = (
        lambda each: each.alert.case,
        lambda each: (each.alert.rule.name, tuple(sorted(each.alert.rule.labels.items()))),
        lambda each: each.alert.rule.name,
        lambda each: " ".join(each.expression.split()),
    )
    for way in ways:
        olds, news = _alone(old, way), _alone(new, way)
        for key in olds.keys() & news.keys():
            yield olds[key], news[key]
        old = [each for each in old if olds.get(way(each)) is not each or way(each) not in news]
        new = [each for each in new if news.get(way(each)) is not each or way(each) not in olds]
    yield from ((each, None) for each in old)
    yield from ((None, each) for each in new)


def _alone(outcomes: Iterable[Outcome], way: Callable[[Outcome], Hashable]) -> dict[Hashable, Outcome]:
    """Return the outcomes that nobody else is like, by what they are like."""
    found: dict[Hashable, list[Outcome]] = {}
    for each in outcomes:
        found.setdefault(way(each), []).append(each)
    return {key: alike[0] for key, alike in found.items() if len(alike) == 1}


def _change(before: Outcome | None, after: Outcome | None) -> Change:
    pairs = tuple(_pairs(before.firing if before else (), after.firing if after else ()))
    return Change(kind=_kind(before, after, pairs), before=before, after=after, pairs=pairs)


def _kind(before: Outcome | None, after: Outcome | None, pairs: Sequence[Pair]) -> Kind:
    if before is None or after is None:
        return Kind.NEW if before is None else Kind.GONE
    if before.not_evaluated or after.not_evaluated:
        return Kind.UNKNOWN
    if all(pair.before == pair.after for pair in pairs):
        return Kind.SAME
    counts = after.noise.episodes - before.noise.episodes
    lengths = sum(e.seconds for e in after.firing) - sum(e.seconds for e in before.firing)
    lost = any(pair.after is None for pair in pairs)
    gained = any(pair.before is None for pair in pairs)
    if counts >= 0 and lengths >= 0 and (counts or lengths) and not lost:
        return Kind.NOISIER
    if counts <= 0 and lengths <= 0 and (counts or lengths) and not gained:
        return Kind.QUIETER
    return Kind.OTHER


def _pairs(before: Iterable[Episode], after: Iterable[Episode]) -> Iterator[Pair]:
    """Yield the episodes of both sides in order of time, those together that overlap; one may be in several pairs.

    Those of the same labels go together; where the two sides have no labels in common, any that overlap.
    """
    olds, news = list(before), list(after)
    by_labels = bool({each.labels for each in olds} & {each.labels for each in news})

    def overlap(old: Episode, new: Episode) -> bool:
        return (not by_labels or new.labels == old.labels) and new.begin < old.end and old.begin < new.end

    found = [Pair(old, new) for old in olds for new in news if overlap(old, new)]
    paired = {id(pair.before) for pair in found} | {id(pair.after) for pair in found}
    found += [Pair(old, None) for old in olds if id(old) not in paired]
    found += [Pair(None, new) for new in news if id(new) not in paired]
    yield from sorted(found, key=_begin)


def _begin(pair: Pair) -> tuple[int, int]:
    sides = [side for side in (pair.before, pair.after) if side is not None]
    return min(side.begin for side in sides), min(side.end for side in sides)
