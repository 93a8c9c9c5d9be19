"""A time for an answer that is longer than the time between two questions, or too short for what is started."""

from __future__ import annotations

import re
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
        periodSeconds: 5
        timeoutSeconds: {timeout}
"""
_HEAVY = re.compile(
    r"(?:.*/)?(?:java|node|python\d?(?:\.\d+)?|ruby|php|rabbitmqctl|rabbitmq-diagnostics|nodetool|cqlsh|mongo|mongosh|"
    r"kafka-[\w-]+(?:\.sh)?|kubectl|az|aws|gcloud|pulsar-admin|zkServer\.sh|jcmd|nats)"
)


@check(
    severity=Severity.WARNING,
    fix="Give the period more than the timeout.",
    bad=Example({"pod.yaml": _POD.format(timeout=20)}, at="timeoutSeconds: 20"),
    good=Example({"pod.yaml": _POD.format(timeout=3)}),
)
def probe_timeout_misfit(probe: Probe) -> Iterator[Remark]:
    """A hang is noticed later than the period promises, or a healthy container is taken for one that hangs.

    (Kubernetes: pkg/kubelet/prober/worker.go: attempts never overlap; timeoutSeconds is 1 by default, for commands too,
    kubernetes.io/docs/concepts/workloads/pods/probes.)
    """
    timing, timeout = probe.timing, probe.part.get("timeoutSeconds")
    if timing.timeout > timing.period:
        told = (
            f"an attempt may take {seconds(timing.timeout)} and the next is due after {seconds(timing.period)}: "
            f"{timing.failures} attempts that hang take {seconds(timing.soonest)}"
        )
        yield at(timeout, told)
    program = _program(probe)
    if timing.timeout <= 1 and program and not probe.container.workload.knative:
        default = "" if timeout else " (the default)"
        told = f"`{program}` has {seconds(timing.timeout)} to start and to answer{default}"
        yield (at if timeout else at_key)(timeout or probe.part, told, fix="Set timeoutSeconds to 5 or more.")


def _program(probe: Probe) -> str:
    """Return the program of an exec probe that takes about a second only to start; empty for any other."""
    words = list(probe.command)
    if len(words) >= 3 and re.fullmatch(r"(?:.*/)?(?:sh|bash|ash)", words[0]) and re.fullmatch(r"-\w*c", words[1]):
        words = words[2].split()
    return words[0] if words and _HEAVY.fullmatch(words[0]) else ""
