"""A command of a probe that costs more than the answer is worth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model.commands import heavy_program
from tocsin.model.probes import seconds
from tocsin.model.quantities import quantity, shown
from tocsin.model.workloads import Probe

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      resources: {{limits: {{memory: {memory}}}}}
      livenessProbe:
        exec: {{command: [java, -jar, /health.jar]}}
        timeoutSeconds: 5
        periodSeconds: 30
"""
_OFTEN = 10.0
"""Seconds; what is asked more often than by default should be asked without a process."""
_LITTLE = Decimal(128 * 1024 * 1024)
_VERY_LITTLE = _LITTLE / 2
"""Bytes; a second runtime beside the first takes tens of MiB."""
_LIGHT = re.compile(r"(?:.*/)?(?:python[\d.]*|ruby|php|nats)")
"""Those that take about ten."""


@check(
    severity=Severity.INFO,
    fix="Ask by httpGet, tcpSocket or grpc, which start nothing in the container, or less often.",
    bad=Example({"pod.yaml": _POD.format(memory="64Mi")}, at="command: [java"),
    good=Example({"pod.yaml": _POD.format(memory="1Gi")}),
)
def exec_probe_costly(probe: Probe) -> Iterator[Remark]:
    """Each attempt starts a process within the container's own limits, so the probe takes what the server needs.

    (kubernetes.io/docs/concepts/workloads/pods/probes, exec: each execution creates processes, and with many pods on a
    node and short periods that is felt; what the process takes counts for the container's memory limit.)
    """
    words = probe.part.list("exec", "command")
    if probe.handler != "exec" or not words:
        return
    program = heavy_program(words)
    limit = quantity(probe.container.part.string("resources", "limits", "memory"))
    if program and limit is not None and 0 < limit < _LITTLE:
        told = (
            f"each attempt starts `{program}` beside the server, and both together have {shown(limit, memory=True)}: "
            "what is over that is killed"
        )
        fix = "Raise the memory limit, or ask by httpGet, tcpSocket or grpc."
        much = limit < _VERY_LITTLE or not _LIGHT.fullmatch(program)
        yield at(words[0], told, severity=Severity.WARNING if much else Severity.INFO, fix=fix)
    period = probe.part.get("periodSeconds")
    if probe.kind != "startupProbe" and probe.timing.period < _OFTEN:
        each = seconds(probe.timing.period)
        told = f"the {probe.word} probe starts a process in `{probe.container.name}` every {each}, on each replica"
        yield (at if period else at_key)(period or probe.part, told)
