"""The owner's promtool tests, run by an engine on the owner's rules as they are, or with one of them changed.

Only what a change can touch is run: of a test file, the items that ask for the alert; of its rules, the recording
rules and the alerts of that name. The owner's files are never written to.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tocsin.artefacts.rules import Rule
from tocsin.durations import format_duration
from tocsin.engines.rule_engines import RuleEngine, passed_files, scratch
from tocsin.engines.trouble import EngineTrouble
from tocsin.model import Model
from tocsin.model.rule_tests import TestFile, rule_tests
from tocsin.part import Part
from tocsin.promql import PromQLError, selectors
from tocsin.promql.mutants import Mutant
from tocsin.supervisor import Kind, Trouble, run_once

BATCH = 25
"""Test files for one process of the engine."""
SECONDS = 60.0
"""What one test file may take."""
_RAW = re.compile(r'"\\u0000raw:([^"]*)"')
_ALERTS = re.compile(r"\bALERTS(?:_FOR_STATE)?\b")


@dataclass(frozen=True, slots=True)
class Files:
    """A rule file, and the tests of it."""

    rules: str
    tests: str


class Loaded(NamedTuple):
    """A test file with the rules that it loads."""

    suite: TestFile
    rules: tuple[Rule, ...]


def owner_tests(model: Model) -> tuple[OwnerTests, ...]:
    """Return what the owner's test files ask of each alert of a system."""
    loaded = [Loaded(suite, loaded_rules(suite, model)) for suite in rule_tests(model)]
    return tuple(OwnerTests(model, rule, loaded) for rule in model.alerts)


class OwnerTests:
    """What the owner's test files ask of one alert."""

    def __init__(self, model: Model, rule: Rule, loaded: Sequence[Loaded]) -> None:
        self.rule = rule
        self._model = model
        self._loaded = [each for each in loaded if rule in each.rules]

    @property
    def loaded(self) -> bool:
        """Whether any test file loads the alert."""
        return bool(self._loaded)

    @property
    def asked(self) -> bool:
        """Whether any test asks for the alert by its name."""
        return any(item for each in self._loaded for item in self._items(each.suite, wide=False))

    def files(self, changed: Mutant | None = None, *, wide: bool = False) -> list[Files]:
        """Return each suite with its rules, the alert's own replaced by a mutant of it.

        Of what the suites ask, it is that which names the alert; or, `wide`, that which may be about any alert, with
        the rules of all.
        """
        found = []
        for suite, rules in self._loaded:
            items = self._items(suite, wide=wide)
            if items:
                found.append(Files(self._rules(rules, changed, wide=wide), _tests(suite, items)))
        return found

    def _items(self, suite: TestFile, *, wide: bool) -> list[dict[str, Any]]:
        """Return the items of a suite that ask for the alert, without what they ask of others."""
        found = []
        for test in suite.tests:
            item = dict(test.part.value)
            asked = [] if wide else [each.part.value for each in test.alert_tests if each.name == self.rule.name]
            about = {None} if wide else {self.rule.name}
            expressions = [part.value for part in test.expression_tests if self._about(part) & about]
            if asked or expressions:
                item["alert_rule_test"] = asked
                item["promql_expr_test"] = [_with_plain_values(each) for each in expressions]
                found.append(item)
        return found

    def _about(self, part: Part) -> set[str | None]:
        """Return the alerts that a question for an expression is about; None among them where it may be any."""
        tree = self._model.parsed(part.string("expr"))
        if isinstance(tree, PromQLError):
            return set()
        read = [each for each in selectors(tree) if each.name in ("ALERTS", "ALERTS_FOR_STATE")]
        named = [[m.value for m in each.matchers if m.name == "alertname" and m.op == "="] for each in read]
        return {names[0] if names else None for names in named}

    def _rules(self, rules: Sequence[Rule], changed: Mutant | None, *, wide: bool) -> str:
        everything = wide or any(_ALERTS.search(rule.expression) for rule in rules)
        kept = [each for each in rules if everything or not each.alerting or each.name == self.rule.name]
        return _text({"groups": [self._group(name, own, changed) for name, own in _grouped(kept)]})

    def _group(self, name: str, rules: Sequence[Rule], changed: Mutant | None) -> dict[str, Any]:
        group: dict[str, Any] = {"name": name}
        around = self._model.timing.group_of(rules[0])
        labels = around.part.strings("labels") if around is not None else {}
        if labels:
            group["labels"] = dict(labels)
        return {**group, "rules": [_rule(each, changed if each is self.rule else None) for each in rules]}


def _tests(suite: TestFile, items: Sequence[Mapping[str, Any]]) -> str:
    kept = {key: value for key, value in suite.part.value.items() if key in _KEPT}
    return _text({**kept, "rule_files": ["rules.yml"], "tests": items})


