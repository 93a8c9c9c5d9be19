"""Tests that tell a rule from its mutants: inputs on which the two differ, searched from those that a solution has.

A mutant is killed by a moment at which the rule fires an alert and the mutant does not, or the other way round. First
every moment of the inputs at hand is looked at, then inputs that its operator suggests, then such as come by chance.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

from tocsin.promql import Expr, VectorSelector, selectors, walk
from tocsin.promql.evaluation import EvaluationError, Store
from tocsin.promql.mutants import Mutant, Operator
from tocsin.promql.nodes import Aggregation
from tocsin.synthesis import disturbing
from tocsin.synthesis.disturbing import OTHER, clues_of, metric_groups, worth_trying
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.replaying import NAME, Firing, Replay, Scene, input_series, scene_of, shortened
from tocsin.synthesis.solution import Assertion, Property, State, Test

ENOUGH = 10_000
"""So many inputs that could not tell a mutant from its rule make it probably equivalent."""
_LONGEST = 3_000
"""Evaluations of a scene that is still searched from."""
_BISECTIONS = 64


@dataclass(frozen=True, slots=True)
class Kill:
    """A moment at which a rule and its mutant differ."""

    scene: Scene = field(repr=False)
    tick: int
    state: State
    """What the rule does there: FIRING or SILENT."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the alert that it is about, an empty value for each that it lacks; none where it is about all of them."""
    fails: bool = False
    """Whether the mutant cannot even be evaluated."""


@dataclass(frozen=True, slots=True)
class Survived:
    """How many inputs could not tell a mutant from its rule."""

    inputs: int


@dataclass(slots=True)
class _Staged:
    """A scene with what it takes to replay mutants on it."""

    scene: Scene
    store: Store
    firing: list[Firing] | None
    """What the rule does at each evaluation; None where it fails."""


class Search:
    """The search for inputs that kill the mutants of one rule; what it finds for one is tried on the next."""

    def __init__(self, problem: Problem, tests: Sequence[Test], *, seed: int = 0) -> None:
        self.problem = problem
        self.replay = Replay(problem)
        self.random = Random(seed)  # noqa: S311 no secret hangs on it
        self.scenes: list[_Staged] = []
        for scene in _scenes(tests):
            self.add(scene)

    def add(self, scene: Scene) -> _Staged | None:
        """Keep a scene, to be searched from; None where the rule cannot be evaluated on it."""
        try:
            store = self.replay.store(scene)
            firing = self.replay.firing(scene, store)
        except EvaluationError:
            return None
        staged = _Staged(scene, store, firing)
        self.scenes.append(staged)
        return staged

    @cached_property
    def _trees(self) -> tuple[Expr, ...]:
        return (self.problem.alert.tree, *(rule.tree for rule in self.problem.recorded))

    def kill(self, mutant: Mutant, *, inputs: int = ENOUGH, seconds: float = 10.0) -> Kill | Survived:
        """Return a moment at which a mutant differs from the rule, or how many inputs had none."""
        hunt = _Hunt(self, mutant, time.process_time() + seconds)
        return hunt.run(inputs)


def _scenes(tests: Sequence[Test]) -> Iterator[Scene]:
    for test in tests:
        try:
            scene = scene_of(test)
        except ValueError:
            continue
        if len(scene.ticks) <= _LONGEST:
            yield scene


