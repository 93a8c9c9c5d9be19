"""Inputs made of other inputs: series scaled, moved, copied, cut, thinned out; what finds a difference between rules.

Each disturbance is one change of one input, drawn by chance from what the rules name: their numbers, labels, windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matcher,
    MatrixSelector,
    NumberLiteral,
    Subquery,
    VectorSelector,
    selectors,
    walk,
)
from tocsin.promql.evaluation import STALE
from tocsin.promql.regex_examples import examples
from tocsin.synthesis.replaying import GAP, NAME, Row, Scene, Value

_RATES = frozenset({"rate", "increase", "irate"})
_USUAL = ("instance", "job")
OTHER = "other"
"""A label's value that no rule names."""
_FACTORS = (0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99, 1.01, 1.1, 1.5, 2.0, 3.0, 4.0, 10.0, 100.0, 1000.0, -1.0)


@dataclass(frozen=True, slots=True)
class Clues:
    """What rules name, and what is therefore worth a try."""

    numbers: tuple[float, ...]
    labels: Mapping[str, tuple[str, ...]]
    """Values by label: those that a matcher takes, and those that it does not."""
    counters: frozenset[str]
    """Metrics that are read through rate() and the like."""
    lengths: tuple[int, ...]
    """Windows and offsets, in milliseconds."""
    selectors: tuple[VectorSelector, ...]
    """Those of one metric."""


def clues_of(trees: Iterable[Expr]) -> Clues:
    """Return what some expressions name."""
    nodes = [node for tree in trees for node in walk(tree)]
    numbers: dict[float, None] = dict.fromkeys((0.0, 1.0, 2.0, -1.0))
    labels: dict[str, dict[str, None]] = {name: dict.fromkeys((OTHER, "")) for name in _USUAL}
    counters: set[str] = set()
    for node in nodes:
        if isinstance(node, NumberLiteral) and math.isfinite(node.value):
            numbers.update(dict.fromkeys((node.value, node.value + 1, node.value - 1)))
        elif isinstance(node, Call) and node.function in _RATES:
            counters |= {each.name for each in selectors(node.args[0]) if each.name}
        for name, values in _labels(node):
            labels.setdefault(name, {}).update(dict.fromkeys(values))
    labels.pop(NAME, None)
    lengths = {round(length * 1000): None for node in nodes for length in _lengths(node)}
    found = tuple(dict.fromkeys(n for n in nodes if isinstance(n, VectorSelector) and n.name))
    by_label = {name: tuple(each) for name, each in labels.items()}
    return Clues(tuple(numbers), by_label, frozenset(counters), tuple(lengths), found)


def _labels(node: Expr) -> Iterator[tuple[str, tuple[str, ...]]]:
    match node:
        case VectorSelector(matchers=matchers):
            yield from ((matcher.name, worth_trying(matcher)) for matcher in matchers)
        case Aggregation(grouping=names) if names:
            yield from ((name, (OTHER, "")) for name in names)
        case Binary(matching=matching) if matching is not None:
            yield from ((name, (OTHER, "")) for name in (*matching.labels, *matching.include))
        case _:
            pass


def _lengths(node: Expr) -> Iterator[float]:
    """Yield the windows and the offsets of a node, in seconds."""
    if isinstance(node, MatrixSelector | Subquery):
        yield node.range.seconds
    if isinstance(node, VectorSelector | MatrixSelector | Subquery) and node.offset and node.offset.seconds > 0:
        yield node.offset.seconds


def worth_trying(matcher: Matcher) -> tuple[str, ...]:
    """Return values of a label on both sides of a matcher."""
    if matcher.op in ("=", "!="):
        return (matcher.value, OTHER, "")
    return (*examples(matcher.value)[:4], OTHER, "")


# Single changes. `picked` are the numbers of rows.


