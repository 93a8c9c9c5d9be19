"""Rule files, configurations and flags are rewritten so that the engines accept them and nothing else changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin.compression.alertmanager import compress_alertmanager
from tocsin.compression.flags import CLUSTER_DEFAULTS, PEER_TIMEOUT, compress_cluster_flags, compress_flags
from tocsin.compression.prometheus import compress_prometheus, replica_label
from tocsin.compression.rules import HEARTBEAT, CompressedRules, Handling, compress_rules, recorded_in
from tocsin.compression.written import yaml_text
from tocsin.durations import parse_duration
from tocsin.promql import parse
from tocsin.source import Document, Unreadable, read_document, read_documents
from tocsin.system import Decision

Checks = Callable[..., str]
CORPUS = pytest.mark.skipif(
    "TOCSIN_CORPUS" not in os.environ, reason="TOCSIN_CORPUS names no collection of real systems"
)


@pytest.fixture
def checks(tmp_path: Path) -> Checks:
    """Return what a checker of the engines says of a text; it fails the test where the checker refuses it."""

    def check(program: str, *arguments: str, text: str) -> str:
        checkout = Path(__file__).resolve().parent.parent
        named = os.environ.get(f"TOCSIN_{program.upper()}") or shutil.which(program)
        found = Path(named or checkout / ".engines/usr/bin" / program)
        if not found.exists():
            pytest.skip(f"{program} is neither on PATH nor in .engines nor named by TOCSIN_{program.upper()}")
        file = tmp_path / "checked.yml"
        file.write_text(text)
        done = subprocess.run([found, *arguments, file], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{text}"
        return done.stdout

    return check


def rules_of(text: str) -> Document:
    return read_document(text, "monitoring/rules.yml", raw=True)


RULES = """
groups:
  - name: recorded
    interval: 30s
    limit: 20
    rules:
      - record: job:errors:increase5m
        expr: sum by (job) (increase(errors_total[5m]))
        labels: {version: 1.10, flag: "true"}
  - name: alerts
    rules:
      - alert: Ratio
        expr: |
          rate(errors_total[5m])
            / rate(requests_total[5m]) > 0.05
        for: 5m
        keep_firing_for: 10m
        labels: {severity: warning, tier: "1"}
        annotations: {summary: 'Rate {{ $value | humanize }} in [5m]'}
      - alert: Count
        expr: increase(errors_total[5m]) > 10
        for: 1m
        labels: {severity: warning}
      - alert: Count
        expr: increase(errors_total[5m]) > 100
        for: ""
        labels: {severity: critical}
      - alert: Recorded
        expr: job:errors:increase5m > 5
      - alert: Age
        expr: time() - last_success > 300
        for: 0s
      - alert: Hours
        expr: up == 0 and on() hour() > 8
      - alert: Down
        expr: up == 0
        for: 1m
