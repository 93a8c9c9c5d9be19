"""Which alerts the owner's own promtool tests exercise, judged by the engine.

An alert's rule is changed so that it never fires, and so that it fires too where it should not. Tests that pass on
both say nothing of the alert, however often they name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.artefacts.rules import Rule, case_ids
from tocsin.engines.rule_engines import RuleEngine
from tocsin.model import Model
from tocsin.model.rule_tests import TestFile, rule_tests
from tocsin.promql import Expr, parse, selectors
from tocsin.promql.mutants import Mutant, Operator
from tocsin.simulation.owner_tests import Files, OwnerTests, owner_tests
from tocsin.simulation.owner_tests import run as owner_run

NOTHING = "vector(1) < 0"
"""An expression that yields nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercised:
    """What the owner's tests see of one alert."""

    id: str
    fires: bool
    """Whether some test fails if the alert never fires."""
    silent: bool
    """Whether some test fails if it fires where it should not."""
    trouble: str = ""

    @property
    def covered(self) -> bool:
        """Whether both are seen."""
        return self.fires and self.silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the owner's tests see of all alerts."""

    alerts: tuple[Exercised, ...]
    findings: tuple[str, ...] = ()
    """Tests that cannot see anything, a sentence each."""

    @property
    def covered(self) -> int:
        """How many alerts are seen to fire and to be silent."""
        return sum(each.covered for each in self.alerts)

    @property
    def share(self) -> float:
        """Their part of all alerts; 1 where there are none."""
        return self.covered / len(self.alerts) if self.alerts else 1.0

    def written(self) -> Mapping[str, object]:
        """Return it as the report has it."""
        return {
            "alerts": len(self.alerts),
            "covered": self.covered,
            "coverage": round(self.share, 4),
            "findings": list(self.findings),
            "by_alert": {
                each.id: {"fires": each.fires, "silent": each.silent, "trouble": each.trouble} for each in self.alerts
            },
        }


def coverage(model: Model, engine: RuleEngine, tell: Callable[[int], None] = lambda _: None) -> Coverage:
    """Return what the owner's tests see of each alert; `tell` is told how many alerts more are done.

    Raises EngineTrouble if the engine cannot be run.
    """
    ids = {id(rule): case for case, rule in case_ids(model.rules).items()}
    found = []
    for tests in owner_tests(model):
        found.append(_exercised(model, engine, tests, ids[id(tests.rule)]))
        tell(1)
    return Coverage(alerts=tuple(found), findings=tuple(_findings(model)))


def _exercised(model: Model, engine: RuleEngine, tests: OwnerTests, case: str) -> Exercised:
    tree = model.tree(tests.rule)
    if not tests.asked or tree is None:
        return Exercised(id=case, fires=False, silent=False)
    as_it_is = tests.files()
    asked: list[Sequence[Files]] = [as_it_is, tests.files(_never(tests.rule)), tests.files(_always(tests.rule, tree))]
    said = iter(owner_run(engine, [files for each in asked for files in each]))
    own, never, always = ([next(said) for _ in each] for each in asked)
    if not all(own):
        return Exercised(id=case, fires=False, silent=False, trouble="the tests of it do not pass as they are")
    constant = not selectors(tree)  # a watchdog has no input that could keep it silent
    return Exercised(id=case, fires=False in never, silent=constant or False in always)


def _never(rule: Rule) -> Mutant:
    """Return the rule as one that never fires."""
    return Mutant(
        operator=Operator.OPERAND,
        description="never fires",
        expression=NOTHING,
        tree=parse(NOTHING),
        hold_seconds=rule.hold_seconds,
        keep_firing_seconds=rule.keep_firing_seconds,
        span=None,
        diff="",
    )


def _always(rule: Rule, tree: Expr) -> Mutant:
    """Return the rule as one that fires without its `for`, and where its condition does not hold."""
    expression = f"(\n{rule.expression}\n) or on() vector(1)"
    return replace(_never(rule), description="fires always", expression=expression, tree=tree, hold_seconds=0.0)


def _findings(model: Model) -> Iterator[str]:
    """Yield what is vacuous in test files: names that no rule has, globs that find nothing, nothing ever expected."""
    for file in rule_tests(model):
        yield from _of_file(file)


def _of_file(file: TestFile) -> Iterator[str]:
    name = file.part.file
    for part, names in file.rule_files:
        if not names:
            yield f"{part.place}: the pattern {part.text} finds no rule file"
    if not file.tests:
        yield f"{name}: it holds no tests"
    known = {rule.name for rule in file.rules if rule.alerting}
    for test in file.tests:
        if test.asks_nothing:
            yield f"{test.part.place}: the test asks nothing"
        for asked in test.alert_tests:
            if file.complete and asked.name not in known:
                yield f"{asked.part.place}: no rule that it loads is called {asked.name!r}: it passes whatever happens"
    every = [each for test in file.tests for each in test.alert_tests]
    expressions = any(test.expression_tests for test in file.tests)
    if every and not expressions and not any(each.expected for each in every):
        yield f"{name}: nothing is ever expected to fire"
