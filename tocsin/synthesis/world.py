"""The alert and its recording rules as an engine would run them: evaluations on series, and the alert's states."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.promql import Expr, MatrixSelector, Subquery, VectorSelector, longest_window, selectors, walk
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
from tocsin.promql.evaluation.store import NAME, without_name
from tocsin.synthesis.problem import Problem, Recorded

_VALUE = re.compile(r"\$value|\.Value")


@dataclass(frozen=True, slots=True)
class RecordedRule:
    """A recording rule that can be evaluated."""

    rule: Recorded
    compiled: Compiled


class World:
    """Evaluates what a problem is about, at one evaluation interval in milliseconds."""

    def __init__(self, problem: Problem, step: int) -> None:
        self.problem = problem
        self.step = step
        generation = problem.generation
        self.alert = compile_expression(problem.alert.tree, generation, step=step)
        self.recorded = [
            RecordedRule(rule, compile_expression(rule.tree, generation, step=step)) for rule in problem.recorded
        ]
        names = {rule.name for rule in problem.recorded}
        trees = [problem.alert.tree, *(rule.tree for rule in problem.recorded)]
        self.memory = any(_remembers(tree, names) for tree in trees)
        """Whether anything reads what was recorded at other times than the present."""

    def evaluate(self, store: Store, time: int) -> Vector:
        """Return what the alert's expression yields, once; raises EvaluationError."""
        if not self.recorded:
            return self.alert.at(store, time)
        ran = Run(self, store)
        first = time - self.reach() if self.memory else time
        for at in range(first - first % self.step, time, self.step) if self.memory else ():
            ran.record(at)
        return ran.evaluate(time)

    def reach(self) -> int:
        """Return for how many milliseconds the past matters to the alert."""
        recorded = {rule.name: rule.tree for rule in self.problem.recorded}
        return round(_reach(self.problem.alert.tree, recorded, 0) * 1000)


def _reach(tree: Expr, recorded: Mapping[str, Expr], depth: int) -> float:
    names = {s.name for s in selectors(tree)} & set(recorded) if depth < 12 else set()
    deeper = max((_reach(recorded[name], recorded, depth + 1) for name in names if name), default=0.0)
    return longest_window(tree) + deeper


def _remembers(tree: Expr, names: set[str]) -> bool:
    for node in walk(tree):
        if isinstance(node, MatrixSelector) and node.vector.name in names:
            return True
        if isinstance(node, Subquery) and any(s.name in names for s in selectors(node)):
            return True
        if isinstance(node, VectorSelector) and node.name in names and node.offset is not None:
            return True
    return False


class Run:
    """Evaluations one after the other on a store that grows; recorded series are kept apart from given ones."""

    def __init__(self, world: World, store: Store) -> None:
        self._world = world
        self._recorded: dict[Labels, Series] = {}
        self.store = store
        self._merged = Store([*store.series])

    def copy(self, store: Store) -> Run:
        """Return a run that goes on from here on a copy of the series."""
        made = Run(self._world, store)
        made._recorded = {key: Series(s.labels, [*s.times], [*s.values]) for key, s in self._recorded.items()}
        for series in made._recorded.values():
            made._merged.add(series)
        return made

    def record(self, time: int) -> None:
        """Evaluate the recording rules in their order."""
        for each in self._world.recorded:
            rule = each.rule
            found: dict[Labels, float] = {}
            try:
                for labels, value in each.compiled.at(self._merged, time).items():
                    made = labels_of({**dict(without_name(labels)), **rule.labels, NAME: rule.name})
                    if made in found:
                        found = {}
                        break
                    found[made] = value
            except EvaluationError:
                found = {}
            for labels, value in found.items():
                self._put(labels, time, value)
            for labels, series in self._recorded.items():
                if labels not in found and _named(labels) == rule.name and series.values[-1] is not STALE:
                    self._put(labels, time, STALE)

    def _put(self, labels: Labels, time: int, value: float | None) -> None:
        series = self._recorded.get(labels)
        if series is None:
            series = self._recorded[labels] = Series(labels, [], [])
            self._merged.add(series)
        if series.times and series.times[-1] == time:
            return
        series.times.append(time)
        series.values.append(value)

    def evaluate(self, time: int) -> Vector:
        """Return what the alert's expression yields, after the recording rules; raises EvaluationError."""
        self.record(time)
        return self._world.alert.at(self._merged, time)


