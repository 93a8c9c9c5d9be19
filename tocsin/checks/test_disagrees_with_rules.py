"""A unit test that speaks of other rules than those it loads."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.rule_tests import AlertTest, RuleTest, TestFile, last_evaluation
from tocsin.part import Part
from tocsin.source import offered

_RULES = """groups:
- name: a
  rules:
  - alert: Down
    expr: up == 0
    labels: {severity: critical}
"""
_TEST = """rule_files: [rules.yml]
tests:
- interval: 1m
  input_series:
  - {{series: 'up{{job="api"}}', values: '0x5'}}
  alert_rule_test:
  - eval_time: 3m
    alertname: {}
    exp_alerts: [{{exp_labels: {{job: api, severity: critical}}}}]
"""


@check(
    severity=Severity.WARNING,
    fix="Correct whichever of the two is wrong: the test, or the rule.",
    bad=Example({"rules.yml": _RULES, "rules_test.yml": _TEST.format("Donw")}, at="alertname: Donw"),
    good=Example({"rules.yml": _RULES, "rules_test.yml": _TEST.format("Down")}),
)
def test_disagrees_with_rules(promtool_test: Part, model: Model) -> Iterator[Remark]:
    """The test and the rules that it loads do not speak of the same thing: it fails, or passes without having looked.

    (Prometheus, cmd/promtool/unittest.go: labels and annotations are compared whole, and an alert that no rule has
    never fires.)
    """
    file = TestFile(promtool_test, model)
    if not file.complete:
        return
    for test in file.tests:
        yield from _unread(test, file)
        for asked in test.alert_tests:
            subject = f"{test.subject}/{asked.name}"
            rules = file.alerts(asked.name)
            if asked.name and not rules:
                known = sorted({rule.name for rule in file.rules if rule.alerting})
                said = f"none of its rule files has an alert {asked.name}; {offered(asked.name, known[:20])}"
                yield at(asked.part.get("alertname"), said, subject=subject)
            elif rules:
                yield from _too_early(asked, test, rules, subject)
                for expected in asked.expected:
                    yield from _expectation(expected, rules, subject, model)


def _unread(test: RuleTest, file: TestFile) -> Iterator[Remark]:
    for series in test.series:
        if series.labels is None or file.reads(series):
            continue
        name = series.labels.get("__name__", "")
        known = sorted({each.name for each in file.readers or () if each.name})
        said = f"no rule that it loads, and no expression that it asks, reads {name}; {offered(name, known[:20])}"
        yield at(series.part.get("series"), said, subject=f"{test.subject}/{series.part.string('series')}")


def _too_early(asked: AlertTest, test: RuleTest, rules: tuple[Rule, ...], subject: str) -> Iterator[Remark]:
    """Yield an alert that is expected before `for` can be over, if the expression has held from the start."""
    hold = min(rule.hold_seconds for rule in rules)
    if asked.expected and asked.seconds is not None and last_evaluation(test, asked.seconds) < hold:
        said = f"{asked.name} cannot fire before {format_duration(hold)}, its `for`, is over"
        yield at(asked.part.get("eval_time"), said, subject=subject)


def _expectation(expected: Part, rules: tuple[Rule, ...], subject: str, model: Model) -> Iterator[Remark]:
    """Yield why none of the rules can give an alert of exactly these labels and annotations: of the nearest rule."""
    if not isinstance(expected.value, dict):
        return
    found = [[*_labels(expected, rule, model), *_annotations(expected, rule)] for rule in rules]
    if all(found):
        part, said, is_key = min(found, key=len)[0]
        yield (at_key if is_key else at)(part, said, subject=subject)


_Difference = tuple[Part, str, bool]
"""Where it stands in the test, what it is, and whether the key is meant."""


def _labels(expected: Part, rule: Rule, model: Model) -> Iterator[_Difference]:
    labels = expected.get("exp_labels")
    wanted = {key: part for key, part in labels.items() if key != "alertname"}
    for name, value in rule.labels.items():
        if "{{" in value or name == "alertname":
            continue
        if name in wanted and wanted[name].text != value:
            yield wanted[name], f"{rule.name} sets {name}={value}, and {wanted[name].text} is expected", False
        elif name not in wanted and value:
            yield (labels or expected), f"{rule.name} sets {name}={value}, and the test expects no {name}", bool(labels)
    facts = model.rule_labels.of_result(rule)
    for name, part in wanted.items():
        if name in rule.labels or not part.text:
            continue
        if facts.surely_absent(name):
            yield part, f"{rule.name} has no label {name}: its expression does not keep it", True
        elif facts.fixed(name) not in (None, part.text):
            yield part, f"{rule.name} has {name}={facts.fixed(name)} only, and {part.text} is expected", False


def _annotations(expected: Part, rule: Rule) -> Iterator[_Difference]:
    annotations = expected.get("exp_annotations")
    wanted = dict(annotations.items())
    for name, value in rule.annotations.items():
        if name not in wanted:
            if value and "{{" not in value:
                where = annotations or expected
                yield where, f"{rule.name} has an annotation {name}, and the test expects none", bool(annotations)
        else:
            missing = _missing(value, wanted[name].text)
            if missing is not None:
                said = f"{rule.name} says {_shown(missing)} in {name}, where the test expects other words"
                yield wanted[name], said, False
    for name, part in wanted.items():
        if name not in rule.annotations and part.text:
            yield part, f"{rule.name} has no annotation {name}", True


_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CONTROL = re.compile(r"^-?\s*(?:if|else|end|range|with|define|template|block|break|continue|/\*)\b|^-|-$")


def _missing(template: str, text: str) -> str | None:
    """Return the first piece of a template that a text lacks: what stands between its actions must be in it, in order.

    None if the template can give the text, or if that cannot be told.
    """
    if "{{" not in template:
        return None if template == text else _from_difference(template, text)
    if any(_CONTROL.search(action) for action in _ACTION.findall(template)):
        return None
    pieces = _ACTION.split(template)[::2]
    if not text.startswith(pieces[0]):
        return _from_difference(pieces[0], text)
    where = len(pieces[0])
    for piece in pieces[1:-1]:
        found = text.find(piece, where)
        if found < 0:
            return piece
        where = found + len(piece)
    return None if text.endswith(pieces[-1]) and where <= len(text) - len(pieces[-1]) else pieces[-1]


def _from_difference(wanted: str, text: str) -> str:
    """Return a text from the word on in which it differs from another."""
    same = next((i for i, (one, other) in enumerate(zip(wanted, text, strict=False)) if one != other), 0)
    return wanted[wanted.rfind(" ", 0, same) + 1 :] or "nothing more"


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line[:60]}{'...' if len(line) > 60 else ''}`"
