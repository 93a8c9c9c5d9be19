"""A liveness probe of something important whose numbers nobody has chosen."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
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
      priorityClassName: system-cluster-critical
      containers:
        - name: shop
          image: shop:1
          livenessProbe:
            httpGet: {{path: /live, port: 8080}}
{timeout}"""
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


@check(
    severity=Severity.INFO,
    fix="Write down how long an answer may take when the node is busy, and how many may fail in a row.",
    bad=Example({"shop.yaml": _MANIFEST.format(timeout="")}, at="livenessProbe"),
    good=Example({"shop.yaml": _MANIFEST.format(timeout="            timeoutSeconds: 5\n")}),
)
def probe_all_defaults(probe: Probe, model: Model) -> Iterator[Remark]:
    """It has one second to answer, three times, 10 seconds apart, and then it is restarted, busy or not.

    (Kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_Probe.)
    """
    workload = probe.container.workload
    if probe.kind != "livenessProbe" or not probe.handler or not workload.runs_on or workload.knative:
        return
    why = _important(workload, model) if not any(probe.part.get(name) for name in _NUMBERS) else ""
    if why:
        told = f"liveness of `{probe.container.name}`, {why}, has every number by default: 1 s to answer, 3 failures"
        yield at_key(probe.part, told)


def _important(workload: Workload, model: Model) -> str:
    """Return why a workload is important to its owners; empty if nothing says so."""
    priority = workload.spec.string("priorityClassName")
    if priority.startswith("system-") or "critical" in priority:
        return f"whose priority is {priority}"
    if model.belonging.budgets(workload):
        return "over which there is a disruption budget"
    return ""
