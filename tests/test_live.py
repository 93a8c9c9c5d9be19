"""`--live`: a real Prometheus is asked what it runs, and drift, absence and cost are told at the files' lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.test_check_command import TODAY
from tocsin.deadline import wait_until
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.finding import Finding, Severity
from tocsin.live import examine_live
from tocsin.live.answers import Answers, Cost, ask
from tocsin.live.judging import expressions_of, judge_answers, selectors_of
from tocsin.model import Model
from tocsin.source import Place
from tocsin.static import Examination, Request, examine
from tocsin.supervisor import Supervisor
from tocsin.system import BadSystem, load_system

CONFIG = """\
global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: itself, metrics_path: /metrics, static_configs: [{targets: ['localhost:PORT']}]}
"""
RULES = """\
groups:
  - name: g
    rules:
      - {alert: Down, expr: up == 0, for: 5m, labels: {severity: critical}}
      - {alert: Gone, expr: 'no_such_metric > 1'}
      - {record: 'all:up:sum', expr: 'sum(up)'}
"""
WHERE = Place("system.yaml", 3)


def model(folder: Path, rules: str = RULES, config: str = CONFIG, declared: str = "") -> Model:
    """Return the model of a system with a Prometheus."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(config)
    (folder / "system.yaml").write_text(f"schema: 1\nname: small\n{declared}")
    return Model.of(folder, load_system(folder))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give a Prometheus that runs the rules and scrapes nobody who answers."""
    folder = tmp_path_factory.mktemp("running")
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(CONFIG.replace("PORT", "1"))
    with Supervisor("live", folder / "logs") as supervisor:
        settings = PrometheusSettings(config=folder / "prometheus.yml", data=folder / "tsdb")
        prometheus = Prometheus.start(supervisor, settings)
        prometheus.await_working(jobs=(), rules=3, alertmanagers=0)
        wait_until(lambda: prometheus.api.query("up"), seconds=20, what="the first scrape")
        yield prometheus


def told(findings: list[Finding]) -> set[tuple[str, str]]:
    """Return check and subject of findings."""
    return {(finding.check, finding.subject) for finding in findings}


FILES: dict[str, tuple[str, str, set[tuple[str, str]]]] = {
    "what runs": (RULES, CONFIG, set()),
    "written otherwise": (RULES.replace("sum(up)", "sum( up )"), CONFIG, set()),
    "an expression": (RULES.replace("up == 0", "up < 1"), CONFIG, {("live-rule-differs", "g/Down")}),
    "a for": (RULES.replace("5m", "10m"), CONFIG, {("live-rule-differs", "g/Down")}),
    "a label": (RULES.replace("critical", "error"), CONFIG, {("live-rule-differs", "g/Down")}),
    "a name": (
        RULES.replace("Down", "Lost"),
        CONFIG,
        {("live-rule-not-loaded", "g/Lost"), ("live-rule-unknown", "g/Down")},
    ),
    "a job": (RULES, CONFIG.replace("itself", "other"), {("live-job-not-loaded", "scrape_configs/other")}),
    "a path": (RULES, CONFIG.replace("/metrics", "/m"), {("live-job-differs", "scrape_configs/itself")}),
}


@pytest.mark.parametrize(("rules", "config", "expected"), FILES.values(), ids=FILES)
def test_drift_is_told(
    tmp_path: Path, running: Prometheus, rules: str, config: str, expected: set[tuple[str, str]]
) -> None:
    """What the files say and what runs, where they differ; a metric without series is told in any case."""
    here = model(tmp_path, rules, config)

    answers = ask(running.api, selectors_of(here), expressions_of(here))
    found = list(judge_answers(here, answers, paced=False, where=WHERE))

    assert told(found) - {("live-metric-absent", "g/Gone")} == expected
    assert ("live-metric-absent", "g/Gone") in told(found)
    assert all(finding.place.line >= 1 and finding.why for finding in found)


def test_the_command_asks_the_environment(tmp_path: Path, running: Prometheus) -> None:
    """Its findings stand among the others', and are judged by the same bar."""
    declared = f"environments: {{staging: {{prometheus: {{url: '{running.api.url}'}}}}}}\n"
    here = model(tmp_path, RULES.replace("up == 0", "up < 1"), declared=declared)
    request = Request(TODAY, ids=["yaml-duplicate-key"])

    done = examine_live(here, request, "staging", examine(here, request))

    assert done.failed
    errors = [each.finding.check for each in done.judged if each.finding.severity is Severity.ERROR]
    assert errors == ["live-rule-differs"]


