"""The monitoring of the reference system is whole: each alert has its test, its page, its panel and its receiver."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tocsin.artefacts.alertmanager import read_routing
from tocsin.compression.scaling import constant
from tocsin.engines import amtool, promtool
from tocsin.engines.binaries import Engine, find_engine
from tocsin.promql import Expr, comparisons, parse, selectors
from tocsin.source import read_document
from tocsin.supervisor import run_once

SYSTEM = Path(__file__).parents[1] / "fixtures/systems/dharmamind"
MONITORING = SYSTEM / "monitoring"
RUNBOOKS = "https://runbooks.dharmamind.example/"
GRAFANA = "https://grafana.dharmamind.example/d/"
OWN_JOBS = ("backend", "frontend", "node", "kube-state-metrics", "blackbox", "prometheus", "alertmanager")
SERVICES = {"backend", "frontend", "node", "kubernetes", "monitoring"}
TEAMS = {"platform", "backend", "community", "security"}
RECEIVERS = {"critical": "pager", "error": "errors", "warning": "warnings", "info": "logbook", "none": "deadman"}
TEST_SECONDS = 600.0
"""For all the owners' tests on a busy machine; on a quiet one they take half a minute."""
NO_KUBERNETES = "field kubernetes_sd_configs not found"
"""What promtool says where it was built without discovery in Kubernetes, as in Debian 12."""


def load(name: str) -> Any:
    """Return a file of the monitoring, read as YAML."""
    return yaml.safe_load((MONITORING / name).read_text())


def groups() -> list[dict[str, Any]]:
    """Return the groups of rules."""
    found: list[dict[str, Any]] = load("alert_rules.yml")["groups"]
    return found


