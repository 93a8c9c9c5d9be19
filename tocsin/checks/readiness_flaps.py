"""A readiness probe that changes its mind at a single answer."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.model.workloads import Probe, Workload

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
          readinessProbe:
            httpGet: {{path: /ready, port: 8080}}
            successThreshold: 3
            failureThreshold: {failures}
"""


@check(
    severity=Severity.INFO,
    fix="Let it fail two or three times in a row before it counts (`failureThreshold: 3`).",
    bad=Example({"shop.yaml": _MANIFEST.format(failures=1)}, at="failureThreshold: 1"),
    good=Example({"shop.yaml": _MANIFEST.format(failures=3)}),
)
def readiness_flaps(workload: Workload) -> Iterator[Remark]:
    """One slow answer takes a pod out, and one quick answer lets a rollout go on.

    (kubernetes.io/docs/concepts/workloads/pods/probes: failureThreshold and successThreshold count attempts in a row;
    .../controllers/deployment: minReadySeconds is 0 by default, so a new pod is available when it is ready once.)
    """
    for container in workload.running:
        probe = container.probe("readinessProbe")
        if probe is not None and probe.handler and probe.timing.failures == 1 and workload.runs_on:
            yield from _probe(workload, probe)


def _probe(workload: Workload, probe: Probe) -> Iterator[Remark]:
    timing, failures = probe.timing, probe.part.get("failureThreshold")
    if timing.successes > 1:
        back = seconds(timing.successes * timing.period)
        told = f"one failed attempt takes `{probe.container.name}` out, and it is back after {back} at the earliest"
        yield at(failures, told, subject=probe.subject)
    elif _rolls(workload) and timing.delay == 0:
        told = (
            f"a rollout goes on as soon as a new `{probe.container.name}` has answered once, and it is out again "
            "at the first failure: `minReadySeconds` is 0"
        )
        yield at(failures, told, subject=probe.subject, fix="Set minReadySeconds, and failureThreshold to 2 or 3.")


def _rolls(workload: Workload) -> bool:
    """Tell whether a new pod's first success lets the next one be replaced."""
    spec = workload.object.part.get("spec")
    rolling = workload.kind == "Deployment" and spec.string("strategy", "type") != "Recreate"
    return rolling and (workload.replicas or 0) > 1 and not spec.number("minReadySeconds")
