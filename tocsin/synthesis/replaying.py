"""What a rule does on given input: its series sample by sample, and which alerts fire at each evaluation.

This is the rule manager of Prometheus (rules/alerting.go, rules/group.go) on the evaluator of this process. Times are
whole milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal, NamedTuple

from tocsin.artefacts.promtool_tests import Gap, Piece, Samples, Stale, parse_values, values_text
from tocsin.promql import Expr, MatrixSelector, Subquery, VectorSelector, parse, selectors, walk
from tocsin.promql.evaluation import (
    STALE,
    Compiled,
    EvaluationError,
    Labels,
    Series,
    Store,
    Vector,
    compile_expression,
    labels_of,
)
from tocsin.promql.mutants import Mutant
from tocsin.promql.printing import quoted
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.solution import Assertion, InputSeries, State, Test

GAP: Final = "_"
Value = float | None | Literal["_"]
"""A sample, the end of the series, or nothing."""
Alerts = frozenset[Labels]
"""The label sets of a rule's results for which there is an alert, without the name and what the rule itself sets."""


class Moment(NamedTuple):
    """The alerts of a rule after an evaluation."""

    firing: Alerts
    pending: Alerts


NAME: Final = "__name__"


@dataclass(frozen=True, slots=True)
class Row:
    """One series of an input."""

    labels: Mapping[str, str]
    values: Sequence[Value]
    """One a scrape, from the beginning."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An input, and when rules are evaluated on it."""

    interval: int
    evaluation: int
    rows: tuple[Row, ...]
    marks: tuple[int, ...] = ()
    """Evaluations worth a look: the last of each stretch."""
    until: int = 0
    """The last evaluation."""

    @property
    def ticks(self) -> range:
        """Every evaluation."""
        return range(0, self.until + 1, self.evaluation)


