"""promtool's unit test files, with the rules that they load: what each test gives, asks, and can prove."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.promtool_tests import DEFAULT_INTERVAL, Piece, Samples, Stale, parse_values
from tocsin.artefacts.rules import Rule
from tocsin.durations import parse_duration
from tocsin.model.processes import glob
from tocsin.part import Part
from tocsin.promql import (
    Call,
    Expr,
    Matcher,
    PromQLError,
    VectorSelector,
    longest_window,
    parse,
    selectors,
    walk,
)
from tocsin.promql.intervals import LOOKBACK
from tocsin.promql.regex import matches

if TYPE_CHECKING:
    from tocsin.model import Model

_FROM_NOTHING = frozenset({"absent", "absent_over_time", "vector", "scalar"})


@dataclass(frozen=True)
class InputSeries:
    """An input series of a test."""

    part: Part

    @cached_property
    def parsed(self) -> VectorSelector | PromQLError:
        """The name and the labels; what is wrong with them otherwise."""
        text = self.part.string("series")
        try:
            found = parse(text)
        except PromQLError as error:
            return error
        if not isinstance(found, VectorSelector) or found.offset is not None or found.at is not None:
            return PromQLError("this is no series: write a name, and labels in braces", 0, len(text))
        wrong = next((m for m in found.matchers if m.op != "="), None)
        return PromQLError("a series has its labels with `=`", *wrong.span) if wrong is not None else found

    @cached_property
    def labels(self) -> dict[str, str] | None:
        """Its labels, the name among them; None if they cannot be read."""
        if isinstance(self.parsed, PromQLError):
            return None
        labels = {m.name: m.value for m in self.parsed.matchers}
        return labels | ({"__name__": self.parsed.metric} if self.parsed.metric is not None else {})

    @cached_property
    def pieces(self) -> tuple[Piece, ...] | None:
        """Its samples; None if they cannot be read."""
        try:
            return parse_values(self.part.string("values"))
        except ValueError:
            return None

    @property
    def last(self) -> int | None:
        """The number of the scrape that finds its last sample, from 0; -1 without samples, None if not known."""
        if self.pieces is None:
            return None
        at, last = 0, -1
        for piece in self.pieces:
            at += piece.count
            last = at - 1 if isinstance(piece, Samples) else last
        return last

    @property
    def marked_stale(self) -> bool:
        """Whether it is told to be gone after its last sample."""
        return bool(self.pieces) and isinstance((self.pieces or ())[-1], Stale)


@dataclass(frozen=True)
class AlertTest:
    """One question for an alert at a moment."""

    part: Part

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.part.string("alertname")

    @property
    def expected(self) -> tuple[Part, ...]:
        """The alerts that must be firing."""
        return self.part.list("exp_alerts")

    @cached_property
    def seconds(self) -> float | None:
        """The moment; None if it cannot be read."""
        return seconds_of(self.part.get("eval_time"), 0.0)


@dataclass(frozen=True)
class RuleTest:
    """One item of `tests`."""

    part: Part
    evaluation: float
    """Seconds between two evaluations."""

    @cached_property
    def interval(self) -> float:
        """Seconds between two samples."""
        return seconds_of(self.part.get("interval"), 0.0) or self.evaluation

    @cached_property
    def series(self) -> tuple[InputSeries, ...]:
        """What it gives."""
        return tuple(InputSeries(part) for part in self.part.list("input_series"))

    @cached_property
    def alert_tests(self) -> tuple[AlertTest, ...]:
        """What it asks of alerts."""
        return tuple(AlertTest(part) for part in self.part.list("alert_rule_test"))

    @cached_property
    def expression_tests(self) -> tuple[Part, ...]:
        """What it asks of expressions."""
        return self.part.list("promql_expr_test")

    @property
    def asks_nothing(self) -> bool:
        """Whether it passes whatever happens."""
        return not self.alert_tests and not self.expression_tests

    @property
    def subject(self) -> str:
        """Its name, else its number."""
        return self.part.string("name") or f"tests/{self.part.key}"


class TestFile:
    """A whole test file."""

    __test__ = False  # not a test of ours, whatever it is called

    def __init__(self, part: Part, model: Model) -> None:
        self.part = part
        self._model = model

    @cached_property
    def evaluation(self) -> float:
        """Seconds between two evaluations."""
        return seconds_of(self.part.get("evaluation_interval"), 0.0) or DEFAULT_INTERVAL

    @cached_property
    def tests(self) -> tuple[RuleTest, ...]:
        """Its tests."""
        return tuple(RuleTest(part, self.evaluation) for part in self.part.list("tests"))

    @cached_property
    def rule_files(self) -> tuple[tuple[Part, tuple[str, ...]], ...]:
        """Each glob, and the files of the folder that it finds."""
        folder = posixpath.dirname(self.part.file)
        found = []
        for part in self.part.list("rule_files"):
            pattern = glob(posixpath.normpath(posixpath.join(folder, part.text)))
            found.append((part, tuple(name for name in self._model.folder.names if pattern.fullmatch(name))))
        return tuple(found)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that it loads, as far as the folder has them."""
        files = {name for _, names in self.rule_files for name in names}
        return tuple(rule for rule in self._model.rules if rule.file in files and _plain(rule))

    @cached_property
    def complete(self) -> bool:
        """Whether every rule that it loads is known."""
        read = {rule.file for rule in self.rules}
        named = [set(names) for _, names in self.rule_files]
        return bool(named) and all(names and names <= read for names in named)

    def alerts(self, name: str) -> tuple[Rule, ...]:
        """Return the alerting rules of a name."""
        return self._named.get(name, ())

    @cached_property
    def _named(self) -> Mapping[str, tuple[Rule, ...]]:
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            if rule.alerting:
                found.setdefault(rule.name, []).append(rule)
        return {name: tuple(rules) for name, rules in found.items()}

    @cached_property
    def _recorded(self) -> Mapping[str, Expr]:
        trees = ((rule.name, self._model.tree(rule)) for rule in self.rules if not rule.alerting)
        return {name: tree for name, tree in trees if tree is not None}

    @cached_property
    def readers(self) -> tuple[VectorSelector, ...] | None:
        """Every selector of its rules and of what it asks; None if one of the expressions cannot be read."""
        trees: list[Expr | None] = [self._model.tree(rule) for rule in self.rules]
        for test in self.tests:
            for part in test.expression_tests:
                found = self._model.parsed(part.string("expr"))
                trees.append(None if isinstance(found, PromQLError) else found)
        if None in trees:
            return None
        return tuple(dict.fromkeys(each for tree in trees if tree is not None for each in selectors(tree)))

    def reads(self, series: InputSeries) -> bool:
        """Whether anything reads a metric of the name of a series, whatever its other labels are."""
        name = (series.labels or {}).get("__name__")
        if name is None or self.readers is None:
            return True
        if not hasattr(self, "_names"):
            self._names = {each.name for each in self.readers}
            self._open = [each for each in self.readers if each.name is None]
        return name in self._names or any(_may_match(each.matchers, name) for each in self._open)

    def silent_after(self, test: RuleTest, rule: Rule) -> float | None:
        """Return the second after which a rule can yield nothing, because all data have ended; None if not known."""
        tree = self._model.tree(rule)
        if tree is None or any(_from_nothing(each) for each in (tree, *self._recorded_for(tree))):
            return None
        last = [series.last for series in test.series]
        if not last or None in last:
            return None
        end = max(0, *(each or 0 for each in last)) * test.interval
        recorded = sum(longest_window(each) + LOOKBACK + test.evaluation for each in self._recorded_for(tree))
        return end + longest_window(tree) + LOOKBACK + recorded + rule.keep_firing_seconds

    def _recorded_for(self, tree: Expr) -> Iterator[Expr]:
        """Yield the expressions of the recording rules that an expression reads, those under them too."""
        waiting, followed = [tree], set[str]()
        while waiting:
            for selector in selectors(waiting.pop()):
                name = selector.name
                if name is not None and name in self._recorded and name not in followed:
                    followed.add(name)
                    waiting.append(self._recorded[name])
                    yield self._recorded[name]


