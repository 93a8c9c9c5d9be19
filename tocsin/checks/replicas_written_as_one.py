"""Replicas of Prometheus that write to one remote store under the same labels."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.stacks import Stack
from tocsin.part import Part

_CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: m}}
data:
  prometheus.yml: |
    global: {{external_labels: {{cluster: eu{replica}}}}}
    remote_write:
    - url: http://store/write
    scrape_configs: []
"""
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
        args: [--config.file=/etc/prometheus/prometheus.yml, --enable-feature=expand-external-labels]
        volumeMounts: [{name: config, mountPath: /etc/prometheus}]
      volumes: [{name: config, configMap: {name: config}}]
"""


@check(
    severity=Severity.WARNING,
    fix="Give each replica a label of its own under external_labels (`replica: ${HOSTNAME}`), and drop it from alerts.",
    bad=Example({"config.yaml": _CONFIG.format(replica=""), "set.yaml": _SET}, at="http://store/write"),
    good=Example({"config.yaml": _CONFIG.format(replica=', replica: "${HOSTNAME}"'), "set.yaml": _SET}),
)
def replicas_written_as_one(stack: Stack, model: Model) -> Iterator[Remark]:
    """The store gets each series twice with other values, refuses samples as out of order, or mixes them.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, external_labels: "labels to add to any time
    series or alerts when communicating with external systems"; prometheus.io/docs/specs/prw/remote_write_spec: samples
    of a series have to come in order of their timestamps.)
    """
    config = stack.prometheus
    counts = [part for part in _counts(stack, model) if isinstance(part.value, int) and part.value > 1]
    if not counts or any(_differs(value) for value in config.external_labels.values()):
        return
    for write in config.remote_writes:
        if write.string("url") and not any(_differs(rule.string("replacement")) for rule in _rules(write)):
            labels = ", ".join(f'{name}="{value}"' for name, value in config.external_labels.items())
            message = f"{counts[0].value} replicas write here, each as {{{labels}}}: nothing tells them apart"
            subject = f"{stack.subject}/remote_write/{write.string('name') or write.string('url')}"
            yield at(write.get("url"), message, subject=subject, related=(counts[0].place,))


def _rules(write: Part) -> tuple[Part, ...]:
    return (*write.list("write_relabel_configs"), *write.list("writeRelabelConfigs"))


def _counts(stack: Stack, model: Model) -> Iterator[Part]:
    """Yield how often a Prometheus runs, where a manifest says so and nothing changes it."""
    if stack.object is not None and not model.cluster.patched(stack.object):
        yield stack.object.part.get("spec", "replicas")
    for process in stack.processes:
        if process.workload is not None and not model.cluster.patched(process.workload):
            yield process.workload.part.get("spec", "replicas")


def _differs(value: str) -> bool:
    """Whether a text may differ from replica to replica, or is put in by some tool."""
    return "$" in value or "{{" in value or "%" in value
