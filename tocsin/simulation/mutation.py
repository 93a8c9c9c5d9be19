"""Mutants of a system's alerts, and which tests notice them: ours, and the owner's.

A mutant is killed where an engine says that a test which passes on the rule fails on it. What no test kills and no
input told from the rule survives as probably equivalent; what is proven to be the rule in other words is apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tocsin.artefacts.rules import case_ids
from tocsin.engines.rule_engines import RuleEngine, RuleFiles, Said, run_files
from tocsin.model import Model
from tocsin.promql import Expr
from tocsin.promql.equivalence import equivalence
from tocsin.promql.intervals import Known
from tocsin.promql.mutants import Mutant, Operator, mutants
from tocsin.simulation.owner_tests import OwnerTests, owner_tests
from tocsin.simulation.owner_tests import run as owner_run
from tocsin.synthesis import Assertion, Emitted, Problem, Solution, Test, emit, failed
from tocsin.synthesis.killing import ENOUGH, Kill, Search, Survived, assertion_of, killing_test
from tocsin.synthesis.native import reads_histograms

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
    found: bool = False
    """Whether the test had to be found for a mutant, because the solution's own do not kill it."""
    inputs: int = 0
    """How many inputs were tried."""


@dataclass(frozen=True, kw_only=True)
class MutatedAlert:
    """An alert with the fates of its mutants."""

    id: str
    judged: tuple[Judged, ...]
    tests: tuple[Test, ...] = ()
    """Tests that had to be found for mutants, besides those of the alert's solution."""
    trouble: str = ""
    """Why its mutants could not be judged."""


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


def as_plain(alerts: Sequence[MutatedAlert]) -> dict[str, Any]:
    """Return what became of mutants as plain values, for a report: counts, scores, and those that no test killed."""
    every = score(each for alert in alerts for each in alert.judged)
    return {
        **_plain(every),
        "by_operator": {str(operator): _plain(each) for operator, each in scores(alerts).items()},
        "alive": [
            {
                "alert": alert.id,
                "fate": str(each.fate),
                "operator": str(each.mutant.operator),
                "description": each.mutant.description,
                "diff": each.mutant.diff,
                "reason": each.reason,
            }
            for alert in alerts
            for each in alert.judged
            if each.fate is not Fate.KILLED
        ],
        "not_judged": {alert.id: alert.trouble for alert in alerts if alert.trouble},
    }


def _plain(of: Score) -> dict[str, Any]:
    counts = {str(fate): of.fates.get(fate, 0) for fate in Fate}
    return {"mutants": sum(counts.values()), **counts, "score": of.of_different, "score_of_all": of.whole}