@pytest.mark.parametrize("declared", ["", "environments: {local: {processes: {x: {command: [sh]}}}}\n"])
def test_nobody_to_ask_is_bad_input(tmp_path: Path, declared: str) -> None:
    """No such environment, or one without a Prometheus that runs."""
    with pytest.raises(BadSystem):
        examine_live(model(tmp_path, declared=declared), Request(TODAY), "local", Examination((), {}, (), lambda _: ""))


ANSWERS = Answers(
    groups=(
        {
            "name": "g",
            "rules": [
                {"name": "Down", "type": "alerting", "query": "up == 0", "duration": 300,
                 "labels": {"severity": "critical"}},
                {"name": "Gone", "type": "alerting", "query": "no_such_metric > 1", "duration": 0, "labels": {}},
                {"name": "all:up:sum", "type": "recording", "query": "sum(up)", "labels": {}},
            ],
        },
    ),
    configuration={"scrape_configs": [{"job_name": "itself", "metrics_path": "/metrics"}]},
    flags={"storage.tsdb.retention.time": "15d"},
    head_series={"up": 3},
    present={"up{}": 3, "no_such_metric{}": 0},
    costs={"up == 0": Cost(0.001, 3)},
)  # fmt: skip
JUDGED: dict[str, tuple[dict[str, Any], str, set[tuple[str, str]]]] = {
    "all well": ({}, RULES, set()),
    "never there": ({"present": {"no_such_metric{}": None}}, RULES, {("live-metric-absent", "g/Gone")}),
    "slow": ({"costs": {"up == 0": Cost(31.0, 10**8)}}, RULES, {("live-query-slow", "g/Down")}),
    "refused": ({"costs": {"up == 0": "many-to-many"}}, RULES, {("live-rule-failing", "g/Down")}),
    "many series": ({"head_series": {"up": 20_000}}, RULES, {("live-cardinality", "up")}),
    "kept too short": (
        {"flags": {"storage.tsdb.retention.time": "6h"}},
        RULES.replace("sum(up)", "sum(avg_over_time(up[1d]))"),
        {("live-range-over-retention", "g/all:up:sum"), ("live-rule-differs", "g/all:up:sum")},
    ),
}


@pytest.mark.parametrize(("changed", "rules", "expected"), JUDGED.values(), ids=JUDGED)
def test_answers_are_judged(
    tmp_path: Path, changed: dict[str, Any], rules: str, expected: set[tuple[str, str]]
) -> None:
    """Each answer by itself."""
    found = list(judge_answers(model(tmp_path, rules), replace(ANSWERS, **changed), paced=False, where=WHERE))

    assert told(found) == expected


def test_at_another_pace_no_duration_is_compared(tmp_path: Path) -> None:
    """A staging that runs sixty times faster than its files has other windows, and the same rules."""
    faster = [{**rule, "duration": 5} for rule in ANSWERS.groups[0]["rules"]]
    rules = RULES.replace("sum(up)", "sum(rate(up[5m]))")
    faster[2]["query"] = "sum(rate(up[5s]))"
    answers = replace(ANSWERS, groups=({"name": "g", "rules": faster},))

    paced = list(judge_answers(model(tmp_path, rules), answers, paced=True, where=WHERE))
    not_paced = list(judge_answers(model(tmp_path, rules), answers, paced=False, where=WHERE))

    assert told(paced) == set()
    assert ("live-rule-differs", "g/Down") in told(not_paced)


def test_what_is_empty_by_design_is_not_missed(tmp_path: Path) -> None:
    """Its owner said so."""
    declared = "static: {empty_by_design: {no_such_metric: only in trouble}}\n"
    answers = replace(ANSWERS, present={"no_such_metric{}": None})

    assert told(list(judge_answers(model(tmp_path, declared=declared), answers, paced=False, where=WHERE))) == set()
