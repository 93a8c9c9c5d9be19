"""A Service that forwards to a port on which the pods' server does not listen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.listening import listening

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
          command: [uvicorn, "shop:app", --host, "0.0.0.0", --port, "8000"]
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports: [{port: 80, targetPort: PORT}]
"""


@check(
    severity=Severity.ERROR,
    fix="Forward to the port that the server's command line names.",
    bad=Example({"shop.yaml": _OBJECTS.replace("PORT", "8080")}, at="targetPort: 8080"),
    good=Example({"shop.yaml": _OBJECTS.replace("PORT", "8000")}),
)
def service_port_not_listened(model: Model) -> Iterator[Remark]:
    """Whoever calls the Service is refused, and what is scraped through it is down.

    (kubernetes.io/docs/concepts/services-networking/service: traffic goes to the targetPort of a pod as it is; what a
    container declares under `ports` opens and moves nothing.)
    """
    for service in model.services.all:
        for port in service.ports if service.pods_whole and service.pods else ():
            numbers = {pod.port(port.target, port.protocol) for pod in service.pods}
            number = next(iter(numbers))
            if len(numbers) != 1 or number is None or port.protocol != "TCP":
                continue
            heard = [_heard(pod, number) for pod in service.pods]
            if all(heard):
                listed = ", ".join(sorted({text for texts in heard if texts for text in texts}))
                part = port.part.get("targetPort") or port.part.get("port")
                message = f"Service {service.name} forwards to port {number}, and the pods' server listens on {listed}"
                yield at(part, message, subject=f"{service.subject}/{port.name or port.number}")
            elif (
                len(service.ports) == 1
                and port.number not in _SECURE
                and all(_undeclared(p, number) for p in service.pods)
            ):
                listed = ", ".join(sorted({str(each.number) for pod in service.pods for each in pod.ports}))
                part = port.part.get("targetPort") or port.part.get("port")
                message = (
                    f"Service {service.name} forwards to port {number} and nowhere else, which its pods neither "
                    f"declare nor speak of; they have {listed}"
                )
                subject = f"{service.subject}/{port.name or port.number}"
                yield at(part, message, subject=subject, severity=Severity.WARNING)


_SECURE = frozenset({443, 8443, 9443})
"""Ports of Services by which the API server asks webhooks, whose pods often declare another port only."""
_ASIDE = re.compile(r"health|metric|probe|prom|admin|debug|monitor|webhook", re.IGNORECASE)
"""Names of ports that a pod has beside the one that it is there for."""


def _undeclared(pod: Pod, number: int) -> bool:
    """Whether a pod declares one other port, which it is there for, and nothing of it speaks of this one."""
    if pod.workload is None or not pod.labels_whole or pod.host_network or len(pod.ports) != 1:
        return False
    asked = {probe.port_number for container in pod.workload.running for probe in container.probes}
    if _ASIDE.search(pod.ports[0].name) or not asked <= {None, pod.ports[0].number}:
        return False
    template = pod.workload.pod
    said = (*template.get("spec").walk(), *template.get("metadata").walk())
    spoken = any(re.search(rf"(?<!\d){number}(?!\d)", part.text) for part in said)
    variables = any(container.part.list("envFrom") for container in pod.containers)
    return not spoken and not variables and pod.ports[0].number != number


def _heard(pod: Pod, number: int) -> list[str] | None:
    """Return where the only container of a pod listens by its command line; None if it may listen on a port."""
    if len(pod.containers) != 1 or pod.workload is None or not pod.labels_whole:
        return None
    container = pod.containers[0].part
    found = listening((*container.list("command"), *container.list("args")), {})
    ports = {one.port for one in found if one.port is not None and not one.implied}
    said = [part for key, part in container.items() if key in ("command", "args", "env") for part in part.walk()]
    mentioned = any(re.search(rf"(?<!\d){number}(?!\d)", part.text) for part in said)
    if not ports or number in ports or mentioned or any(one.port is None for one in found):
        return None
    return [str(port) for port in sorted(ports)]
