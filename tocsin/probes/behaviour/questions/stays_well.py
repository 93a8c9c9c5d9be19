"""Pods that are not ready, or are restarted, or whose probes fail, while nothing is done to them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.episode import Episode, PodSeen
from tocsin.probes.behaviour.questions import Remark, Seen, question
from tocsin.probes.specification import ProbeKind


@question(
    severity=Severity.ERROR,
    fix="Read the pod's events (`kubectl describe pod`): they tell which probe fails, and with what answer.",
)
def stays_well(seen: Seen) -> Iterator[Remark]:
    """A probe that fails now and then, while nothing happens, takes pods away on the day when they are needed.

    (Kubernetes: pkg/kubelet/prober/prober_manager.go, prober_probe_total: a discarded error is counted nowhere.)
    """
    watch = seen.in_cluster("watch")
    for pod in watch.pods:
        if not pod.before or pod.told_to_end is not None:
            continue  # somebody else's rollout
        if pod.restarts:
            ended = pod.instances[-2]
            said = f"{pod.name} was restarted {pod.restarts} times in {watch.lasted:.0f} s: {ended.reason or 'ended'}"
            yield Remark(f"{said}, exit code {ended.exit_code}", episode="watch")
        if not all(ready for _, ready in pod.ready):
            states = ", ".join("ready" if ready else "not ready" for _, ready in pod.ready)
            yield Remark(f"{pod.name} was {states}, while nothing was done to it", ProbeKind.READINESS, episode="watch")
        yield from _counted(seen, watch, pod)


def _counted(seen: Seen, watch: Episode, pod: PodSeen) -> Iterator[Remark]:
    """Yield what the kubelet's own counts tell."""
    for probe in seen.probes:
        failed, made = pod.failures.get(probe.kind, 0), pod.successes.get(probe.kind, 0)
        if failed:
            said = f"{failed} of {failed + made} attempts on {pod.name} failed in {watch.lasted:.0f} s"
            yield Remark(said, probe.kind, Severity.WARNING, episode="watch")
        due = math.floor(watch.lasted / probe.period) - 1
        if probe.kind is not ProbeKind.STARTUP and probe.kind in pod.successes and failed + made < due:
            said = (
                f"of at least {due} attempts on {pod.name} in {watch.lasted:.0f} s, {failed + made} were counted: the"
                " others end in errors, which the kubelet discards"
            )
            yield Remark(said, probe.kind, episode="watch")
