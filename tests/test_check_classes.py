"""Defects as they are met in systems that nobody wrote for these checks, each small, with what is like it and right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.checks import checks
from tocsin.model import Model

COMPOSE = """\
services:
  prometheus:
    image: prom/prometheus
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml", "./rules.yml:/etc/prometheus/rules.yml"]
  node:
    image: prom/node-exporter
  db-exporter:
    image: acme/db-exporter
    ports: ["9333:9333"]
  shop:
    build: ./shop
    ports: ["8000:8000"]
"""
PROMETHEUS = """\
global: {{}}
rule_files: [rules.yml]
scrape_configs:
- job_name: shop
  static_configs: [{{targets: ['{shop}']}}]
- job_name: node
  static_configs: [{{targets: ['node:9100']}}]
- job_name: db
  static_configs: [{{targets: ['{db}']}}]
"""
RULES = "groups:\n- name: a\n  rules:\n  - {{alert: A, expr: '{}'}}\n"
SHOP = 'from prometheus_client import Gauge\nUSED = Gauge("shop_used_bytes", "Used.")\n'


def _stack(shop: str = "shop:8000", db: str = "db-exporter:9333", rule: str = "up == 0") -> dict[str, str]:
    return {
        "compose.yml": COMPOSE,
        "prometheus.yml": PROMETHEUS.format(shop=shop, db=db),
        "rules.yml": RULES.format(rule),
        "shop/app.py": SHOP,
        "shop/Dockerfile": "FROM python\nCOPY app.py .\nEXPOSE 8000\n",
    }


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: prometheus, namespace: m}}
spec:
  selector: {{matchLabels: {{app: p}}}}
  template:
    metadata: {{labels: {{app: p}}}}
    spec:
      containers:
        - {{name: prometheus, image: prom/prometheus{mounts}}}
{volumes}---
apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: m}}
data:
  prometheus.yml: |
    scrape_configs: []
"""
MOUNTS = ", volumeMounts: [{name: c, mountPath: /etc/prometheus}]"
VOLUMES = "      volumes: [{name: c, configMap: {name: config}}]\n"
MONITORED = """\
apiVersion: v1
kind: Service
metadata: {{name: shop-web, namespace: s{labels}}}
spec: {{selector: {{app: shop}}, ports: [{{name: http, port: 80}}]}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: monitor, namespace: s}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  endpoints: [{{port: http, path: {path}}}]
"""
LABELLED = ", labels: {app: shop}"
NODES = """\
scrape_configs:
- job_name: nodes
  {scheme}kubernetes_sd_configs: [{{role: node}}]
"""
DASHBOARD = '{{"title":"A","panels":[{{"title":"P","type":"stat","gridPos":{{}},"targets":[{{"expr":"{}"}}]}}]}}'
SOURCES = "apiVersion: 1\ndatasources:\n- {name: P, type: prometheus, url: 'http://prometheus:9090', isDefault: true}\n"
SERVICE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: s}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: web, ports: [{{name: {name}, containerPort: 5000}}]}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: s}}
spec: {{selector: {{app: web}}, ports: [{{port: {port}, targetPort: {target}}}]}}
"""

CASES = [
    ("vector-matching-broken", _stack(rule="shop_used_bytes / node_memory_MemTotal_bytes > 0.5"), True),
    ("vector-matching-broken", _stack(rule="node_memory_MemFree_bytes / node_memory_MemTotal_bytes < 0.5"), False),
    ("vector-matching-broken", _stack(rule="process_open_fds / node_memory_MemTotal_bytes > 0.5"), False),
    ("scrape-target-unreachable", _stack(shop="shop:8001"), True),
    ("scrape-target-unreachable", _stack(db="db-exporter:9334"), True),
    ("scrape-target-unreachable", _stack(db="YOUR_IP:9334"), False),
    ("scrape-target-unreachable", _stack(), False),
    ("rule-file-invalid", {**_stack(), "rules.yml": "- name: a\n  rules: []\n"}, True),
    ("rule-file-invalid", {**_stack(), "rules.yml": "# none yet\n"}, False),
    ("mounted-file-missing", {"p.yaml": DEPLOYMENT.format(mounts="", volumes="")}, True),
    ("mounted-file-missing", {"p.yaml": DEPLOYMENT.format(mounts=MOUNTS, volumes=VOLUMES)}, False),
    ("mounted-file-missing", {"kustomization.yaml": "resources: [web-app.yaml]\n", "webapp.yaml": SERVICE}, True),
    ("mounted-file-missing", {"kustomization.yaml": "resources: [webapp.yaml]\n", "webapp.yaml": SERVICE}, False),
    ("monitor-selects-nothing", {"m.yaml": MONITORED.format(labels="", path="/metrics")}, True),
    ("monitor-selects-nothing", {"m.yaml": MONITORED.format(labels=LABELLED, path="/metrics")}, False),
    ("scrape-target-unreachable", {"m.yaml": MONITORED.format(labels=LABELLED, path="/metric")}, True),
    ("scrape-target-unreachable", {"m.yaml": MONITORED.format(labels=LABELLED, path="/actuator/prometheus")}, False),
    ("scrape-target-unreachable", {"prometheus.yml": NODES.format(scheme="")}, True),
    ("scrape-target-unreachable", {"prometheus.yml": NODES.format(scheme="scheme: https\n  ")}, False),
    ("promql-invalid", {"a.json": DASHBOARD.format("sum(up"), "sources.yml": SOURCES}, True),
    ("promql-invalid", {"a.json": DASHBOARD.format("sum(up)"), "sources.yml": SOURCES}, False),
    ("service-port-not-listened", {"s.yaml": SERVICE.format(name="http", port=80, target=8080)}, True),
    ("service-port-not-listened", {"s.yaml": SERVICE.format(name="http", port=80, target=5000)}, False),
    ("service-port-not-listened", {"s.yaml": SERVICE.format(name="health", port=80, target=8080)}, False),
    ("service-port-not-listened", {"s.yaml": SERVICE.format(name="http", port=443, target=9443)}, False),
]


@pytest.mark.parametrize(("check", "files", "found"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_a_class_is_found_and_what_is_like_it_is_not(
    check: str, files: dict[str, str], tmp_path: Path, *, found: bool
) -> None:
    """The check says something of the defect, and nothing of its neighbour."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    findings = list(checks()[check].findings(Model.of(tmp_path)))

    assert bool(findings) == found, findings


UP = 'up{job="SHOP"} == 0'
PUSHED = """\
rule_files: [rules.yml]
scrape_configs:
- job_name: shop
  static_configs: [{targets: ['shop:80']}]
- job_name: pushgateway
  honor_labels: true
  static_configs: [{targets: ['pushgateway:9091']}]
"""


@pytest.mark.parametrize(("expression", "found"), [(UP, True), ('batch_runs{job="SHOP"} == 0', False)])
def test_what_is_pushed_may_have_any_job_and_up_may_not(expression: str, tmp_path: Path, *, found: bool) -> None:
    """A gateway lends its metrics any job; `up` is Prometheus' own."""
    (tmp_path / "prometheus.yml").write_text(PUSHED)
    (tmp_path / "rules.yml").write_text(RULES.format(expression))

    assert bool(list(checks()["job-not-scraped"].findings(Model.of(tmp_path)))) == found