def loaded_rules(suite: TestFile, model: Model) -> tuple[Rule, ...]:
    """Return the rules that a test file loads.

    Where it names a file that is made of others before the tests run (of Kubernetes objects, say), they are those of
    the file that has its name; whether that is so shows when the tests pass on them.
    """
    if suite.complete:
        return suite.rules
    found: dict[str, None] = {}
    for part, names in suite.rule_files:
        stem = _stem(part.text)
        found.update(dict.fromkeys(names or [r.file for r in model.rules if _stem(r.file) == stem]))
    return tuple(rule for rule in model.rules if rule.file in found)


def _stem(file: str) -> str:
    return posixpath.basename(file).partition(".")[0]


_KEPT = frozenset({"evaluation_interval", "group_eval_order", "fuzzy_compare"})


def _grouped(rules: Iterable[Rule]) -> Iterator[tuple[str, list[Rule]]]:
    """Yield groups with a name that no other file's group has; promtool takes those of several files together."""
    found: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        found.setdefault((rule.file, rule.group), []).append(rule)
    names = [group for _, group in found]
    for (file, group), own in found.items():
        yield group if names.count(group) == 1 else f"{file};{group}", own


def _rule(rule: Rule, changed: Mutant | None) -> dict[str, Any]:
    hold = rule.hold_seconds if changed is None else changed.hold_seconds
    keep = rule.keep_firing_seconds if changed is None else changed.keep_firing_seconds
    found: dict[str, Any] = {
        "alert" if rule.alerting else "record": rule.name,
        "expr": rule.expression if changed is None else changed.expression,
    }
    if hold:
        found["for"] = format_duration(hold)
    if keep:
        found["keep_firing_for"] = format_duration(keep)
    if rule.labels:
        found["labels"] = dict(rule.labels)
    return {**found, "annotations": dict(rule.annotations)} if rule.annotations else found


def _with_plain_values(test: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a question for an expression whose numbers are written as numbers."""
    samples = test.get("exp_samples")
    if not isinstance(samples, list):
        return test
    return {**test, "exp_samples": [
        {**each, "value": f"\0raw:{each['value']}"} if isinstance(each, dict) and "value" in each else each
        for each in samples]}  # fmt: skip


def _text(value: object) -> str:
    return _RAW.sub(r"\1", json.dumps(value, ensure_ascii=True, default=str))


def run(engine: RuleEngine, files: Sequence[Files]) -> list[bool | None]:
    """Return for each whether its tests pass; None where the engine does not come to an end.

    Raises EngineTrouble if the engine cannot be run at all.
    """
    found: list[bool | None] = []
    for start in range(0, len(files), BATCH):
        found += _run(engine, files[start : start + BATCH])
    return found


def _run(engine: RuleEngine, files: Sequence[Files]) -> list[bool | None]:
    with scratch() as folder:
        names = [_written(folder, number, each) for number, each in enumerate(files)]
        told = ["--junit=told.xml"] if _tells_junit(engine) else []
        try:
            done = run_once(
                [engine.path, "test", "rules", *told, *names],
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder)},
                seconds=SECONDS * len(names),
            )
        except Trouble as trouble:
            if trouble.kind is not Kind.TIMED_OUT:
                raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble
            return [None] if len(files) == 1 else _halved(engine, files)
        if done.code == 0:
            return [True] * len(names)
        passed = _passed(folder / "told.xml") if told else passed_files(done.stdout)
    if passed is not None:
        return [name in passed for name in names]
    return [False] if len(files) == 1 else _halved(engine, files)


def _halved(engine: RuleEngine, files: Sequence[Files]) -> list[bool | None]:
    """Run what one process gives no answer about in two."""
    half = len(files) // 2
    return [*_run(engine, files[:half]), *_run(engine, files[half:])]


def _written(folder: Path, number: int, files: Files) -> str:
    """Write files, and return the name of the test file in the folder."""
    own = folder / f"{number:03}"
    own.mkdir()
    (own / "rules.yml").write_text(files.rules, encoding="utf-8")
    (own / "tests.yml").write_text(files.tests, encoding="utf-8")
    return f"{number:03}/tests.yml"


def _tells_junit(engine: RuleEngine) -> bool:
    """Tell whether a promtool writes JUnit's XML: since 3.0, which prints no names of files any more."""
    return int(engine.version.partition(".")[0]) >= 3


def _passed(report: Path) -> set[str] | None:
    """Return the files that passed, by promtool's JUnit XML; None if it wrote none."""
    try:
        suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 promtool wrote it
    except (OSError, ET.ParseError):
        return None
    return {each.get("name", "") for each in suites if each.get("failures") == each.get("errors") == "0"}
