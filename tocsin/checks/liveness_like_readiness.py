"""A liveness probe that asks what the readiness probe asks, and acts no later."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.probes import seconds
from tocsin.model.workloads import Container, Probe

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
          ports: [{{name: http, containerPort: 8080}}]
          livenessProbe:
            httpGet:
              port: http
              path: {path}
          readinessProbe:
            httpGet: {{path: /health/ready, port: 8080}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


@check(
    severity=Severity.ERROR,
    fix="Let liveness ask less (does the process still turn?), or act much later than readiness.",
    bad=Example({"shop.yaml": _MANIFEST.format(path="/health/ready # the same")}, at="# the same"),
    good=Example({"shop.yaml": _MANIFEST.format(path="/live")}),
    origin="kube-score pod-probes-identical",
)
def liveness_like_readiness(container: Container, model: Model) -> Iterator[Remark]:
    """A container that is only busy, and should be spared requests, is killed instead of getting a rest.

    (kubernetes.io/docs/concepts/workloads/pods/probes: if liveness asks what readiness asks, its failureThreshold must
    be higher, so that the pod is not ready for a while before it is killed.)
    """
    liveness, readiness = container.probe("livenessProbe"), container.probe("readinessProbe")
    if liveness is None or readiness is None or not liveness.handler or not container.workload.runs_on:
        return
    if _asked(liveness) != _asked(readiness):
        return
    if liveness.timing.patience > readiness.timing.patience:
        yield from _little_later(container, liveness, readiness)
        return
    told = (
        f"liveness asks `{container.name}` what readiness asks and kills it after {_patience(liveness)}; readiness "
        f"takes its requests away after {_patience(readiness)}"
    )
    certain = liveness.asks_more_than_life and bool(model.belonging.services(container.workload))
    severity = Severity.ERROR if certain else Severity.WARNING
    action = liveness.action
    yield at(action.get("path") or action, told, severity=severity, related=(readiness.part.place,))


def _little_later(container: Container, liveness: Probe, readiness: Probe) -> Iterator[Remark]:
    """Yield a liveness probe that leaves a container less time to recover than readiness takes to spare it."""
    rest = liveness.timing.patience - readiness.timing.patience
    if rest < readiness.timing.patience:
        told = (
            f"liveness asks `{container.name}` what readiness asks and kills it {seconds(rest)} after its requests are "
            "taken away, which is little time to recover"
        )
        action = liveness.action
        yield at(action.get("path") or action, told, severity=Severity.INFO, related=(readiness.part.place,))


def _asked(probe: Probe) -> tuple[object, ...]:
    action = probe.action
    if probe.handler == "exec":
        return "exec", probe.command
    port = probe.port_number if probe.port_number is not None else probe.port.text
    if probe.handler == "httpGet":
        headers = tuple((part.string("name"), part.string("value")) for part in action.list("httpHeaders"))
        return "httpGet", port, probe.path, probe.scheme, action.string("host"), headers
    return probe.handler, port, action.string("host"), action.string("service")


def _patience(probe: Probe) -> str:
    timing = probe.timing
    return f"{timing.failures} failures, {seconds(timing.patience)}"
