"""The search for input: proposals from the goal, filtered by evaluation, in one way after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice

from tocsin.promql import Aggregation, Call, Expr, walk
from tocsin.promql.evaluation import EvaluationError, clock
from tocsin.synthesis.dead import dead
from tocsin.synthesis.found import Found, Way, holds, tracks_of
from tocsin.synthesis.labelling import Copies, Labelled, label
from tocsin.synthesis.native import taken_apart
from tocsin.synthesis.native_samples import NotTakenApartError
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.proposing import Proposal
from tocsin.synthesis.setting import (
    CopiesError,
    FinerError,
    ImpossibleError,
    Place,
    Setting,
    WarmError,
    Wish,
)
from tocsin.synthesis.solution import Open, Outcome, Property, Solution
from tocsin.synthesis.staging import FALLING, Staging
from tocsin.synthesis.timelines import WrongError
from tocsin.synthesis.unifying import REPLICA, Manner, Unified, candidates, unify
from tocsin.synthesis.world import Grid, World, grid_of

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


_IDLE = ("no label to tell copies apart by", "present and past are one")
"""Reasons why one way of searching does not apply, which tell nothing of the alert."""


class _GivenUpError(Exception):
    """The budget is used up."""


def synthesise(problem: Problem) -> Outcome:
    """Return tests for an alert, a proof that it is dead, or what kept both from being found."""
    try:
        apart = taken_apart(problem)
        if apart is None:
            return Search(problem).run()
        found = Search(apart.problem).run()
        if not isinstance(found, Solution):
            return found
        if not problem.generation.notes_histograms:
            return Open(reason="the promtool of this generation has no notation for native histograms")
        return apart.put_together(found)
    except NotTakenApartError as error:
        return Open(reason=str(error))


class Search:
    """The search for the tests of one problem."""

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
            plain = self.solve(PLAIN)
            if plain is not None and not {Property.INACTIVE, Property.RESOLVES} & set(plain.missing):
                return plain
            proof = dead(self.problem) if plain is None else None
            if proof is not None:
                return proof
            found = self.solve(OTHERS) or plain
            if found is None and _reads_calendar(self.problem):
                found = self.solve((Way(hours=True, variations=len(_STARTS)),))
            return found or Open(reason=self._reason())
        except _GivenUpError:
            return Open(reason=f"no input found in {self.problem.budget_seconds:g} s ({self._reason()})")
        except EvaluationError as error:
            return Open(reason=f"not evaluated here: {error}")
        except RecursionError:
            return Open(reason="the expression is too deep")

    def _reason(self) -> str:
        told = [reason for reason in self.reasons if reason not in _IDLE]
        return "; ".join(told[:3]) or "no input found"

    def _spent(self) -> bool:
        return time.process_time() - self.begun > self.problem.budget_seconds

    # Ways

    def solve(self, ways: Sequence[Way]) -> Solution | None:
        """Return the first solution that leaves nothing out, in some ways of searching; else the best one."""
        partial: Solution | None = None
        for way in ways:
            for found in self._firing(way):
                try:
                    solution = Staging(self.problem, found).solution()
                except WrongError as wrong:
                    self.reasons[str(wrong)] = None
                    continue
                if _whole(solution, self.problem) and FALLING not in solution.notes:
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

    def _firing(self, way: Way) -> Iterator[Found]:
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

    def _settled(self, way: Way, wish: Wish, warm: float = 0.0) -> Found | None:
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
            except ArithmeticError:
                self.reasons["the numbers that are asked for are too large"] = None
                return None
        return None

    def unify(self, manner: Manner) -> Unified | None:
        """Return labels in a manner, unified once."""
        if manner not in self.unified:
            self.unified[manner] = unify(self.problem, manner)
        return self.unified[manner]

    def _copied(self, way: Way, place: Place, node: Expr, count: int) -> Copies | None:
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

    def _class(self, way: Way) -> Copies | None:
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

    def _propose(self, way: Way, wish: Wish, copies: Copies | None, finest: float | None, warm: float) -> Found | None:
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
        found = Found(way, wish, setting, world, proposal, present, past, start)
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


PLAIN = (Way(variations=8), Way(Manner(merge=True), variations=6))
OTHERS = (
    Way(Manner(share=False), variations=8),
    Way(Manner(replicas=True), variations=6),
    Way(split=True, variations=10),
    Way(quickening=True, variations=6),
    Way(Manner(share=False), split=True, variations=8),
    Way(Manner(share=False, replicas=True, apart=True), variations=6),
    Way(Manner(share=False, replicas=True, apart=True), split=True, variations=6),
    Way(Manner(recorder=1), variations=6),
    Way(Manner(replicas=True), copies=2, variations=8),
    Way(Manner(replicas=True), copies=2, few=True, variations=6),
    Way(copies=2, few=True, variations=6),
    Way(copies=2, variations=8),
    Way(copies=2, nth=1, variations=8),
    Way(Manner(replicas=True), copies=3, variations=8),
    Way(copies=2, split=True, variations=8),
    Way(copies=2, nth=2, variations=8),
    Way(Manner(merge=True), copies=2, variations=8),
    Way(variations=60),
    Way(negative=True, variations=12),
    Way(Manner(merge=True), negative=True, variations=12),
    Way(split=True, negative=True, variations=12),
    Way(Manner(share=False), negative=True, variations=12),
    Way(copies=2, negative=True, variations=12),
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
