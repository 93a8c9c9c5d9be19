"""A Service behind which there is no pod, or no port of the pods."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.services import Service, ServicePort
from tocsin.source import offered

_POD = """\
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
          ports: [{name: http, containerPort: 8080}]
---
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: APP}
  ports: [{port: 80, targetPort: PORT}]
"""


@check(
    severity=Severity.ERROR,
    fix="Give the selector the labels of the pods' template, and the targetPort a port that their containers declare.",
    bad=Example(
        {"shop.yaml": _POD + _SERVICE.replace("APP", "shopp").replace("PORT", "http")},
        at="selector: {app: shopp}",
    ),
    good=Example({"shop.yaml": _POD + _SERVICE.replace("APP", "shop").replace("PORT", "http")}),
    origin="kube-linter dangling-service",
)
def service_without_endpoints(model: Model) -> Iterator[Remark]:
    """Whoever calls the Service is refused, though every pod is ready.

    (kubernetes.io/docs/concepts/services-networking/service: the selector names the pods, and a targetPort that is a
    name is looked up among the ports of each pod's containers, of the same protocol; a pod without it is left out.)
    """
    for service in model.services.all:
        if service.object.part.string("spec", "type") == "ExternalName" or not service.selector.value:
            continue
        if not service.pods and service.pods_whole and not _hidden(model):
            yield from _selects_nobody(service, model)
        elif service.pods_whole:
            yield from (_leads_nowhere(service, port) for port in service.ports if _is_nowhere(service, port))


def _hidden(model: Model) -> bool:
    return any(model.cluster.hidden(kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "Pod"))


def _selects_nobody(service: Service, model: Model) -> Iterator[Remark]:
    meant = model.cluster.meant(dict(service.selector.items()), service.name, service.namespaces)
    if meant is not None:
        pod, wrong = meant
        has = f"`{wrong.key}: {pod.labels[wrong.key]}`" if wrong.key in pod.labels else f"no label `{wrong.key}`"
        message = (
            f"Service {service.name} selects pods with `{wrong.key}: {wrong.text}`, and no pod has that; "
            f"those of {pod.object.kind} {pod.object.name} have {has}"
        )
        yield at(wrong, message, subject=service.subject, related=(pod.object.part.place,))


def _is_nowhere(service: Service, port: ServicePort) -> bool:
    if port.target.isdigit() or not service.pods:
        return False
    if any(pod.workload is None or not pod.labels_whole or not pod.containers for pod in service.pods):
        return False
    return all(pod.port(port.target, port.protocol) is None for pod in service.pods)


def _leads_nowhere(service: Service, port: ServicePort) -> Remark:
    other = {p.protocol for pod in service.pods for p in pod.ports if p.name == port.target}
    names = sorted({p.name for pod in service.pods for p in pod.ports if p.name and p.protocol == port.protocol})
    if other:
        has = f"declare it for {' and '.join(sorted(other))} only, not for {port.protocol}"
    else:
        has = f"declare no port of that name: {offered(port.target, names)}"
    message = f"Service {service.name} forwards port {port.number} to `{port.target}`, but its pods {has}"
    return at(port.part.get("targetPort"), message, subject=f"{service.subject}/{port.name or port.number}")
