"""Tests that tell a rule from its mutants: inputs on which the two differ, searched from those that a solution has.

A mutant is killed by a moment at which the rule fires an alert and the mutant does not, or the other way round. First
every moment of the inputs at hand is looked at, then inputs that its operator suggests, then such as come by chance.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from tocsin.promql import Aggregation, Call, VectorSelector, walk
from tocsin.promql.equivalence import difference
from tocsin.promql.evaluation import EvaluationError, Store
from tocsin.promql.mutants import Mutant, Operator
from tocsin.synthesis import disturbing
from tocsin.synthesis.disturbing import OTHER, clues_of, metric_groups, worth_trying
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.replaying import GAP, NAME, Moment, Replay, Scene, holds, input_series, scene_of, shortened
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
    moments: list[Moment]
    """What the rule does at each evaluation."""
    test: Test | None = None
    """The test that it is of, if it is one at hand."""


class Search:
    """The search for inputs that kill the mutants of one rule; what it finds for one is tried on the next."""

    def __init__(self, problem: Problem, tests: Sequence[Test], *, seed: int = 0) -> None:
        self.problem = problem
        self.replay = Replay(problem)
        self.random = Random(seed)  # noqa: S311 no secret hangs on it
        self.scenes: list[_Staged] = []
        self.refused: set[object] = set()
        """Inputs up to a moment at which the engine does not see rule or mutant do what is done here."""
        for test in tests:
            self._stage(test)

    def _stage(self, test: Test) -> None:
        """Keep the input of a test, to be searched from, if it can be replayed here."""
        try:
            scene = scene_of(test)
            if len(scene.ticks) <= _LONGEST:
                store = self.replay.store(scene)
                self.scenes.append(_Staged(scene, store, self.replay.moments(scene, store), test))
        except (ValueError, EvaluationError):
            return

    def noticing(self, mutant: Mutant) -> Test | None:
        """Return the first of the tests at hand that a mutant fails, as far as can be told here."""
        for staged in self.scenes:
            if staged.test is not None and self._fails(mutant, staged, staged.test):
                return staged.test
        return None

    def _fails(self, mutant: Mutant, staged: _Staged, test: Test) -> bool:
        try:
            moments = self.replay.moments(staged.scene, staged.store, mutant)
        except EvaluationError:
            return True
        evaluation = staged.scene.evaluation
        return any(
            holds(each, staged.moments, evaluation) and not holds(each, moments, evaluation) for each in test.assertions
        )

    def kill(self, mutant: Mutant, *, inputs: int = ENOUGH, seconds: float = 10.0) -> Kill | Survived:
        """Return a moment at which a mutant differs from the rule, or how many inputs had none."""
        hunt = _Hunt(self, mutant, time.process_time() + seconds)
        return hunt.run(inputs)

    def refuse(self, kill: Kill) -> None:
        """Take note that the engine does not see rule or mutant do what is done here."""
        self.refused.add(_input(kill.scene, kill.tick))


class _Hunt:
    """The search for one mutant."""

    def __init__(self, search: Search, mutant: Mutant, deadline: float) -> None:
        self.search = search
        self.replay = search.replay
        self.alert = search.problem.alert
        self.mutant = mutant
        self.deadline = deadline
        trees = (self.alert.tree, mutant.tree, *(rule.tree for rule in search.problem.recorded))
        self.clues = clues_of(trees)
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
            differing = None if self.timing else self.differing(scene)
            if differing is None and not self.timing:
                return None
            kill = self.whole(scene, self.replay.store(scene))
            if kill is None and differing is not None and self.alert.hold_seconds:
                lasting = disturbing.steady(scene, differing, round(self.alert.hold_seconds * 1000), self.clues)
                kill = self.whole(lasting, self.replay.store(lasting))
        except EvaluationError:
            return None
        return kill

    def differing(self, scene: Scene) -> int | None:
        """Return an evaluation at which rule and mutant find different series, of a few that are looked at.

        Raises EvaluationError where the rule cannot be evaluated.
        """
        rule = self.replay.compiled(self.alert.tree, scene.evaluation)
        ticks = {*scene.marks, scene.until}
        ticks.add(self.search.random.randrange(0, scene.until + 1, scene.evaluation))
        store = self.replay.store(scene, ticks)
        mutant = self.replay.compiled(self.mutant.tree, scene.evaluation)
        for tick in sorted(ticks):
            found = rule.at(store, tick).keys()
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
            moments = self.replay.moments(scene, store)
        except EvaluationError:
            return None
        kill = self.compared(_Staged(scene, store, moments))
        if kill is None:
            return None
        short = shortened(scene, kill.tick)
        self.search.scenes.append(_Staged(short, store, moments[: len(short.ticks)]))
        return replace(kill, scene=short)

    def compared(self, staged: _Staged) -> Kill | None:
        """Return a difference of which the rule's side is known already, one that needs no labels if there is any."""
        scene = staged.scene
        try:
            other = self.replay.moments(scene, staged.store, self.mutant)
        except EvaluationError:
            return self.failing(staged)
        found: Kill | None = None
        for tick, moment, changed in zip(scene.ticks, staged.moments, other, strict=True):
            own, theirs = moment.firing, changed.firing
            if own == theirs or (self.search.refused and _input(scene, tick) in self.search.refused):
                continue
            if bool(own) != bool(theirs):
                return Kill(scene, tick, State.FIRING if own else State.SILENT)
            if found is None:
                lost = min(own - theirs, default=None)
                names = sorted({name for labels in own | theirs for name, _ in labels} - self.templated)
                labels = dict.fromkeys(names, "") | dict(lost if lost is not None else min(theirs - own))
                state = State.SILENT if lost is None else State.FIRING
                found = Kill(scene, tick, state, {name: labels[name] for name in names})
        return found

    @staticmethod
    def failing(staged: _Staged) -> Kill:
        """Return a moment at which the rule fires, or else the last one, where the mutant cannot be evaluated."""
        ticks = zip(staged.scene.ticks, staged.moments, strict=True)
        fires = [tick for tick, moment in ticks if moment.firing]
        tick = fires[-1] if fires else staged.scene.until
        return Kill(staged.scene, tick, State.FIRING if fires else State.SILENT, fails=True)

    # What the operator suggests

    def suggested(self) -> Iterator[Scene]:
        """Yield the inputs on which a mutant of its kind most likely differs."""
        scenes = [staged.scene for staged in self.search.scenes[:6]]
        if any(isinstance(node, Call) and node.function == "time" for node in walk(self.alert.tree)):
            # The clock of a test begins at 0, and the tests of such rules later: what happens before is worth a look.
            late = [scene for scene in scenes if any(row.values[:1] == [GAP] for row in scene.rows)]
            scenes += [disturbing.from_the_beginning(scene) for scene in late[:2]]
        by_operator = {
            Operator.MATCHER: self.decoys,
            Operator.AGGREGATION: self.replicas,
            Operator.GROUPING: self.replicas,
            Operator.OPERAND: self.arms,
            Operator.COMPARATOR: self.values,
            Operator.BOUNDARY: self.values,
            Operator.THRESHOLD: self.values,
            Operator.ARITHMETIC: self.values,
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

    def decoys(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs with series that only the mutant, or only the rule, reads; alone, and with their partners."""
        changed = difference(self.alert.tree, self.mutant.tree)
        selector, other = changed.old, changed.new
        if not isinstance(selector, VectorSelector) or not isinstance(other, VectorSelector):
            return
        own = [i for i, row in enumerate(scene.rows) if row.labels.get(NAME) == selector.name]
        everything = range(len(scene.rows))
        for matcher in (m for m in selector.matchers if m not in other.matchers):
            label = matcher.name
            there = {row.labels.get(label, "") for row in scene.rows}
            for value in dict.fromkeys((OTHER, *worth_trying(matcher), "")):
                for picked in (own, everything, [i for i in everything if label in scene.rows[i].labels]):
                    yield disturbing.moved(scene, picked, label, value)
                    if value not in there or picked is own:
                        for factor in (1.0, 0.0, 2.0, 0.5, 100.0):
                            yield disturbing.copied(scene, picked, label, value, factor)

    def replicas(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs in which aggregations have more than one series, each alone decided otherwise than together."""
        names = [n for node in walk(self.alert.tree) if isinstance(node, Aggregation) for n in node.grouping or ()]
        names += [n for node in walk(self.mutant.tree) if isinstance(node, Aggregation) for n in node.grouping or ()]
        everything = tuple(range(len(scene.rows)))
        for label in dict.fromkeys((*names, "instance", "replica")):
            for group in (everything, *metric_groups(scene)):
                for own, copy in ((0.6, 0.6), (1, 1), (1, 0), (0, 1), (0.4, 2), (2, 0.1), (1, 0.5), (1, 10), (0.9, 3)):
                    made = disturbing.scaled(scene, group, own, self.clues) if own != 1 else scene
                    factor = copy / own if own else 0.0
                    yield disturbing.copied(made, group, label, "r2", factor)
            # Of a ratio, each part by itself: the first of a pair of targets a little less, the second far less.
            doubled = disturbing.copied(scene, everything, label, "r2")
            for one in everything[:12]:
                for own, copy in ((0.6, 0.6), (1.5, 0.1), (1, 0), (1, 0.5), (3, 0)):
                    made = disturbing.scaled(doubled, (one,), own, self.clues)
                    if len(doubled.rows) == 2 * len(scene.rows):
                        yield disturbing.scaled(made, (one + len(scene.rows),), copy, self.clues)

    def arms(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs on which one side of an operator holds and the other does not."""
        everything = tuple(range(len(scene.rows)))
        there = {row.labels.get(NAME) for row in scene.rows}
        for selector in self.clues.selectors:
            numbers = (None, 0.0, 1.0) if selector.name in there else (None, *self.clues.numbers)
            for group in metric_groups(scene):
                yield from (disturbing.summoned(scene, group, selector, number) for number in numbers)
        for group in (everything, *metric_groups(scene)):
            yield from self.turned(scene, group)
            yield disturbing.without(scene, group)
            metrics = {scene.rows[i].labels.get(NAME, "") for i in group}
            others = [staged.scene for staged in self.search.scenes[:20]]
            yield from (s for other in others if (s := disturbing.crossed(scene, other, metrics)) is not None)
            for label in self.clues.labels:
                yield disturbing.moved(scene, group, label, OTHER)

    def values(self, scene: Scene) -> Iterator[Scene]:
        """Yield inputs with other values, of each metric and of all together."""
        for group in (tuple(range(len(scene.rows))), *metric_groups(scene)):
            yield from self.turned(scene, group)

    def turned(self, scene: Scene, group: Sequence[int]) -> Iterator[Scene]:
        """Yield inputs in which some rows are of a size that the rule names, or many times larger or smaller."""
        for number in self.clues.numbers:
            yield disturbing.levelled(scene, group, number, self.clues)
        for factor in (0.0, 0.1, 0.5, 2.0, 10.0, 1000.0, -1.0):
            yield disturbing.scaled(scene, group, factor, self.clues)

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
            store = self.replay.store(scene, (tick,))
            return bool(self.replay.compiled(self.alert.tree, scene.evaluation).at(store, tick))
        except EvaluationError:
            return None


def _input(scene: Scene, tick: int) -> object:
    """Return what a scene is up to a moment, as a value."""
    rows = shortened(scene, tick).rows
    return tick, scene.interval, scene.evaluation, frozenset((*sorted(r.labels.items()), tuple(r.values)) for r in rows)


# As tests


def killing_test(kills: Sequence[tuple[Kill, Mutant]], name: str) -> Test:
    """Return the test that kills on one scene make: it passes on the rule, and fails on each of the mutants."""
    scene = kills[0][0].scene
    scene = shortened(scene, max(kill.tick for kill, _ in kills) if not any(k.fails for k, _ in kills) else scene.until)
    return Test(
        name=name,
        interval=scene.interval / 1000,
        evaluation=scene.evaluation / 1000,
        series=tuple(input_series(row) for row in scene.rows),
        assertions=tuple(assertion_of(kill, mutant) for kill, mutant in kills),
    )


def assertion_of(kill: Kill, mutant: Mutant) -> Assertion:
    """Return what a kill asserts of the rule."""
    return Assertion(
        proves=Property.FIRES if kill.state is State.FIRING else Property.INACTIVE,
        state=kill.state,
        at=kill.tick / 1000,
        comment=f"told from the rule with {mutant.description}",
        labels=kill.labels,
    )
