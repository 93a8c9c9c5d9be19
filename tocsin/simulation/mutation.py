"""Mutants of a system's alerts, and which tests notice them: ours, and the owner's.

A mutant is killed where an engine says that a test which passes on the rule fails on it. What no test kills and no
input told from the rule survives as probably equivalent; what is proven to be the rule in other words is apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tocsin.engines.rule_engines import RuleEngine, RuleFiles, Said, run_files
from tocsin.promql.equivalence import equivalence
from tocsin.promql.mutants import Mutant, Operator, mutants
from tocsin.synthesis import Problem, Solution, Test, emit
from tocsin.synthesis.killing import ENOUGH, Kill, Search, Survived, killing_test

BATCH = 40
"""Test files for one process of the engine."""
ATTEMPTS = 3
"""How often a test is searched for a mutant where the engine does not confirm it."""


class Fate(StrEnum):
    """What becomes of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    """By a written argument."""
    PROBABLY = "probably equivalent"
    """`ENOUGH` inputs could not tell it from the rule."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A mutant, and what became of it."""

    mutant: Mutant
    fate: Fate
    test: str = ""
    """The name of the test that killed it."""
    reason: str = ""
    """The argument, or why it survived."""
    inputs: int = 0
    """How many inputs were tried."""


@dataclass(frozen=True, kw_only=True)
class MutatedAlert:
    """An alert with the fates of its mutants."""

    id: str
    judged: tuple[Judged, ...]
    tests: tuple[Test, ...] = ()
    """Tests that had to be found for mutants, besides those of the alert's solution."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """How many mutants there were of each fate."""

    fates: Mapping[Fate, int]

    @property
    def whole(self) -> float:
        """The part of all mutants that was killed; 1 where there are none."""
        total = sum(self.fates.values())
        return self.fates.get(Fate.KILLED, 0) / total if total else 1.0

    @property
    def of_different(self) -> float:
        """The part of the mutants that are not equivalent, for certain or probably, that was killed."""
        killed, survived = self.fates.get(Fate.KILLED, 0), self.fates.get(Fate.SURVIVED, 0)
        return killed / (killed + survived) if killed + survived else 1.0


def score(judged: Iterable[Judged]) -> Score:
    """Return the score of some mutants."""
    return Score(fates=Counter(each.fate for each in judged))


def scores(alerts: Iterable[MutatedAlert]) -> dict[Operator, Score]:
    """Return the score of each class of mutants."""
    found: dict[Operator, list[Judged]] = {}
    for alert in alerts:
        for each in alert.judged:
            found.setdefault(each.mutant.operator, []).append(each)
    return {operator: score(found[operator]) for operator in Operator if operator in found}


# Our own tests


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An alert with the tests that were made for it."""

    id: str
    problem: Problem
    solution: Solution


@dataclass(kw_only=True)
class _Case:
    """A mutant on its way to the engine."""

    mutant: Mutant
    tests: list[Test] = field(default_factory=list)
    """Those that our own evaluation says kill it, the likeliest first."""
    judged: Judged | None = None
    attempts: int = 0


