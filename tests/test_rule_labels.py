"""Which labels a system's rules give their series: through recording rules, metrics, and what Prometheus adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.artefacts.rules import Rule
from tocsin.checks.alert_without_comparison import alert_without_comparison
from tocsin.checks.duplicate_rule import duplicate_rule
from tocsin.checks.selector_matches_nothing import selector_matches_nothing
from tocsin.model import Model
from tocsin.model.alert_templates import read_alert_template
from tocsin.model.rule_labels import labels_of_alert, labels_of_result

RULES = """
groups:
- name: a
  rules:
  - record: job:errors:rate5m
    expr: sum by (job) (rate(errors_total{job=~"api|web"}[5m]))
    labels: {kind: errors}
  - record: loop:a
    expr: loop:a + 1
  - alert: Errors
    expr: job:errors:rate5m > 1
    labels: {severity: page, where: 'at {{ $labels.job }}', whose: '{{ $labels.kind }}', gone: ''}
  - alert: Down
    expr: up{job="api"} == 0
  - alert: Missing
    expr: absent(up{job="api"})
"""
PROMETHEUS = """
global:
  external_labels: {cluster: eu}
rule_files: [rules.yml]
scrape_configs:
- job_name: api
  static_configs:
  - targets: [api:80]
"""


def model(directory: Path, **files: str) -> Model:
    """Return the model of a folder of such files."""
    for name, text in files.items():
        (directory / f"{name}.yml").write_text(text)
    return Model.of(directory)


def rule(of: Model, name: str) -> Rule:
    """Return the rule of that name."""
    return next(each for each in of.rules if each.name == name)


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("Errors", "job", "api|web"),
        ("Errors", "kind", "errors"),
        ("Errors", "severity", "page"),
        ("Errors", "alertname", "Errors"),
        ("Errors", "whose", "errors"),
        ("Errors", "where", "present"),
        ("Errors", "gone", "absent"),
        ("Errors", "instance", "absent"),
        ("Errors", "cluster", "eu"),
        ("Errors", "__name__", "absent"),
        ("Down", "instance", "present"),
        ("Down", "job", "api"),
        ("Down", "cluster", "present"),
        ("Down", "other", "maybe"),
        ("Missing", "instance", "absent"),
        ("Missing", "job", "api"),
        ("Missing", "cluster", "eu"),
    ],
)
def test_the_labels_of_an_alert(tmp_path: Path, name: str, label: str, expected: str) -> None:
    here = model(tmp_path, rules=RULES, prometheus=PROMETHEUS)
    facts = labels_of_alert(rule(here, name), here)
    values = facts.possible_values(label)
    found = "|".join(sorted(values)) or "absent" if values is not None else None
    assert (found or ("present" if facts.surely_present(label) else "maybe")) == expected


def test_without_a_prometheus_any_label_may_be_added(tmp_path: Path) -> None:
    """What is not fixed by rule or expression may be an external label; what is fixed stays."""
    here = model(tmp_path, rules=RULES)
    facts = labels_of_alert(rule(here, "Missing"), here)
    assert facts.may_have("cluster")
    assert facts.fixed("job") == "api"


def test_a_rule_that_reads_itself_ends(tmp_path: Path) -> None:
    here = model(tmp_path, rules=RULES)
    assert labels_of_result(rule(here, "loop:a"), here).may_have("job")


def test_labels_of_another_file_may_be_added_between(tmp_path: Path) -> None:
    """A recorded series that another Prometheus hands on may have got labels there."""
    consumer = "groups:\n- name: b\n  rules:\n  - alert: X\n    expr: job:errors:rate5m > 1\n"
    here = model(tmp_path, rules=RULES, consumer=consumer)
    facts = labels_of_result(rule(here, "X"), here)
    assert facts.may_have("cluster")
    assert facts.possible_values("job") == {"api", "web"}


@pytest.mark.parametrize(
    ("label", "metrics", "meant"),
    [("isntance", {"up"}, "instance"), ("jobs", {"up"}, "job"), ("mode", {"up"}, None), ("job", {"up"}, None)],
)
def test_a_slip_of_the_hand_is_known(tmp_path: Path, label: str, metrics: set[str], meant: str | None) -> None:
    text = "groups:\n- name: a\n  rules:\n  - record: x:y\n    expr: sum by (instance, job, code) (up)\n"
    assert model(tmp_path, rules=text).rule_labels.misspelt(label, metrics, "") == meant


@pytest.mark.parametrize(
    ("text", "uses", "values"),
    [
        ("{{ $labels.a }} {{ .Labels.b }} {{ index $labels `c-d` }}", ["a", "b", "c-d"], 0),
        ("{{ if $labels.a }}{{ $labels.a }}{{ end }}", [], 0),
        ("{{ range query `up` }}{{ .Labels.a }}{{ end }}{{ $.Labels.b }}", ["b"], 0),
        ("{{ with $labels.a }}{{ . }}{{ end }} {{ $value | humanize }}", [], 1),
        ("{{ printf `%s %f` $labels.a .Value }}", ["a"], 1),
        ("{{ $labels := .Labels }}{{ $labels.a }}", [], 0),
    ],
)
def test_what_a_template_shows(text: str, uses: list[str], values: int) -> None:
    read = read_alert_template(text)
    assert read.error is None
    assert [use.name for use in read.uses] == uses
    assert len(read.values) == values


RECORDED = "groups:\n- name: a\n  rules:\n  - record: job:x:rate5m\n    expr: sum by (job) (rate(x_total[5m]))\n"


@pytest.mark.parametrize(
    ("expression", "messages"),
    [
        ('job:x:rate5m{instance="a"} > 1', ["has no `instance`"]),
        ("job:x:rate5m > 1", []),
        ('up{a="x", a=~"y|z"} > 1', ["at once"]),
        ('up{a="x|y"} > 1', ["very text"]),
        ('up{path="/a/.*"} > 1', []),
        ('up{a=~"x*"} > 1', ["repeats the letter 'x'"]),
        ('up{a=~"x.*"} > 1', []),
    ],
)
def test_a_selector_that_matches_nothing(tmp_path: Path, expression: str, messages: list[str]) -> None:
    text = f"{RECORDED}  - alert: A\n    expr: '{expression}'\n"
    found = [finding.message for finding in selector_matches_nothing.findings(model(tmp_path, rules=text))]
    assert len(found) == len(messages)
    assert all(piece in message for piece, message in zip(messages, found, strict=True))


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("x > 1", "x > 2", True),
        ("x > 1", "x >= 1", True),
        ("x < 1", "x > 2", False),
        ("x < 3", "x > 2", True),
        ("x == 1", "x == 2", False),
        ("x == 1", "1 == x", True),
        ("5 < x", "x > 7", True),
        ("x > 1", "y > 1", False),
        ("sum(x) > 1", "sum(y) > 1", True),
        ("sum by (a) (x) > 1", "sum by (a) (y) > 1", False),
    ],
)
def test_two_rules_that_raise_one_alert(tmp_path: Path, one: str, other: str, told: bool) -> None:
    """Told where both can hold for the same series; conditions that exclude each other may share a name."""
    text = f"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {one}\n  - alert: A\n    expr: {other}\n"
    found = [*duplicate_rule.findings(model(tmp_path, rules=text))]
    assert bool(found) is told


@pytest.mark.parametrize(
    ("expression", "severity"),
    [
        ("rate(x_total[5m])", "error"),
        ("x > bool 1", "error"),
        ("x > 1 or vector(0) * on() y", "error"),
        ("x", "warning"),
        ('x{state="failed"}', None),
        ("sum(x > 1)", None),
        ("absent(x)", None),
        ("x unless y", None),
        ("vector(1)", None),
        ("other:recorded:rule", None),
        ('ALERTS{alertname="Y"}', None),
    ],
)
def test_an_alert_that_compares_nothing(tmp_path: Path, expression: str, severity: str | None) -> None:
    text = f"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: '{expression}'\n"
    found = [str(finding.severity) for finding in alert_without_comparison.findings(model(tmp_path, rules=text))]
    assert found == ([severity] if severity else [])