def _named(labels: Labels) -> str:
    return next((value for name, value in labels if name == NAME), "")


@dataclass(slots=True)
class _Active:
    since: int
    firing: bool = False
    kept: int | None = None


@dataclass(slots=True)
class Alarm:
    """The states of an alert's series, as Prometheus keeps them (rules/alerting.go, AlertingRule.Eval)."""

    hold: int
    """Milliseconds of `for`."""
    keep: int
    """Milliseconds of `keep_firing_for`."""
    by_value: bool
    """Whether a label holds the value, so that each value is another alert."""
    active: dict[object, _Active] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem) -> Alarm:
        """Return the alarm of a problem, before its first evaluation."""
        alert = problem.alert
        by_value = any("{{" in text and _VALUE.search(text) for text in alert.labels.values())
        return cls(round(alert.hold_seconds * 1000), round(alert.keep_firing_seconds * 1000), by_value)

    def copy(self) -> Alarm:
        """Return an alarm that can go on without changing this one."""
        active = {key: _Active(each.since, each.firing, each.kept) for key, each in self.active.items()}
        return Alarm(self.hold, self.keep, self.by_value, active)

    def step(self, vector: Vector, time: int) -> tuple[int, int]:
        """Go on by one evaluation, and return how many series are pending, and how many fire."""
        there: set[object] = {(without_name(key), value if self.by_value else None) for key, value in vector.items()}
        for key in there:
            if key not in self.active:
                self.active[key] = _Active(time)
        for key, each in [*self.active.items()]:
            if key in there:
                each.kept = None
                each.firing = each.firing or time - each.since >= self.hold
                continue
            if each.firing and self.keep:
                each.kept = time if each.kept is None else each.kept
                if time - each.kept < self.keep:
                    continue
            del self.active[key]
        firing = sum(each.firing for each in self.active.values())
        return len(self.active) - firing, firing


@dataclass(frozen=True, slots=True)
class Grid:
    """Milliseconds between two samples, and between two evaluations."""

    interval: int
    evaluation: int


_NICE = (
    *(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 600, 720, 900, 1200, 1800, 3600),
    *(7200, 10800, 14400, 21600, 43200, 86400, 172800, 345600, 604800),
)


def grid_of(problem: Problem, finest: float | None = None) -> Grid:
    """Return intervals at which everything that the alert looks at can be seen; `finest`: seconds between samples."""
    trees = [problem.alert.tree, *(rule.tree for rule in problem.recorded)]
    ranges = [node.range.seconds for tree in trees for node in walk(tree) if isinstance(node, MatrixSelector)]
    steps = [node for tree in trees for node in walk(tree) if isinstance(node, Subquery)]
    hold = problem.alert.hold_seconds
    recorded = {rule.name: rule.tree for rule in problem.recorded}
    reach = _reach(problem.alert.tree, recorded, 0)
    ground = problem.grounding
    coarsest = min(ranges, default=600.0) / (2.5 if reach > 30 * min(ranges, default=reach or 1.0) else 4)
    if finest is not None:
        coarsest = min(coarsest, finest)
    if ground.evaluation_seconds is not None:
        evaluation = ground.evaluation_seconds
    elif any(node.step is None for node in steps):
        evaluation = 60.0
    else:
        wanted = hold / 5 if hold else max(60.0, reach / 30)
        if hold and reach / wanted > 40:
            wanted = min(hold / 2, reach / 40) if ranges or reach / hold < 200 else hold
        evaluation = _divisor(hold, wanted) if hold else float(max(n for n in _NICE if n <= max(wanted, 1)))
    scrape = ground.scrape_seconds
    interval = scrape if scrape is not None else _interval(evaluation, coarsest)
    return Grid(max(1, round(interval * 1000)), max(1, round(evaluation * 1000)))


def _divisor(hold: float, wanted: float) -> float:
    """Return a length near `wanted` of which `hold` is a multiple."""
    return hold / max(1, round(hold / wanted))


def _interval(evaluation: float, coarsest: float) -> float:
    pieces = max(1, -int(-evaluation // coarsest))
    while pieces < 100_000:
        if (evaluation * 1000 / pieces).is_integer() and ((evaluation / pieces).is_integer() or pieces > 400):
            return evaluation / pieces
        pieces += 1
    return evaluation
