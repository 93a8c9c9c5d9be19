"""Ambiguous rules come into drills by proof and decided ones go out by it: promtool says so, on the owner's series."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.drill.preparation import Prepared, prepare
from tocsin.system import BadSystem, load_system

SYSTEM = """\
schema: 1
name: shop
artefacts: {prometheus: [prometheus.yml], rules: [rules/*.yml], alertmanager: [alertmanager.yml], tests: [tests/*.yml]}
environments:
  local:
    factor: 60
    traffic: TRAFFIC
    processes: {api: {command: [sh]}}
compression:
  rules: {DECISIONS}
"""
PROMETHEUS = "global: {scrape_interval: 15s, evaluation_interval: 15s}\nscrape_configs: [{job_name: api}]\n"
ALERTMANAGER = "route: {receiver: team}\nreceivers: [{name: team}]\n"
RECORDED = "groups: [{name: r, rules: [{record: 'job:e:increase5m', expr: 'sum(increase(e[5m]))'}]}]"
ERRORS = ("e", "0+0x20 0+60x160")
"""Nothing for five minutes, then 1200 in five minutes."""


def prepared(
    folder: Path,
    expression: str,
    *series: tuple[str, str],
    decision: str = "",
    traffic: str = "same",
    test: str = "{eval_time: 40m, alertname: A, exp_alerts: []}",
    asked: str = "alert_rule_test",
    tested: str = "../rules/*.yml",
) -> Prepared:
    """Prepare a system of one alert `A`, held for a minute, with a promtool test of these series."""
    shown = ", ".join(f"{{series: '{name}', values: '{values}'}}" for name, values in series)
    files = {
        "system.yaml": SYSTEM.replace("TRAFFIC", traffic).replace("DECISIONS", f"A: {decision}" if decision else ""),
        "prometheus.yml": PROMETHEUS,
        "alertmanager.yml": ALERTMANAGER,
        "rules/recorded.yml": RECORDED,
        "rules/rules.yml": f"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: '{expression}'\n    for: 1m\n",
        "tests/test.yml": f"rule_files: ['{tested}']\nevaluation_interval: 15s\ntests:\n"
        f"- interval: 15s\n  input_series: [{shown}]\n  {asked}: [{test}]\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return prepare(load_system(folder), "local")


def kept(found: Prepared) -> str:
    """Return what a proof found of the alert, which is in drills."""
    assert not found.left_out, found.left_out
    (rule,) = found.rules
    return rule.invariance


def left_out(found: Prepared) -> str:
    """Return why the alert is left out."""
    (rule,) = found.left_out
    assert rule.name == "A"
    assert not found.rules
    return rule.reason


PROVEN = {
    "samples in a window": ("count_over_time(g[5m]) > 10", ("g", "1x60"), {}),
    "a count that towers over its number": ("increase(e[5m]) > 0.001", ERRORS, {}),
    "a count of scaled traffic, named by a rate": ("rate(e[5m]) > 0.001", ERRORS, {"traffic": "scaled"}),
    "asked for by way of ALERTS": (
        "count_over_time(g[5m]) > 10",
        ("g", "1x60"),
        {"asked": "promql_expr_test", "test": "{eval_time: 15m, expr: 'ALERTS{alertname=~\"A|B\"}', exp_samples: []}"},
    ),
    "a series that ends, and goes stale": ("count_over_time(g[5m]) > 10", ("g", "1x60 _x30 1x20 stale"), {}),
}


@pytest.mark.parametrize(("expression", "series", "more"), PROVEN.values(), ids=PROVEN)
def test_an_undecided_rule_that_is_proven_is_drilled(
    expression: str, series: tuple[str, str], more: dict[str, str], tmp_path: Path
) -> None:
    """A rule that is ambiguous by class runs if its owner's own test shows equal, non-zero counts."""
    said = kept(prepared(tmp_path, expression, series, **more))
    assert said.startswith("proven invariant: production "), said
    counts = said.removeprefix("proven invariant: ").split(" (")[0].replace("production ", "").split(", compressed ")
    assert counts[0] == counts[1]
    assert not counts[0].endswith("/0")
    assert said.endswith("on the series of tests/test.yml:4:3)")


def test_the_same_alert_without_a_test_is_left_out(tmp_path: Path) -> None:
    """Without series, or with a test of another alert or another file, nothing is proven and the rule stays out."""
    said = left_out(prepared(tmp_path, "count_over_time(g[5m]) > 10"))
    assert "decide threshold: N" in said
    assert "prove it with `series`" in said
    other = "{eval_time: 15m, alertname: B, exp_alerts: []}"
    assert left_out(prepared(tmp_path, "count_over_time(g[5m]) > 10", ("g", "1x60"), test=other)) == said
    elsewhere = prepared(tmp_path, "count_over_time(g[5m]) > 10", ("g", "1x60"), tested="../rules/recorded.yml")
    assert left_out(elsewhere) == said


NOT_PROVEN = {
    "a count of the same traffic": ("increase(e[5m]) > 100", ERRORS, "same", "compressed 0/0"),
    "a count through a recording rule": ("job:e:increase5m > 100", ERRORS, "same", "compressed 0/0"),
    "a rate of scaled traffic": ("rate(e[5m]) > 2", ERRORS, "scaled", "not the same: production"),
    "an age": ("time() - g > 300", ("g", "0x160"), "same", "compressed 0/0"),
    "the age of a later moment": ("time() - g > 300", ("g", "0x40 600x160"), "scaled", "compressed 0/0"),
    "silence": ("increase(e[5m]) > 100", ("e", "0x160"), "same", "nothing proven, it never fired: production 0/0"),
    "events that cannot be divided": ("changes(g[5m]) > 2", ("g", "1x9 2x9"), "same", "cannot be told"),
    "a counter that is a gauge too": ("increase(e[5m]) > 9 and e > 1", ERRORS, "same", "both for its change and"),
    "a measured duration": ("time() - g > max_age", ("g", "0x160"), "same", "measured duration"),
    "values that are not promtool's": ("increase(e[5m]) > 9", ("e", "oops"), "same", "'oops'"),
    "the hour": ("hour() < 8", ("g", "1x160"), "same", "time of day"),
}


@pytest.mark.parametrize(("expression", "series", "traffic", "said"), NOT_PROVEN.values(), ids=NOT_PROVEN)
def test_an_undecided_rule_that_is_not_proven_stays_out(
    expression: str, series: tuple[str, str], traffic: str, said: str, tmp_path: Path
) -> None:
    """Different counts, none at all, and what no test can show leave a rule out, with the reason."""
    reason = left_out(prepared(tmp_path, expression, series, traffic=traffic))
    assert reason.startswith("undecided: ")
    assert said in reason


DECIDED = {
    "a threshold divided as the traffic is": (
        "increase(e[5m]) > 100",
        ERRORS,
        "{threshold: 1.6667, because: a sixtieth of the errors}",
        "proven invariant",
    ),
    "a threshold on a recording rule": (
        "job:e:increase5m > 100",
        ERRORS,
        "{threshold: 1.6667, because: a sixtieth of the errors}",
        "proven invariant",
    ),
    "an age that shrinks": ("time() - g > 300", ("g", "0x160"), "{scale_constant: true}", "proven invariant"),
    "the age of a later moment that shrinks": (
        "time() - g > 300",
        ("g", "0x40 600x160"),
        "{scale_constant: true}",
        "proven invariant",
    ),
    "a prediction": (
        "predict_linear(g[10m], 3600) < 0",
        ("g", "10000-1x30 9970-40x120"),
        "{scale_constant: true}",
        "proven invariant",
    ),
    "silence": (
        "increase(e[5m]) > 100",
        ("e", "0x160"),
        "{threshold: 1.6667, because: a sixtieth of the errors}",
        "nothing proven, it never fired: production 0/0",
    ),
    "events": ("changes(g[5m]) > 2", ("g", "1x9 2x9"), "{threshold: 1, because: one is enough}", "nothing proven"),
}


@pytest.mark.parametrize(("expression", "series", "decision", "said"), DECIDED.values(), ids=DECIDED)
def test_a_decision_that_series_do_not_contradict_is_kept(
    expression: str, series: tuple[str, str], decision: str, said: str, tmp_path: Path
) -> None:
    """A decided rule runs, with what the owner's series say of it; silence leaves the owner's word."""
    assert kept(prepared(tmp_path, expression, series, decision=decision)).startswith(said)


def test_a_decision_without_series_is_the_owners_word(tmp_path: Path) -> None:
    """Where nobody wrote series, a decided rule runs and nothing is said to be proven."""
    found = prepared(tmp_path, "increase(e[5m]) > 100", decision="{threshold: 2, because: fewer}")
    assert kept(found) == ""


def test_a_decision_that_series_contradict_leaves_the_rule_out(tmp_path: Path) -> None:
    """A threshold under which the alert does something else than in production is named, with both counts."""
    found = prepared(tmp_path, "increase(e[5m]) > 100", ERRORS, decision="{threshold: 50, because: I guess}")
    said = left_out(found)
    assert said.startswith("disproven: threshold 50 is decided, but not the same: production ")
    assert "compressed 0/0 (evaluations pending/firing on the series of tests/test.yml:4:3)" in said
    assert "series: drill" in said


OWN = "series: {interval: 15s, input: [{series: e, values: 0+0x20 0+60x160}]DRILL}"
DRILL = ", drill: [{series: e, values: 0+0x20 0+10x160}]"


def test_series_under_a_decision_take_the_place_of_tests(tmp_path: Path) -> None:
    """What an owner writes under the rule's name is what counts, with what a drill finds if that is written too."""
    asked = ("increase(e[5m]) > 100", ("e", "0x160"))
    alone = left_out(prepared(tmp_path, *asked, decision=f"{{{OWN.replace('DRILL', '')}}}"))
    assert "compressed 0/0 (evaluations pending/firing on the series of system.yaml:10:15)" in alone
    fewer = f"threshold: 16.667, because: a drill has a sixth of the errors, {OWN}"
    proven = kept(prepared(tmp_path, *asked, decision=f"{{{fewer.replace('DRILL', DRILL)}}}"))
    assert proven.startswith("proven invariant")
    assert "system.yaml:10:" in proven
    wrong = left_out(prepared(tmp_path, *asked, decision=f"{{{fewer.replace('DRILL', '')}}}"))
    assert wrong.startswith("disproven: threshold 16.667 is decided, but not the same")
    shown = "[{series: g, values: 1 2 3 4x60}]"
    events = f"series: {{interval: 15s, input: {shown}, drill: {shown}}}"
    assert kept(prepared(tmp_path, "changes(g[5m]) > 2", decision=f"{{{events}}}")).startswith("proven invariant")


def test_a_test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Where a rule needs a proof and the tests are malformed, the line is told."""
    with pytest.raises(BadSystem, match=r"tests/test\.yml:6:33: eval_time: '40' is not a Prometheus duration"):
        prepared(tmp_path, "increase(e[5m]) > 100", ERRORS, test="{eval_time: 40, alertname: A}")


def test_nothing_is_asked_of_rules_that_keep_their_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines are started for ambiguous and decided rules alone."""
    asked: list[object] = []
    monkeypatch.setattr("tocsin.drill.proving.run_promtool", asked.append)
    assert kept(prepared(tmp_path, "rate(e[5m]) > 0.1", ERRORS)) == ""
    assert not asked
