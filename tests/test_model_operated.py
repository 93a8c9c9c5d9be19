"""From the objects of the Prometheus operator to the jobs, the targets and the stacks that it makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.checks import checks
from tocsin.engines.promtool import check_config
from tocsin.model import Model
from tocsin.model.stacks import Stack
from tocsin.model.targets import Target

PROMETHEUS = """apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main, namespace: m}
spec:
  scrapeInterval: 20s
  externalLabels: {region: eu}
  serviceMonitorSelector: {}
  serviceMonitorNamespaceSelector: {}
  podMonitorSelector: {}
  podMonitorNamespaceSelector: {}
  probeSelector: {}
  scrapeConfigSelector: {}
  ruleSelector: {matchLabels: {role: rules}}
  alerting: {alertmanagers: [{name: alertmanager-main, port: web}]}
"""
ALERTMANAGER = """apiVersion: monitoring.coreos.com/v1
kind: Alertmanager
metadata: {name: main, namespace: m}
spec: {replicas: 2}
---
apiVersion: v1
kind: Service
metadata: {name: alertmanager-main, namespace: m, labels: {app: alertmanager}}
spec: {selector: {alertmanager: main}, ports: [{name: web, port: 9093, targetPort: web}]}
---
apiVersion: v1
kind: Secret
metadata: {name: alertmanager-main, namespace: m}
stringData:
  alertmanager.yaml: |
    route: {receiver: team}
    receivers: [{name: team, webhook_configs: [{url: "http://a.example/"}]}]
"""
SHOP = """apiVersion: v1
kind: Service
metadata: {name: shop, namespace: s, labels: {app: shop, tier: front}}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: web}, {name: side, port: 81, targetPort: 9000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: s}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, team: till}}
    spec:
      containers:
      - {name: shop, image: shop, ports: [{name: web, containerPort: 8080}, {name: metrics, containerPort: 9000}]}
"""
MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: shop, namespace: s}
spec:
  selector: {matchLabels: {app: shop}, matchExpressions: [{key: tier, operator: In, values: [front, back]}]}
%s  endpoints:
  - port: http
    interval: 10s
%s"""
RULES = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: shop, namespace: m, labels: {role: rules}}
spec:
  groups:
  - name: a
    rules:
    - {alert: A, expr: 'up{job="%s"} == 0'}
"""
POD_MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: pods, namespace: s}
spec:
  selector: {matchLabels: {app: shop}}
  podTargetLabels: [team]
  podMetricsEndpoints: [{port: metrics, path: /m}]
"""
PROBE = """apiVersion: monitoring.coreos.com/v1
kind: Probe
metadata: {name: sites, namespace: m}
spec:
  jobName: sites
  module: http_2xx
  prober: {url: "blackbox:9115"}
  targets: {staticConfig: {static: ["https://a.example"], labels: {zone: x}}}
"""
SCRAPE_CONFIG = """apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: box, namespace: m}
spec:
  scrapeInterval: 15s
  metricsPath: /x
  staticConfigs: [{targets: ["box:80"], labels: {zone: y}}]
  relabelings: [{targetLabel: job, replacement: boxes}]
"""


def model(place: Path, *texts: str) -> Model:
    """Return the model of some manifests."""
    (place / "all.yaml").write_text("---\n".join(texts))
    return Model.of(place)


def stack(place: Path, *texts: str) -> Stack:
    """Return the one stack of some manifests, with those of the Prometheus."""
    (found,) = model(place, PROMETHEUS, *texts).stacks
    return found


def kept(place: Path, *texts: str) -> list[Target]:
    """Return the targets that are scraped."""
    return [target for target in model(place, PROMETHEUS, *texts).targets if target.kept]


def told(of: Model, check: str) -> list[str]:
    """Return the messages of a check."""
    return [finding.message for finding in checks()[check].findings(of)]


def test_a_prometheus_is_a_stack(tmp_path: Path) -> None:
    found = stack(tmp_path, ALERTMANAGER, RULES % "shop", SHOP, MONITOR % ("", ""))
    assert found.subject == "Prometheus/m/main"
    assert [rule.name for rule in found.rules] == ["A"]
    assert found.alertmanager is not None
    assert found.alertmanager.part.string("route", "receiver") == "team"
    assert found.prometheus.external_labels == {
        "prometheus": "m/main",
        "prometheus_replica": "$(POD_NAME)",
        "region": "eu",
    }
    assert found.prometheus.seconds("evaluation_interval") == 30


def test_rules_that_are_not_selected_are_not_loaded(tmp_path: Path) -> None:
    assert not stack(tmp_path, (RULES % "shop").replace("role: rules", "role: other")).rules


