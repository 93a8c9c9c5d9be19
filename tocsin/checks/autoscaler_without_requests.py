"""An autoscaler that goes by a share of what the pods ask for, of pods that ask for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod, together
from tocsin.part import Part

_OBJECTS = """\
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
          resources: {requests: {REQUESTS}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 6
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}
"""


@check(
    severity=Severity.WARNING,
    fix="Give every container of the pods a request for that resource, or scale by an average value.",
    bad=Example({"shop.yaml": _OBJECTS.replace("REQUESTS", "memory: 64Mi")}, at="resource: {name: cpu"),
    good=Example({"shop.yaml": _OBJECTS.replace("REQUESTS", "cpu: 100m")}),
)
def autoscaler_without_requests(model: Model) -> Iterator[Remark]:
    """Utilisation is a share of the request, so the autoscaler can compute none and never scales.

    (kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale: if some of the pod's containers do not have the
    relevant resource request set, the utilisation of the pod is not defined and the autoscaler takes no action.)
    """
    for one in model.cluster.of("HorizontalPodAutoscaler"):
        pods = _scaled(model, one)
        if pods and not any(
            together(model.cluster.namespaces(r), model.cluster.namespaces(one)) for r in _ranges(model)
        ):
            for resource, part in _wanted(one.part.get("spec")):
                lacking = [name for pod in pods for name in _lacking(pod, resource)]
                if lacking and all(_lacking(pod, resource) for pod in pods):
                    message = f"{one.name} scales by the share of requested {resource}, and {lacking[0]} requests none"
                    yield at(part, message, subject=f"{one.subject}/{resource}", related=(pods[0].object.part.place,))


def _ranges(model: Model) -> tuple[KubernetesObject, ...]:
    return model.cluster.of("LimitRange")


def _scaled(model: Model, one: KubernetesObject) -> list[Pod]:
    target = one.part.get("spec", "scaleTargetRef")
    found = model.cluster.named(target.string("kind"), target.string("name"), model.cluster.namespaces(one))
    nearest = model.cluster.near(found, one.part.file)
    return [
        p
        for p in model.cluster.pods
        if p.labels_whole and p.containers and any(p.object.part == f.part for f in nearest)
    ]


def _wanted(spec: Part) -> Iterator[tuple[str, Part]]:
    """Yield each resource whose utilisation is looked at, and where that is said."""
    if spec.get("targetCPUUtilizationPercentage"):
        yield "cpu", spec.get("targetCPUUtilizationPercentage")
    for metric in spec.list("metrics"):
        resource = metric.get("resource")
        kind = resource.string("target", "type")
        share = kind == "Utilization" or resource.get("targetAverageUtilization")
        if metric.string("type") == "Resource" and share and resource.string("name") in ("cpu", "memory"):
            yield resource.string("name"), resource.get("name")


def _lacking(pod: Pod, resource: str) -> list[str]:
    """Return the containers without a request; a limit stands for one."""
    return [
        container.subject
        for container in pod.containers
        if not container.part.get("resources", "requests", resource)
        and not container.part.get("resources", "limits", resource)
    ]