"""


def compressed(decisions: dict[str, Decision] | None = None, text: str = RULES, factor: float = 60) -> CompressedRules:
    return compress_rules(rules_of(text), factor, decisions or {})


def written(done: CompressedRules) -> dict[str, dict[str, Any]]:
    """Return the rewritten rules by name, and by severity where a name comes twice."""
    found: dict[str, dict[str, Any]] = {}
    for group in done.value["groups"]:
        for rule in group["rules"]:
            name = rule.get("alert") or rule["record"]
            found[name if name not in found else f"{name} {rule['labels'].get('severity', group['name'])}"] = rule
    return found


def test_undecided_rules_are_left_out_and_named(checks: Checks) -> None:
    """Without decisions the stable rules are scaled, and each ambiguous one is left out with reason and place."""
    done = compressed()
    rules = written(done)
    assert set(rules) == {HEARTBEAT, f"{HEARTBEAT} alerts", "job:errors:increase5m", "Ratio", "Down"}
    assert rules["Ratio"]["expr"] == "rate(errors_total[5s])\n  / rate(requests_total[5s]) > 0.05\n"
    assert (rules["Ratio"]["for"], rules["Ratio"]["keep_firing_for"]) == ("5s", "10s")
    assert rules["Ratio"]["annotations"] == {"summary": "Rate {{ $value | humanize }} in [5m]"}
    assert rules["Down"]["for"] == "1s"
    undecided = {rule.case: rule for rule in done.left_out(Handling.UNDECIDED)}
    assert set(undecided) == {
        'Count@monitoring/rules.yml::alerts{severity="warning"}',
        'Count@monitoring/rules.yml::alerts{severity="critical"}',
        "Recorded@monitoring/rules.yml::alerts",
        "Age@monitoring/rules.yml::alerts",
        "Hours@monitoring/rules.yml::alerts",
    }
    age = undecided["Age@monitoring/rules.yml::alerts"]
    assert str(age.place) == "monitoring/rules.yml:31:15"
    assert "`time() - last_success > 300`" in age.reason
    assert "scale_constant: true" in age.reason
    assert "not_drillable" in undecided["Hours@monitoring/rules.yml::alerts"].reason
    checks("promtool", "check", "rules", text=yaml_text(done.value))


def test_every_group_records_its_evaluations(checks: Checks) -> None:
    """Each group, even one whose rules are all left out, records the time of its evaluations with group and file."""
    done = compressed(text="groups: [{name: a, rules: [{alert: H, expr: 'hour() > 3'}]}, {name: b, rules: }]")
    beats = [group["rules"] for group in done.value["groups"]]
    assert beats == [
        [{"record": HEARTBEAT, "expr": "time()", "labels": {"group": name, "file": "monitoring/rules.yml"}}]
        for name in ("a", "b")
    ]
    checks("promtool", "check", "rules", text=yaml_text(done.value))


def test_decisions_bring_rules_in(checks: Checks) -> None:
    """A threshold by case id, a scaled constant and a reason not to drill each do what they say, and are reported."""
    decisions = {
        'Count@monitoring/rules.yml::alerts{severity="warning"}': Decision(threshold=0.2, because="60 times fewer"),
        "Count": Decision(threshold=2, because="60 times fewer"),
        "Recorded": Decision(threshold=0.1, because="60 times fewer"),
        "Age": Decision(scale_constant=True),
        "Hours": Decision(not_drillable="office hours cannot be waited for"),
        "Nobody": Decision(scale_constant=True),
    }
    done = compressed(decisions)
    rules = written(done)
    assert rules["Count"]["expr"] == "increase(errors_total[5s]) > 0.2"
    assert rules["Count critical"]["expr"] == "increase(errors_total[5s]) > 2"
    assert "for" not in rules["Count critical"]
    assert rules["Recorded"]["expr"] == "job:errors:increase5m > 0.1"
    assert rules["Age"]["expr"] == "time() - last_success > 5"
    assert done.left_out(Handling.UNDECIDED) == ()
    (hours,) = done.left_out(Handling.NOT_DRILLABLE)
    assert (hours.rule.name, hours.reason) == ("Hours", "office hours cannot be waited for")
    assert set(decisions) - done.used == {"Nobody"}
    count = next(rule for rule in done.rules if rule.rule.name == "Count")
    assert count.decision == "threshold 0.2, because 60 times fewer"
    checks("promtool", "check", "rules", text=yaml_text(done.value))


@pytest.mark.parametrize(
    ("expression", "decision", "said"),
    [
        ("rate(a[5m]) > 10", Decision(scale_constant=True), "no number in the expression is a duration"),
        ("increase(a[5m]) > 10", Decision(scale_constant=True), "scale_constant does not settle it"),
        ("increase(a[5m]) > b", Decision(threshold=1, because="x"), "exactly one comparison"),
        ("count(increase(a[5m]) > 5) > 2", Decision(threshold=1, because="x"), "increase(a[5m]) > 5"),
        ("time() - a > 5 and increase(b[5m]) > 2", Decision(scale_constant=True), "increase(b[5m]) > 2"),
        ("hour() > 5", Decision(threshold=1, because="x"), "time of day"),
        ("rate(a[5m)", None, "cannot be read"),
    ],
)
def test_a_decision_that_does_not_settle_it_leaves_the_rule_out(
    expression: str, decision: Decision | None, said: str
) -> None:
    """A rule whose decision does not settle every ambiguity stays undecided, and the reason names what is left."""
    text = yaml_text({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expression}]}]})
    done = compressed({"A": decision} if decision else {}, text)
    (rule,) = done.left_out(Handling.UNDECIDED)
    assert said in rule.reason


def test_readers_of_a_rule_that_is_left_out_are_left_out() -> None:
    """An alert that reads, over several steps, a recording rule that is left out is left out with it, in any order."""
    text = """