@pytest.mark.parametrize(
    ("more", "rules", "labels"),
    [
        ("", "", {"job": "shop"}),
        ("  jobLabel: tier\n", "", {"job": "front"}),
        ("  jobLabel: none\n", "", {"job": "shop"}),
        ("  targetLabels: [tier]\n", "", {"job": "shop", "tier": "front"}),
        ("  podTargetLabels: [team]\n", "", {"job": "shop", "team": "till"}),
        ("", "    relabelings: [{targetLabel: job, replacement: till}]\n", {"job": "till"}),
        ("", "    relabelings: [{sourceLabels: [service], targetLabel: app}]\n", {"job": "shop", "app": "shop"}),
    ],
)
def test_the_labels_of_a_service_monitor(tmp_path: Path, more: str, rules: str, labels: dict[str, str]) -> None:
    (target,) = kept(tmp_path, SHOP, MONITOR % (more, rules))
    known = {name: value for name, value in target.labels.items() if name not in ("pod", "instance")}
    assert known == {"namespace": "s", "service": "shop", "container": "shop", "endpoint": "http"} | labels
    assert target.address.endswith(":8080")
    assert target.certain
    assert target.job.interval_seconds == 10
    assert target.job.origin is not None
    assert target.job.origin.jobs is not None
    assert labels["job"] in target.job.origin.jobs


@pytest.mark.parametrize("port", ["targetPort: 9000", "targetPort: metrics", "port: side"])
def test_the_ports_of_an_endpoint(tmp_path: Path, port: str) -> None:
    (target,) = kept(tmp_path, SHOP, (MONITOR % ("", "")).replace("port: http", port))
    assert target.address.endswith(":9000")
    assert target.labels["endpoint"] == port.split(": ")[1]


def test_a_selector_that_does_not_fit_drops(tmp_path: Path) -> None:
    assert not kept(tmp_path, SHOP, (MONITOR % ("", "")).replace("front, back", "back"))


def test_a_pod_monitor(tmp_path: Path) -> None:
    (target,) = kept(tmp_path, SHOP, POD_MONITOR)
    assert target.labels["job"] == "s/pods"
    assert target.labels["team"] == "till"
    assert target.labels["endpoint"] == "metrics"
    assert "service" not in target.labels
    assert target.path == "/m"
    assert target.job.interval_seconds == 20


def test_a_probe(tmp_path: Path) -> None:
    (target,) = kept(tmp_path, PROBE)
    assert target.labels == {"job": "sites", "instance": "https://a.example", "namespace": "m", "zone": "x"}
    assert target.address == "blackbox:9115"
    assert target.parameters == {"module": "http_2xx", "target": "https://a.example"}


def test_a_scrape_config(tmp_path: Path) -> None:
    (target,) = kept(tmp_path, SCRAPE_CONFIG)
    assert target.labels == {"job": "boxes", "instance": "box:80", "zone": "y"}
    assert (target.path, target.job.interval_seconds) == ("/x", 15)


def test_values_stand_where_they_are_written(tmp_path: Path) -> None:
    found = stack(tmp_path, SHOP, MONITOR % ("", "    metricRelabelings: [{regex: shop_x, action: labeldrop}]\n"))
    (job,) = found.jobs
    text = (tmp_path / "all.yaml").read_text().split("\n")
    assert text[job.part.get("scrape_interval").place.line - 1].strip() == "interval: 10s"
    (step,) = job.metric_relabelling
    assert text[step.get("regex").place.line - 1][step.get("regex").place.column - 1 :].startswith("shop_x")


def test_a_real_prometheus_takes_what_is_generated(tmp_path: Path) -> None:
    texts = (SHOP, MONITOR % ("  jobLabel: tier\n", "    honorLabels: true\n"), POD_MONITOR, PROBE, SCRAPE_CONFIG)
    found = stack(tmp_path, *texts)
    config: dict[str, Any] = {**found.prometheus.part.value, "scrape_configs": [job.part.value for job in found.jobs]}
    for part in (*config["scrape_configs"], *config["alerting"]["alertmanagers"]):
        part.pop("kubernetes_sd_configs", None)  # which Debian's promtool is built without
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    assert len(config["scrape_configs"]) == 4
    done = check_config(path)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    "spec", ["", "[]", "null", "{endpoints: [null, 3, {port: []}], selector: [1]}", "{targets: 3}"]
)
@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig", "Prometheus"])
def test_nothing_raises(tmp_path: Path, kind: str, spec: str) -> None:
    text = f"apiVersion: monitoring.coreos.com/v1\nkind: {kind}\nmetadata: {{name: x, namespace: s}}\nspec: {spec}\n"
    of = model(tmp_path, PROMETHEUS, SHOP, text)
    assert of.stacks
    assert all(target.labels is not None for target in of.targets)


# What checks make of it


def test_a_job_that_no_monitor_yields(tmp_path: Path) -> None:
    messages = told(model(tmp_path, PROMETHEUS, RULES % "shops", SHOP, MONITOR % ("", "")), "job-not-scraped")
    assert len(messages) == 1
    assert 'no monitor yields `job="shops"`' in messages[0]


