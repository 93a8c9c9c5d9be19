"""A condition for readiness that nobody is known to set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.kubernetes import PLACEHOLDER
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Workload
from tocsin.source import nearest

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  readinessGates: [{{conditionType: {gate}}}]
  containers:
    - {{name: shop, image: "shop:1"}}
"""
_KNOWN = (
    "cloud.google.com/load-balancer-neg-ready",
    "target-health.elbv2.k8s.aws/",
    "target-health.alb.ingress.k8s.aws/",
    "InPlaceUpdateReady",
    "KruisePodReady",
    "service.readiness.alibabacloud.com/",
    "networking.gke.io/",
    "cloud.tencent.com/load-balancer-backendgroup-ready",
)
"""Conditions that well-known controllers set; of those with a slash at the end, whatever follows it.

(cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing; AWS Load Balancer Controller, pod
readiness gate; openkruise.io/docs, in-place update; Alibaba Cloud's and Tencent Cloud's controllers.)
"""
_NEAR = re.compile(r"[/.\w-]{1,200}")


@check(
    severity=Severity.INFO,
    fix="Remove the gate, or see that its controller runs in the cluster.",
    bad=Example({"pod.yaml": _POD.format(gate="shop.example.org/warm")}, at="shop.example.org/warm"),
    good=Example({"pod.yaml": _POD.format(gate="cloud.google.com/load-balancer-neg-ready")}),
)
def readiness_gate_unset(workload: Workload, model: Model) -> Iterator[Remark]:
    """As long as nobody sets the condition, the pod is never ready, whatever its probes say.

    (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, pod readiness: a condition that is not there is False;
    pkg/kubelet/status/generate.go.)
    """
    for gate in workload.spec.list("readinessGates"):
        part = gate.get("conditionType")
        name = part.text
        if not name or PLACEHOLDER.search(name) or any(_is(name, known) for known in _KNOWN):
            continue
        meant = nearest(name, [known for known in _KNOWN if not known.endswith("/")], most=1)
        if meant and len(meant[0]) - len(name) in (-1, 0, 1) and _NEAR.fullmatch(name):
            told = f"no controller is known to set `{name}`; did you mean {meant[0]}?"
            yield at(part, told, subject=f"{workload.subject}/{name}", severity=Severity.WARNING)
        elif not _set_here(name, workload, model):
            told = f"nothing in this folder sets the condition `{name}`, without which the pod is never ready"
            yield at(part, told, subject=f"{workload.subject}/{name}")


def _is(name: str, known: str) -> bool:
    return name == known or (known.endswith("/") and name.startswith(known))


def _set_here(name: str, workload: Workload, model: Model) -> bool:
    """Tell whether the arguments or the settings of something else in the folder name the condition."""
    return any(
        name in text
        for other in model.workloads
        if other.object.name != workload.object.name
        for container in other.containers
        for text in container.texts
    )
