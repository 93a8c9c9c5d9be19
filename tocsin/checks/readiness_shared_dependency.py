"""A readiness probe by which all replicas fail together."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Workload

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
          readinessProbe: {{httpGet: {{path: {path}, port: 8080}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


@check(
    severity=Severity.WARNING,
    fix="Let readiness ask what this pod needs and others may have; answer errors of what all share in the requests.",
    bad=Example({"shop.yaml": _MANIFEST.format(path="/health/db")}, at="/health/db"),
    good=Example({"shop.yaml": _MANIFEST.format(path="/health/ready")}),
)
def readiness_shared_dependency(workload: Workload, model: Model) -> Iterator[Remark]:
    """When that is away, every replica is taken out of the Service at once, and nobody gets even an error page.

    (kubernetes.io/docs/concepts/workloads/pods/probes, readiness; Spring Boot, Actuator, Kubernetes Probes: what all
    replicas share takes all of them out of the rotation.)
    """
    several = (workload.replicas or 0) > 1 or bool(model.belonging.autoscalers(workload))
    if not several or not model.belonging.services(workload):
        return
    for container in workload.running:
        probe = container.probe("readinessProbe")
        if probe is not None and probe.asks_dependency:
            path = probe.action.get("path")
            told = f"`{path.text}` answers for {probe.steps[-1]}, which all replicas of `{container.name}` share"
            yield at(path, told, subject=probe.subject)
