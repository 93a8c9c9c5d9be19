"""A gRPC probe that takes a closed port for a slow one."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
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
      readinessProbe:
        grpc: {{port: 9000}}
        periodSeconds: 10
        timeoutSeconds: {timeout}
"""


@check(
    severity=Severity.INFO,
    fix="Give it no more time than an answer takes: `timeoutSeconds: 2` or so.",
    bad=Example({"pod.yaml": _POD.format(timeout=10)}, at="timeoutSeconds: 10"),
    good=Example({"pod.yaml": _POD.format(timeout=2)}),
)
def grpc_probe_hides_refusal(probe: Probe) -> Iterator[Remark]:
    """A process that is not there is noticed as late as one that hangs: each attempt lasts the whole timeout.

    (Kubernetes: pkg/probe/grpc/grpc.go: the dial blocks and is tried again until the timeout, so a port that refuses
    is told as "failed to connect within timeout".)
    """
    timing = probe.timing
    if probe.handler == "grpc" and timing.timeout > 1 and timing.timeout * 2 > timing.period:
        told = (
            f"a closed port is refused after {seconds(timing.timeout)} and not at once, so the {probe.word} probe acts "
            f"after {seconds(timing.soonest)} at the soonest"
        )
        yield at(probe.part.get("timeoutSeconds"), told)
