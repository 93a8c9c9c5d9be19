"""Bad input to a drill is found before anything is started: each at its place, with the cure."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tocsin.drill.preparation import Prepared, prepare
from tocsin.durations import parse_duration
from tocsin.system import BadSystem, load_system

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"

SYSTEM = """\
schema: 1
name: shop
artefacts:
  prometheus: [prometheus.yml]
  rules: [rules/*]
  alertmanager: [alertmanager.yml]
  tests: []
environments:
  local:
    factor: 60
    processes:
      api:
        command: [sh, -c, "serve {port}"]
      web:
        command: [sh, -c, "serve {port} {api.url}"]
"""
PROMETHEUS = """\
global:
  scrape_interval: 15s
  evaluation_interval: 15s
scrape_configs:
  - job_name: api
  - job_name: web
"""
ALERTMANAGER = """\
route:
  receiver: team
  routes:
    - receiver: pager
      matchers: [severity="critical"]
receivers:
  - name: team
  - name: pager
"""
RULES = """\
groups:
  - name: g
    rules:
      - alert: Down
        expr: up == 0
        for: 1m
      - alert: Errors
        expr: increase(errors_total[5m]) > 10
        for: 1m
"""
FILES = {
    "system.yaml": SYSTEM,
    "prometheus.yml": PROMETHEUS,
    "alertmanager.yml": ALERTMANAGER,
    "rules/rules.yml": RULES,
}


def prepared(folder: Path, **changed: str) -> Prepared:
    """Prepare the small system of this file; `changed` replaces a file, `/` and `.` of its name written as `_`."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(re.sub(r"\W", "_", name), text))
    return prepare(load_system(folder), "local")


def swapped(file: str, old: str, new: str) -> dict[str, str]:
    """Return one file of the small system, changed."""
    text = FILES[file]
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    return {re.sub(r"\W", "_", file): text.replace(old, new)}


def decided(decisions: str) -> dict[str, str]:
    """Return system.yaml with decisions: its lines 16 and 17 are `compression:` and `  rules:`."""
    return {"system_yaml": f"{SYSTEM}compression:\n  rules:\n{decisions}"}


def test_the_small_system_is_well(tmp_path: Path) -> None:
    """What the cases below break is whole before: its ambiguous rule is left out, the other runs."""
    found = prepared(tmp_path)
    assert [rule.name for rule in found.rules] == ["Down"]
    assert [rule.name for rule in found.left_out] == ["Errors"]
    assert found.order == ("api", "web")
    assert found.jobs == {"api": ("api",), "web": ("web",)}
    assert set(found.engines) == {"prometheus", "alertmanager", "locust"}


BAD = {
    "a scrape interval without a unit": (
        swapped("prometheus.yml", "scrape_interval: 15s", "scrape_interval: 15"),
        "prometheus.yml:2:20",
        ["scrape_interval", "15s?"],
    ),
    "an evaluation interval with decimals": (
        swapped("prometheus.yml", "evaluation_interval: 15s", "evaluation_interval: 0.5s"),
        "prometheus.yml:3:24",
        ["evaluation_interval", "500ms"],
    ),
    "a job's interval": (
        swapped("prometheus.yml", "job_name: web", "job_name: web\n    scrape_interval: soon"),
        "prometheus.yml:7:22",
        ["scrape_interval", "'soon'"],
    ),
    "a job without a name": (
        swapped("prometheus.yml", "- job_name: web", "- scheme: https"),
        "prometheus.yml:6:5",
        ["job_name"],
    ),
    "no scrape jobs": (swapped("prometheus.yml", "scrape_configs", "scrape_config"), "prometheus.yml:1:1", ["list"]),
    "two configurations in one file": (
        {"prometheus_yml": f"{PROMETHEUS}---\n{PROMETHEUS}"},
        "system.yaml:4:3",
        ["prometheus.yml holds 2"],
    ),
    "no rule file": (
        swapped("system.yaml", "rules: [rules/*]", "rules: []"),
        "system.yaml:5:3",
        ["needs a rule file"],
    ),
    "two documents in a rule file": (
        {"rules_rules_yml": f"{RULES}---\n{RULES}"},
        "rules/rules.yml:1:1",
        ["the first alone"],
    ),
    "a hold that is no duration": (
        {"rules_rules_yml": RULES.replace("for: 1m", "for: 1 m", 1)},
        "rules/rules.yml:6:14",
        ["for:", "1h30m"],
    ),
    "a query offset that is no duration": (
        swapped("rules/rules.yml", "name: g", "name: g\n    query_offset: -1m"),
        "rules/rules.yml:3:19",
        ["query_offset", "no sign"],
    ),
    "a rule without an expression": (
        swapped("rules/rules.yml", "expr: up == 0", "expr2: up == 0"),
        "rules/rules.yml:4:9",
        ["without `expr`"],
    ),
    "rules of Kubernetes": (
        {"rules_rules_yml": "kind: PrometheusRule\nspec: {groups: []}\n"},
        "rules/rules.yml:1:1",
        ["PrometheusRule"],
    ),
    "broken PromQL on one line": (
        swapped("rules/rules.yml", "expr: up == 0", "expr: up == = 0"),
        "rules/rules.yml:5:21",
        ["Down", "cannot be read"],
    ),
    "broken PromQL in quotes": (
        swapped("rules/rules.yml", "expr: up == 0", "expr: 'up == = 0'"),
        "rules/rules.yml:5:22",
        ["cannot be read"],
    ),
    "broken PromQL in a block": (
        swapped("rules/rules.yml", "expr: up == 0", "expr: |\n          up\n            == = 0"),
        "rules/rules.yml:7:16",
        ["cannot be read"],
    ),
    "broken PromQL in a folded block": (
        swapped("rules/rules.yml", "expr: up == 0", "expr: >-\n          up\n          == = 0"),
        "rules/rules.yml:7:14",
        ["cannot be read"],
    ),
    "no route": (swapped("alertmanager.yml", "route:", "rout:"), "alertmanager.yml:1:1", ["no `route`"]),
    "a group wait that is no duration": (
        swapped("alertmanager.yml", "  receiver: team\n", "  receiver: team\n  group_wait: 5\n"),
        "alertmanager.yml:3:15",
        ["group_wait", "5s?"],
    ),
    "a route to a receiver that is not there": (
        swapped("alertmanager.yml", "- receiver: pager", "- receiver: pagr"),
        "alertmanager.yml:4:7",
        ["'pagr'", "did you mean pager?"],
    ),
    "a root without a receiver": (
        swapped("alertmanager.yml", "  receiver: team\n", "  group_wait: 30s\n"),
        "alertmanager.yml:2:3",
        ["names no receiver", "team"],
    ),
    "a process that is no job's target": (
        swapped("prometheus.yml", "  - job_name: web\n", ""),
        "system.yaml:14:7",
        ["'web'", "jobs: []"],
    ),
    "a job that does not exist": (
        {"system_yaml": SYSTEM + "        jobs: [web, wep]\n"},
        "system.yaml:16:21",
        ["'wep'", "did you mean web?"],
    ),
    "an exporter of no job": (
        {"system_yaml": SYSTEM + "    exporters:\n      node: node_exporter\n"},
        "system.yaml:17:7",
        ["'node'", "there are api, web"],
    ),
    "the address of nobody": (
        swapped("system.yaml", "{api.url}", "{nobody.url}"),
        "system.yaml:15:27",
        ["process web", "'nobody'", "there are api, web"],
    ),
    "the address of somebody misspelt": (
        {"system_yaml": SYSTEM + '        environment: {API: "{apy.port}"}\n'},
        "system.yaml:16:23",
        ["'apy'", "did you mean api?"],
    ),
    "a circle of addresses": (
        swapped("system.yaml", 'serve {port}"', 'serve {port} {web.url}"'),
        "system.yaml:12:7",
        ["circle: api, web"],
    ),
    "a limit that is not declared": (
        swapped("system.yaml", "{api.url}", "{cores}"),
        "system.yaml:15:27",
        ["{cores}", "add `cores:`"],
    ),
    "a folder that is not there": (
        {"system_yaml": SYSTEM + "        directory: nowhere\n"},
        "system.yaml:16:9",
        ["'nowhere'", "no such folder"],
    ),
    "a decision on no rule": (
        decided("    Errrors: {not_drillable: for now}\n"),
        "system.yaml:18:5",
        ["'Errrors'", "did you mean Errors"],
    ),
    "a threshold where there is no number": (
        swapped("rules/rules.yml", "expr: up == 0", "expr: absent(up)")
        | decided("    Down: {threshold: 2, because: a drill is short}\n"),
        "system.yaml:18:12",
        ["does not fit Down at rules/rules.yml:5:15", "exactly one comparison"],
    ),
    "a threshold where there are two": (
        swapped("rules/rules.yml", "expr: up == 0", "expr: up == 0 and down > 5")
        | decided("    Down: {threshold: 2, because: a drill is short}\n"),
        "system.yaml:18:12",
        ["exactly one comparison"],
    ),
    "a constant that is no duration": (
        decided("    Errors: {scale_constant: true}\n"),
        "system.yaml:18:14",
        ["no number in the expression is a duration", "decide threshold: N"],
    ),
}


@pytest.mark.parametrize(("changed", "place", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_found_at_its_place(changed: dict[str, str], place: str, said: list[str], tmp_path: Path) -> None:
    """Each bad input is one problem, at its file, line and column, that says what is wrong and what mends it."""
    with pytest.raises(BadSystem) as caught:
        prepared(tmp_path, **changed)
    (problem,) = caught.value.problems
    assert str(problem.place) == place, problem
    for words in said:
        assert words in problem.message, problem


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Problems of processes, routes, rules and decisions are all in one message."""
    changed = decided("    Nobody: {not_drillable: for now}\n")
    changed["system_yaml"] = changed["system_yaml"].replace("{api.url}", "{nobody.url}")
    changed |= swapped("alertmanager.yml", "- receiver: pager", "- receiver: pagr")
    changed |= swapped("rules/rules.yml", "up == 0", "up ==")
    with pytest.raises(BadSystem) as caught:
        prepared(tmp_path, **changed)
    files = [problem.place.file for problem in caught.value.problems]
    assert files == ["system.yaml", "alertmanager.yml", "rules/rules.yml", "system.yaml"]


def test_rule_files_keep_apart_and_are_all_loaded(tmp_path: Path) -> None:
    """Files of several folders and endings each get a name of their own that ends in .yml."""
    (tmp_path / "rules" / "a").mkdir(parents=True)
    one = "groups: [{name: g, rules: [{alert: NAME, expr: up == 0}]}]"
    for name in ("a/b.yml", "a_b.yml", "c.yaml", "d.rules"):
        (tmp_path / "rules" / name).write_text(one.replace("NAME", name[-6]))
    found = prepared(tmp_path, **swapped("system.yaml", "rules/*", "rules/**/*"))
    assert len(found.rule_files) == 5
    assert all(name.endswith(".yml") and "/" not in name for name in found.rule_files)
    # each file has a heartbeat a group beside its rules, and Errors is left out
    assert found.rule_count == 5 + 5
    assert found.rule_files.keys() >= {"rules_rules.yml", "rules_c.yaml.yml"}


def test_a_recording_rule_that_is_left_out_takes_its_readers_in_other_files_with_it(tmp_path: Path) -> None:
    """An alert of a later file that reads a rule which is left out of an earlier one is left out too."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_text("groups: [{name: g, rules: [{record: night, expr: hour() > bool 22}]}]")
    (tmp_path / "rules" / "b.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: up * night > 0}]}]")
    found = prepared(tmp_path)
    reasons = {rule.name: rule.reason for rule in found.left_out}
    assert reasons.keys() == {"night", "A", "Errors"}
    assert "hour()" in reasons["night"]


def test_twins_of_which_one_is_left_out_are_told_apart(tmp_path: Path) -> None:
    """Where a group holds a name twice and one of them is left out, the other keeps its own id and hold."""
    twins = """
groups:
  - name: g
    rules:
      - {alert: Errors, expr: "rate(e[5m]) > 0", for: 2m, labels: {severity: warning}}
      - {alert: Errors, expr: "increase(e[5m]) > 10", for: 4m, labels: {severity: critical}}
"""
    found = prepared(tmp_path, rules_rules_yml=twins)
    (kept,), (out,) = found.rules, found.left_out
    assert kept.id == 'Errors@rules/rules.yml::g{severity="warning"}'
    assert out.id == 'Errors@rules/rules.yml::g{severity="critical"}'
    assert kept.hold_seconds == 2
    assert kept.production_hold == "2m"


def test_times_are_those_that_run(tmp_path: Path) -> None:
    """What is known of a rule in seconds is what stands in the rewritten file, to the millisecond."""
    text = "groups: [{name: g, interval: 10s, rules: [{alert: A, expr: 'rate(e[5m]) > 0', for: 100s}]}]"
    found = prepared(tmp_path, rules_rules_yml=text)
    (rule,) = found.rules
    written = found.rule_files["rules_rules.yml"]
    assert f"interval: {167}ms" in written
    assert rule.interval_seconds == 0.167
    assert rule.hold_seconds == parse_duration("1s667ms")
    assert rule.window_seconds == 5
    assert rule.scrape_seconds == 0.25


BY_HAND = """\
    static_configs:
      - {targets: [x], labels: {__meta_team: payments}}
    relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
      - {source_labels: [READS], target_label: team}
"""


@pytest.mark.parametrize(("reads", "told"), [("__meta_team", True), ("__meta_kubernetes_namespace", False)])
def test_a_relabelling_of_what_was_given_by_hand_is_told_where_it_is_left_out(
    reads: str, told: bool, tmp_path: Path
) -> None:
    """What only service discovery gives is missing as a matter of course; what its owner wrote down is not."""
    found = prepared(tmp_path, prometheus_yml=PROMETHEUS + BY_HAND.replace("READS", reads))

    left_out = [each for each in found.left_out if each.kind == "relabelling"]
    assert [(each.name, each.file, each.line) for each in left_out] == (
        [("relabelling 2 of job web", "prometheus.yml", 11)] if told else []
    )
    assert all("`static_configs` give it by hand" in each.reason for each in left_out)


def test_the_reference_is_prepared(tmp_path: Path) -> None:
    """The reference system needs no cure, loads every rule but those that are not drillable, and proves its own."""
    shutil.copytree(REFERENCE, tmp_path / "system", ignore=shutil.ignore_patterns("__pycache__"))
    found = prepare(load_system(tmp_path / "system"), "local")
    undrillable = {"BackendRestartsOften", "PodRestarts", "CertificateExpires", "NodeClockSkew", "ScrapeSlow"}
    assert {rule.name for rule in found.left_out} == undrillable
    proven = {rule.name: rule.invariance for rule in found.rules if rule.invariance}
    assert proven.keys() == {"NodeDiskFills", "StateDiskFills"}
    for said in proven.values():
        assert re.fullmatch(
            r"proven invariant: production (\d+/\d+), compressed \1 .*alert_rules_test\.yml:\d+:\d+\)", said
        )
