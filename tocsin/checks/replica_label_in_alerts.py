"""Replicas of Prometheus whose alerts differ in a label."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.stacks import Stack
from tocsin.relabelling import relabel, steps

_CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: m}}
data:
  prometheus.yml: |
    global: {{external_labels: {{replica: "${{HOSTNAME}}"}}}}
    alerting:
{drop}      alertmanagers: [{{static_configs: [{{targets: ["alertmanager:9093"]}}]}}]
    scrape_configs: []
"""
_DROP = "      alert_relabel_configs: [{regex: replica, action: labeldrop}]\n"
_SET = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: prometheus, namespace: m}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: prometheus
        image: prom/prometheus:v3.5.0
        volumeMounts: [{name: config, mountPath: /etc/prometheus}]
      volumes: [{name: config, configMap: {name: config}}]
"""
_OF_ONE = re.compile(r"\$\{?(?:HOSTNAME|POD_NAME|POD|REPLICA|SHARD|POD_IP|MY_POD_NAME)\}?|\$\((?:HOSTNAME|POD_NAME)\)")
"""Variables that differ from replica to replica."""


@check(
    severity=Severity.WARNING,
    fix="Drop the label under alerting.alert_relabel_configs with `action: labeldrop`.",
    bad=Example({"config.yaml": _CONFIG.format(drop=""), "set.yaml": _SET}, at="replica"),
    good=Example({"config.yaml": _CONFIG.format(drop=_DROP), "set.yaml": _SET}),
)
def replica_label_in_alerts(stack: Stack) -> Iterator[Remark]:
    """Alertmanager takes the alerts of the replicas for different ones, and tells each of them.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, alert_relabel_configs: "One use for this is
    ensuring a HA pair of Prometheus servers with different external labels send identical alerts".)
    """
    config = stack.prometheus
    replicas = [
        process
        for process in stack.processes
        if process.workload is not None
        and isinstance(count := process.workload.part.get("spec", "replicas").value, int)
        and count > 1
    ]
    rules = steps(config.alert_relabelling)
    for name, value in config.external_labels.items():
        if not replicas or not config.alertmanagers or not _OF_ONE.search(value):
            continue
        sent = [steps(manager.list("alert_relabel_configs")) for manager in config.alertmanagers]
        told = [relabel({"alertname": "A", name: value}, (*rules, *more), further=True).labels for more in sent]
        if any(name in labels and labels[name] == value for labels in told):
            part = config.part.get("global", "external_labels", name)
            message = f"`{name}` differs between the replicas of {replicas[0].subject}, and is sent with every alert"
            yield at(part, message, subject=f"external_labels/{name}")