groups:
  - name: g
    rules:
      - {alert: Far, expr: 'busy:half > 1'}
      - {record: 'busy:half', expr: 'busy / 2'}
      - {record: busy, expr: 'count(increase(a[5m]) > 5)'}
      - {alert: Other, expr: 'up == 0'}
"""
    done = compressed(text=text)
    assert {rule.rule.name: rule.reason for rule in done.rules if rule.compressed is None}.keys() == {
        "Far",
        "busy:half",
        "busy",
    }
    far = next(rule for rule in done.rules if rule.rule.name == "Far")
    assert far.reason == "it reads busy:half, which is left out"
    elsewhere = compress_rules(
        rules_of("groups: [{name: g, rules: [{alert: A, expr: 'busy > 1'}]}]"),
        60,
        {},
        left_out={"busy": Handling.NOT_DRILLABLE},
    )
    assert [rule.handling for rule in elsewhere.rules] == [Handling.NOT_DRILLABLE]


def test_recording_rules_of_other_files_are_known() -> None:
    """What another file records decides whether an alert of this file is ambiguous."""
    other = rules_of("groups: [{name: o, rules: [{record: 'e:inc', expr: 'increase(e[1h])'}, {record: x, expr: '('}]}]")
    mine = rules_of("groups: [{name: g, rules: [{alert: A, expr: 'e:inc > 1'}]}]")
    alone = compress_rules(mine, 60, {})
    together = compress_rules(mine, 60, {}, recorded=recorded_in([other, mine]))
    assert [rule.handling for rule in alone.rules] == [Handling.COMPRESSED]
    assert [rule.handling for rule in together.rules] == [Handling.UNDECIDED]


def test_factor_one_rewrites_nothing(checks: Checks) -> None:
    """With factor 1 every rule stays as it is written, ambiguous or not, and only the heartbeat is added."""
    done = compressed(factor=1)
    assert {rule.handling for rule in done.rules} == {Handling.COMPRESSED}
    original = rules_of(RULES).value
    for before, after in zip(original["groups"], done.value["groups"], strict=True):
        kept = [{key: value for key, value in rule.items() if value != ""} for rule in before["rules"]]
        assert after["rules"][1:] == kept
    checks("promtool", "check", "rules", text=yaml_text(done.value))


def test_numbers_and_truth_values_survive_raw_reading() -> None:
    """A limit stays a number and a label that looks like one keeps its digits."""
    again = read_document(yaml_text(compressed().value), "again.yml").value["groups"][0]
    assert again["limit"] == 20
    assert "version: 1.10" in yaml_text(compressed().value)
    assert again["interval"] == "500ms"


def test_what_is_no_rule_file_is_refused_at_its_place() -> None:
    """A file of another kind is refused, with the place."""
    with pytest.raises(Unreadable, match="not a rule file"):
        compressed(text="route: {receiver: x}")


PROMETHEUS = """
global:
  scrape_interval: 15s
  scrape_timeout: 10s
  evaluation_interval: 30s
  external_labels: {cluster: eu-1, replica: "2"}
