"""A container behind a Service that is never asked whether it is ready."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Container, Workload

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
          livenessProbe: {{httpGet: {{path: /live, port: 8080}}}}
{readiness}---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


@check(
    severity=Severity.ERROR,
    fix="Give it a readinessProbe that asks what an answer needs.",
    bad=Example({"shop.yaml": _MANIFEST.format(readiness="")}, at="- name: shop"),
    good=Example(
        {"shop.yaml": _MANIFEST.format(readiness="          readinessProbe: {httpGet: {path: /ready, port: 8080}}\n")}
    ),
    origin="kube-linter no-readiness-probe",
)
def readiness_probe_missing(container: Container, model: Model) -> Iterator[Remark]:
    """The Service sends requests before the server listens, and goes on when it hangs.

    (kubernetes.io/docs/concepts/workloads/pods/probes: without a readiness probe a container counts as ready as soon as
    it runs; pkg/kubelet/prober/prober_manager.go.)
    """
    workload = container.workload
    asked = container.probe("readinessProbe") or workload.spec.list("readinessGates")
    if asked or not workload.runs_on or workload.knative or container not in workload.running:
        return
    if model.belonging.patched(workload, lambda patch: bool(patch.get("readinessProbe"))):
        return
    services = [s for s, port in model.belonging.served(container) if port.string("protocol") in ("", "TCP")]
    waited_for = [s for s in services if s.part.get("spec", "publishNotReadyAddresses").value is not True]
    if not waited_for or _another_is_asked(workload, container):
        return
    probed = [probe for probe in container.probes if probe.kind == "livenessProbe"]
    name = container.part.get("name") or container.part
    told = f"the Service `{waited_for[0].name}` sends to `{container.name}`, which has no readiness probe"
    if probed:
        told += ": while its liveness probe fails, requests still come"
    yield at(name, told, severity=Severity.ERROR if probed else Severity.WARNING)


def _another_is_asked(workload: Workload, container: Container) -> bool:
    """Tell whether another container of the pod decides whether it is ready, and so for this one too."""
    return any(other.probe("readinessProbe") for other in workload.running if other is not container)
