"""A delay that is longer than an autoscaler waits for a new pod."""

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
      containers:
        - name: shop
          image: shop:1
          readinessProbe:
            httpGet: {{path: /ready, port: 8080}}
            initialDelaySeconds: {delay}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: shop}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: shop}}
  minReplicas: 2
  maxReplicas: 6
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}}}]
"""
_WAITS = 300.0
"""horizontal-pod-autoscaler-cpu-initialization-period of the controller manager."""


@check(
    severity=Severity.WARNING,
    fix="Ask for readiness from the start on; it costs nothing to fail while the pod is not ready anyway.",
    bad=Example({"shop.yaml": _MANIFEST.format(delay=360)}, at="initialDelaySeconds: 360"),
    good=Example({"shop.yaml": _MANIFEST.format(delay=5)}),
)
def hpa_ignores_starting_pods(workload: Workload, model: Model) -> Iterator[Remark]:
    """Pods that are not ready by then count as idle, so the autoscaler is wrong about the load while it grows.

    (kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, algorithm details;
    pkg/controller/podautoscaler/replica_calculator.go.)
    """
    late = [p for c in workload.running for p in c.probes if p.kind == "readinessProbe" and p.timing.delay >= _WAITS]
    if not late:
        return
    for autoscaler in model.belonging.autoscalers(workload):
        names = [metric.string("resource", "name") for metric in autoscaler.part.list("spec", "metrics")]
        if "cpu" in names or autoscaler.part.get("spec", "targetCPUUtilizationPercentage"):
            for probe in late:
                told = (
                    f"`{probe.container.name}` is not ready before {seconds(probe.timing.delay)}, and the autoscaler "
                    f"`{autoscaler.name}` waits {seconds(_WAITS)} for a new pod's processor time to count"
                )
                yield at(probe.part.get("initialDelaySeconds"), told, subject=probe.subject)
            return
