"""promtool's test files: what it refuses, what they disagree with, and what proves nothing; promtool is the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.checks import checks
from tocsin.engines.promtool import run_rule_tests
from tocsin.finding import Finding
from tocsin.model import Model
from tocsin.model.rule_tests import TestFile, last_evaluation, rule_tests

RULES = """groups:
- name: a
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up{job="api"} == 0
    for: 2m
    labels: {severity: critical, team: '{{ $labels.job }}'}
    annotations:
      summary: It is down
      description: '{{ $labels.instance }} of {{ $labels.job }} is down'
  - alert: None
    expr: job:up:sum < 1
  - alert: Gone
    expr: absent(up{job="api"})
"""
TEST = """rule_files: [rules.yml]
evaluation_interval: 1m
group_eval_order: [a]
tests:
- name: an API that is down
  interval: 1m
  input_series:
  - series: 'up{job="api", instance="i"}'
    values: '1x5 0x10'
  external_labels: {cluster: c}
  external_url: http://localhost
  alert_rule_test:
  - eval_time: 10m
    alertname: Down
    exp_alerts:
    - exp_labels: {job: api, instance: i, severity: critical, team: api}
      exp_annotations:
        summary: It is down
        description: i of api is down
  - {eval_time: 4m, alertname: Down, exp_alerts: []}
  promql_expr_test:
  - expr: job:up:sum
    eval_time: 3m
    exp_samples:
    - labels: '{__name__="job:up:sum", job="api"}'
      value: 1
