"""A zero that the API server replaces by a default."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
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
        tcpSocket: {{port: 8080}}
        failureThreshold: {failures}
"""
_DEFAULTS = {"timeoutSeconds": "1", "periodSeconds": "10", "failureThreshold": "3"}


@check(
    severity=Severity.WARNING,
    fix="Write the number that is meant.",
    bad=Example({"pod.yaml": _POD.format(failures=0)}, at="failureThreshold: 0"),
    good=Example({"pod.yaml": _POD.format(failures=5)}),
)
def probe_zero_replaced(probe: Probe) -> Iterator[Remark]:
    """A zero is taken for a field that was left out, so the default applies and not what was written.

    (Kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_Probe.)
    """
    for name, default in _DEFAULTS.items():
        part = probe.part.get(name)
        if part.number() == 0 and not probe.container.workload.knative:
            yield at(part, f"`{name}: 0` of the {probe.word} probe does not mean never or none: it becomes {default}")
