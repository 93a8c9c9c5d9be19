"""A liveness probe that restarts for next to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.model.workloads import Probe

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      livenessProbe:
        httpGet: {{path: /live, port: 8080}}
        periodSeconds: 10
        failureThreshold: {failures}
"""
_LEAST = 10.0
"""Seconds that a collection of garbage or a throttled processor may well take."""


@check(
    severity=Severity.ERROR,
    fix="Let it fail at least three times in a row (`failureThreshold: 3`), over half a minute or so.",
    bad=Example({"pod.yaml": _POD.format(failures=1)}, at="failureThreshold: 1"),
    good=Example({"pod.yaml": _POD.format(failures=3)}),
)
def liveness_too_impatient(probe: Probe) -> Iterator[Remark]:
    """A single slow answer, of a busy node or a collection of garbage, restarts a healthy container.

    (kubernetes.io/docs/concepts/workloads/pods/probes: a liveness probe that fails too readily leads to cascading
    failures; the default of failureThreshold is 3, pkg/apis/core/v1/defaults.go.)
    """
    if probe.kind != "livenessProbe" or not probe.handler:
        return
    timing, failures = probe.timing, probe.part.get("failureThreshold")
    if timing.failures == 1:
        told = f"one failed attempt restarts `{probe.container.name}`: it has {seconds(timing.timeout)} to answer"
        certain = probe.handler != "exec" and timing.timeout < 60
        yield at(failures, told, severity=Severity.ERROR if certain else Severity.WARNING)
    elif timing.patience + timing.timeout < _LEAST:
        told = (
            f"`{probe.container.name}` is restarted after {timing.failures} failures {seconds(timing.period)} apart, "
            f"{seconds(timing.soonest)} from the first pause on"
        )
        yield at_key(probe.part, told, severity=Severity.WARNING)