class _Hunt:
    """The search for one mutant."""

    def __init__(self, search: Search, mutant: Mutant, deadline: float) -> None:
        self.search = search
        self.replay = search.replay
        self.alert = search.problem.alert
        self.mutant = mutant
        self.deadline = deadline
        self.clues = clues_of((*search._trees, mutant.tree))  # noqa: SLF001 of one module
        self.timing = mutant.span is None
        """Whether the expression is the same, so that no single evaluation can differ."""
        self.templated = frozenset(self.alert.labels) - self.replay.added
        """Labels that the alert makes of its series' own, so that they cannot be told beforehand."""
        self.tried = 0

    def run(self, inputs: int) -> Kill | Survived:
        for staged in self.search.scenes:
            self.tried += 1
            kill = self.compared(staged)
            if kill is not None:
                return kill
        for scene in self.suggested():
            kill = self.tried_on(scene)
            if kill is not None:
                return kill
            if time.process_time() > self.deadline:
                return Survived(self.tried)
        return self.by_chance(inputs)

    def by_chance(self, inputs: int) -> Kill | Survived:
        random = self.search.random
        scenes = [staged.scene for staged in self.search.scenes]
        while scenes and self.tried < inputs and time.process_time() < self.deadline:
            scene = random.choice(scenes)
            for _ in range(random.choice((1, 1, 2, 2, 3, 4))):
                scene = disturbing.disturbed(scene, scenes, self.clues, random)
            kill = self.tried_on(scene)
            if kill is not None:
                return kill
        return Survived(self.tried)

    # One scene

    def tried_on(self, scene: Scene) -> Kill | None:
        """Return a difference on a new scene: first at a few evaluations, and only then at all of them."""
        self.tried += 1
        try:
            store = self.replay.store(scene)
        except EvaluationError:
            return None
        if self.timing:
            return self.whole(scene, store)
        differing = self.differing(scene, store)
        if differing is None:
            return None
        kill = self.whole(scene, store)
        if kill is None and self.alert.hold_seconds:
            lasting = disturbing.steady(scene, differing, round(self.alert.hold_seconds * 1000), self.clues)
            try:
                kill = self.whole(lasting, self.replay.store(lasting))
            except EvaluationError:
                return None
        return kill

    def differing(self, scene: Scene, store: Store) -> int | None:
        """Return an evaluation at which rule and mutant find different series, of a few that are looked at."""
        rule = self.replay.compiled(self.alert.tree, scene.evaluation)
        ticks = {*scene.marks, scene.until}
        ticks.add(self.search.random.randrange(0, scene.until + 1, scene.evaluation))
        try:
            mutant = self.replay.compiled(self.mutant.tree, scene.evaluation)
        except EvaluationError:
            return None
        for tick in ticks:
            try:
                found = rule.at(store, tick).keys()
            except EvaluationError:
                return None
            try:
                other = mutant.at(store, tick).keys()
            except EvaluationError:
                return tick
            if found != other:
                return tick
        return None

    def whole(self, scene: Scene, store: Store) -> Kill | None:
        """Return the first difference on a scene, at any of its evaluations."""
        try:
            firing = self.replay.firing(scene, store)
        except EvaluationError:
            return None
        kill = self.compared(_Staged(scene, store, firing))
        if kill is not None:
            short = shortened(scene, kill.tick)
            self.search.scenes.append(_Staged(short, store, firing[: len(short.ticks)]))
            return replace(kill, scene=short)
        return None

    def compared(self, staged: _Staged) -> Kill | None:
        """Return a difference of which the rule's side is known already, one that needs no labels if there is any."""
        scene = staged.scene
        if staged.firing is None:
            return None
        try:
            other = self.replay.firing(scene, staged.store, self.mutant)
        except EvaluationError:
            return self.failing(staged)
        found: Kill | None = None
        for tick, own, theirs in zip(scene.ticks, staged.firing, other, strict=True):
            if bool(own) != bool(theirs):
                return Kill(scene, tick, State.FIRING if own else State.SILENT)
            if found is None and own != theirs:
                lost = min(own - theirs, default=None)
                names = sorted({name for labels in own | theirs for name, _ in labels} - self.templated)
                labels = dict.fromkeys(names, "") | dict(lost if lost is not None else min(theirs - own))
                found = Kill(scene, tick, State.SILENT if lost is None else State.FIRING, {n: labels[n] for n in names})
        return found

    @staticmethod
    def failing(staged: _Staged) -> Kill:
        """Return a moment at which the rule fires, or else the last one, where the mutant cannot be evaluated."""
        firing = staged.firing or []
        fires = [tick for tick, own in zip(staged.scene.ticks, firing, strict=True) if own]
        tick = fires[-1] if fires else staged.scene.until
        state = State.FIRING if fires else State.SILENT
        return Kill(staged.scene, tick, state, fails=True)

    # What the operator suggests

    def suggested(self) -> Iterator[Scene]:
        """Yield the inputs on which a mutant of its kind most likely differs."""
        scenes = [staged.scene for staged in self.search.scenes[:6]]
        by_operator = {
            Operator.MATCHER: self.decoys,
            Operator.AGGREGATION: self.replicas,
            Operator.GROUPING: self.replicas,
            Operator.OPERAND: self.arms,
            Operator.WINDOW: self.paced,
            Operator.OFFSET: self.paced,
            Operator.FUNCTION: self.paced,
            Operator.HOLD: self.finer,
            Operator.KEEP: self.finer,
        }
        special = by_operator.get(self.mutant.operator)
        if special is not None:
            for scene in scenes:
                yield from special(scene)
        if not self.timing:
            yield from self.edges(scenes)

    def changed_selectors(self) -> list[VectorSelector]:
        """Return the selectors of the rule that its mutant does not have."""
        kept = set(selectors(self.mutant.tree))
        return [each for each in selectors(self.alert.tree) if each not in kept]

    def decoys(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs with series that only the mutant, or only the rule, reads; alone, and with their partners."""
        for selector in self.changed_selectors():
            lost = [m for m in selector.matchers if m not in _matchers(self.mutant.tree, selector.name)]
            own = [i for i, row in enumerate(scene.rows) if row.labels.get(NAME) == selector.name]
            for matcher in lost or selector.matchers:
                label = matcher.name
                there = {row.labels.get(label, "") for row in scene.rows}
                for value in dict.fromkeys((OTHER, *worth_trying(matcher), "")):
                    joint = range(len(scene.rows))
                    for picked in (own, joint, [i for i in joint if label in scene.rows[i].labels]):
                        yield disturbing.moved(scene, picked, label, value)
                        if value not in there or picked is own:
                            for factor in (1.0, 0.0, 2.0, 0.5, 100.0):
                                yield disturbing.copied(scene, picked, label, value, factor)

    def replicas(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs in which aggregations have more than one series, each alone decided otherwise than together."""
        names = [n for node in walk(self.alert.tree) if isinstance(node, Aggregation) for n in node.grouping or ()]
        names += [n for node in walk(self.mutant.tree) if isinstance(node, Aggregation) for n in node.grouping or ()]
        for label in dict.fromkeys((*names, "instance", "replica")):
            for group in (*metric_groups(scene), tuple(range(len(scene.rows)))):
                for own, copy in ((0.6, 0.6), (1, 1), (1, 0), (0, 1), (0.4, 2), (2, 0.1), (1, 0.5), (1, 10), (0.9, 3)):
                    made = disturbing.scaled(scene, group, own, self.clues) if own != 1 else scene
                    factor = copy / own if own else 0.0
                    yield disturbing.copied(made, group, label, "r2", factor)

    def arms(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs on which one side of an operator holds and the other does not."""
        others = [staged.scene for staged in self.search.scenes]
        for group in metric_groups(scene):
            yield disturbing.without(scene, group)
            for number in self.clues.numbers:
                yield disturbing.levelled(scene, group, number, self.clues)
            for factor in (0.0, 0.1, 0.5, 2.0, 10.0, 1000.0, -1.0):
                yield disturbing.scaled(scene, group, factor, self.clues)
            metrics = {scene.rows[i].labels.get(NAME, "") for i in group}
            yield from (s for other in others if (s := disturbing.crossed(scene, other, metrics)) is not None)
            for label in self.clues.labels:
                yield disturbing.moved(scene, group, label, OTHER)

    def paced(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs whose samples are few, late, in bursts, reset or uneven, for windows of every length here."""
        lengths = {max(2, -(-length // scene.interval)) for length in self.clues.lengths}
        everything = tuple(range(len(scene.rows)))
        counts = sorted({*(n for length in lengths for n in (length, length // 2 + 1, length + 1, length * 2)), 2, 3})
        for group in (everything, *metric_groups(scene)):
            for every in (n for n in counts if 1 < n < 2_000):
                for first in sorted({0, 1, every // 2, every - 1}):
                    yield disturbing.thinned(scene, group, every, first)
                    yield disturbing.in_bursts(scene, group, every, first)
            for mark in scene.marks:
                for back in (1, 2, *lengths):
                    at = max(0, mark // scene.interval - back)
                    yield disturbing.begun_anew(scene, group, at)
                    yield disturbing.ended(scene, group, at)
                    yield disturbing.begun(scene, group, at)
            for by in (n for count in counts for n in (count, -count)):
                yield disturbing.delayed(scene, group, by)
            for amount in (0.0, 0.5, 2.0, 10.0):
                yield disturbing.wobbling(scene, group, amount)
        yield from self.finer(scene)

    def finer(self, scene: Scene) -> Iterator[Scene]:
        """Yield the input with evaluations closer together, so that a shorter `for` can be seen."""
        for part in (2, 4, 5, 8):
            if scene.evaluation % part == 0 and scene.evaluation // part >= 1000:
                yield replace(scene, evaluation=scene.evaluation // part)

    def edges(self, scenes: Sequence[Scene]) -> Iterator[Scene]:
        """Yield inputs closer and closer to where the rule turns, each metric by itself."""
        for scene in scenes:
            for group in (*metric_groups(scene), *((i,) for i in range(min(len(scene.rows), 6)))):
                for tick in scene.marks[:8]:
                    for far in (0.0, 1024.0, -1.0):
                        yield from self.bisected(scene, group, tick, far)

    def bisected(self, scene: Scene, group: Sequence[int], tick: int, far: float) -> Iterator[Scene]:
        """Yield inputs between one and a multiple of it, if the rule holds on exactly one of the two at a moment."""

        def there(factor: float) -> tuple[bool | None, Scene]:
            made = disturbing.scaled(scene, group, factor, self.clues)
            return self.holds(made, tick), replace(made, marks=(tick,))

        low, high = 1.0, far
        (at_low, _), (at_high, last) = there(low), there(high)
        yield last
        if at_low is None or at_high is None or at_low == at_high:
            return
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if middle in (low, high):
                return
            holds, made = there(middle)
            yield made
            if holds == at_low:
                low = middle
            else:
                high = middle

    def holds(self, scene: Scene, tick: int) -> bool | None:
        """Return whether the rule's condition holds at a moment; None where it fails."""
        try:
            return bool(self.replay.compiled(self.alert.tree, scene.evaluation).at(self.replay.store(scene), tick))
        except EvaluationError:
            return None


def _matchers(tree: Expr, metric: str | None) -> list[object]:
    return [matcher for each in selectors(tree) if each.name == metric for matcher in each.matchers]


# As tests


def killing_test(kill: Kill, mutant: Mutant, name: str) -> Test:
    """Return the test that a kill makes: it passes on the rule, and fails on its mutant."""
    scene = kill.scene
    return Test(
        name=name,
        interval=scene.interval / 1000,
        evaluation=scene.evaluation / 1000,
        series=tuple(input_series(row) for row in scene.rows),
        assertions=(
            Assertion(
                proves=Property.FIRES if kill.state is State.FIRING else Property.INACTIVE,
                state=kill.state,
                at=kill.tick / 1000,
                comment=f"told from the rule with {mutant.description}",
                labels=kill.labels,
            ),
        ),
    )
