"""A disruption budget over pods that are never asked whether they are ready."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
        - name: shop
          image: shop:1
{readiness}---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: shop}}
spec:
  maxUnavailable: 1
  selector: {{matchLabels: {{app: shop}}}}
"""
_READINESS = "          readinessProbe: {httpGet: {path: /ready, port: 8080}}\n"


@check(
    severity=Severity.WARNING,
    fix="Give the pods a readiness probe.",
    bad=Example({"shop.yaml": _MANIFEST.format(readiness="")}, at="selector: {matchLabels"),
    good=Example({"shop.yaml": _MANIFEST.format(readiness=_READINESS)}),
)
def pdb_counts_unready(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """A pod counts as healthy as soon as it runs, so a drain goes on to the next one before it can do anything.

    (pkg/controller/disruption/disruption.go: healthy is who is ready; kubernetes.io/docs/concepts/workloads/pods,
    probes: without a readiness probe, who runs is ready.)
    """
    if kubernetes_object.kind != "PodDisruptionBudget" or kubernetes_object.group != "policy":
        return
    for workload in model.belonging.guarded(kubernetes_object):
        probed = any(c.probe("readinessProbe") or c.probe("startupProbe") for c in workload.running)
        patched = model.belonging.patched(workload, lambda patch: bool(patch.get("readinessProbe")))
        if not probed and not patched and not workload.spec.list("readinessGates"):
            told = f"the budget counts pods of `{workload.object.name}`, and no probe asks whether they are ready"
            yield at_key(kubernetes_object.part.get("spec", "selector"), told)
            return
