"""A readiness probe that goes on sending requests to what does not answer."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.probes import seconds
from tocsin.model.workloads import Probe

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
        - name: shop
          image: shop:1
          ports: [{{containerPort: 8080}}]
          readinessProbe:
            httpGet: {{path: /ready, port: 8080}}
            periodSeconds: 10
            failureThreshold: {failures}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
_LONG = 60.0
"""Seconds of errors for a share of all requests that somebody will notice."""


@check(
    severity=Severity.INFO,
    fix="Ask more often, and take it out after fewer failures: that costs nothing but a pause.",
    bad=Example({"shop.yaml": _MANIFEST.format(failures=12)}, at="failureThreshold: 12"),
    good=Example({"shop.yaml": _MANIFEST.format(failures=3)}),
)
def readiness_too_patient(probe: Probe, model: Model) -> Iterator[Remark]:
    """For so long a share of the requests fails, though other replicas could answer them.

    (kubernetes.io/docs/concepts/workloads/pods/probes: a pod is taken out of its Services when failureThreshold
    attempts in a row have failed; pkg/kubelet/prober/worker.go.)
    """
    workload = probe.container.workload
    if probe.kind != "readinessProbe" or not probe.handler or not workload.runs_on or probe.timing.patience < _LONG:
        return
    several = (workload.replicas or 0) > 1 or bool(model.belonging.autoscalers(workload))
    served = model.belonging.served(probe.container) if several else ()
    if served:
        field = "failureThreshold" if probe.part.get("failureThreshold") else "periodSeconds"
        there = probe.part.get(field)
        told = (
            f"the Service `{served[0][0].name}` sends to a `{probe.container.name}` that does not answer for up to "
            f"{seconds(probe.timing.latest)}: {probe.timing.failures} failures, {seconds(probe.timing.period)} apart"
        )
        yield (at if there else at_key)(there or probe.part, told)