rule_files: [/etc/prometheus/*.yml]
alerting:
  alert_relabel_configs: [{regex: replica, action: labeldrop}]
  alertmanagers: [{scheme: https, static_configs: [{targets: ['am:9093']}]}]
remote_write: [{url: 'http://elsewhere/write'}]
remote_read: [{url: 'http://elsewhere/read'}]
scrape_configs:
  - job_name: backend
    honor_labels: true
    metrics_path: /internal/metrics
    params: {collect: [a, b]}
    scheme: https
    basic_auth: {username: u, password: secret}
    static_configs:
      - {targets: ['a:1'], labels: {env: prod, zone: a}}
      - {targets: ['b:1'], labels: {env: prod, zone: b}}
    relabel_configs:
      - {source_labels: [env], target_label: environment}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'go_.*', action: drop}
  - job_name: pods
    scrape_interval: 1m
    scrape_timeout: 20s
    kubernetes_sd_configs: [{role: pod}]
    relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_annotation_scrape], regex: "true", action: keep}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [namespace], regex: kube-system, action: drop}
      - {source_labels: [__address__, __meta_port], target_label: __address__}
      - {source_labels: [__address__], target_label: instance}
      - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
      - {target_label: team, replacement: sre}
      - {source_labels: [team], regex: sre, action: keep}
  - job_name: node
    static_configs: [{targets: ['n:9100']}]
"""


@pytest.mark.parametrize("raw", [True, False])
def test_a_prometheus_configuration_is_made_ours(raw: bool, checks: Checks) -> None:
    """Intervals shrink, targets and Alertmanager are ours, what leads elsewhere is gone, what labels is kept."""
    config = read_document(PROMETHEUS, "prometheus.yml", raw=raw).value
    done = compress_prometheus(
        config,
        60,
        target_files={"backend": "backend.json", "pods": "pods.json"},
        alertmanagers=["127.0.0.1:9999"],
        rule_files=[],
    )
    value = read_document(yaml_text(done.value), "prometheus.yml").value
    assert value["global"] == {
        "scrape_interval": "250ms",
        "scrape_timeout": "250ms",
        "evaluation_interval": "500ms",
        "external_labels": {"cluster": "eu-1", "replica": 2},
    }
    assert value["alerting"] == {
        "alert_relabel_configs": [{"regex": "replica", "action": "labeldrop"}],
        "alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9999"]}]}],
    }
    assert not {"remote_write", "remote_read"} & set(value)
    backend, pods = value["scrape_configs"]
    assert backend == {
        "job_name": "backend",
        "honor_labels": True,
        "metrics_path": "/internal/metrics",
        "params": {"collect": ["a", "b"]},
        "file_sd_configs": [{"files": ["backend.json"]}],
        "relabel_configs": [{"source_labels": ["env"], "target_label": "environment"}],
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}],
    }
    assert (pods["scrape_interval"], pods["scrape_timeout"]) == ("1s", "1s")
    assert [rule.get("target_label") or rule["source_labels"] for rule in pods["relabel_configs"]] == [
        "instance",
        "team",
        ["team"],
    ]
    assert [(drop.job, drop.index) for drop in done.dropped] == [("pods", index) for index in (0, 1, 2, 3, 5)]
    assert done.dropped[2].reads == ("namespace",)
    assert (done.jobs, done.left_out) == (("backend", "pods"), ("node",))
    assert done.static_labels == {"backend": {"env": "prod"}, "pods": {}}
    checks("promtool", "check", "config", text=yaml_text(done.value))


def test_defaults_of_prometheus_are_written_out(checks: Checks) -> None:
    """Where production says nothing, its default of a minute is divided, not a drill's own."""
    done = compress_prometheus({}, 60, target_files={}, alertmanagers=[], rule_files=[])
    assert done.value["global"] == {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    checks("promtool", "check", "config", text=yaml_text(done.value))


def test_each_replica_has_its_own_label_and_tells_every_alertmanager(checks: Checks) -> None:
    """A replica's label takes the place of production's, the others stay, and so does what drops it at alerting."""
    config = read_document(PROMETHEUS, "prometheus.yml").value
    assert replica_label(config) == "replica"
    done = compress_prometheus(
        config,
        60,
        target_files={},
        alertmanagers=["127.0.0.1:1", "127.0.0.1:2"],
        rule_files=[],
        external_labels={"replica": "prometheus-2"},
    )
    assert done.value["global"]["external_labels"] == {"cluster": "eu-1", "replica": "prometheus-2"}
    assert done.value["alerting"]["alert_relabel_configs"] == [{"regex": "replica", "action": "labeldrop"}]
    assert done.value["alerting"]["alertmanagers"] == [
        {"static_configs": [{"targets": ["127.0.0.1:1", "127.0.0.1:2"]}]}
    ]
    checks("promtool", "check", "config", text=yaml_text(done.value))


@pytest.mark.parametrize(
    ("config", "label"),
    [
        ({}, None),
        ({"global": {"external_labels": {"cluster": "eu"}}}, None),
        ({"global": {"external_labels": {"prometheus_replica": "$(POD_NAME)"}}}, "prometheus_replica"),
        ({"global": {"external_labels": {"__replica__": "a", "cluster": "eu"}}}, "__replica__"),
    ],
)
def test_the_label_of_replicas_is_found_by_its_usual_names(config: dict[str, object], label: str | None) -> None:
    """The usual names of a replica's label are known; a configuration without one has none."""
    assert replica_label(config) == label


def test_an_interval_that_is_no_duration_is_refused_by_name() -> None:
    """A bad interval is refused with the name of its key and its job."""
    config = {"scrape_configs": [{"job_name": "api", "scrape_interval": "15"}]}
    with pytest.raises(ValueError, match=r"scrape_interval of job api: '15'.*unit is missing"):
        compress_prometheus(config, 60, target_files={"api": "a.json"}, alertmanagers=[], rule_files=[])


ALERTMANAGER = """
global:
  resolve_timeout: 5m
  smtp_smarthost: mail:25
  smtp_from: a@b.example
  slack_api_url: https://hooks.example/secret
templates: [/etc/alertmanager/*.tmpl]
route:
  receiver: on call/team
  group_by: [alertname, cluster]
  group_interval: 2m
  routes:
    - matchers: [severity="critical"]
      receiver: pager
      group_wait: 0s
      continue: true
      routes:
        - {receiver: nobody, repeat_interval: 1h, mute_time_intervals: [weekends], matchers: [team="x"]}
receivers:
  - name: on call/team
    email_configs: [{to: a@b.example}, {to: c@d.example, send_resolved: true}]
    slack_configs: [{channel: '#ops'}]
  - name: pager
    pagerduty_configs: [{service_key: secret}]
    webhook_configs: [{url: 'http://elsewhere/', send_resolved: false}]
  - name: nobody
inhibit_rules:
  - {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [alertname]}
mute_time_intervals:
  - {name: weekends, time_intervals: [{weekdays: [saturday, sunday]}]}
"""


@pytest.mark.parametrize("raw", [True, False])
def test_an_alertmanager_configuration_leads_to_the_sink(raw: bool, checks: Checks) -> None:
    """Every time of every route shrinks, and every integration becomes a webhook to the sink that tells them apart."""
    config = read_document(ALERTMANAGER, "alertmanager.yml", raw=raw).value
    done = compress_alertmanager(config, 60, "http://127.0.0.1:8080/")
    value = read_document(yaml_text(done), "alertmanager.yml").value
    route = value["route"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("500ms", "2s", "4m")
    critical = route["routes"][0]
    assert critical["group_wait"] == "0s"
    assert "group_interval" not in critical
    assert critical["continue"] is True
    assert critical["routes"][0]["repeat_interval"] == "1m"
    assert {receiver["name"]: receiver.get("webhook_configs") for receiver in value["receivers"]} == {
        "on call/team": [
            {"url": "http://127.0.0.1:8080/on%20call%2Fteam/email/0", "send_resolved": False},
            {"url": "http://127.0.0.1:8080/on%20call%2Fteam/email/1", "send_resolved": True},
            {"url": "http://127.0.0.1:8080/on%20call%2Fteam/slack/0", "send_resolved": False},
        ],
        "pager": [
            {"url": "http://127.0.0.1:8080/pager/pagerduty/0", "send_resolved": True},
            {"url": "http://127.0.0.1:8080/pager/webhook/0", "send_resolved": False},
        ],
        "nobody": None,
    }
    assert value["global"] == {"resolve_timeout": "5m"}
    assert "templates" not in value
    assert "secret" not in yaml_text(done)
    assert value["inhibit_rules"] == read_document(ALERTMANAGER, "x").value["inhibit_rules"]
    assert value["mute_time_intervals"][0]["name"] == "weekends"
    checks("amtool", "check-config", text=yaml_text(done))


def test_bad_alertmanager_configurations_are_refused() -> None:
    """A configuration without routes, or with a time that is none, is refused by name."""
    with pytest.raises(ValueError, match="no `route`"):
        compress_alertmanager({}, 60, "http://x")
    with pytest.raises(ValueError, match="group_wait of a route: '5'"):
        compress_alertmanager({"route": {"receiver": "x", "group_wait": 5}}, 60, "http://x")


def test_flags_that_are_times_are_divided() -> None:
    """Defaults and given flags are divided, with or without dashes; other flags are not passed on."""
    assert compress_flags(60) == {
        "query.lookback-delta": "5s",
        "rules.alert.resend-delay": "1s",
        "rules.alert.for-grace-period": "10s",
        "rules.alert.for-outage-tolerance": "1m",
    }
    given = {"--query.lookback-delta": "2m", "storage.tsdb.path": "/data"}
    assert compress_flags(60, given)["query.lookback-delta"] == "2s"
    assert "storage.tsdb.path" not in compress_flags(60, given)
    with pytest.raises(ValueError, match=r"flag --query\.lookback-delta"):
        compress_flags(60, {"query.lookback-delta": "2"})


def test_the_times_of_a_cluster_are_divided_and_its_gossip_keeps_up() -> None:
    """The peer timeout is divided by any factor; what carries the gossip, only to what a machine bears."""
    production = compress_cluster_flags(1)
    assert {name: parse_duration(value) for name, value in production.items()} == {
        name: parse_duration(value) for name, value in CLUSTER_DEFAULTS.items()
    }
    drill = compress_cluster_flags(60)
    assert drill[PEER_TIMEOUT] == "250ms"
    assert drill["cluster.pushpull-interval"] == "1s"
    assert drill["cluster.probe-interval"] == "200ms"
    for factor in (1, 2, 60, 300):
        found = {name: parse_duration(value) for name, value in compress_cluster_flags(factor).items()}
        assert found[PEER_TIMEOUT] == pytest.approx(15 / factor)
        assert found["cluster.gossip-interval"] < found[PEER_TIMEOUT]
        assert found["cluster.probe-timeout"] < found["cluster.probe-interval"]
        assert all(found[name] <= parse_duration(value) for name, value in CLUSTER_DEFAULTS.items())


# Real systems.


def corpus(*, raw: bool) -> Iterator[Document]:
    root = Path(os.environ["TOCSIN_CORPUS"])
    for file in sorted(root.rglob("*.y*ml")):
        try:
            yield from read_documents(file.read_text(encoding="utf-8"), str(file.relative_to(root)), raw=raw)
        except (Unreadable, UnicodeDecodeError):
            continue


@CORPUS
def test_the_corpus_of_rules_is_accepted_by_promtool(checks: Checks, tmp_path: Path) -> None:
    """Every rule file of many real systems that can be read is rewritten into one that promtool accepts."""
    fates: dict[Handling, int] = {}
    texts: list[str] = []
    for document in corpus(raw=True):
        if not isinstance(document.value, dict) or not isinstance(document.value.get("groups"), list):
            continue
        try:
            done = compress_rules(document, 60, {})
        except Unreadable:
            continue
        for rule in done.rules:
            fates[rule.handling] = fates.get(rule.handling, 0) + 1
            if rule.compressed is not None:
                parse(rule.compressed)
            else:
                assert rule.reason
        texts.append(yaml_text(done.value))
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yml").write_text(text)
    checks("promtool", "check", "rules", *(str(tmp_path / f"{n}.yml") for n in range(len(texts))), text="groups: []\n")
    assert fates[Handling.COMPRESSED] > 300
    assert fates[Handling.UNDECIDED] > 20


@CORPUS
def test_the_corpus_of_configurations_is_accepted(checks: Checks) -> None:
    """Every Prometheus and Alertmanager configuration of many real systems is rewritten into one that is accepted."""
    seen = {"prometheus": 0, "alertmanager": 0}
    for document in corpus(raw=True):
        value = document.value
        if not isinstance(value, dict):
            continue
        if isinstance(value.get("scrape_configs"), list) and "rule_files" in value:
            if len({job["job_name"] for job in value["scrape_configs"]}) < len(value["scrape_configs"]):
                continue  # two jobs of one name: the original is refused too
            jobs = {str(job["job_name"]): f"{n}.json" for n, job in enumerate(value["scrape_configs"])}
            ours = compress_prometheus(value, 60, target_files=jobs, alertmanagers=["127.0.0.1:9093"], rule_files=[])
            checks("promtool", "check", "config", text=yaml_text(ours.value))
            seen["prometheus"] += 1
        if isinstance(value.get("route"), dict) and isinstance(value.get("receivers"), list):
            if "labels" in value["route"]:
                continue  # a route that sets labels came after Alertmanager 0.25, which refuses the original too
            sunk = compress_alertmanager(value, 60, "http://127.0.0.1:1/")
            checks("amtool", "check-config", text=yaml_text(sunk))
            seen["alertmanager"] += 1
    assert min(seen.values()) > 0, seen


def test_durations_of_real_flags_are_prometheus_durations() -> None:
    """What is written into flags can be read back."""
    assert all(parse_duration(value) > 0 for value in compress_flags(60).values())
