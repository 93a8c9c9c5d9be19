"""An autoscaler that goes down to one pod, which a probe may restart."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model

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
          livenessProbe: {{httpGet: {{path: /live, port: 8080}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: shop}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: shop}}
  minReplicas: {minimum}
  maxReplicas: 6
"""


@check(
    severity=Severity.WARNING,
    fix="Let it keep two pods at least (`minReplicas: 2`).",
    bad=Example({"shop.yaml": _MANIFEST.format(minimum=1)}, at="minReplicas: 1"),
    good=Example({"shop.yaml": _MANIFEST.format(minimum=2)}),
    origin="polaris hpaMinAvailability",
)
def hpa_minimum_one(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """With little load one pod is left, so each restart by the liveness probe, and each drain, is an outage.

    (kubernetes.io/docs/reference/kubernetes-api, HorizontalPodAutoscaler: minReplicas is 1 by default.)
    """
    if kubernetes_object.kind != "HorizontalPodAutoscaler" or kubernetes_object.group != "autoscaling":
        return
    minimum = kubernetes_object.part.get("spec", "minReplicas")
    if minimum and minimum.number() != 1:
        return
    for workload in model.belonging.scaled(kubernetes_object):
        probed = next((c for c in workload.running if c.probe("livenessProbe")), None)
        if probed is None:
            continue
        said = "" if minimum else ", because minReplicas is left out"
        told = f"`{workload.object.name}` goes down to one pod{said}, and its liveness probe may restart it"
        there = minimum or kubernetes_object.part.get("spec")
        yield (at if minimum else at_key)(there, told)
        return
