"""Requests that are lost when a pod is told to end."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.probes.behaviour.questions import NotAsked, Remark, Seen, Unproven, question
from tocsin.probes.specification import ProbeKind


@question(
    severity=Severity.ERROR,
    fix="Wait in a preStop hook (`sleep`) until every proxy knows, and answer what was begun before you end.",
)
def no_request_lost(seen: Seen) -> Iterator[Remark]:
    """Every rollout, and every node that is drained, costs requests: proxies go on for a while after the word to end.

    (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, Pod termination: endpoints are removed while the
    container is told to end, not before.)
    """
    if not seen.probe(ProbeKind.READINESS) and not seen.subject.declared.requests:
        raise NotAsked("it has no readiness probe, and system.yaml names no path that clients ask for")
    drain = seen.episode("drain")
    if not drain.asked.sent:
        raise Unproven("no request was sent while it was told to end")
    if drain.asked.lost:
        told = drain.action("told to end") or 0.0
        first, why = drain.asked.lost[0]
        lag = seconds(seen.subject.declared.endpoints_lag)
        yield Remark(
            f"{len(drain.asked.lost)} of {drain.asked.sent} requests are lost; the first was sent {first - told:.2f} s "
            f"after the word to end: {why}. Requests came for {lag} after it",
            episode="drain",
        )
