"""An alert on CrashLoopBackOff, and a container that restarts too slowly to ever be in it."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.probes import seconds
from tocsin.model.workloads import Probe

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
          livenessProbe:
            httpGet: {{path: /live, port: 8080}}
            initialDelaySeconds: {delay}
"""
_RULES = """\
groups:
  - name: pods
    rules:
      - alert: PodCrashLooping
        expr: max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1
        for: 15m
"""
_LONGEST_WAIT = 300.0
"""The longest pause before a restart; who has lived that long is restarted without one."""


@check(
    severity=Severity.WARNING,
    fix="Add an alert on increase(kube_pod_container_status_restarts_total[1h]), or let the probe act sooner.",
    bad=Example({"shop.yaml": _POD.format(delay=300), "rules.yaml": _RULES}, at="initialDelaySeconds: 300"),
    good=Example({"shop.yaml": _POD.format(delay=10), "rules.yaml": _RULES}),
)
def crash_loop_never_shown(model: Model) -> Iterator[Remark]:
    """It is killed and restarted for ever without a pause, so the alert that waits for one never rings for it.

    (Kubernetes: pkg/kubelet/kuberuntime/kuberuntime_manager.go, doBackOff: the pause is at most 300 s and counts from
    the end of the instance before.)
    """
    waiting = [rule for rule in model.alerts if "CrashLoopBackOff" in rule.expression]
    if not waiting or any("restarts_total" in rule.expression for rule in model.rules):
        return
    alert = waiting[0]
    for workload in model.workloads:
        for container in workload.running if workload.runs_on else ():
            probe = _kills_late(container.probe("startupProbe"), container.probe("livenessProbe"))
            if probe is not None:
                lives = seconds(probe.timing.budget)
                told = (
                    f"`{container.name}` lives {lives} before its {probe.word} probe kills it, so it is never "
                    f"in CrashLoopBackOff, which {alert.name} waits for"
                )
                there = probe.part.get("initialDelaySeconds") or probe.part.get("failureThreshold")
                yield (at if there else at_key)(
                    there or probe.part, told, subject=probe.subject, related=(alert.place,)
                )


def _kills_late(startup: Probe | None, liveness: Probe | None) -> Probe | None:
    """Return the probe that kills a container which never works, if that takes longer than any pause."""
    probe = startup or liveness
    return probe if probe is not None and probe.timing.budget >= _LONGEST_WAIT else None
