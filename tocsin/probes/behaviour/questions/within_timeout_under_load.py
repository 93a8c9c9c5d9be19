"""Attempts that fail or are slow under the load that the application has to bear."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.probes.behaviour.episode import Episode
from tocsin.probes.behaviour.questions import Remark, Seen, failed, question
from tocsin.probes.behaviour.questions.measures import MARGIN, p99, until_in_a_row
from tocsin.probes.specification import ProbeKind

_HOUR = 3600.0
_DOES = {
    ProbeKind.READINESS: "the pod leaves its Service",
    ProbeKind.LIVENESS: "the container is restarted",
    ProbeKind.STARTUP: "the container is ended before it has started",
}


@question(
    severity=Severity.ERROR,
    fix="Answer probes outside of the queue that requests wait in; give `timeoutSeconds` and `failureThreshold` room.",
)
def within_timeout_under_load(seen: Seen) -> Iterator[Remark]:
    """Under load it is healthy and busy: a probe that fails then takes away what bears the load.

    What a share of failures comes to is the mean time to so many in a row, each attempt by its own luck.
    """
    under_load = seen.episode("load")
    yield from _of_pods(under_load)
    for probe in seen.probes:
        made = under_load.of(probe.kind)
        wrong = failed(made)
        if wrong:
            after = until_in_a_row(len(wrong) / len(made), probe)
            each = f"{_DOES[probe.kind]} every {seconds(round(after))} in the mean" if math.isfinite(after) else ""
            said = f"{len(wrong)} of {len(made)} attempts fail under load ({wrong[0].message}): {each}"
            seldom = Severity.WARNING if after > _HOUR else None
            yield Remark(said, probe.kind, seldom, episode="load")
        elif (taken := p99(made)) > MARGIN * probe.timeout:
            said = f"99 of 100 attempts take up to {taken:.3f} s under load, of a timeout of {probe.timeout:g} s"
            yield Remark(said, probe.kind, Severity.WARNING, episode="load")


def _of_pods(under_load: Episode) -> Iterator[Remark]:
    """Yield what a cluster's kubelets made of it."""
    for pod in under_load.pods:
        if not pod.before or pod.told_to_end is not None:
            continue
        if pod.restarts:
            said = f"{pod.name} was restarted {pod.restarts} times in {under_load.lasted:.0f} s of load"
            yield Remark(f"{said}: {pod.instances[-2].reason or 'ended'}", ProbeKind.LIVENESS, episode="load")
        elif any(ready for _, ready in pod.ready) and not all(ready for _, ready in pod.ready):
            said = f"{pod.name} left its Service under load"
            yield Remark(said, ProbeKind.READINESS, episode="load")