def rule_tests(model: Model) -> Iterator[TestFile]:
    """Yield every test file of a system."""
    return (TestFile(part, model) for part in model.promtool_tests)


def seconds_of(part: Part, default: float) -> float | None:
    """Return the seconds of a duration; None if it cannot be read."""
    if not part or not part.text:
        return default
    try:
        return parse_duration(part.text)
    except ValueError:
        return None


def last_evaluation(test: RuleTest, seconds: float) -> float:
    """Return the moment of the evaluation that promtool asks at a moment: the last one before it."""
    return math.floor(seconds / test.evaluation + 1e-9) * test.evaluation if test.evaluation else seconds


def _plain(rule: Rule) -> bool:
    """Whether a rule stands in a rule file, and not in an object that promtool cannot read."""
    value = rule.part.document.value
    return isinstance(value, dict) and "groups" in value


def _from_nothing(tree: Expr) -> bool:
    """Whether an expression may yield something without any series."""
    return any(isinstance(node, Call) and (node.function in _FROM_NOTHING or not node.args) for node in walk(tree))


def _may_match(matchers: tuple[Matcher, ...], name: str) -> bool:
    own = [m for m in matchers if m.name == "__name__"]
    return all(
        (name == m.value) == (m.op == "=") if m.op in ("=", "!=") else matches(m.value, name) in (None, m.op == "=~")
        for m in own
    )