# Our own tests


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An alert with the tests that were made for it."""

    id: str
    problem: Problem
    solution: Solution


@dataclass(kw_only=True, eq=False)
class _Case:
    """A mutant on its way to the engine."""

    mutant: Mutant
    test: Test | None = None
    """The one that our own evaluation says kills it."""
    kill: Kill | None = None
    """Where it was found, if the solution's own tests do not kill it."""
    judged: Judged | None = None
    attempts: int = 0
    noticed: bool = True
    """Whether one of the solution's own tests may still be the one that kills it."""


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
        self._replayed = not reads_histograms(suspect.problem)
        """Whether our own evaluation can tell which test kills a mutant, and search for others."""

    @property
    def undecided(self) -> list[_Case]:
        """The mutants that have no fate yet."""
        return [case for case in self.cases if case.judged is None]

    def hunt(self) -> None:
        """Search for a test for every mutant that has no fate yet."""
        for case in self.undecided:
            if case.test is None and case.kill is None:
                case.attempts += 1
                self._hunt(case)
        by_scene: dict[int, list[_Case]] = {}
        for case in self.undecided:
            if case.kill is not None:
                by_scene.setdefault(id(case.kill.scene), []).append(case)
        for number, cases in enumerate(by_scene.values(), start=1):
            kills = [(case.kill, case.mutant) for case in cases if case.kill is not None]
            test = killing_test(kills, f"mutants {number}")
            for case in cases:
                case.test = test

    def _hunt(self, case: _Case) -> None:
        if self._replayed and case.noticed:
            case.test = self.search.noticing(case.mutant)
        if case.test is not None:
            return
        argument = equivalence(self.suspect.problem.alert.tree, case.mutant, _Known(self.suspect.problem))
        if argument is not None:
            case.judged = Judged(mutant=case.mutant, fate=Fate.EQUIVALENT, reason=argument)
            return
        if not self._replayed:
            self._try_each(case)
            return
        found = self.search.kill(case.mutant, inputs=self.inputs, seconds=self.seconds)
        if isinstance(found, Survived):
            case.judged = _survivor(case.mutant, found)
        else:
            case.kill = found

    def _try_each(self, case: _Case) -> None:
        """Have the engine try the rule's own tests on a mutant, one after the other."""
        tests = self.suspect.solution.tests
        if case.attempts <= len(tests):
            case.test = tests[case.attempts - 1]
        else:
            reason = "no test of the rule tells it apart, and none is searched for over native histograms"
            case.judged = Judged(mutant=case.mutant, fate=Fate.SURVIVED, reason=reason)

    def found_tests(self) -> tuple[Test, ...]:
        """Return the tests that had to be found, each once."""
        tests = {id(case.test): case.test for case in self.cases if case.kill is not None and case.test is not None}
        return tuple(tests.values())

    def refuse(self, test: Test, assertions: Sequence[Assertion]) -> None:
        """Take note that a test that was found fails on the rule itself, in some of its assertions or altogether."""
        for case in self.undecided:
            if case.test is test and case.kill is not None:
                own = assertion_of(case.kill, case.mutant)
                if not assertions or own in assertions:
                    self.search.refuse(case.kill)
                    self._again(case, "the engine did not confirm its test on the rule itself")

    def told(self, case: _Case, said: Said) -> None:
        """Take the engine's word on a mutant."""
        if not said.passed:
            name = case.test.name if case.test is not None else ""
            case.judged = Judged(mutant=case.mutant, fate=Fate.KILLED, test=name, found=case.kill is not None)
            return
        if case.kill is not None:
            self.search.refuse(case.kill)
        self._again(case, "the engine did not confirm the difference that our own evaluation found")

    @staticmethod
    def _again(case: _Case, reason: str) -> None:
        case.noticed = False
        case.test = case.kill = None
        if case.attempts >= ATTEMPTS:
            case.judged = Judged(mutant=case.mutant, fate=Fate.SURVIVED, reason=reason)

    def result(self) -> MutatedAlert:
        """Return the fates of all mutants."""
        judged = tuple(case.judged for case in self.cases if case.judged is not None)
        return MutatedAlert(id=self.suspect.id, judged=judged, tests=self.found_tests())


class _Known(Known):
    """What a problem says of its recorded series."""

    def __init__(self, problem: Problem) -> None:
        self._recorded: dict[str, tuple[Expr, ...]] = {}
        for rule in problem.recorded:
            self._recorded[rule.name] = (*self._recorded.get(rule.name, ()), rule.tree)

    def recorded(self, name: str) -> tuple[Expr, ...]:
        """Return the expressions that record a series of that name."""
        return self._recorded.get(name, ())


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


def _survivor(mutant: Mutant, found: Survived) -> Judged:
    if found.inputs >= ENOUGH:
        return Judged(mutant=mutant, fate=Fate.PROBABLY, inputs=found.inputs,
                      reason=f"{found.inputs} inputs could not tell it from the rule")  # fmt: skip
    return Judged(mutant=mutant, fate=Fate.SURVIVED, inputs=found.inputs,
                  reason=f"only {found.inputs} inputs could be tried in the time that it was given")  # fmt: skip