def scene_of(test: Test) -> Scene:
    """Return the input of a test. Raises ValueError where its samples are of a kind not known here."""
    interval, evaluation = round(test.interval * 1000), round(test.evaluation * 1000)
    rows = tuple(_row(each) for each in test.series)
    asked = [round(each.at * 1000) for each in test.assertions]
    ends = [round(each.end * 1000) for each in test.stretches]
    samples = max((len(row.values) for row in rows), default=1)
    last = max([*asked, *ends, 0]) or (samples - 1) * interval
    last = last // evaluation * evaluation
    marks = {min(last, max(0, time // evaluation * evaluation)) for time in [*asked, *ends]}
    return Scene(interval, evaluation, rows, tuple(sorted(marks)), last)


def _row(series: InputSeries) -> Row:
    selector = parse(series.selector)
    if not isinstance(selector, VectorSelector):
        raise ValueError(f"{series.selector} is no series")
    labels = {m.name: m.value for m in selector.matchers} | ({NAME: selector.metric} if selector.metric else {})
    values: list[Value] = []
    for piece in parse_values(series.values):
        values += _expanded(piece)
    return Row(labels, values)


def _expanded(piece: Piece) -> list[Value]:
    match piece:
        case Gap(count=count):
            return [GAP] * count
        case Stale():
            return [STALE]
        case Samples(start=start, step=step, count=count):
            found: list[Value] = []
            value = start
            for _ in range(count):  # promtool adds again and again, rounding each time
                found.append(value)
                value += step
            return found


def input_series(row: Row, comment: str = "") -> InputSeries:
    """Return a row as promtool writes it."""
    labels = ",".join(f"{name}={quoted(value)}" for name, value in sorted(row.labels.items()) if name != NAME)
    name = row.labels.get(NAME, "")
    return InputSeries(selector=f"{name}{{{labels}}}", values=values_text(_pieces(row.values)), comment=comment)


def _pieces(values: Sequence[Value]) -> tuple[Piece, ...]:
    """Return values in as few pieces as read back the same, bit for bit."""
    found: list[Piece] = []
    at = 0
    while at < len(values):
        first = values[at]
        count = _run(values, at)
        if first is STALE:
            found.append(Stale())
        elif isinstance(first, str):
            found.append(Gap(count))
        else:
            second = values[at + 1] if count > 1 else first
            step = second - first if isinstance(second, float | int) and count > 1 else 0.0
            found.append(Samples(first, step, count))
        at += count
    return tuple(found)


def _run(values: Sequence[Value], at: int) -> int:
    """Return how many values from `at` on are one piece."""
    first = values[at]
    end = at + 1
    if first is STALE:
        return 1
    if isinstance(first, str):
        while end < len(values) and isinstance(values[end], str):
            end += 1
        return end - at
    if end == len(values) or not isinstance(values[end], float | int):
        return 1
    step = values[end] - first  # type: ignore[operator]  # just seen
    value = first
    while end < len(values) and isinstance(values[end], float | int) and value + step == values[end]:
        value += step
        end += 1
    if step != 0 and end - at < 3:
        return 1  # two that happen to follow each other are no slope
    return end - at


@dataclass
class Replay:
    """A problem's recording rules and alert, to be replayed on scenes."""

    problem: Problem
    _compiled: dict[tuple[Expr, int], Compiled] = field(default_factory=dict, repr=False)

    @property
    def added(self) -> frozenset[str]:
        """The labels that the alert itself sets, whatever its series say."""
        return frozenset(name for name, value in self.problem.alert.labels.items() if "{{" not in value)

    def compiled(self, tree: Expr, evaluation: int) -> Compiled:
        """Return an expression that is ready to be evaluated. Raises EvaluationError for what is not known here."""
        key = (tree, evaluation)
        if key not in self._compiled:
            self._compiled[key] = compile_expression(tree, self.problem.generation, step=evaluation)
        return self._compiled[key]

    @cached_property
    def instant(self) -> bool:
        """Whether recorded series are read only as they are at the evaluation itself."""
        recorded = {rule.name for rule in self.problem.recorded}
        trees = (self.problem.alert.tree, *(rule.tree for rule in self.problem.recorded))
        return not any(_looks_back(tree, recorded) for tree in trees)

    def store(self, scene: Scene, ticks: Collection[int] | None = None) -> Store:
        """Return the series of a scene, with those that the recording rules make of them.

        `ticks` are the evaluations at which the alert will be asked for, if not at all of them.
        """
        store = Store([_series(row, scene.interval) for row in scene.rows])
        if self.problem.recorded:
            self._record(store, scene, scene.ticks if ticks is None or not self.instant else sorted(ticks))
        return store

    def _record(self, store: Store, scene: Scene, ticks: Iterable[int]) -> None:
        made: list[dict[Labels, Series]] = [{} for _ in self.problem.recorded]
        rules = [self.compiled(rule.tree, scene.evaluation) for rule in self.problem.recorded]
        for tick in ticks:
            for rule, compiled, series in zip(self.problem.recorded, rules, made, strict=True):
                found = {_relabelled(ls, rule.labels, rule.name): v for ls, v in compiled.at(store, tick).items()}
                for labels, value in found.items():
                    if labels not in series:
                        series[labels] = Series(labels, [], [])
                        store.add(series[labels])
                    series[labels].times.append(tick)
                    series[labels].values.append(value)
                for labels, each in series.items():
                    if labels not in found and each.values[-1] is not STALE:
                        each.times.append(tick)
                        each.values.append(STALE)

    def moments(self, scene: Scene, store: Store, changed: Mutant | None = None) -> list[Moment]:
        """Return which alerts there are of the rule, or of a mutant of it, after each evaluation.

        Raises EvaluationError where one of them fails.
        """
        rule = self.problem.alert if changed is None else changed
        compiled = self.compiled(rule.tree, scene.evaluation)
        machine = Machine(round(rule.hold_seconds * 1000), round(rule.keep_firing_seconds * 1000), self.added)
        return [machine.at(tick, compiled.at(store, tick)) for tick in scene.ticks]


def holds(assertion: Assertion, moments: Sequence[Moment], evaluation: int) -> bool:
    """Return whether what an assertion says is so; evaluations are so many milliseconds apart."""
    last = round(assertion.at * 1000) // evaluation
    first = -(-round((assertion.since or 0.0) * 1000) // evaluation)
    stretch = moments[first : last + 1]
    now = moments[min(last, len(moments) - 1)]

    def some(alerts: Alerts) -> bool:
        return any(all(dict(a).get(n, "") == v for n, v in assertion.labels.items()) for a in alerts)

    match assertion.state:
        case State.FIRING:
            return some(now.firing)
        case State.PENDING:
            return some(now.pending) and not some(now.firing)
        case State.SILENT:
            return not some(now.firing)
        case State.INACTIVE:
            return not some(now.firing | now.pending)
        case State.NEVER_FIRING:
            return not any(some(each.firing) for each in stretch)
        case State.NEVER_ACTIVE:
            return not any(some(each.firing | each.pending) for each in stretch)


def _looks_back(tree: Expr, names: Collection[str]) -> bool:
    """Whether an expression reads series of some names, or of any, as they were before the evaluation."""
    for node in walk(tree):
        moved = isinstance(node, VectorSelector) and (node.offset is not None or node.at is not None)
        if (moved or isinstance(node, MatrixSelector | Subquery)) and any(
            each.name is None or each.name in names for each in selectors(node)
        ):
            return True
    return False


def _series(row: Row, interval: int) -> Series:
    kept = [(i * interval, v) for i, v in enumerate(row.values) if not isinstance(v, str)]
    return Series(labels_of(row.labels), [time for time, _ in kept], [value for _, value in kept])


def _relabelled(labels: Labels, added: Mapping[str, str], name: str) -> Labels:
    return labels_of({**dict(labels), **added, NAME: name})


class Machine:
    """The states of one alert's series."""

    __slots__ = ("_active", "_added", "_fires", "_hold", "_keep", "_kept")

    def __init__(self, hold: int, keep: int, added: frozenset[str] = frozenset()) -> None:
        self._hold, self._keep = hold, keep
        self._added = added | {NAME}
        self._active: dict[Labels, int] = {}
        self._fires: set[Labels] = set()
        self._kept: dict[Labels, int] = {}
        """When the condition of a firing alert ended."""

    def at(self, time: int, vector: Vector) -> Moment:
        """Return which alerts there are after an evaluation that found these results."""
        found = {tuple(pair for pair in labels if pair[0] not in self._added) for labels in vector}
        if len(found) != len(vector):
            raise EvaluationError("vector contains metrics with the same labelset after applying alert labels")
        for labels in found:
            self._active.setdefault(labels, time)
            self._kept.pop(labels, None)
        for labels in [each for each in self._active if each not in found]:
            self._end(labels, time)
        for labels, since in self._active.items():
            if labels in found and time - since >= self._hold:
                self._fires.add(labels)
        return Moment(frozenset(self._fires), frozenset(self._active.keys() - self._fires))

    def _end(self, labels: Labels, time: int) -> None:
        if labels in self._fires and self._keep and time - self._kept.setdefault(labels, time) < self._keep:
            return
        del self._active[labels]
        self._fires.discard(labels)
        self._kept.pop(labels, None)


def shortened(scene: Scene, until: int) -> Scene:
    """Return a scene without what comes after an evaluation."""
    samples = until // scene.interval + 1
    rows = tuple(replace(row, values=row.values[:samples]) for row in scene.rows)
    return replace(scene, rows=rows, until=until, marks=tuple(mark for mark in scene.marks if mark <= until))
