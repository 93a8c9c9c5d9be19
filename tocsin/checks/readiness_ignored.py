"""A Service that sends to pods that are not ready."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
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
          ports: [{{containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /ready, port: 8080}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  publishNotReadyAddresses: {all}
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


@check(
    severity=Severity.WARNING,
    fix="Leave publishNotReadyAddresses to the headless Service by which the pods find each other.",
    bad=Example({"shop.yaml": _MANIFEST.format(all="true")}, at="publishNotReadyAddresses: true"),
    good=Example({"shop.yaml": _MANIFEST.format(all="false")}),
)
def readiness_ignored(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """The readiness probe changes nothing: requests go to pods that say that they cannot answer.

    (kubernetes.io/docs/reference/kubernetes-api, ServiceSpec, publishNotReadyAddresses: meant for peers that find each
    other by a headless Service; staging/src/k8s.io/endpointslice/utils.go.)
    """
    spec = kubernetes_object.part.get("spec")
    publish = spec.get("publishNotReadyAddresses")
    if kubernetes_object.kind != "Service" or publish.value is not True or spec.string("clusterIP") == "None":
        return
    for workload in model.workloads:
        if kubernetes_object in model.belonging.services(workload):
            probed = next((c for c in workload.running if c.probe("readinessProbe")), None)
            if probed is not None:
                told = f"the Service `{kubernetes_object.name}` sends to `{probed.name}` whether that is ready or not"
                yield at(publish, told)
                return