"""


def written(directory: Path, test: str = TEST, rules: str = RULES) -> Model:
    """Return the model of a test file and its rules."""
    (directory / "rules.yml").write_text(rules)
    (directory / "rules_test.yml").write_text(test)
    return Model.of(directory)


def found(model: Model, check: str) -> list[Finding]:
    """Return what one check says."""
    return list(checks()[check].findings(model))


def passes(directory: Path) -> bool:
    """Whether promtool is content."""
    return run_rule_tests([directory / "rules_test.yml"], cwd=directory).code == 0


ACCEPTED = {
    "as it is": ("", ""),
    "no name": ("name: an API that is down\n  ", ""),
    "a number for values": ("'1x5 0x10'", "'1 1 1 1 1 1 0x10'"),
    "gaps": ("'1x5 0x10'", "'1x5 _ 0x10 stale'"),
    "no label": ('up{job="api", instance="i"}', '{__name__="up", job="api", instance="i"}'),
    "empty order": ("group_eval_order: [a]", "group_eval_order: []"),
}
REFUSED = {
    "misspelt key": ("input_series:", "input_serie:"),
    "misspelt key at the top": ("evaluation_interval:", "evaluation_intervall:"),
    "misspelt key of an alert": ("exp_alerts:\n", "expected_alerts:\n"),
    "misspelt key of an expectation": ("exp_labels:", "labels:"),
    "misspelt key of a sample": ("      value: 1", "      valu: 1"),
    "no unit": ("eval_time: 10m", "eval_time: 10"),
    "no duration": ("evaluation_interval: 1m", "evaluation_interval: a minute"),
    "values with a comma": ("1x5 0x10", "1x5, 0x10"),
    "values that are words": ("1x5 0x10", "one two"),
    "no values": ("    values: '1x5 0x10'\n", ""),
    "a regular expression in a series": ('instance="i"}', 'instance=~"i"}'),
    "an open brace": ('instance="i"}', 'instance="i"'),
    "a group twice": ("group_eval_order: [a]", "group_eval_order: [a, a]"),
    "no alertname": ("    alertname: Down\n", ""),
    "rule files that are no list": ("rule_files: [rules.yml]", "rule_files: rules.yml"),
    "samples that are no list": ('- labels: \'{__name__="job:up:sum", job="api"}\'\n      value: 1', "none: 1"),
    "broken labels of a sample": ('job="api"}\'\n      value', "job='\n      value"),
}


@pytest.mark.parametrize(("old", "new"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_promtool_accepts_is_accepted(old: str, new: str, tmp_path: Path) -> None:
    """No finding of any kind on a file that passes."""
    assert old in TEST
    model = written(tmp_path, TEST.replace(old, new, 1))

    assert passes(tmp_path)
    for check in ("test-file-invalid", "test-disagrees-with-rules", "test-proves-nothing"):
        assert found(model, check) == []


@pytest.mark.parametrize(("old", "new"), REFUSED.values(), ids=REFUSED)
def test_what_promtool_refuses_is_found(old: str, new: str, tmp_path: Path) -> None:
    """Each way of writing what promtool does not read is an error, at a line of its own."""
    assert old in TEST
    model = written(tmp_path, TEST.replace(old, new, 1))

    assert not passes(tmp_path)
    assert [f.severity for f in found(model, "test-file-invalid")] != []


DISAGREEING = {
    "an alert that no rule has": ("alertname: Down\n", "alertname: Dwon\n", "did you mean Down"),
    "another severity": ("severity: critical", "severity: page", "sets severity=critical"),
    "a label that the rule sets": (", severity: critical", "", "expects no severity"),
    "another job": ("{job: api, instance", "{job: web, instance", "has job=api only"),
    "another annotation": ("summary: It is down", "summary: It is up", "says `down`"),
    "another text around values": ("i of api is down", "i of api is up", "says `is down`"),
    "an annotation too few": ("        summary: It is down\n", "", "has an annotation summary"),
    "an annotation too many": ("summary: It", "runbook: x\n        summary: It", "has no annotation runbook"),
    "before `for` is over": ("eval_time: 10m", "eval_time: 1m", "cannot fire before 2m"),
}


@pytest.mark.parametrize(("old", "new", "said"), DISAGREEING.values(), ids=DISAGREEING)
def test_what_cannot_pass_is_found(old: str, new: str, said: str, tmp_path: Path) -> None:
    """A test that the rules can never pass is found, and promtool says that it fails."""
    assert old in TEST
    model = written(tmp_path, TEST.replace(old, new, 1))

    assert not passes(tmp_path)
    assert said in " ".join(f.message for f in found(model, "test-disagrees-with-rules"))


def test_a_series_that_nothing_reads_is_found(tmp_path: Path) -> None:
    """By its name: labels that the rules pass over may be there to prove that they are passed over."""
    unread = "  - series: 'upp{job=\"api\"}'\n    values: 1x5\n  - series: 'up{job=\"other\"}'\n    values: 1x5\n"
    model = written(tmp_path, TEST.replace("  external_labels", unread + "  external_labels"))

    assert [f.message.split(";")[0][-9:] for f in found(model, "test-disagrees-with-rules")] == ["reads upp"]


def test_rules_that_are_not_in_the_folder_prove_nothing_against_a_test(tmp_path: Path) -> None:
    """As long as one of the rule files is missing, the alert may be in it."""
    test = TEST.replace("[rules.yml]", "[rules.yml, more.yml]").replace("alertname: Down\n", "alertname: Dwon\n")

    assert found(written(tmp_path, test), "test-disagrees-with-rules") == []


AFTER = "  - {eval_time: %s, alertname: %s, exp_alerts: []}\n  promql_expr_test"


@pytest.mark.parametrize(
    ("moment", "alert", "vacuous"),
    [("2h", "Down", True), ("16m", "Down", False), ("2h", "Gone", False), ("2h", "None", True)],
)
def test_what_is_asked_after_all_data_is_found(moment: str, alert: str, vacuous: bool, tmp_path: Path) -> None:
    """Unless the alert rings for the absence of data, or still sees them."""
    model = written(tmp_path, TEST.replace("  promql_expr_test", AFTER % (moment, alert)))

    assert bool(found(model, "test-proves-nothing")) == (vacuous and alert != "Gone")


def test_an_absence_in_the_same_file_makes_no_difference(tmp_path: Path) -> None:
    """A rule that is not read by the alert has no say in it."""
    model = written(tmp_path)
    file = next(iter(rule_tests(model)))

    assert isinstance(file, TestFile)
    assert file.complete
    assert [file.silent_after(file.tests[0], rule) is None for rule in file.rules if rule.alerting] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("change", ["tests: []\n", None])
def test_a_file_that_asks_nothing_is_found(change: str | None, tmp_path: Path) -> None:
    """No test at all, or none that expects anything to fire."""
    if change is None:
        text = TEST[: TEST.index("  - eval_time: 10m")] + "  - {eval_time: 4m, alertname: Down, exp_alerts: []}\n"
    else:
        text = TEST[: TEST.index("tests:")] + change
    model = written(tmp_path, text)

    assert passes(tmp_path)
    assert len(found(model, "test-proves-nothing")) == 1


def test_the_moment_asked_is_that_of_the_evaluation_before(tmp_path: Path) -> None:
    """What promtool compares with is the last evaluation before `eval_time`."""
    file = next(iter(rule_tests(written(tmp_path))))

    assert last_evaluation(file.tests[0], 150) == 120
