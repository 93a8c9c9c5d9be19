"""High availability, drilled for real: one of two engines lost, or the two apart; and a system that tells twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.performed_drills import performed
from tocsin.drill.checking import check_plans
from tocsin.drill.judge import DrillResult
from tocsin.drill.planning import plan_drills
from tocsin.system import System, load_system
from tocsin.verdict import Outcome

TARGET = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import sys

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"shop_ready 1\\n")

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("listening on http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
"""
PROMETHEUS = """
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {cluster: eu, replica: "${HOSTNAME}"}
alerting:
  alert_relabel_configs:
    - {regex: replica, action: labeldrop}
scrape_configs:
  - {job_name: backend, static_configs: [{targets: ["backend:80"]}]}
  - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
  - {job_name: alertmanager, static_configs: [{targets: ["localhost:9093"]}]}
"""
RULES = """
groups:
  - name: shop
    rules:
      - {alert: BackendDown, expr: 'up{job="backend"} == 0', for: 30s}
      - {alert: EngineDown, expr: 'up{job=~"prometheus|alertmanager"} == 0', for: 30s}
      - {alert: Apart, expr: 'alertmanager_cluster_members < on () group_left () count(up{job="alertmanager"} == 1)'}
"""
ALERTMANAGER = """
route: {receiver: pager, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: pager, webhook_configs: [{url: 'http://pager/', send_resolved: true}]}]
"""
SYSTEM = """
schema: 1
name: shop
environments:
  local:
    factor: 60
    processes: {backend: {command: ["{python}", -I, -S, serve.py, "{port}"]}}
    exporters: {prometheus: prometheus}
allow: [{alert: Apart, reason: some of the drills do it}, {alert: EngineDown, reason: some of the drills do it}]
drills:
  together:
    replicas: {prometheus: 2, alertmanager: 2}
    stimulus: {kill: backend}
    expect: [{alert: BackendDown, receivers: [pager]}]
  prometheus-lost:
    replicas: {prometheus: 2, alertmanager: 2}
    stimulus: {kill: backend}
    disturbance: {when: before, kill: prometheus-1}
    expect: [{alert: BackendDown, receivers: [pager]}]
  alertmanager-lost:
    replicas: {prometheus: 2, alertmanager: 2}
    stimulus: {kill: backend}
    disturbance: {when: firing, kill: alertmanager-1}
    expect: [{alert: BackendDown, receivers: [pager]}]
  apart:
    replicas: {alertmanager: 2}
    stimulus: {kill: backend}
    disturbance: {when: before, partition: [alertmanager-1, alertmanager-2]}
    expect: [{alert: BackendDown, receivers: [pager]}]
  prometheus-down:
    replicas: {prometheus: 2}
    stimulus: {kill: prometheus-2}
    expect: [{alert: EngineDown, labels: {job: prometheus}, receivers: [pager]}]
  alertmanager-down:
    exporters: {alertmanager: alertmanager}
    replicas: {alertmanager: 2}
    stimulus: {kill: alertmanager-1}
    expect: [{alert: EngineDown, labels: {job: alertmanager}, receivers: [pager]}]
  parted:
    exporters: {alertmanager: alertmanager}
    replicas: {alertmanager: 2}
    stimulus: {partition: [alertmanager-1, alertmanager-2]}
    expect: [{alert: Apart, receivers: [pager]}]
  alone:
    stimulus: {kill: backend}
    expect: [{alert: BackendDown, receivers: [pager]}]
"""

pytestmark = pytest.mark.xdist_group("exclusive")

ATTEMPTS = 3
"""Of a drill, the later ones alone: on a busy machine it may prove nothing, which is another thing than a verdict."""


def shop(folder: Path, *, prometheus: str = PROMETHEUS, system: str = SYSTEM) -> System:
    """Write the shop's files and load it."""
    files = {"serve.py": TARGET, "prometheus.yml": prometheus, "rules.yml": RULES, "alertmanager.yml": ALERTMANAGER}
    directory = folder / "shop"
    directory.mkdir()
    for name, text in {**files, "system.yaml": system}.items():
        (directory / name).write_text(text)
    return load_system(directory)


def drilled(folder: Path, *names: str, prometheus: str = PROMETHEUS) -> dict[str, DrillResult]:
    """Perform drills of the shop, a few at a time, and judge them; what proved nothing is performed again, alone."""
    return performed(shop(folder, prometheus=prometheus), names, folder / "run", attempts=ATTEMPTS)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DrillResult]:
    """Perform every drill of the healthy shop once."""
    names = list(yaml.safe_load(SYSTEM)["drills"])
    return drilled(tmp_path_factory.mktemp("healthy"), *names)


def tellings(result: DrillResult, alert: str) -> list[str]:
    """Return each time that an alert was told of, as its status."""
    found = [a for n in result.evidence.notifications for a in n.alerts if a["labels"]["alertname"] == alert]
    return sorted(a["status"] for a in found)


