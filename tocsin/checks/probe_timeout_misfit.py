"""A time for an answer that is longer than the time between two questions, or too short for what is started."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model.commands import heavy_program
from tocsin.model.probes import seconds
from tocsin.model.quantities import quantity
from tocsin.model.workloads import Container, Probe

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
_RUNTIME = re.compile(
    r"(?:.*/)?(?:java|python\d?(?:\.\d+)?|node|ruby|php|gunicorn|uvicorn|puma|rails|npm|yarn|flask|django-admin|celery)"
)
_RUNTIME_VARIABLES = frozenset(
    {"JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CATALINA_OPTS", "NODE_OPTIONS", "DJANGO_SETTINGS_MODULE",
     "SPRING_PROFILES_ACTIVE", "PYTHONUNBUFFERED", "RAILS_ENV", "NODE_ENV", "FLASK_APP"}
)  # fmt: skip
_LITTLE = Decimal("0.2")
"""Cores; a second of so little is 200 ms of work, which a collection of garbage takes by itself."""


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
    if timing.timeout > 1 or probe.container.workload.knative:
        return
    default = "" if timeout else " (the default)"
    where, said = timeout or probe.part, at if timeout else at_key
    program = heavy_program(probe.part.list("exec", "command"))
    if program:
        told = f"`{program}` has {seconds(timing.timeout)} to start and to answer{default}"
        yield said(where, told, fix="Set timeoutSeconds to 5 or more.")
    elif probe.handler in ("httpGet", "grpc"):
        limit = probe.container.part.get("resources", "limits", "cpu")
        share = quantity(limit.text)
        if share is not None and 0 < share < _LITTLE and _slow_runtime(probe.container):
            told = (
                f"`{probe.container.name}` has {seconds(timing.timeout)} to answer the {probe.word} probe{default}, "
                f"and {limit.text} of a processor to do it with"
            )
            yield said(where, told, fix="Set timeoutSeconds to 5 or more, or give the container more of the processor.")


def _slow_runtime(container: Container) -> bool:
    """Tell whether what the container runs surely is interpreted, or collects garbage while everything waits."""
    words = [part.text for part in container.command_line[:3]]
    names = {part.string("name") for part in container.part.list("env")}
    return any(_RUNTIME.fullmatch(word) for word in words) or bool(names & _RUNTIME_VARIABLES)