class MutationTrial:
    """The mutants of one alert: searched in this process, then put to an engine."""

    def __init__(self, suspect: Suspect, *, inputs: int = ENOUGH, seconds: float = 10.0, seed: int = 0) -> None:
        self.suspect = suspect
        self.inputs, self.seconds = inputs, seconds
        self.search = Search(suspect.problem, suspect.solution.tests, seed=seed)
        alert = suspect.problem.alert
        made = mutants(
            alert.expression,
            hold_seconds=alert.hold_seconds,
            keep_firing_seconds=alert.keep_firing_seconds,
            tree=alert.tree,
        )
        self.cases = [_Case(mutant=mutant) for mutant in made]
        self.extra: dict[str, Test] = {}
        """Tests that the engine has not refused, by name."""

    def hunt(self) -> None:
        """Search for a test for every mutant that has no fate yet."""
        for number, case in enumerate(self.cases):
            if case.judged is not None or case.tests:
                continue
            case.attempts += 1
            argument = equivalence(self.suspect.problem.alert.tree, case.mutant)
            if argument is not None:
                case.judged = Judged(mutant=case.mutant, fate=Fate.EQUIVALENT, reason=argument)
                continue
            found = self.search.kill(case.mutant, inputs=self.inputs, seconds=self.seconds)
            if isinstance(found, Survived):
                case.judged = _survivor(case.mutant, found, self.inputs)
            else:
                case.tests.append(self._test(found, case, number))

    def _test(self, kill: Kill, case: _Case, number: int) -> Test:
        name = f"mutant {number} {case.mutant.operator}"
        test = killing_test(kill, case.mutant, name)
        self.extra[name] = test
        return test

    def files_of_rule(self) -> list[tuple[str, RuleFiles]]:
        """Return each extra test with the rule itself, on which it must pass."""
        return [(name, _files(self.suspect.problem, test)) for name, test in self.extra.items()]

    def files_of_mutants(self) -> list[tuple[_Case, Test, RuleFiles]]:
        """Return each undecided mutant with the test that is thought to kill it."""
        return [
            (case, case.tests[0], _files(mutated(self.suspect.problem, case.mutant), case.tests[0]))
            for case in self.cases
            if case.judged is None and case.tests
        ]

    def refuse(self, name: str) -> None:
        """Take a test away that fails on the rule itself."""
        self.extra.pop(name, None)
        for case in self.cases:
            case.tests = [test for test in case.tests if test.name != name]
            self._give_up(case, "the engine did not confirm its test on the rule itself")

    def told(self, case: _Case, test: Test, said: Said) -> None:
        """Take the engine's word on a mutant."""
        if not said.passed:
            case.judged = Judged(mutant=case.mutant, fate=Fate.KILLED, test=test.name)
            return
        case.tests.remove(test)
        self.extra.pop(test.name, None)
        self._give_up(case, "the engine did not confirm the difference that our own evaluation found")

    @staticmethod
    def _give_up(case: _Case, reason: str) -> None:
        if case.judged is None and not case.tests and case.attempts >= ATTEMPTS:
            case.judged = Judged(mutant=case.mutant, fate=Fate.SURVIVED, reason=reason)

    @property
    def undecided(self) -> bool:
        """Whether a mutant has no fate yet."""
        return any(case.judged is None for case in self.cases)

    def result(self) -> MutatedAlert:
        """Return the fates of all mutants."""
        judged = tuple(case.judged for case in self.cases if case.judged is not None)
        used = {each.test for each in judged}
        tests = tuple(test for name, test in self.extra.items() if name in used)
        return MutatedAlert(id=self.suspect.id, judged=judged, tests=tests)


def mutated(problem: Problem, mutant: Mutant) -> Problem:
    """Return a problem with a mutant in the place of its alert."""
    alert = replace(
        problem.alert,
        expression=mutant.expression,
        tree=mutant.tree,
        hold_seconds=mutant.hold_seconds,
        keep_firing_seconds=mutant.keep_firing_seconds,
    )
    return replace(problem, alert=alert)


def _survivor(mutant: Mutant, found: Survived, wanted: int) -> Judged:
    if found.inputs >= min(wanted, ENOUGH):
        return Judged(mutant=mutant, fate=Fate.PROBABLY, inputs=found.inputs,
                      reason=f"{found.inputs} inputs could not tell it from the rule")  # fmt: skip
    return Judged(mutant=mutant, fate=Fate.SURVIVED, inputs=found.inputs,
                  reason=f"only {found.inputs} inputs could be tried in the time that it was given")  # fmt: skip


def _files(problem: Problem, test: Test) -> RuleFiles:
    emitted = emit(problem, Solution(tests=(test,)))
    return RuleFiles(emitted.rules, emitted.tests)


def judge(engine: RuleEngine, trials: Sequence[MutationTrial], tell: Callable[[int], None] = lambda _: None) -> None:
    """Search and put to the engine the mutants of some alerts, until each has a fate.

    Raises EngineTrouble if the engine cannot be run.
    """
    for _ in range(ATTEMPTS):
        for trial in trials:
            if trial.undecided:
                trial.hunt()
                tell(1)
        waiting = [trial for trial in trials if trial.undecided]
        if not waiting:
            return
        own = [(trial, name, files) for trial in waiting for name, files in trial.files_of_rule()]
        for (trial, name, _files_), said in zip(own, _said(engine, [files for *_, files in own]), strict=True):
            if not said.passed:
                trial.refuse(name)
        cases = [(trial, *each) for trial in waiting for each in trial.files_of_mutants()]
        for (trial, case, test, _files_), said in zip(
            cases, _said(engine, [files for *_, files in cases]), strict=True
        ):
            trial.told(case, test, said)


def _said(engine: RuleEngine, files: Sequence[RuleFiles]) -> Iterator[Said]:
    for start in range(0, len(files), BATCH):
        yield from run_files(engine, files[start : start + BATCH])
