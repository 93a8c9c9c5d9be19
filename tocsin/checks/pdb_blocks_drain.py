"""A disruption budget that lets no machine be drained."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Workload
from tocsin.part import Part

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
      containers: [{{name: shop, image: "shop:1"}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: shop}}
spec:
  minAvailable: {available}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {{matchLabels: {{app: shop}}}}
"""


@check(
    severity=Severity.ERROR,
    fix="Leave room for one pod at least: `maxUnavailable: 1`.",
    bad=Example({"shop.yaml": _MANIFEST.format(available=2)}, at="minAvailable: 2"),
    good=Example({"shop.yaml": _MANIFEST.format(available=1)}),
    origin="kube-linter pdb-max-unavailable, kube-linter pdb-min-available",
)
def pdb_blocks_drain(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """No machine with such a pod on it can be drained, so upgrades hang, and alerts on exhausted budgets ring for ever.

    (kubernetes.io/docs/tasks/run-application/configure-pdb; pkg/controller/disruption/disruption.go: a percentage of
    minAvailable and of maxUnavailable is rounded up.)
    """
    if kubernetes_object.kind != "PodDisruptionBudget" or kubernetes_object.group != "policy":
        return
    spec = kubernetes_object.part.get("spec")
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    guarded = model.belonging.guarded(kubernetes_object)
    if _number(most) == 0:
        yield at(most, f"`maxUnavailable: {most.text}` allows no pod to be away, ever")
    elif _share(least) == 100:
        yield at(least, f"`minAvailable: {least.text}` allows no pod to be away, ever")
    elif least and guarded:
        told = _too_many(least, guarded, model)
        at_night = "" if told else _too_many_at_least(least, guarded, model)
        if told:
            yield at(least, told)
        elif at_night:
            yield at(least, at_night, severity=Severity.WARNING)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy.text == "IfHealthyBudget":
        told = "a pod that never gets ready counts against the budget, and so holds up the drain of its machine"
        fix = "Set unhealthyPodEvictionPolicy to AlwaysAllow: a pod that is not ready serves nobody."
        yield at(policy, told, severity=Severity.WARNING, fix=fix)
    elif not policy and _probed(guarded):
        told = (
            f"a pod of `{_probed(guarded)}` that never gets ready may hold up the drain of its machine: without "
            "unhealthyPodEvictionPolicy it counts against the budget"
        )
        fix = "Set unhealthyPodEvictionPolicy to AlwaysAllow: a pod that is not ready serves nobody."
        yield at_key(spec, told, severity=Severity.INFO, fix=fix)


def _probed(guarded: tuple[Workload, ...]) -> str:
    """Return the name of a workload of which a probe says whether it is ready; empty if there is none."""
    names = (each.object.name for each in guarded if any(c.probe("readinessProbe") for c in each.running))
    return next(names, "")


def _too_many(least: Part, guarded: tuple[Workload, ...], model: Model) -> str:
    if any(workload.kind not in ("Deployment", "StatefulSet", "ReplicaSet", "Rollout") for workload in guarded):
        return ""
    numbers = [_most_pods(workload, model) for workload in guarded]
    known = [number for number in numbers if number is not None]
    pods = sum(known)
    if len(known) < len(numbers) or pods <= 0 or len({workload.object.name for workload in guarded}) < len(guarded):
        return ""
    share, number = _share(least), _number(least)
    wanted = math.ceil(pods * share / 100) if share is not None else number
    if wanted is None or wanted < pods:
        return ""
    names = ", ".join(f"`{workload.object.name}`" for workload in guarded)
    one = "1 pod" if pods == 1 else f"{pods:g} pods"
    return f"`minAvailable: {least.text}` of {one} at most ({names}) allows no pod to be away"


def _too_many_at_least(least: Part, guarded: tuple[Workload, ...], model: Model) -> str:
    """Return that a budget lets no pod be away for as long as the autoscaler keeps the fewest pods that it may."""
    autoscalers = model.belonging.autoscalers(guarded[0]) if len(guarded) == 1 else ()
    fewest = autoscalers[0].part.number("spec", "minReplicas") if len(autoscalers) == 1 else None
    number = _number(least)
    if fewest is None or number is None or number < fewest:
        return ""
    name = guarded[0].object.name
    return f"`minAvailable: {least.text}` allows no pod of `{name}` to be away while its autoscaler keeps {fewest:g}"


def _most_pods(workload: Workload, model: Model) -> float | None:
    """Return how many pods a workload has at most; None if that is not known."""
    autoscalers = model.belonging.autoscalers(workload)
    if autoscalers:
        found = [each.part.number("spec", "maxReplicas") for each in autoscalers]
        return found[0] if len(found) == 1 else None
    scaled = {
        (each.part.string("spec", "scaleTargetRef", "kind"), each.part.string("spec", "scaleTargetRef", "name"))
        for each in model.objects_of("ScaledObject", "VerticalPodAutoscaler")
    }
    if ("", workload.object.name) in scaled or (workload.kind, workload.object.name) in scaled:
        return None
    if any(patch.name == workload.object.name and patch.kind == workload.kind for patch in model.patches):
        return None
    return 1.0 if not workload.object.part.get("spec", "replicas") else workload.replicas


def _number(part: Part) -> float | None:
    share = _share(part)
    if share is not None:
        return share if share == 0 else None
    return part.number()


def _share(part: Part) -> float | None:
    found = re.fullmatch(r"(\d{1,4})%", part.text)
    return float(found[1]) if found else None