RULES = [rule for group in groups() for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = [rule for rule in RULES if "record" in rule]
ALERT_NAMES = re.compile(r'ALERTS\{alertname=~?"([^"]+)"')
"""Of which alerts an expression of the owners' tests asks."""


def rule_id(rule: Mapping[str, Any]) -> str:
    """Tell the rungs of a ladder apart."""
    return f"{rule['alert']}-{rule['labels']['severity']}"


every_alert = pytest.mark.parametrize("rule", ALERTS, ids=rule_id)


# --- what an alert says, and where it leads ---


@every_alert
def test_an_alert_says_all_that_its_reader_needs(rule: dict[str, Any]) -> None:
    """Severity, team and service of those that there are; a description with the value; a runbook and a panel."""
    labels, annotations = rule["labels"], rule["annotations"]
    assert set(labels) == {"severity", "team", "service"}
    assert labels["severity"] in RECEIVERS
    assert labels["team"] in TEAMS
    assert labels["service"] in SERVICES
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard"}
    assert "$value" in annotations["description"]
    assert annotations["runbook_url"] == f"{RUNBOOKS}{rule['alert']}.md"
    assert annotations["dashboard"].startswith(GRAFANA)


@every_alert
def test_an_alert_has_a_runbook_of_its_name(rule: dict[str, Any]) -> None:
    """The page is there, and is about this alert."""
    page = SYSTEM / "docs/runbooks" / f"{rule['alert']}.md"
    assert page.is_file(), f"write {page.relative_to(SYSTEM)}"
    assert page.read_text().startswith(f"# {rule['alert']}\n")


def test_no_runbook_is_left_over() -> None:
    """Each page is that of an alert."""
    assert {page.stem for page in (SYSTEM / "docs/runbooks").glob("*.md")} - {"README"} <= {r["alert"] for r in ALERTS}


def routed_to(labels: Mapping[str, str]) -> str:
    """Return the receiver that an alert is meant for."""
    if labels["team"] == "security" and labels["severity"] in ("error", "warning"):
        return "security"
    return RECEIVERS[labels["severity"]]


@every_alert
def test_an_alert_reaches_the_receiver_that_it_is_meant_for(rule: dict[str, Any]) -> None:
    """One receiver, by severity and team, which has an integration."""
    routing = read_routing(read_document((MONITORING / "alertmanager.yml").read_text(), "alertmanager.yml"))
    routes = routing.routes({"alertname": rule["alert"], **rule["labels"]})
    assert [route.receiver for route in routes] == [routed_to(rule["labels"])]
    assert routing.receivers[routes[0].receiver].integrations


def test_alertmanager_routes_as_we_read_its_file() -> None:
    """Of each kind of label set, amtool says the same receiver."""
    kinds = {(r["alert"] if r["alert"] == "Watchdog" else "Any", *sorted(r["labels"].items())) for r in ALERTS}
    assert len(kinds) > len(RECEIVERS)
    for name, *labels in kinds:
        found = amtool.route(MONITORING / "alertmanager.yml", {"alertname": name, **dict(labels)})
        assert found == (routed_to(dict(labels)),), (name, labels)


def test_the_heartbeat_is_never_silenced_and_told_often() -> None:
    """No inhibition has it for a target, no interval mutes it, and it is said again within minutes."""
    config = load("alertmanager.yml")
    first = config["route"]["routes"][0]
    assert first["matchers"] == ['alertname="Watchdog"']
    assert "mute_time_intervals" not in first
    assert first["repeat_interval"] == "5m"
    for rule in config["inhibit_rules"]:
        (severity,) = [m for m in rule["target_matchers"] if m.startswith("severity")]
        assert not re.fullmatch(severity.split('"')[1], "none")


# --- its panel ---


def panels(of: Any) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, those in collapsed rows included."""
    for panel in of.get("panels", []):
        yield panel
        yield from panels(panel)


def plain(expression: str) -> str:
    """Return an expression without its white space."""
    return re.sub(r"\s+", "", expression)


def shown(rule: Mapping[str, Any]) -> list[str]:
    """Return what must be seen of an alert: the measured sides of what decides it; of no comparison, the whole."""
    text = rule["expr"]
    sides: list[Expr] = [side for c in comparisons(parse(text)) for side in (c.left, c.right) if constant(side) is None]
    return [plain(side.text(text)) for side in sides] or [plain(text)]


@every_alert
def test_the_panel_of_an_alert_shows_its_expression(rule: dict[str, Any]) -> None:
    """The link leads to a panel that there is, and its targets hold what the alert compares."""
    link = urlsplit(rule["annotations"]["dashboard"])
    (wanted,) = parse_qs(link.query)["viewPanel"]
    path = SYSTEM / "grafana/dashboards" / f"{Path(link.path).name}.json"
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    (panel,) = [panel for panel in panels(board) if panel.get("id") == int(wanted)]
    targets = [plain(target.get("expr", "")) for target in panel["targets"]]
    for expression in shown(rule):
        assert any(expression in target for target in targets), f"{path.name}, panel {wanted}: no target {expression}"


def test_no_two_alerts_share_a_panel_save_the_rungs_of_one() -> None:
    """A panel has the thresholds of one alert."""
    names: dict[str, set[str]] = {}
    for rule in ALERTS:
        names.setdefault(rule["annotations"]["dashboard"], set()).add(rule["alert"])
    assert {link: found for link, found in names.items() if len(found) > 1} == {}


# --- the rules themselves ---


def test_recording_rules_are_named_by_level_and_all_are_read() -> None:
    """Names are level:metric:operation, and what no rule reads is not recorded."""
    names = [rule["record"] for rule in RECORDED]
    read = {s.name for rule in RULES for s in selectors(parse(rule["expr"]))}
    assert len(names) == len(set(names)) > 5
    for name in names:
        assert re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", name)
        assert name in read, f"nobody reads {name}"


def test_a_rule_is_recorded_before_it_is_read() -> None:
    """In one group, so that the alert sees this evaluation and not the one before, or of another group."""
    for group in groups():
        names = [rule.get("record") for rule in group["rules"]]
        for index, rule in enumerate(group["rules"]):
            own = {s.name for s in selectors(parse(rule["expr"]))} & set(filter(None, names))
            assert own <= set(names[:index])


def test_every_metric_of_a_rule_is_of_a_job_that_is_scraped() -> None:
    """Each selector of a raw metric says its job, one of those in prometheus.yml."""
    jobs = {job["job_name"] for job in load("prometheus.yml")["scrape_configs"]}
    assert jobs == {*OWN_JOBS, "kubernetes-pods"}
    for rule in RULES:
        for selector in selectors(parse(rule["expr"])):
            if selector.name and ":" not in selector.name:
                (said,) = [m for m in selector.matchers if m.name == "job"]
                assert set(said.value.split("|")) <= jobs, selector.name


@cache
def owners_tests() -> Any:
    """Return the owners' tests."""
    return load("alert_rules_test.yml")["tests"]


def asked_of(rule: Mapping[str, Any]) -> set[str]:
    """Return in which ways an alert's tests ask for it: that it fires, and that it does not."""
    found = set()
    for test in owners_tests():
        for asked in test.get("alert_rule_test", []):
            if asked["alertname"] == rule["alert"]:
                severities = [alert["exp_labels"]["severity"] for alert in asked["exp_alerts"]]
                found.add("fires" if rule["labels"]["severity"] in severities else "silent")
        for asked in test.get("promql_expr_test", []):
            name = ALERT_NAMES.search(asked["expr"])
            samples = [sample["labels"] for sample in asked["exp_samples"]]
            if name and re.fullmatch(name[1], rule["alert"]):
                severity = f'severity="{rule["labels"]["severity"]}"'
                ours = [
                    s
                    for s in samples
                    if severity in s and f'alertname="{rule["alert"]}"' in s + f'alertname="{name[1]}"'
                ]
                found.add("fires" if ours else "silent")
    return found


@every_alert
def test_an_alert_has_a_rule_test(rule: dict[str, Any]) -> None:
    """The owners' tests ask that it fires with its severity, and, but for the heartbeat, that it does not."""
    assert asked_of(rule) == ({"fires"} if rule["alert"] == "Watchdog" else {"fires", "silent"})


def asked_by(test: Mapping[str, Any]) -> set[str]:
    """Return the alerts that one of the owners' tests asks for."""
    named = {asked["alertname"] for asked in test.get("alert_rule_test", ())}
    for asked in test.get("promql_expr_test", ()):
        for pattern in ALERT_NAMES.findall(asked["expr"]):
            named |= {rule["alert"] for rule in ALERTS if re.fullmatch(pattern, rule["alert"])}
    return named


def failing(changed: Any, folder: Path) -> set[str]:
    """Run the owners' tests on changed rules; return the alerts of which a test fails.

    Each test sees the recording rules and the alerts that it asks for: promtool evaluates all that it is given.
    """
    document, files = load("alert_rules_test.yml"), []
    for number, test in enumerate(document["tests"]):
        asked = asked_by(test)
        groups = [
            {**group, "rules": [rule for rule in group["rules"] if "record" in rule or rule["alert"] in asked]}
            for group in changed["groups"]
        ]
        rules, file = folder / f"rules-{number}.yml", folder / f"test-{number}.yml"
        rules.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
        told = {**document, "rule_files": [rules.name], "tests": [test]}
        file.write_text(yaml.safe_dump(told, sort_keys=False))
        files.append(file)
    done = promtool.run_rule_tests(files, cwd=folder, seconds=TEST_SECONDS)
    said = done.stdout + done.stderr
    assert done.code in (0, 1), said
    found = set(re.findall(r"alertname: ?(\w+), time:", said))
    for pattern in re.findall(r'expr: "[^\n]*?ALERTS\{alertname=~?\\"([^"\\]+)\\"', said):
        found |= {rule["alert"] for rule in ALERTS if re.fullmatch(pattern, rule["alert"])}
    return found


def changed_rules(change: Any) -> Any:
    """Return the rule file with each alert changed."""
    document = load("alert_rules.yml")
    for group in document["groups"]:
        group["rules"] = [change(rule) if "alert" in rule else rule for rule in group["rules"]]
    return document


def at_once(rule: dict[str, Any]) -> dict[str, Any]:
    """Make an alert that does not wait."""
    return {**rule, "for": "0s"}


def eager(rule: dict[str, Any]) -> dict[str, Any]:
    """Make an alert whose line is a tenth nearer; a fifth, where it is crossed downwards."""
    text, edits = rule["expr"], []
    for found in comparisons(parse(text)):
        line = constant(found.right)
        if line:
            span = found.right.span
            edits.append((span.start, span.end, repr(line * (0.9 if found.op.startswith(">") else 1.2))))
    for start, end, number in sorted(edits, reverse=True):
        text = text[:start] + number + text[end:]
    return {**rule, "expr": text}


def test_the_owners_tests_pass() -> None:
    """As the rules are, no test of theirs fails; so what is asked to fire does fire."""
    done = promtool.run_rule_tests([MONITORING / "alert_rules_test.yml"], cwd=MONITORING, seconds=TEST_SECONDS)
    assert done.code == 0, done.stdout + done.stderr


def test_the_owners_tests_notice_an_alert_that_does_not_wait(tmp_path: Path) -> None:
    """Without its `for`, each alert that has one is caught by its own test."""
    assert failing(changed_rules(at_once), tmp_path) >= {rule["alert"] for rule in ALERTS if "for" in rule}


def test_the_owners_tests_notice_a_line_that_is_nearer(tmp_path: Path) -> None:
    """With every threshold moved a little, each alert that has one other than 0 is caught by its own test."""
    moved = {rule["alert"] for rule in ALERTS if eager(rule)["expr"] != rule["expr"]}
    assert len(moved) > 25
    unnoticed = moved - failing(changed_rules(eager), tmp_path)
    assert unnoticed == set()


# --- the configurations ---


def without_kubernetes(folder: Path) -> Path:
    """Copy the monitoring, with files in the place of discovery in Kubernetes; relabelling stays as it is."""
    copy = folder / "monitoring"
    shutil.copytree(MONITORING, copy)
    config = load("prometheus.yml")
    for job in config["scrape_configs"]:
        if job.pop("kubernetes_sd_configs", None):
            job["file_sd_configs"] = [{"files": [str(folder / "pods.json")]}]
    (copy / "prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    return copy / "prometheus.yml"


def test_prometheus_accepts_the_configuration(tmp_path: Path) -> None:
    """Configuration and rules pass promtool; one that knows no Kubernetes is shown files in its place."""
    (tmp_path / "pods.json").write_text("[]")
    done = promtool.check_config(MONITORING / "prometheus.yml")
    if NO_KUBERNETES in done.stdout + done.stderr:
        assert "\n  line" in done.stderr
        assert len(re.findall("not found in type", done.stderr)) == len(re.findall(NO_KUBERNETES, done.stderr))
        done = promtool.check_config(without_kubernetes(tmp_path))
    assert done.code == 0, done.stdout + done.stderr


def test_alertmanager_accepts_its_configuration() -> None:
    """Configuration and templates pass amtool."""
    done = amtool.check_config(MONITORING / "alertmanager.yml")
    assert done.code == 0, done.stdout + done.stderr


def pod(name: str, address: str, namespace: str = "dharmamind", **given: str) -> dict[str, Any]:
    """Return a pod as discovery in Kubernetes shows one of its ports."""
    labels = {"namespace": namespace, "pod_label_app_kubernetes_io_name": name, "pod_name": f"{name}-1"}
    labels |= {"pod_phase": "Running", "pod_node_name": "n1", **given}
    return {"targets": [address], "labels": {f"__meta_kubernetes_{key}": value for key, value in labels.items()}}


ASKS = {"pod_annotation_prometheus_io_scrape": "true", "pod_annotation_prometheus_io_port": "8000"}
PATH = {"pod_annotation_prometheus_io_path": "/numbers"}
PODS = [
    pod("backend", "10.0.0.1:8000", **ASKS),
    pod("backend", "10.0.0.1:9999", **ASKS),  # a second port of the same pod
    pod("backend", "[fd00::1]:8000", **ASKS),
    pod("backend", "[fd00::2]", **ASKS),  # no port declared
    pod("backend", "10.0.0.2:8000"),
    pod("backend", "10.0.0.3:8000", **ASKS, pod_phase="Succeeded"),
    pod("frontend", "10.0.0.4:8080", **{**ASKS, "pod_annotation_prometheus_io_port": "8080"}),
    pod("guest", "10.0.0.5:1", namespace="elsewhere", **{**ASKS, **PATH}),
    pod("backend", "10.0.0.6:1", namespace="elsewhere", **ASKS),  # not ours, whatever its name
    pod("prometheus", "10.0.0.7:9090", namespace="monitoring", **ASKS),
    pod("node-exporter", "10.0.0.8:9100", namespace="monitoring", pod_container_port_number="9100"),
    pod("node-exporter", "10.0.0.8:9999", namespace="monitoring", pod_container_port_number="9999"),
]


def discovered(job: str, config: Path) -> set[tuple[str, str, str]]:
    """Return address, path and instance of each target of a job, as promtool relabels what is discovered."""
    argv: list[str | Path] = [find_engine(Engine.PROMTOOL), "check", "service-discovery", "--timeout=1s", config, job]
    done = run_once(argv, cwd=config.parent, env=None, seconds=30)
    assert done.code == 0, done.stderr
    kept = [found["labels"] for found in json.loads(done.stdout) if found["labels"]]
    assert {labels["job"] for labels in kept} <= {job}
    return {(found["__address__"], found["__metrics_path__"], found["instance"]) for found in kept}


@pytest.mark.parametrize(
    ("job", "namespaces", "found"),
    [
        (
            "backend",
            {"dharmamind"},
            {
                ("10.0.0.1:8000", "/metrics", "10.0.0.1:8000"),
                ("[fd00::1]:8000", "/metrics", "[fd00::1]:8000"),
                ("[fd00::2]:8000", "/metrics", "[fd00::2]:8000"),
            },
        ),
        ("frontend", {"dharmamind"}, {("10.0.0.4:8080", "/metrics", "10.0.0.4:8080")}),
        ("node", {"monitoring"}, {("10.0.0.8:9100", "/metrics", "n1")}),
        (
            "kubernetes-pods",
            {"dharmamind", "monitoring", "elsewhere"},
            {
                ("10.0.0.5:8000", "/numbers", "10.0.0.5:8000"),
                ("10.0.0.6:8000", "/metrics", "10.0.0.6:8000"),
            },
        ),
    ],
)
def test_pods_are_scraped_as_their_annotations_ask_and_once(
    job: str, namespaces: set[str], found: set[tuple[str, str, str]], tmp_path: Path
) -> None:
    """Relabelling gives each pod that asks for it to one job, at its port and path, and drops all others."""
    seen = [each for each in PODS if each["labels"]["__meta_kubernetes_namespace"] in namespaces]
    (tmp_path / "pods.json").write_text(json.dumps(seen))
    assert discovered(job, without_kubernetes(tmp_path)) == found


def test_discovery_asks_in_the_namespaces_that_the_jobs_are_about() -> None:
    """A job of ours looks into its own namespace: what is named alike elsewhere is not ours."""
    asked = {
        job["job_name"]: [config.get("namespaces", {}).get("names") for config in job["kubernetes_sd_configs"]]
        for job in load("prometheus.yml")["scrape_configs"]
        if "kubernetes_sd_configs" in job
    }
    ours = {"backend": [["dharmamind"]], "frontend": [["dharmamind"]], "node": [["monitoring"]]}
    assert asked == {**ours, "kubernetes-pods": [None]}


def test_replicas_send_the_same_alert() -> None:
    """The label by which they differ is dropped before Alertmanager sees it, and both of those are told."""
    config = load("prometheus.yml")
    assert "replica" in config["global"]["external_labels"]
    assert config["alerting"]["alert_relabel_configs"] == [{"regex": "replica", "action": "labeldrop"}]
    (told,) = config["alerting"]["alertmanagers"]
    (scraped,) = [job for job in config["scrape_configs"] if job["job_name"] == "alertmanager"]
    assert told["static_configs"] == scraped["static_configs"]
    assert len(told["static_configs"][0]["targets"]) == 2


def test_probes_use_a_module_that_there_is() -> None:
    """The module in prometheus.yml is in blackbox.yml, asks for TLS, and gives up before the scrape does."""
    (job,) = [job for job in load("prometheus.yml")["scrape_configs"] if job["job_name"] == "blackbox"]
    module = load("blackbox.yml")["modules"][job["params"]["module"][0]]
    assert module["http"]["fail_if_not_ssl"] is True
    assert module["timeout"] == "5s"
    assert all(target.startswith("https://") for target in job["static_configs"][0]["targets"])


# --- what a notification says ---

DATA = {
    "receiver": "errors",
    "status": "firing",
    "externalURL": "https://alertmanager.dharmamind.example",
    "groupLabels": {"alertname": "HighCPU", "service": "backend"},
    "commonLabels": {"alertname": "HighCPU", "service": "backend", "team": "backend", "severity": "error"},
    "commonAnnotations": {"summary": "The backend is about to be throttled"},
    "alerts": [
        {
            "status": status,
            "labels": {"alertname": "HighCPU", "instance": instance},
            "annotations": {
                "description": f"{instance} uses 91 %.",
                "runbook_url": "https://r/HighCPU.md",
                "dashboard": "https://g/1",
            },
            "startsAt": "2026-11-25T10:00:00Z",
            "endsAt": "2026-11-25T10:30:00Z",
        }
        for instance, status in (("b:1", "firing"), ("c:1", "firing"), ("d:1", "resolved"))
    ],
}


def rendered(text: str, folder: Path, **changed: Any) -> str:
    """Return what Alertmanager's own templates make of the data."""
    (folder / "data.json").write_text(json.dumps({**DATA, **changed}))
    options = [f"--template.glob={MONITORING}/templates/*.tmpl", f"--template.data={folder}/data.json"]
    argv: list[str | Path] = [find_engine(Engine.AMTOOL), "template", "render", *options, f"--template.text={text}"]
    done = run_once(argv, cwd=folder, env=None, seconds=30)
    assert done.code == 0, done.stderr
    return done.stdout.strip()


def test_the_templates_say_what_happened_and_where_to_read_on(tmp_path: Path) -> None:
    """A title with state, count, name, service and summary; a line an alert; runbook and panel."""
    title = rendered('{{ template "dharmamind.title" . }}', tmp_path)
    text = rendered('{{ template "dharmamind.slack.text" . }}', tmp_path)
    assert title == "[FIRING:2] HighCPU (backend): The backend is about to be throttled"
    assert text.splitlines() == [
        "• b:1 uses 91 %. _since 10:00 UTC_",
        "• c:1 uses 91 %. _since 10:00 UTC_",
        "• resolved: d:1 uses 91 %. _10:00 to 10:30 UTC_",
        "<https://r/HighCPU.md|runbook> · <https://g/1|panel> · <https://alertmanager.dharmamind.example/#/silences|silences>",
    ]
    assert rendered('{{ template "dharmamind.footer" . }}', tmp_path) == "team backend"
    assert rendered('{{ template "dharmamind.plain" .Alerts.Resolved }}', tmp_path) == (
        "d:1 uses 91 %. (since 2026-11-25 10:00 UTC)"
    )


@pytest.mark.parametrize(
    ("status", "severity", "color"),
    [("firing", "error", "danger"), ("firing", "warning", "warning"), ("resolved", "error", "good")],
)
def test_a_colour_tells_how_bad_it_is(status: str, severity: str, color: str, tmp_path: Path) -> None:
    """Red, yellow, and green for what is over."""
    labels = {**DATA["commonLabels"], "severity": severity}  # type: ignore[dict-item]
    assert rendered('{{ template "dharmamind.slack.color" . }}', tmp_path, status=status, commonLabels=labels) == color


def test_every_template_that_a_receiver_uses_is_defined() -> None:
    """One that is not would fail when it is needed: checking a configuration does not join receivers and templates."""
    used = set(re.findall(r'template "(dharmamind\.[^"]+)"', (MONITORING / "alertmanager.yml").read_text()))
    defined = set(re.findall(r'define "(dharmamind\.[^"]+)"', (MONITORING / "templates/dharmamind.tmpl").read_text()))
    assert used <= defined
    assert len(used) >= 5
