"""A delay that is over before it matters."""

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
      startupProbe:
        httpGet: {{path: /started, port: 8080}}
        failureThreshold: 30
      livenessProbe:
        httpGet: {{path: /live, port: 8080}}
{delay}
"""
_MATTERS = 30.0
"""Seconds; a shorter delay is over by the time that anything has started, and nobody counts on it."""


@check(
    severity=Severity.INFO,
    fix="Leave initialDelaySeconds out; the startup probe makes the others wait.",
    bad=Example({"pod.yaml": _POD.format(delay="        initialDelaySeconds: 30")}, at="initialDelaySeconds"),
    good=Example({"pod.yaml": _POD.format(delay="        periodSeconds: 10")}),
)
def probe_delay_from_start(container: Container) -> Iterator[Remark]:
    """Kubernetes counts it from the container's start, not from the success of the startup probe.

    (Kubernetes: pkg/kubelet/prober/worker.go, doProbe compares the age of the container; kubernetes/website, issue
    42539.)
    """
    if container.probe("startupProbe") is None:
        return
    for kind in ("livenessProbe", "readinessProbe"):
        probe = container.probe(kind)
        if probe is not None and probe.timing.delay >= _MATTERS:
            wait = seconds(probe.timing.delay)
            told = f"the {probe.word} probe waits {wait} from the container's start, startup included"
            yield at(probe.part.get("initialDelaySeconds"), told, subject=probe.subject)