def scaled(scene: Scene, picked: Collection[int], factor: float, clues: Clues, start: int = 0) -> Scene:
    """Return a scene in which some rows are so many times as large from a sample on, or grow so much faster."""

    def change(row: Row) -> Sequence[Value]:
        if start == 0 or row.labels.get(NAME) not in clues.counters:
            return [*row.values[:start], *(_times(each, factor) for each in row.values[start:])]
        return _grown(row.values, factor, start)

    return _each(scene, picked, change)


def _times(value: Value, factor: float) -> Value:
    return value * factor if isinstance(value, float | int) else value


def _grown(values: Sequence[Value], factor: float, start: int) -> list[Value]:
    """Return values whose growth is so many times as large from a sample on."""
    found = list(values[:start])
    last = next((each for each in reversed(found) if isinstance(each, float | int)), 0.0)
    before = last
    for value in values[start:]:
        if not isinstance(value, float | int):
            found.append(value)
            continue
        last += (value - before) * factor if value >= before else -last
        before = value
        found.append(last)
    return found


def levelled(scene: Scene, picked: Collection[int], number: float, clues: Clues, start: int = 0) -> Scene:
    """Return a scene in which some rows have a value from a sample on, or grow by it in a second."""

    def change(row: Row) -> Sequence[Value]:
        if row.labels.get(NAME) not in clues.counters:
            return [each if _kept(each, i < start) else number for i, each in enumerate(row.values)]
        found = list(row.values[:start])
        value = next((each for each in reversed(found) if isinstance(each, float | int)), 0.0)
        for each in row.values[start:]:
            found.append(value if isinstance(each, float | int) else each)
            value += number * scene.interval / 1000
        return found

    return _each(scene, picked, change)


def _kept(value: Value, before: bool) -> bool:
    return before or not isinstance(value, float | int)


def moved(scene: Scene, picked: Collection[int], label: str, value: str) -> Scene:
    """Return a scene in which some rows have another value of a label."""
    rows = [_labelled(row, label, value) if i in picked else row for i, row in enumerate(scene.rows)]
    return _unique(replace(scene, rows=tuple(rows)))


def copied(scene: Scene, picked: Collection[int], label: str, value: str, factor: float = 1.0) -> Scene:
    """Return a scene with copies of some rows, so many times as large, that have another value of a label."""
    added = [
        replace(_labelled(scene.rows[i], label, value), values=[_times(each, factor) for each in scene.rows[i].values])
        for i in sorted(picked)
    ]
    return _unique(replace(scene, rows=(*scene.rows, *added)))


def _labelled(row: Row, label: str, value: str) -> Row:
    labels = {name: each for name, each in row.labels.items() if name != label}
    return replace(row, labels=labels | {label: value} if value else labels)


def _unique(scene: Scene) -> Scene:
    """Return a scene in which no two rows have the same labels: the first of them stays."""
    found: dict[frozenset[tuple[str, str]], Row] = {}
    for row in scene.rows:
        found.setdefault(frozenset(row.labels.items()), row)
    return scene if len(found) == len(scene.rows) else replace(scene, rows=tuple(found.values()))


def without(scene: Scene, picked: Collection[int]) -> Scene:
    """Return a scene without some rows."""
    return replace(scene, rows=tuple(row for i, row in enumerate(scene.rows) if i not in picked))


def ended(scene: Scene, picked: Collection[int], at: int) -> Scene:
    """Return a scene in which some rows end at a sample."""
    return _each(scene, picked, lambda row: [*row.values[:at], STALE] if at < len(row.values) else row.values)


def begun(scene: Scene, picked: Collection[int], at: int) -> Scene:
    """Return a scene in which some rows begin at a sample."""
    return _each(scene, picked, lambda row: [*[GAP] * min(at, len(row.values)), *row.values[at:]])  # type: ignore[list-item]


def from_the_beginning(scene: Scene) -> Scene:
    """Return a scene whose rows begin with its first sample, at the value that they begin with later."""

    def change(row: Row) -> Sequence[Value]:
        first = next((i for i, each in enumerate(row.values) if each != GAP), 0)
        return [*[row.values[first]] * first, *row.values[first:]] if first else row.values

    early = range(0, min(6 * scene.evaluation, scene.until + 1), scene.evaluation)
    return replace(_each(scene, range(len(scene.rows)), change), marks=(*early, *scene.marks))


