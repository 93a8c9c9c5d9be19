"""A unit test of rules that passes whatever the rules do."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.rule_tests import RuleTest, TestFile
from tocsin.part import Part

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 1m\n"
_TEST = """rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- name: a target that is down
  input_series:
  - {{series: 'up{{job="api"}}', values: '0x5'}}
{}"""
_ASSERTION = "  alert_rule_test:\n  - {eval_time: 3m, alertname: Down, exp_alerts: [{exp_labels: {job: api}}]}\n"


@check(
    severity=Severity.WARNING,
    fix="Assert that the alert fires at a moment at which it must.",
    bad=Example({"rules.yml": _RULES, "rules_test.yml": _TEST.format("")}, at="name: a target that is down"),
    good=Example({"rules.yml": _RULES, "rules_test.yml": _TEST.format(_ASSERTION)}),
)
def test_proves_nothing(promtool_test: Part, model: Model) -> Iterator[Remark]:
    """Whatever the rules do, the test passes, so it will not tell when they are broken.

    (Prometheus, cmd/promtool/unittest.go: only what is listed is compared, and no list is no failure.)
    """
    file = TestFile(promtool_test, model)
    if not file.tests:
        said = "`tests` is empty: promtool says SUCCESS, and has looked at nothing"
        yield at_key(promtool_test.get("tests"), said, subject="tests")
        return
    for test in file.tests:
        if test.asks_nothing and isinstance(test.part.value, dict):
            said = "neither alert_rule_test nor promql_expr_test asks anything here"
            yield at(test.part, said, subject=test.subject, width=_width(test.part, model))
        yield from _after_its_data(test, file)
    asked = [each for test in file.tests for each in test.alert_tests]
    told = [each for test in file.tests for part in test.expression_tests for each in part.list("exp_samples")]
    if asked and not told and not any(each.expected for each in asked):
        said = "no alert is ever expected to fire here: rules that do nothing would pass as well"
        yield at_key(promtool_test.get("tests"), said, subject="tests")


def _after_its_data(test: RuleTest, file: TestFile) -> Iterator[Remark]:
    """Yield the moments at which nothing can fire any more, and nothing is expected to."""
    for asked in test.alert_tests:
        rules = file.alerts(asked.name)
        if asked.expected or asked.seconds is None or not rules or not file.complete:
            continue
        ends = [file.silent_after(test, rule) for rule in rules]
        if None in ends or max(end or 0.0 for end in ends) >= asked.seconds:
            continue
        last = max((series.last or 0) for series in test.series) * test.interval
        said = f"the last sample is at {format_duration(last)}, so at {asked.part.string('eval_time')} {asked.name} "
        said += "cannot fire, whatever the rule says"
        yield at(asked.part.get("eval_time"), said, subject=f"{test.subject}/{asked.name}")


def _width(part: Part, model: Model) -> int:
    line = model.text(part.file).split("\n")[part.place.line - 1 : part.place.line]
    return max(1, len("".join(line).rstrip()) - part.place.column + 1)