@pytest.mark.parametrize("job", ["shop", "elsewhere"])
def test_a_job_that_is_known_or_may_be_elsewhere(tmp_path: Path, job: str) -> None:
    assert not told(model(tmp_path, PROMETHEUS, RULES % job, SHOP, MONITOR % ("", "")), "job-not-scraped")


@pytest.mark.parametrize(("regex", "count"), [("shop_.*", 1), ("till_.*", 0)])
def test_a_metric_that_a_monitor_drops(tmp_path: Path, regex: str, count: int) -> None:
    drop = f"    metricRelabelings: [{{sourceLabels: [__name__], regex: {regex}, action: drop}}]\n"
    rules = (RULES % "shop").replace("up{", "shop_stock{")
    messages = told(model(tmp_path, PROMETHEUS, rules, SHOP, MONITOR % ("", drop)), "metric-dropped-by-relabelling")
    assert len(messages) == count
    assert all("ServiceMonitor shop drops `shop_stock`" in message for message in messages)


def test_a_window_that_is_too_short(tmp_path: Path) -> None:
    rules = (RULES % "shop").replace('up{job="shop"} == 0', 'rate(shop_sales_total{job="shop"}[15s]) == 0')
    of = model(tmp_path, PROMETHEUS, rules, SHOP, MONITOR % ("", ""))
    assert told(of, "rate-window-too-short")
    assert not told(model(tmp_path, PROMETHEUS, rules.replace("15s", "1m"), SHOP, MONITOR % ("", "")),
                    "rate-window-too-short")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "count"),
    [(("", ""), 0), (("name: alertmanager-main, port", "name: am, port"), 1), (("port: web}]", "port: http}]"), 1)],
)
def test_an_alertmanager_that_is_not_there(tmp_path: Path, change: tuple[str, str], count: int) -> None:
    server = PROMETHEUS.replace(*change)
    assert len(told(model(tmp_path, server, ALERTMANAGER, RULES % "shop"), "alertmanager-unreachable")) == count


def test_labels_of_alerts_are_known(tmp_path: Path) -> None:
    of = model(tmp_path, PROMETHEUS, ALERTMANAGER, RULES % "shop", SHOP, MONITOR % ("", ""))
    (rule,) = of.alerts
    facts = of.rule_labels.of_alert(rule)
    assert facts.of("region").possible("eu")
    assert not facts.of("region").possible("")


ALERTMANAGER_CONFIG = """apiVersion: monitoring.coreos.com/v1beta1
kind: AlertmanagerConfig
metadata: {name: team, namespace: s}
spec:
  route:
    receiver: chat
    matchers: [{name: alertname, value: A}]
  receivers:
  - {name: chat, slackConfigs: [{apiURL: {name: chat, key: url}}]}
"""
CHAT = "apiVersion: v1\nkind: Secret\nmetadata: {name: chat, namespace: s}\nstringData: {%s: x}\n"
EVERYWHERE = "spec: {replicas: 2, alertmanagerConfigSelector: {}, alertmanagerConfigNamespaceSelector: {}"


@pytest.mark.parametrize(
    ("expression", "strategy", "count"),
    [
        ("sum by (team) (up) == 0", "", 1),
        ("sum by (namespace) (up) == 0", "", 0),
        ("up == 0", "", 0),
        ("sum by (team) (up) == 0", ", alertmanagerConfigMatcherStrategy: {type: None}", 0),
    ],
)
def test_alerts_without_the_namespace_of_their_route(
    tmp_path: Path, expression: str, strategy: str, count: int
) -> None:
    manager = ALERTMANAGER.replace("spec: {replicas: 2", EVERYWHERE + strategy)
    rules = (RULES % "shop").replace('up{job="shop"} == 0', expression)
    of = model(tmp_path, PROMETHEUS, manager, rules, ALERTMANAGER_CONFIG)
    assert len(told(of, "namespace-matcher-misses")) == count


@pytest.mark.parametrize(("selector", "count"), [("{}", 0), ("{matchLabels: {a: b}}", 1)])
def test_routes_that_no_alertmanager_selects(tmp_path: Path, selector: str, count: int) -> None:
    manager = ALERTMANAGER.replace("spec: {replicas: 2", EVERYWHERE.replace("Selector: {}", f"Selector: {selector}", 1))
    assert len(told(model(tmp_path, manager, ALERTMANAGER_CONFIG), "monitor-not-picked-up")) == count


@pytest.mark.parametrize(("key", "count"), [("url", 0), ("link", 1)])
def test_keys_of_secrets_that_receivers_ask_for(tmp_path: Path, key: str, count: int) -> None:
    messages = told(model(tmp_path, ALERTMANAGER_CONFIG, CHAT % key), "kubernetes-reference-missing")
    assert len(messages) == count
    assert all("the operator leaves AlertmanagerConfig team out" in message for message in messages)