def thinned(scene: Scene, picked: Collection[int], every: int, first: int = 0) -> Scene:
    """Return a scene in which some rows have only every so many-th sample."""
    return _each(scene, picked, lambda row: [v if i % every == first else GAP for i, v in enumerate(row.values)])


def delayed(scene: Scene, picked: Collection[int], by: int) -> Scene:
    """Return a scene in which some rows do everything so many samples later, or earlier."""

    def change(row: Row) -> Sequence[Value]:
        if not row.values:
            return row.values
        if by >= 0:
            return [*[row.values[0]] * by, *row.values][: max(len(row.values), 1)]
        return [*row.values[-by:], *[row.values[-1]] * min(-by, len(row.values))]

    return _each(scene, picked, change)


def begun_anew(scene: Scene, picked: Collection[int], at: int) -> Scene:
    """Return a scene in which some rows, counters, begin at zero again at a sample."""

    def change(row: Row) -> Sequence[Value]:
        base = row.values[at] if at < len(row.values) else None
        if not isinstance(base, float | int):
            return row.values
        return [*row.values[:at], *(v - base if isinstance(v, float | int) else v for v in row.values[at:])]

    return _each(scene, picked, change)


def in_bursts(scene: Scene, picked: Collection[int], length: int, first: int = 0) -> Scene:
    """Return a scene in which some rows stand still, and catch up every so many samples."""

    def change(row: Row) -> Sequence[Value]:
        values = row.values
        return [v if not isinstance(v, float | int) else _held(values, i, (i + first) % length) for i, v in
                enumerate(values)]  # fmt: skip

    return _each(scene, picked, change)


def _held(values: Sequence[Value], i: int, back: int) -> Value:
    before = values[max(0, i - back)]
    return before if isinstance(before, float | int) else values[i]


def wobbling(scene: Scene, picked: Collection[int], amount: float, every: int = 2) -> Scene:
    """Return a scene in which every so many-th sample of some rows is so many times as large."""

    def change(row: Row) -> Sequence[Value]:
        return [_times(v, amount) if i % every == 0 else v for i, v in enumerate(row.values)]

    return _each(scene, picked, change)


def _each(scene: Scene, picked: Collection[int], change: Callable[[Row], Sequence[Value]]) -> Scene:
    rows = [replace(row, values=change(row)) if i in picked else row for i, row in enumerate(scene.rows)]
    return replace(scene, rows=tuple(rows))


def crossed(scene: Scene, other: Scene, metrics: Collection[str]) -> Scene | None:
    """Return a scene that has the series of some metrics from another one; None if their grids differ."""
    if scene.interval != other.interval:
        return None
    own = [row for row in scene.rows if row.labels.get(NAME) not in metrics]
    return _unique(replace(scene, rows=(*own, *(row for row in other.rows if row.labels.get(NAME) in metrics))))


def summoned(scene: Scene, picked: Collection[int], selector: VectorSelector, number: float | None = None) -> Scene:
    """Return a scene with series that a selector finds, beside some rows and with their labels.

    Their values are those of the rows, or a number.
    """
    asked = {m.name: m.value if m.op == "=" else (*examples(m.value), OTHER)[0] for m in selector.matchers
             if m.op in ("=", "=~")}  # fmt: skip
    added = [
        Row({**scene.rows[i].labels, **asked, NAME: selector.name or ""}, values if number is None else [
            number if isinstance(v, float | int) else v for v in values])
        for i in sorted(picked) for values in (scene.rows[i].values,)
    ]  # fmt: skip
    return _unique(replace(scene, rows=(*scene.rows, *added)))


