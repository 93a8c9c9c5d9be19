"""A container that may take longer to start than its rollout may take."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.model.workloads import Probe, Workload

_DEPLOYMENT = """\
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
          startupProbe:
            httpGet: {{path: /started, port: 8080}}
            periodSeconds: 10
            failureThreshold: {failures}
"""
_DEFAULT = 600.0


@check(
    severity=Severity.WARNING,
    fix="Give the rollout longer (`progressDeadlineSeconds`), or the start less.",
    bad=Example({"deployment.yaml": _DEPLOYMENT.format(failures=90)}, at="failureThreshold: 90"),
    good=Example({"deployment.yaml": _DEPLOYMENT.format(failures=30)}),
)
def startup_budget_over_progress_deadline(workload: Workload) -> Iterator[Remark]:
    """The rollout is reported as failed while its containers are still allowed to start.

    (kubernetes.io/docs/concepts/workloads/controllers/deployment, failed deployment: progressDeadlineSeconds is 600 by
    default; pkg/kubelet/prober/worker.go: a startup probe acts after its delay and failureThreshold attempts.)
    """
    if workload.kind not in ("Deployment", "Rollout"):
        return
    given = workload.object.part.number("spec", "progressDeadlineSeconds")
    deadline = given if given is not None and given > 0 else _DEFAULT
    for container in workload.running:
        for probe in container.probes:
            late = _late(probe, deadline)
            slow = "" if late or probe.kind != "readinessProbe" else _slow(probe, deadline)
            if late or slow:
                field = "initialDelaySeconds" if probe.kind == "readinessProbe" and late else "failureThreshold"
                there = probe.part.get(field)
                said = "" if given else ", the default"
                told = f"{late or slow}; the rollout is called failed after {seconds(deadline)}{said}"
                severity = Severity.WARNING if late else Severity.INFO
                yield (at if there else at_key)(there or probe.part, told, subject=probe.subject, severity=severity)


def _slow(probe: Probe, deadline: float) -> str:
    """Return that a pod which stops answering counts as ready for longer than a rollout lasts."""
    timing = probe.timing
    if timing.patience < deadline:
        return ""
    return f"`{probe.container.name}` counts as ready for {seconds(timing.patience)} after its last answer"


def _late(probe: Probe, deadline: float) -> str:
    timing, name = probe.timing, probe.container.name
    if probe.kind == "startupProbe" and timing.budget >= deadline:
        return f"`{name}` may take {seconds(timing.budget)} to start ({timing.failures} attempts)"
    if probe.kind == "readinessProbe" and timing.delay >= deadline:
        return f"`{name}` is not asked whether it is ready before {seconds(timing.delay)}"
    return ""
