"""A long delay in place of a startup probe."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.model.workloads import Container

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
        initialDelaySeconds: {delay}
"""
_LONG, _VERY_LONG = 60.0, 120.0
"""Seconds without a liveness probe after each start that are worth a note, and a warning."""


@check(
    severity=Severity.WARNING,
    fix="Give it a startupProbe with as many attempts as a start may take, and no initialDelaySeconds.",
    bad=Example({"pod.yaml": _POD.format(delay=300)}, at="initialDelaySeconds: 300"),
    good=Example({"pod.yaml": _POD.format(delay=15)}),
)
def startup_probe_missing(container: Container) -> Iterator[Remark]:
    """For so long after every start nobody notices that it hangs, and a start that takes longer is killed all the same.

    (kubernetes.io/docs/concepts/workloads/pods/probes: startup probes are for containers that start slowly, in place of
    a long initialDelaySeconds.)
    """
    liveness = container.probe("livenessProbe")
    if liveness is None or container.probe("startupProbe") or liveness.timing.delay < _LONG:
        return
    severity = Severity.WARNING if liveness.timing.delay >= _VERY_LONG else Severity.INFO
    told = f"liveness of `{container.name}` is blind for {seconds(liveness.timing.delay)} after each start"
    yield at(liveness.part.get("initialDelaySeconds"), told, severity=severity, subject=liveness.subject)