@pytest.mark.parametrize("name", ["together", "prometheus-lost", "alertmanager-lost"])
def test_one_of_two_is_enough_and_two_are_not_too_many(name: str, results: dict[str, DrillResult]) -> None:
    """Whether both replicas live or one is lost, the alert is told once that it fires and once that it is over."""
    result = results[name]
    assert result.verdict.outcome is Outcome.PASSED, result.verdict
    assert tellings(result, "BackendDown") == ["firing", "resolved"]
    assert result.expected[0].note == ""


def test_a_lost_replica_was_really_lost(results: dict[str, DrillResult]) -> None:
    """The killed one is in the evidence as such, at the time that was declared, and is no instrument."""
    for name, lost in (("prometheus-lost", "prometheus-1"), ("alertmanager-lost", "alertmanager-1")):
        evidence = results[name].evidence
        manifest = evidence.manifest
        assert manifest is not None
        moments = manifest.moments
        assert [r.name for r in manifest.replicas if r.disturbed] == [lost]
        (gone,) = (p for p in evidence.processes if p["event"] == "exited" and p["process"] == lost)
        assert moments.disturbed is not None
        assert abs(gone["time"] - moments.disturbed) < 0.5
        before = name == "prometheus-lost"
        assert before == (moments.disturbed < (moments.injected or 0))
        assert lost not in {series.labels.get("engine") for series in evidence.series}
        assert (evidence.folder / "logs" / f"{lost}.log").stat().st_size > 0
    by = {line.get("alertmanager") for line in results["alertmanager-lost"].evidence.alertmanager}
    assert {"alertmanager-1", "alertmanager-2"} <= by


def test_the_two_apart_tell_twice_at_most_and_it_is_said(results: dict[str, DrillResult]) -> None:
    """Cut off from each other, both tell, which passes with a note."""
    result = results["apart"]
    assert result.verdict.outcome is Outcome.PASSED, result.verdict
    assert tellings(result, "BackendDown") == ["firing", "firing", "resolved", "resolved"]
    assert "2 notifications that it fires" in result.expected[0].note
    assert "could not see each other" in result.expected[0].note


@pytest.mark.parametrize("name", ["prometheus-down", "alertmanager-down", "parted"])
def test_the_monitoring_tells_of_its_own_loss(name: str, results: dict[str, DrillResult]) -> None:
    """A killed replica, and a partition, as the stimulus: the others tell of it, and that it is over."""
    result = results[name]
    assert result.verdict.outcome is Outcome.PASSED, result.verdict
    assert result.expected[0].stages.resolution_notified is not None


def test_a_drill_without_replicas_is_as_it_was(results: dict[str, DrillResult]) -> None:
    """One of each keeps its name, its Alertmanager is in no cluster, and its evidence says nothing of replicas."""
    result = results["alone"]
    assert result.verdict.outcome is Outcome.PASSED, result.verdict
    manifest = result.evidence.manifest
    assert manifest is not None
    assert (manifest.replicas, manifest.peers_wait_seconds) == ((), 0.0)
    started = {p["process"] for p in result.evidence.processes if p["event"] == "started"}
    assert started == {"sink", "alertmanager", "backend", "prometheus"}
    assert "peers" not in result.expected[0].budget
    assert not any("alertmanager" in line for line in result.evidence.alertmanager)


def test_a_replica_label_that_is_sent_along_is_told_twice(tmp_path: Path) -> None:
    """Where alerts keep the label by which the replicas differ, the drill fails, names it and says where to drop it."""
    relabelling = "  alert_relabel_configs:\n    - {regex: replica, action: labeldrop}\n"
    assert relabelling in PROMETHEUS
    sick = PROMETHEUS.replace(relabelling, "  alert_relabel_configs: []\n")
    verdict = drilled(tmp_path, "together", prometheus=sick)["together"].verdict
    assert verdict.outcome is Outcome.FAILED, verdict
    assert "BackendDown: pager (webhook 0) was notified twice that it fires" in verdict.reason
    assert 'of replica="prometheus-1"' in verdict.reason
    assert "drop that label" in verdict.reason
    assert "prometheus.yml:7" in verdict.reason


def test_an_engine_for_a_job_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A drill whose engine is to be the target of a job that Prometheus does not have would be blind: it is refused."""
    text = SYSTEM.replace("exporters: {alertmanager: alertmanager}", "exporters: {alertmanagers: alertmanager}", 1)
    assert text != SYSTEM
    loaded = shop(tmp_path, system=text)
    refused = check_plans(loaded, "local", plan_drills(loaded, "local")).refused
    assert len(refused) == 1
    said = "drill alertmanager-down: there is no scrape job 'alertmanagers'; did you mean alertmanager?"
    assert refused[0].message == said
    assert refused[0].place == loaded.place("drills", "alertmanager-down", "exporters", "alertmanagers")