def steady(scene: Scene, tick: int, hold: int, clues: Clues) -> Scene:
    """Return a scene that goes on from an evaluation as it is there: values stand, counters grow as they did."""
    at = tick // scene.interval
    more = hold // scene.interval + 2

    def change(row: Row) -> Sequence[Value]:
        values = list(row.values[: at + 1])
        if len(values) <= at or not isinstance(values[-1], float | int):
            return values
        before = values[-2] if len(values) > 1 else values[-1]
        counter = row.labels.get(NAME) in clues.counters
        step = max(values[-1] - before, 0.0) if counter and isinstance(before, float | int) else 0.0
        last = values[-1]
        return [*values, *(last + step * (i + 1) for i in range(more))]

    made = _each(scene, range(len(scene.rows)), change)
    until = (tick + hold) // scene.evaluation * scene.evaluation + scene.evaluation
    return replace(made, until=until, marks=(tick,))


# By chance


def metric_groups(scene: Scene) -> list[tuple[int, ...]]:
    """Return the rows of each metric."""
    found: dict[str, list[int]] = {}
    for i, row in enumerate(scene.rows):
        found.setdefault(row.labels.get(NAME, ""), []).append(i)
    return [tuple(rows) for rows in found.values()]


def _some(scene: Scene, random: Random) -> Collection[int]:
    """Return some rows: of a metric, of a label's value, one, or all."""
    if not scene.rows:
        return ()
    kind = random.random()
    if kind < 0.4:
        return random.choice(metric_groups(scene))
    if kind < 0.6:
        return (random.randrange(len(scene.rows)),)
    if kind < 0.8:
        pairs = sorted({pair for row in scene.rows for pair in row.labels.items()})
        chosen = random.choice(pairs)
        return tuple(i for i, row in enumerate(scene.rows) if chosen in row.labels.items())
    if kind < 0.9:
        return tuple(i for i in range(len(scene.rows)) if random.random() < 0.5)
    return range(len(scene.rows))


def disturbed(scene: Scene, scenes: Sequence[Scene], clues: Clues, random: Random) -> Scene:
    """Return a scene with one change by chance; `scenes` are others, of which parts may be taken."""
    picked = _some(scene, random)
    kind = random.random()
    if kind < 0.28:
        return _of_values(scene, picked, clues, random)
    if kind < 0.6:
        label = random.choice(tuple(clues.labels))
        value = random.choice((*clues.labels[label], OTHER, "r1", "r2"))
        if random.random() < 0.4:
            return moved(scene, picked, label, value)
        return copied(scene, picked, label, value, random.choice((1.0, random.choice(_FACTORS))))
    if kind < 0.65 and clues.selectors:
        number = random.choice((None, random.choice(clues.numbers)))
        return summoned(scene, picked, random.choice(clues.selectors), number)
    if kind < 0.72:
        metrics = {scene.rows[i].labels.get(NAME, "") for i in picked}
        return crossed(scene, random.choice(scenes), metrics) or scene
    return _of_time(scene, picked, random)


def _of_values(scene: Scene, picked: Collection[int], clues: Clues, random: Random) -> Scene:
    at = random.choice((0, 0, random.randrange(_samples(scene))))
    if random.random() < 0.5:
        return scaled(scene, picked, random.choice(_FACTORS), clues, at)
    number = random.choice(clues.numbers) * random.choice((1, 1, 1, 0.5, 2, 0.99, 1.01))
    return levelled(scene, picked, number, clues, at)


def _of_time(scene: Scene, picked: Collection[int], random: Random) -> Scene:
    samples = _samples(scene)
    at, length = random.randrange(samples), random.randint(2, 6)
    match random.randrange(8):
        case 0:
            return without(scene, picked)
        case 1:
            return ended(scene, picked, at)
        case 2:
            return begun(scene, picked, at)
        case 3:
            return thinned(scene, picked, length, random.randrange(length))
        case 4:
            return begun_anew(scene, picked, at)
        case 5:
            return in_bursts(scene, picked, length, random.randrange(length))
        case 6:
            return wobbling(scene, picked, random.choice(_FACTORS), length)
        case _:
            return delayed(scene, picked, random.randint(-samples // 2, samples // 2))


def _samples(scene: Scene) -> int:
    return max((len(row.values) for row in scene.rows), default=0) or 1
