"""A container that may be restarted before it has started."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
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
      readinessProbe:
        httpGet: {{path: /ready, port: 8080}}
        initialDelaySeconds: 120
      livenessProbe:
        httpGet: {{path: /live, port: 8080}}
        initialDelaySeconds: {delay}
"""


@check(
    severity=Severity.WARNING,
    fix="Give it a startupProbe with as many attempts as a start may take; liveness waits for it.",
    bad=Example({"pod.yaml": _POD.format(delay=10)}, at="livenessProbe"),
    good=Example({"pod.yaml": _POD.format(delay=120)}),
)
def liveness_before_startup(container: Container) -> Iterator[Remark]:
    """A start that takes as long as readiness allows for ends in a restart, and the next one too.

    (kubernetes.io/docs/concepts/workloads/pods/probes: slow containers are to be given a startup probe; liveness begins
    initialDelaySeconds after the container's start, whatever readiness does, pkg/kubelet/prober/worker.go.)
    """
    liveness, readiness = container.probe("livenessProbe"), container.probe("readinessProbe")
    if container.probe("startupProbe") or liveness is None or readiness is None:
        return
    killed, asked = liveness.timing.budget, readiness.timing.delay
    if asked > killed:
        told = (
            f"readiness of `{container.name}` is asked for the first time after {seconds(asked)}, and if it does not "
            f"answer by {seconds(killed)}, liveness has killed it"
        )
        yield at_key(liveness.part, told)
