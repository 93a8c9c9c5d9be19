"""A server that nobody restarts when it hangs."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Container

_POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
        - name: shop
          image: shop:1
          readinessProbe: {{httpGet: {{path: /ready, port: 8080}}}}
{liveness}"""


@check(
    severity=Severity.INFO,
    fix="Give it a livenessProbe that asks the process alone, if a restart mends it.",
    bad=Example({"shop.yaml": _POD.format(liveness="")}, at="- name: shop"),
    good=Example(
        {"shop.yaml": _POD.format(liveness="          livenessProbe: {httpGet: {path: /live, port: 8080}}\n")}
    ),
    origin="kube-linter no-liveness-probe",
)
def liveness_probe_missing(container: Container, model: Model) -> Iterator[Remark]:
    """A process that hangs and does not end stays as it is until somebody restarts it.

    It is a choice that may well be right: a process that ends when it fails needs no such probe.
    (kubernetes.io/docs/concepts/workloads/pods/probes: without a liveness probe a container counts as alive as long as
    it runs.)
    """
    workload = container.workload
    if container.probe("livenessProbe") or not workload.runs_on or workload.knative or container.init:
        return
    if container.ephemeral or not (container.probe("readinessProbe") or model.belonging.served(container)):
        return
    if not model.belonging.patched(workload, lambda patch: bool(patch.get("livenessProbe"))):
        told = f"nothing restarts `{container.name}` when it hangs: it has no liveness probe"
        yield at(container.part.get("name") or container.part, told)
