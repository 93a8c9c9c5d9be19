"""A readiness probe that asks another port than the one that gets the requests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Container

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
          ports: [{{containerPort: 8080}}, {{containerPort: 9102}}]
          readinessProbe: {{tcpSocket: {{port: {port}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
_HEALTH = re.compile(r"health|ready|readiness|live|status|ping")


@check(
    severity=Severity.WARNING,
    fix="Ask the port that the Service sends to, or a path that answers for it.",
    bad=Example({"shop.yaml": _MANIFEST.format(port=9102)}, at="tcpSocket: {port: 9102}"),
    good=Example({"shop.yaml": _MANIFEST.format(port=8080)}),
)
def readiness_port_not_served(container: Container, model: Model) -> Iterator[Remark]:
    """The pod counts as ready while nobody listens where the Service sends.

    A path on a port of its own may answer for the whole server; that another port takes connections does not.
    (kubernetes.io/docs/concepts/workloads/pods/probes: a tcpSocket probe succeeds when the port is open.)
    """
    probe = container.probe("readinessProbe")
    if probe is None or probe.port_number is None or probe.action.string("host") or container.workload.knative:
        return
    if any(_HEALTH.search(step) for step in probe.steps):
        return  # made to answer for the server, on a port of its own
    served = _served(container, model)
    if not served or any(probe.port_number in ports for ports in _all_served(container, model)):
        return
    if any(number is None for number in served) or _asked_elsewhere(container, set(served)):
        return
    number, service = next(iter(served.items()))
    told = (
        f"readiness of `{container.name}` asks port {probe.port_number}, and the Service `{service}` sends to {number}"
    )
    severity = Severity.WARNING if probe.handler == "tcpSocket" else Severity.INFO
    yield at(probe.port, told, subject=probe.subject, severity=severity)


def _served(container: Container, model: Model) -> dict[int | None, str]:
    """Return the ports of a container to which Services send, each with the name of one."""
    return {
        container.port_number(port.get("targetPort") or port.get("port")): service.name
        for service, port in model.belonging.served(container)
        if port.string("protocol") in ("", "TCP")
    }


def _all_served(container: Container, model: Model) -> Iterator[dict[int | None, str]]:
    return (_served(each, model) for each in container.workload.running)


def _asked_elsewhere(container: Container, ports: set[int | None]) -> bool:
    """Tell whether the readiness of another container of the pod asks a port that is served."""
    others = (other.probe("readinessProbe") for other in container.workload.running if other is not container)
    return any(probe is not None and probe.port_number in ports for probe in others)
