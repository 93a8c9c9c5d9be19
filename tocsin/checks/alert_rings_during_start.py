"""An alert on pods that are not ready, and pods that may take longer to get ready than it waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.probes import seconds
from tocsin.model.workloads import Container, Workload
from tocsin.promql import VectorSelector
from tocsin.promql.analysis import selectors
from tocsin.promql.regex import matches

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: shop:1
          startupProbe:
            httpGet: {path: /started, port: 8080}
            periodSeconds: 10
            failureThreshold: 60
"""
_RULES = """\
groups:
  - name: pods
    rules:
      - alert: PodNotReady
        expr: kube_pod_status_ready{{condition="false"}} == 1
        for: {hold}
"""
_METRICS: Mapping[str, str] = {
    "kube_pod_status_ready": "",
    "kube_pod_container_status_ready": "",
    "kube_deployment_status_replicas_unavailable": "Deployment",
}
"""Metrics that say that something is not ready yet while it starts, and of which kind of object they are.

(kube-state-metrics, docs/metrics/workload.)
"""


@check(
    severity=Severity.INFO,
    fix="Let the alert wait (`for`) longer than a start may take.",
    bad=Example({"shop.yaml": _MANIFEST, "rules.yaml": _RULES.format(hold="5m")}, at="for: 5m"),
    good=Example({"shop.yaml": _MANIFEST, "rules.yaml": _RULES.format(hold="15m")}),
)
def alert_rings_during_start(alert: Rule, model: Model) -> Iterator[Remark]:
    """It rings for starts that are as long as their probes allow.

    (kubernetes.io/docs/concepts/workloads/pods/probes: a container is not ready before its startup probe has succeeded;
    prometheus.io/docs/prometheus/latest/configuration/alerting_rules, for.)
    """
    tree = model.tree(alert) if any(name in alert.expression for name in _METRICS) else None
    if tree is None:
        return
    meant = [each for each in selectors(tree) if each.name in _METRICS]
    slowest: tuple[float, Container] | None = None
    for workload in model.workloads if meant else ():
        for container in workload.running if workload.runs_on else ():
            start = _start(container)
            longer = start > alert.hold_seconds and (slowest is None or start > slowest[0])
            if longer and any(_may_be_of(each, workload, container) for each in meant):
                slowest = start, container
    if slowest is not None:
        start, container = slowest
        hold = alert.part.get("for")
        told = (
            f"{alert.name} waits {seconds(alert.hold_seconds)}, and `{container.name}` of "
            f"{container.workload.kind} {container.workload.object.name} may take {seconds(start)} to start"
        )
        related = (container.part.place,)
        if hold:
            yield at(hold, told, related=related)
        else:
            yield at_key(alert.part.get("alert"), told, related=related)


def _start(container: Container) -> float:
    """Return how long a start may take that nobody calls failed: a container without a startup probe says little."""
    startup, readiness = container.probe("startupProbe"), container.probe("readinessProbe")
    if startup is not None and startup.handler:
        return startup.timing.budget
    return readiness.timing.delay if readiness is not None else 0.0


def _may_be_of(selector: VectorSelector, workload: Workload, container: Container) -> bool:
    """Tell whether the series of a selector may be those of a container."""
    kind = _METRICS.get(selector.name or "", "")
    if kind not in ("", workload.kind):
        return False
    known = {"namespace": workload.namespace, "container": container.name, kind.lower(): workload.object.name}
    for matcher in selector.matchers:
        value = known.get(matcher.name, "")
        if not value:
            continue
        same = matcher.value == value if matcher.op in ("=", "!=") else matches(matcher.value, value)
        if same is (matcher.op in ("!=", "!~")):
            return False
    return True
