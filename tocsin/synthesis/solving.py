"""The search for input: proposals from the goal, filtered by evaluation, laid out on a timeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from tocsin.promql import COMPARISONS, Aggregation, Binary, Call, Expr, Span, VectorSelector, unwrapped, walk
from tocsin.promql.evaluation import EvaluationError, clock
from tocsin.synthesis.dead import always, dead, never_brief
from tocsin.synthesis.labelling import Copies, Labelled, label
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.proposing import Proposal
from tocsin.synthesis.setting import (
    CopiesError,
    FinerError,
    ImpossibleError,
    Met,
    Place,
    Setting,
    WarmError,
    Wish,
    nearest_offset,
    shortest_range,
)
from tocsin.synthesis.shapes import Shape, Tape, Track, number_text
from tocsin.synthesis.solution import Edge, Open, Outcome, Property, Solution, Test
from tocsin.synthesis.timelines import Director, Reel, Turn, WrongError
from tocsin.synthesis.unifying import REPLICA, Manner, Unified, candidates, unify
from tocsin.synthesis.world import Grid, World, grid_of

_GAP = 1e-6
"""How near to an edge both sides of it are shown, as a part of the value there."""
_MOST_COPIES = 400
_MOST_SERIES = 9_000
"""promtool's tests load no more than 10,000 samples at once (cmd/promtool/unittest.go)."""


_QUICKENINGS = (2.0, 0.5, 4.0, 0.25, 1.5, 10.0)
"""By how much the growth of counters is multiplied while the shortest window passes."""


_STARTS = (
    *(hour * 3600.0 for hour in range(24 * 7)),
    *(day * 86400.0 + 43200.0 for day in range(7, 62)),
)
"""Moments of the clock, in seconds, at which calendars differ; promtool's clock begins on a Thursday at midnight."""


class _GivenUpError(Exception):
    """The budget is used up."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One configuration of the search."""

    manner: Manner = field(default_factory=Manner)
    copies: int = 1
    """Of a class of labels that the search chooses."""
    nth: int = 0
    """Which of the classes that could be copied."""
    split: bool = False
    few: bool = False
    quickening: bool = False
    hours: bool = False
    """Whether the clock is tried at every hour of a week, and at every day of a month."""
    negative: bool = False
    variations: int = 12


@dataclass(slots=True)
class _Found:
    """A proposal that makes the alert's condition hold."""

    way: _Way
    wish: Wish
    setting: Setting
    world: World
    proposal: Proposal
    present: list[Shape]
    past: list[Shape]
    start: int
    tracks: list[Track] = field(default_factory=list)


def synthesise(problem: Problem) -> Outcome:
    """Return tests for an alert, a proof that it is dead, or what kept both from being found."""
    return _Search(problem).run()