def judge(engine: RuleEngine, trials: Sequence[MutationTrial], tell: Callable[[int], None] = lambda _: None) -> None:
    """Search and put to the engine the mutants of some alerts, until each has a fate.

    `tell` is told how many alerts more were searched. Raises EngineTrouble if the engine cannot be run.
    """
    for _ in range(ATTEMPTS):
        for trial in trials:
            if trial.undecided:
                trial.hunt()
                tell(1)
        _confirm(engine, [(trial, test) for trial in trials for test in trial.found_tests()])
        cases = [(trial, case) for trial in trials for case in trial.undecided if case.test is not None]
        emitted = [_emitted(mutated(t.suspect.problem, case.mutant), case.test) for t, case in cases if case.test]
        for (trial, case), said in zip(cases, _said(engine, emitted), strict=True):
            trial.told(case, said)
        if not any(trial.undecided for trial in trials):
            return


def _confirm(engine: RuleEngine, found: Sequence[tuple[MutationTrial, Test]]) -> None:
    """Put tests that were found to the engine with the rule itself, on which they must pass."""
    emitted = [_emitted(trial.suspect.problem, test) for trial, test in found]
    for (trial, test), each, said in zip(found, emitted, _said(engine, emitted), strict=True):
        if not said.passed:
            trial.refuse(test, failed(each, said.failures))


def _emitted(problem: Problem, test: Test) -> Emitted:
    return emit(problem, Solution(tests=(test,)))


def _said(engine: RuleEngine, emitted: Sequence[Emitted]) -> Iterator[Said]:
    for start in range(0, len(emitted), BATCH):
        files = [RuleFiles(each.rules, each.tests) for each in emitted[start : start + BATCH]]
        yield from run_files(engine, files)


# The owner's tests


def judge_owner(
    engine: RuleEngine,
    model: Model,
    *,
    known: Mapping[str, MutatedAlert] | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> list[MutatedAlert]:
    """Return what the owner's promtool tests make of the mutants of each alert that they can load.

    `known` is what became of the mutants before our own tests: what is equivalent there is so here. `tell` is told how
    many alerts more are done. Raises EngineTrouble if the engine cannot be run.
    """
    ids = {id(rule): case for case, rule in case_ids(model.rules).items()}
    found = []
    for tests in owner_tests(model):
        if tests.loaded:
            case = ids[id(tests.rule)]
            found.append(_judged_by_owner(engine, model, tests, case, (known or {}).get(case)))
        tell(1)
    return found


def _judged_by_owner(
    engine: RuleEngine, model: Model, tests: OwnerTests, case: str, known: MutatedAlert | None
) -> MutatedAlert:
    rule, tree = tests.rule, model.tree(tests.rule)
    if tree is None:
        return MutatedAlert(id=case, judged=(), trouble="its expression cannot be read")
    if False in owner_run(engine, tests.files()):
        return MutatedAlert(id=case, judged=(), trouble="the owner's tests do not pass on the rule as it is")
    made = mutants(
        rule.expression, hold_seconds=rule.hold_seconds, keep_firing_seconds=rule.keep_firing_seconds, tree=tree
    )
    fates = {each.mutant.diff: each for each in (known.judged if known else ()) if each.fate in _ALIKE}
    judged: dict[int, Judged] = {}
    for number, mutant in enumerate(made):
        argument = equivalence(tree, mutant, model.values.proofs(rule).known)
        if argument is not None:
            judged[number] = Judged(mutant=mutant, fate=Fate.EQUIVALENT, reason=argument)
        elif mutant.diff in fates:
            judged[number] = fates[mutant.diff]
    wide = all(owner_run(engine, tests.files(wide=True)))
    for also in (False, True) if wide else (False,):
        asked = [
            (n, files) for n, mutant in enumerate(made) if n not in judged for files in tests.files(mutant, wide=also)
        ]
        for (number, _), passed in zip(asked, owner_run(engine, [files for _, files in asked]), strict=True):
            if passed is False:
                judged[number] = Judged(mutant=made[number], fate=Fate.KILLED, test="a test of the owner's")
    reason = "every test of the owner's passes on it" if tests.asked else "no test of the owner's asks for the alert"
    for number, mutant in enumerate(made):
        judged.setdefault(number, Judged(mutant=mutant, fate=Fate.SURVIVED, reason=reason))
    return MutatedAlert(id=case, judged=tuple(judged[number] for number in sorted(judged)))


_ALIKE = frozenset({Fate.EQUIVALENT, Fate.PROBABLY})
