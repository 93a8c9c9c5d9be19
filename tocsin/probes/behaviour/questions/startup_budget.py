"""Starts that take longer than the probes let them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from tocsin.finding import Severity
from tocsin.probes.behaviour.episode import Episode
from tocsin.probes.behaviour.questions import NotAsked, Remark, Seen, Unproven, question
from tocsin.probes.figures import startup_budget as budget_of
from tocsin.probes.specification import ProbeKind

USED = 0.7
"""Of the budget: a machine that is twice as slow is nothing special."""


@question(
    severity=Severity.ERROR,
    fix="Give the startup probe `failureThreshold` x `periodSeconds` of several times what a start takes.",
)
def startup_budget(seen: Seen) -> Iterator[Remark]:
    """A container that is ended before it has started never starts, on the day when everything starts at once.

    (kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes, Startup probe; failureThreshold times
    periodSeconds promises one period more than there is.)
    """
    kind = next((k for k in (ProbeKind.STARTUP, ProbeKind.LIVENESS) if seen.probe(k) is not None), None)
    if kind is None:
        raise NotAsked("no probe ends it, however long a start takes")
    boots = seen.many("boot-")
    if not boots:
        raise Unproven("no start was watched")
    budget = budget_of(seen.setup, seen.ground)
    found = [_booted(each, kind) for each in boots]
    never = [boot.name for boot, seconds in zip(boots, found, strict=True) if seconds is None]
    if never:
        yield Remark(f"{len(never)} of {len(boots)} starts were not seen to succeed", kind, episode=never[0])
    taken = [each for each in found if each is not None]
    if not taken or max(taken) <= USED * budget.least:
        return
    said = f"starts took {min(taken):.2f} to {max(taken):.2f} s (in the middle {median(taken):.2f} s)"
    slowest = boots[found.index(max(taken))].name
    severity = Severity.WARNING if max(taken) <= budget.least else None
    most = f"{budget.most:g} s" if math.isfinite(budget.most) else "no end"
    yield Remark(f"{said}, and have {budget.least:g} s to {most}: {budget.because}", kind, severity, episode=slowest)


def _booted(boot: Episode, kind: ProbeKind) -> float | None:
    return min((each.started + each.seconds for each in boot.of(kind) if each.outcome.healthy), default=None)
