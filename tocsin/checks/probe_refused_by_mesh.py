"""A probe without TLS to a pod that takes nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.selectors import selects_all_of
from tocsin.model.workloads import Workload
from tocsin.part import Part

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata:
      labels: {{app: shop, sidecar.istio.io/inject: "true"}}
      annotations: {{sidecar.istio.io/rewriteAppHTTPProbers: "{rewritten}"}}
    spec:
      containers:
        - name: shop
          image: shop:1
          livenessProbe: {{httpGet: {{path: /live, port: 8080}}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: shop}}
spec: {{mtls: {{mode: STRICT}}}}
"""
_INJECT = "sidecar.istio.io/inject"
_REWRITE = "sidecar.istio.io/rewriteAppHTTPProbers"


@check(
    severity=Severity.ERROR,
    fix='Leave the rewriting on (remove the annotation, or set it to "true").',
    bad=Example({"shop.yaml": _MANIFEST.format(rewritten="false")}, at="livenessProbe"),
    good=Example({"shop.yaml": _MANIFEST.format(rewritten="true")}),
)
def probe_refused_by_mesh(workload: Workload, model: Model) -> Iterator[Remark]:
    """The kubelet has no certificate of the mesh, so each attempt is refused and the container restarted.

    (istio.io/latest/docs/ops/configuration/mesh/app-health-check: probes are rewritten for this, unless an annotation
    says no.)
    """
    injected = "true" in (workload.labels.get(_INJECT), workload.annotations.get(_INJECT))
    if workload.annotations.get(_REWRITE) != "false" or not (injected or _namespace_injects(workload, model)):
        return
    strict = [each.part for each in model.objects_of("PeerAuthentication") if _holds(each.part, workload)]
    if not strict or any(each.string("spec", "mtls", "mode") != "STRICT" for each in strict):
        return
    for container in workload.running:
        for probe in container.probes:
            if probe.handler in ("httpGet", "grpc") and not any(_excepted(each, probe.port_number) for each in strict):
                told = f"the {probe.word} probe of `{container.name}` has no certificate, and only mutual TLS is taken"
                yield at_key(probe.part, told, subject=probe.subject)


def _namespace_injects(workload: Workload, model: Model) -> bool:
    return any(
        each.part.string("metadata", "labels", "istio-injection") == "enabled"
        for each in model.objects_of("Namespace")
        if each.name == workload.namespace
    )


def _holds(policy: Part, workload: Workload) -> bool:
    """Tell whether a policy is of the workload's namespace and selects it."""
    if policy.string("metadata", "namespace") != workload.namespace:
        return False
    return selects_all_of(policy.get("spec", "selector", "matchLabels"), workload.labels) is True


def _excepted(policy: Part, port: int | None) -> bool:
    return port is not None and bool(policy.get("spec", "portLevelMtls", str(port)))