class _Search:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.begun = time.process_time()
        self.unified: dict[Manner, Unified | None] = {}
        self.worlds: dict[int, World] = {}
        self.reasons: dict[str, None] = {}
        self.labels: dict[object, Labelled | None] = {}

    def run(self) -> Outcome:
        """Search, first in the plain ways, then for a proof, then in all ways that there are."""
        try:
            plain = self._solve(_PLAIN)
            if plain is not None and not {Property.INACTIVE, Property.RESOLVES} & set(plain.missing):
                return plain
            proof = dead(self.problem) if plain is None else None
            if proof is not None:
                return proof
            found = self._solve(_OTHERS) or plain
            if found is None and _reads_calendar(self.problem):
                found = self._solve((_Way(hours=True, variations=len(_STARTS)),))
            return found or Open(reason=self._reason())
        except _GivenUpError:
            return Open(reason=f"no input found in {self.problem.budget_seconds:g} s ({self._reason()})")
        except EvaluationError as error:
            return Open(reason=f"not evaluated here: {error}")
        except RecursionError:
            return Open(reason="the expression is too deep")

    def _reason(self) -> str:
        return "; ".join(islice(self.reasons, 3)) or "no input found"

    def _spent(self) -> bool:
        return time.process_time() - self.begun > self.problem.budget_seconds

    # Ways

    def _solve(self, ways: Sequence[_Way]) -> Solution | None:
        partial: Solution | None = None
        for way in ways:
            for found in self._firing(way):
                try:
                    solution = _Staging(self, found).solution()
                except WrongError as wrong:
                    self.reasons[str(wrong)] = None
                    continue
                if _whole(solution, self.problem):
                    return solution
                if partial is None or len(solution.claims) > len(partial.claims):
                    partial = solution
                if self._spent():
                    return partial
            if self._spent():
                if partial is not None:
                    return partial
                raise _GivenUpError
            if partial is not None and way.variations < 5:
                return partial
        return partial

    def _firing(self, way: _Way) -> Iterator[_Found]:
        """Yield proposals that make the alert's condition hold, a few."""
        given = 0
        for variation in range(way.variations):
            if self._spent() or given >= 3:
                return
            chosen = 0 if way.hours else variation
            wish = Wish(variation=chosen, negative=way.negative, few=way.few)
            if way.quickening:
                wish.quickening = _QUICKENINGS[variation % len(_QUICKENINGS)]
            found = self._settled(way, wish, _STARTS[variation] if way.hours else 0.0)
            if found is not None:
                given += 1
                yield found

    def _settled(self, way: _Way, wish: Wish, warm: float = 0.0) -> _Found | None:
        """Return a proposal with what it asks for besides: copies, finer samples, a clock that has run."""
        copies: Copies | None = None
        finest: float | None = None
        for _ in range(6):
            try:
                return self._propose(way, wish, copies, finest, warm)
            except CopiesError as asked:
                copies = self._copied(way, asked.place, asked.node, asked.count)
                if copies is None:
                    self.reasons[f"{asked.count} series that differ in a label are needed"] = None
                    return None
            except FinerError as asked:
                if self.problem.grounding.scrape_seconds is not None:
                    self.reasons["samples are too far apart"] = None
                    return None
                finest = asked.seconds
            except WarmError as asked:
                warm = max(warm * 1.5, asked.seconds * 1.02 + 60)
            except ImpossibleError as impossible:
                self.reasons[str(impossible)] = None
                return None
        return None

    def unify(self, manner: Manner) -> Unified | None:
        """Return labels in a manner, unified once."""
        if manner not in self.unified:
            self.unified[manner] = unify(self.problem, manner)
        return self.unified[manner]

    def _copied(self, way: _Way, place: Place, node: Expr, count: int) -> Copies | None:
        """Return the class of labels by which copies can be told apart under a node that leaves it out."""
        if count > _MOST_COPIES * 30:
            return None
        unified = self.unify(way.manner)
        if unified is None:
            return None
        find = unified.classes.find
        sources = {find(each.target): find(each.sources[0]) for each in unified.derivations}
        inner = unified.environments.get((place[0], id(node.expr)), {}) if isinstance(node, Aggregation) else {}
        outer = {find(v) for v in unified.environments.get(place, {}).values()}
        found = [
            (name, find(v)) for name, v in inner.items()
            if find(v) not in outer
            and (find(v) in sources or len(list(islice(candidates(name, unified.classes.values(v)), 2))) > 1)
        ]  # fmt: skip
        for wanted in ("instance", "pod", REPLICA):
            found.sort(key=lambda pair, wanted=wanted: pair[0] != wanted)  # type: ignore[misc]
        if not found:
            return None
        root = found[min(way.nth, len(found) - 1)][1]
        return Copies(sources.get(root, root), count)

    def _class(self, way: _Way) -> Copies | None:
        """Return a class of labels to copy, where nothing in particular asks for it."""
        unified = self.unify(way.manner)
        if unified is None:
            return None
        roots: dict[int, None] = {}
        for name in (REPLICA, "instance", "pod", *unified.universe):
            for leaf in unified.leaves:
                if name in leaf.environment and not (name == "le" and leaf.bucket):
                    root = unified.classes.find(leaf.environment[name])
                    values = unified.classes.values(root)
                    if len([text for text in islice(candidates(name, values), 3) if text]) > 1:
                        roots[root] = None
        found = list(roots)
        return Copies(found[way.nth], way.copies) if way.nth < len(found) else None

    def _propose(
        self, way: _Way, wish: Wish, copies: Copies | None, finest: float | None, warm: float
    ) -> _Found | None:
        unified = self.unify(way.manner)
        if unified is None:
            raise ImpossibleError("a selector's matchers exclude each other")
        if copies is None and way.copies > 1:
            copies = self._class(way)
            if copies is None:
                raise ImpossibleError("no label to tell copies apart by")
        key = (way.manner, copies)
        if key not in self.labels:
            self.labels[key] = label(unified, self.problem.grounding, copies)
        labelled = self.labels[key]
        if labelled is None:
            raise ImpossibleError("no labels that meet")
        grid = grid_of(self.problem, finest)
        grid = self._longer(grid, warm)
        world = self.world(grid)
        start = -(-round(warm * 1000) // grid.evaluation) * grid.evaluation
        settled = start + world.reach() + 2 * grid.interval
        reference = -(-settled // grid.evaluation) * grid.evaluation
        setting = Setting(self.problem, unified, labelled, grid, reference, split=way.split)
        proposal = Proposal(setting, wish)
        present, past = proposal.run()
        if way.split and past == present:
            raise ImpossibleError("present and past are one")
        found = _Found(way, wish, setting, world, proposal, present, past, start)
        found.tracks = tracks_of(setting)
        if len(found.tracks) > _MOST_SERIES:
            raise ImpossibleError(f"{len(found.tracks)} series at once, and promtool loads at most 10,000 samples")
        if not holds(found, present, past):
            return None
        return found

    def _longer(self, grid: Grid, warm: float) -> Grid:
        """Return a grid with fewer evaluations, where the clock has to run for long."""
        hold = round(self.problem.alert.hold_seconds * 1000)
        if warm * 1000 / grid.evaluation <= 400 or self.problem.grounding.evaluation_seconds is not None:
            return grid
        factor = max(1, (hold or 3_600_000) // (2 * grid.evaluation))
        return Grid(grid.interval, grid.evaluation * factor)

    def world(self, grid: Grid) -> World:
        """Return what evaluates, made once for each interval."""
        if grid.evaluation not in self.worlds:
            self.worlds[grid.evaluation] = World(self.problem, grid.evaluation)
        return self.worlds[grid.evaluation]


_PLAIN = (_Way(variations=8), _Way(Manner(merge=True), variations=6))
_OTHERS = (
    _Way(Manner(share=False), variations=8),
    _Way(Manner(replicas=True), variations=6),
    _Way(split=True, variations=10),
    _Way(quickening=True, variations=6),
    _Way(Manner(share=False), split=True, variations=8),
    _Way(Manner(share=False, replicas=True, apart=True), variations=6),
    _Way(Manner(share=False, replicas=True, apart=True), split=True, variations=6),
    _Way(Manner(recorder=1), variations=6),
    _Way(Manner(replicas=True), copies=2, variations=8),
    _Way(Manner(replicas=True), copies=2, few=True, variations=6),
    _Way(copies=2, few=True, variations=6),
    _Way(copies=2, variations=8),
    _Way(copies=2, nth=1, variations=8),
    _Way(Manner(replicas=True), copies=3, variations=8),
    _Way(copies=2, split=True, variations=8),
    _Way(copies=2, nth=2, variations=8),
    _Way(Manner(merge=True), copies=2, variations=8),
    _Way(variations=60),
    _Way(negative=True, variations=12),
    _Way(Manner(merge=True), negative=True, variations=12),
    _Way(split=True, negative=True, variations=12),
    _Way(Manner(share=False), negative=True, variations=12),
    _Way(copies=2, negative=True, variations=12),
)


def _whole(solution: Solution, problem: Problem) -> bool:
    """Tell whether nothing that an alert should be shown to do is left out."""
    wanted = {Property.FIRES, Property.INACTIVE, Property.RESOLVES}
    if problem.alert.hold_seconds:
        wanted.add(Property.BLIP)
    return not wanted & set(solution.missing)


def _reads_calendar(problem: Problem) -> bool:
    trees = [problem.alert.tree, *(rule.tree for rule in problem.recorded)]
    return any(
        isinstance(node, Call) and node.function in clock.FUNCTIONS and not node.args
        for tree in trees
        for node in walk(tree)
    )


def tracks_of(setting: Setting) -> list[Track]:
    """Return the series of a setting, with every bucket of its histograms."""
    found: list[Track] = []
    buckets = {
        setting.labelled.identity(leaf.number, copy)
        for leaf in setting.unified.leaves
        if leaf.bucket
        for copy in range(setting.labelled.count)
    }
    for identity, labels in enumerate(setting.labelled.identities):
        if identity not in buckets:
            found.append(Track(labels, identity))
            continue
        bounds = setting.bounds.get(identity, (1.0, float("inf")))
        for bound in bounds:
            text = "+Inf" if bound == float("inf") else number_text(bound)
            found.append(Track({**labels, "le": text}, identity, bound, bounds))
    return found


def holds(found: _Found, present: Sequence[Shape], past: Sequence[Shape]) -> bool | None:
    """Tell whether the alert's condition holds when everything has settled; None where it cannot be evaluated."""
    setting, world = found.setting, found.world
    grid, reference = setting.grid, setting.reference
    reach = world.reach()
    tape = Tape(found.tracks, grid.interval, reference, max(0, reference - reach - grid.interval), reach)
    if past is not present and list(past) != list(present):
        cut = reference - _recent(setting)
        tape.write(past, cut, fresh=True)
        tape.write(present, reference + 1, fresh=True)
    else:
        tape.write(present, reference + 1, fresh=True)
    try:
        return bool(world.evaluate(tape.store, reference))
    except EvaluationError:
        return None


def _recent(setting: Setting) -> int:
    """Return for how many milliseconds the present has been what it is, where the past was different."""
    shortest = round(shortest_range(setting) * 1000)
    nearest = nearest_offset(setting) * 1000
    if nearest < 2 * shortest or not shortest:
        shortest = round(min(nearest - setting.grid.interval, shortest or nearest / 2))
    return max(setting.grid.interval, shortest)


class _Staging:
    """From a proposal that fires to edges and timelines."""

    def __init__(self, search: _Search, found: _Found) -> None:
        self.search = search
        self.found = found
        self.problem = search.problem
        self.notes: list[str] = []
        self.impossible: dict[Property, str] = {}
        self.director = Director(
            self.problem, found.world, found.setting.grid, found.tracks, found.setting.reference
        )

    # Edges

    def _shapes(self, **changes: object) -> tuple[list[Shape], bool | None] | None:
        """Return the shapes of the proposal with a changed wish, and whether the condition holds."""
        wish = replace(self.found.wish, **changes)  # type: ignore[arg-type]
        try:
            present, past = Proposal(self.found.setting, wish).run()
        except (ImpossibleError, CopiesError, FinerError, WarmError):
            return None
        return present, holds(self.found, present, past if self.found.way.split else present)

    def turns(self) -> list[Turn]:
        """Return the edges of the condition, each with shapes on both of its sides."""
        if self.found.way.quickening:
            return self._even()
        met = [*self.found.proposal.met.values()]
        found: list[Turn] = []
        for each in met:
            if isinstance(each.node, Binary) and each.node.op in COMPARISONS and len(found) < 6:
                turn = self._compared(each, str(len(found) + 1))
                if turn is not None:
                    found.append(turn)
        operands = [each for each in met if self._operand(each)]
        covered = [turn.edge.span for turn in found]
        for each in operands:
            if len(found) < 8 and not any(_inside(span, each.node.span) for span in covered):
                turn = self._present(each, str(len(found) + 1))
                if turn is not None:
                    found.append(turn)
        if not found:
            for each in met:
                if isinstance(each.node, VectorSelector | Aggregation | Call):
                    turn = self._present(each, "1")
                    if turn is not None:
                        return [turn]
        if not found:
            turn = self._gone()
            return [turn] if turn is not None else []
        return found

    def _even(self) -> list[Turn]:
        """Return the edge between growth that changes and growth that does not."""
        even = [replace(shape, quickening=1.0) for shape in self.found.present]
        if holds(self.found, even, even) is not False:
            return []
        said = "counters that grow evenly"
        return [Turn(Edge(name="1", span=self.problem.alert.tree.span, said=said, discrete=True), even)]

    def _operand(self, met: Met) -> bool:
        """Tell whether a node is an operand of `and`, `or` or `unless` in the alert's own expression."""
        if not met.outer:
            return False
        for node in walk(self.problem.alert.tree):
            if isinstance(node, Binary) and node.op in ("and", "or", "unless"):
                if met.node is unwrapped(node.left) or met.node is unwrapped(node.right):
                    return True
        return False

    def _span(self, met: Met) -> Span:
        return met.node.span if met.outer else self.problem.alert.tree.span

    def _text(self, met: Met) -> str:
        source = self.problem.alert.expression
        if met.outer:
            text = met.node.span.text(source)
        else:
            text = next(
                (
                    met.node.span.text(rule.expression)
                    for rule in self.problem.recorded
                    if any(node is met.node for node in walk(rule.tree))
                ),
                source,
            )
        text = " ".join(text.split())
        return text if len(text) <= 90 else f"{text[:87]}..."

    def _compared(self, met: Met, name: str) -> Turn | None:
        node = met.node
        if not isinstance(node, Binary) or met.delta is None:
            return None
        discrete = met.whole or node.op in ("==", "!=")
        probes = self._probes(node.op, met)
        for under, over in probes:
            one = self._shapes(deltas={met.place: under})
            if one is None or one[1] is not False:
                continue
            other = self._shapes(deltas={met.place: over}) if over is not None else None
            if over is not None and (other is None or other[1] is not True):
                continue
            boundary = self._boundary(node, met)
            at = None
            if not discrete and abs(under) > 0:
                there = self._shapes(deltas={met.place: 0.0})
                at = there[0] if there is not None and there[1] is not None and self._exact(there[0]) else None
            edge = Edge(name=name, span=self._span(met), said=self._text(met), boundary=boundary, discrete=discrete)
            return Turn(edge, one[0], at, other[0] if other is not None else None, lambda: self._far(met))
        return self._bisected(met, name)

    def _far(self, met: Met) -> list[list[Shape]]:
        """Return shapes on which a comparison does not hold by far."""
        found = []
        bound = self._boundary(met.node, met) if isinstance(met.node, Binary) else None
        delta, size = met.delta or 0.0, abs(bound or 0.0)
        sign = -1.0 if delta > 0 else 1.0
        for away in dict.fromkeys((sign * size, -delta, sign * size / 2, -4 * delta, sign * 1.0, sign * size * 10)):
            tried = self._shapes(deltas={met.place: away}) if away else None
            if tried is not None and tried[1] is False:
                found.append(tried[0])
        return found

    def _exact(self, shapes: Sequence[Shape]) -> bool:
        """Tell whether values are what they are to the last bit: none grows."""
        return all(shape.growth is None and not shape.wobble for shape in shapes)

    def _boundary(self, node: Binary, met: Met) -> float | None:
        proposal = self.found.proposal
        for side in (node.right, node.left):
            if proposal._constant(side, met.place[0]):  # noqa: SLF001
                value = proposal.value(side, met.place[0])
                return value.value if value is not None else None
        return None

    def _probes(self, op: str, met: Met) -> list[tuple[float, float | None]]:
        """Return pairs of distances from the bound: on the silent side, and on the other."""
        bound = self._boundary(met.node, met) if isinstance(met.node, Binary) else None
        gap = max(abs(bound) if bound else 0.0, abs(met.delta or 0.0) * 1e-2, 1e-3) * _GAP
        sign = 1.0 if (met.delta or 0.0) > 0 or (op in (">", ">=") and not met.delta) else -1.0
        if op == "==" and not met.delta:
            return [(1.0, 0.0), (-1.0, 0.0), (gap, 0.0), (-gap, 0.0)] if bound else [(1.0, 0.0), (gap, 0.0), (-1.0, 0.0)]
        if op == "!=" and met.delta:
            return [(0.0, met.delta)]
        if met.whole:
            strict = op in (">", "<")
            step = sign * 1.0
            fraction = ((bound or 0.0) % 1) if bound is not None else 0.0
            if fraction:
                low, high = -fraction, 1 - fraction
                return [(low, high)] if sign > 0 else [(high, low)]
            return [(0.0, step)] if strict else [(-step, 0.0)]
        return [(-sign * gap * wide, sign * gap * wide) for wide in (1, 100)]

    def _bisected(self, met: Met, name: str) -> Turn | None:
        """Find an edge that is not where the comparison says: because what is compared counts itself, or is rounded."""
        good = met.delta or 0.0
        bad: float | None = None
        best: list[Shape] | None = None
        over: list[Shape] | None = None
        for factor in (-1.0, 0.0, -10.0, -0.1, 10.0):
            tried = self._shapes(deltas={met.place: good * factor})
            if tried is not None and tried[1] is False:
                bad, best = good * factor, tried[0]
                break
        if bad is None or best is None:
            return None
        if not met.whole:
            for _ in range(22):
                middle = (good + bad) / 2
                tried = self._shapes(deltas={met.place: middle})
                if tried is None or tried[1] is None:
                    break
                if tried[1]:
                    good, over = middle, tried[0]
                else:
                    bad, best = middle, tried[0]
        edge = Edge(name=name, span=self._span(met), said=self._text(met), discrete=met.whole)
        return Turn(edge, best, None, over, lambda: self._far(met))

    def _present(self, met: Met, name: str) -> Turn | None:
        tried = self._shapes(flipped=frozenset({met.place}))
        if tried is None or tried[1] is not False:
            return None
        said = f"{'absence' if met.truth else 'presence'} of {self._text(met)}"
        return Turn(Edge(name=name, span=self._span(met), said=said, discrete=True), tried[0])

    def _gone(self) -> Turn | None:
        """Return the edge between what fires and nothing at all."""
        count = len(self.found.present)
        gone = [Shape(gone=True) for _ in range(count)]
        if count and holds(self.found, gone, gone) is False:
            edge = Edge(name="1", span=self.problem.alert.tree.span, said="absence of all series", discrete=True)
            return Turn(edge, gone)
        return None

    # Timelines

    def solution(self) -> Solution:
        """Return tests for all that can be shown; raises WrongError where the alert does not even fire."""
        turns = self.turns()
        missing = self.director.missing
        tests: list[Test] = []
        reel = self.director.reel(self.found.start)
        quiet: Sequence[Shape] | None = None
        shown: list[Turn] = []
        rest: list[Turn] = []
        if self.found.way.split:
            quiet = self.found.past
            self.director.prelude(reel, quiet)
            self.director.settle(reel, quiet)
        for turn in turns:
            played = self._inactive(reel, turn)
            if played is None:
                rest.append(turn)
                continue
            reel, under = played
            shown.append(turn)
            if quiet is None:
                quiet = under
            if turn.threshold is not None:
                reel = self._threshold(reel, turn)
        if not shown:
            missing[Property.INACTIVE] = "no input was found that keeps it silent"
        if not turns and self._always():
            reel = self.director.reel(self.found.start)
            self.director.fires(reel, self.found.present)
            return Solution(tests=(self.director.test("timeline", reel),), always=True)
        over = self.found.present
        if quiet is not None and self.problem.alert.hold_seconds:
            if self.found.way.split:
                self.director.settle(reel, quiet)
            reel = self._blip(reel, shown, quiet)
        elif self.problem.alert.hold_seconds:
            missing[Property.BLIP] = "nothing keeps it silent"
        else:
            self.director.missing.pop(Property.BLIP, None)
        if self.found.way.split and quiet is not None:
            self.director.settle(reel, quiet)
        self.director.fires(reel, over)
        if quiet is not None:
            try:
                tried = reel.copy()
                self.director.resolves(tried, quiet)
                reel = tried
            except WrongError as wrong:
                missing[Property.RESOLVES] = str(wrong)
            if Property.RESOLVES not in missing:
                self.director.reset(reel, quiet)
        else:
            missing[Property.RESOLVES] = "nothing ends it"
        self.director.absence(reel, over)
        tests.append(self.director.test("timeline", reel))
        for turn in rest:
            played = self._inactive(self.director.reel(self.found.start), turn)
            if played is not None:
                shown.append(turn)
                missing.pop(Property.INACTIVE, None)
                tests.append(self.director.test(f"inactive {turn.edge.name}", played[0]))
        if self.found.way.negative:
            self.notes.append("it fires on values under 0, or outside of what the metrics' names let expect")
        tests += self._arms(shown)
        return Solution(
            tests=tuple(tests),
            edges=tuple(turn.edge for turn in shown),
            notes=tuple(self.notes),
            missing=dict(missing),
            impossible=dict(self.impossible),
        )

    def _arms(self, shown: list[Turn]) -> list[Test]:
        """Return tests of the sides of `or` that did not fire yet, each with the other sides off."""
        tests: list[Test] = []
        for number, place in enumerate([*self.found.proposal.arms][:3], 2):
            now = self.found.wish.arms.get(place, self.found.proposal.arms[place])
            wish = replace(self.found.wish, arms={**self.found.wish.arms, place: 1 - now})
            proposal = Proposal(self.found.setting, wish)
            try:
                present, past = proposal.run()
            except (ImpossibleError, CopiesError, FinerError, WarmError):
                continue
            other = replace(self.found, wish=wish, proposal=proposal, present=present, past=past)
            if holds(other, present, past if self.found.way.split else present) is not True:
                continue
            test = _Staging(self.search, other).arm(f"alternative {number}", shown)
            if test is not None:
                tests.append(test)
        return tests

    def arm(self, name: str, shown: list[Turn]) -> Test | None:
        """Return a test of one side of `or`: inactive at its edges, and firing, and ending."""
        reel = self.director.reel(self.found.start)
        known = {(turn.edge.span, turn.edge.said) for turn in shown}
        quiet: Sequence[Shape] | None = None
        edge: str | None = None
        for turn in self.turns():
            if (turn.edge.span, turn.edge.said) in known:
                continue
            turn = replace(turn, edge=replace(turn.edge, name=str(len(shown) + 1)))
            played = self._inactive(reel, turn)
            if played is not None:
                reel, under = played
                quiet = under if quiet is None else quiet
                edge = turn.edge.name if edge is None else edge
                shown.append(turn)
        if quiet is None or self.found.way.split:
            return None
        try:
            self.director.fires(reel, self.found.present, edge=edge)
            self.director.resolves(reel, quiet, edge=edge)
        except WrongError:
            return None
        return self.director.test(name, reel)

    def _always(self) -> bool:
        """Tell whether the alert fires without any series."""
        return not self.found.setting.unified.leaves or always(self.problem)

    def _inactive(self, reel: Reel, turn: Turn) -> tuple[Reel, Sequence[Shape]] | None:
        """Return the timeline after the other side of an edge, near it or, where it cannot be kept up, far from it."""
        for number, shapes in enumerate(_chain([turn.under], turn.far)):
            tried = reel.copy()
            shown = turn if not number else replace(turn, edge=replace(turn.edge, discrete=True))
            try:
                self.director.silent(tried, shown, shapes, Property.INACTIVE)
            except WrongError:
                continue
            return tried, shapes
        return None

    def _threshold(self, reel: Reel, turn: Turn) -> Reel:
        tried = reel.copy()
        if turn.threshold is None:
            return reel
        try:
            self.director.silent(tried, turn, turn.threshold, Property.AT_THRESHOLD)
        except WrongError:
            return reel
        return tried

    def _blip(self, reel: Reel, shown: Sequence[Turn], quiet: Sequence[Shape]) -> Reel:
        overs = [self.found.present, *(turn.over for turn in shown if turn.over is not None)]
        try:
            return self.director.blip(reel, overs, quiet, ())
        except WrongError:
            pass
        proof = never_brief(self.problem)
        if proof is not None:
            self.impossible[Property.BLIP] = proof
            return reel
        calmer = [shapes for turn in shown for shapes in turn.far()][:4]
        for make in (self.director.blip, self.director.timed):
            try:
                return make(reel, overs, quiet, calmer)
            except WrongError:
                continue
        try:
            made = self.director.gapped(reel, overs, quiet, calmer)
        except WrongError as wrong:
            self.director.missing[Property.BLIP] = str(wrong)
            return reel
        self.notes.append("`for` filters nothing: one blip of the input fires it, as the window is longer than `for`")
        return made


def _chain(first: Sequence[Sequence[Shape]], more: Callable[[], Sequence[Sequence[Shape]]]) -> Iterator[Sequence[Shape]]:
    """Yield what is at hand, and what has to be made only where that is not enough."""
    yield from first
    yield from more()


def _inside(one: Span, other: Span) -> bool:
    return other.start <= one.start and one.end <= other.end


