"""A pod that is gone before the others know that it goes."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.probes import seconds
from tocsin.model.workloads import Workload

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      terminationGracePeriodSeconds: {grace}
      containers:
        - name: shop
          image: shop:1
          ports: [{{containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /ready, port: 8080}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
_NONE, _LITTLE = 2.0, 5.0
"""Seconds in which nothing that was begun is finished, and in which not everything is."""


@check(
    severity=Severity.WARNING,
    fix="Let preStop wait some seconds (`sleep: {seconds: 5}`), within a grace period that is longer than that.",
    bad=Example({"shop.yaml": _MANIFEST.format(grace=1)}, at="terminationGracePeriodSeconds: 1"),
    good=Example({"shop.yaml": _MANIFEST.format(grace=30)}),
)
def requests_lost_at_shutdown(workload: Workload, model: Model) -> Iterator[Remark]:
    """Requests that are on their way, and those that still come, are cut off at every rollout and drain.

    (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, pod termination: the endpoint is removed while the pod is
    told to end, by others and a little later; preStop holds the end back.)
    """
    grace = workload.spec.get("terminationGracePeriodSeconds")
    if not grace or grace.number() is None or workload.grace > _LITTLE or not workload.runs_on or workload.knative:
        return
    for container in workload.running:
        served = model.belonging.served(container)
        if served and not container.part.get("lifecycle", "preStop"):
            told = (
                f"the Service `{served[0][0].name}` may still send to `{container.name}` when it is told to end; no "
                f"preStop holds that back, and it is killed after {seconds(workload.grace)}"
            )
            severity = Severity.WARNING if workload.grace <= _NONE else Severity.INFO
            yield at(grace, told, severity=severity)
            return
