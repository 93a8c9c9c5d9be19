"""Liveness that fails because something else is down."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.questions import NotAsked, Remark, Seen, failed, question
from tocsin.probes.behaviour.questions.measures import MARGIN, p99
from tocsin.probes.specification import ProbeKind


@question(
    severity=Severity.ERROR,
    fix="Have liveness look at the process alone; what depends on others belongs to readiness.",
)
def liveness_independent(seen: Seen) -> Iterator[Remark]:
    """Every replica is restarted because something else is down, which mends nothing and loses what they hold.

    (kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes, Liveness probe.)
    """
    outages = seen.many("without-")
    if not outages:
        raise NotAsked("it depends on no process that this environment has")
    for outage in outages:
        name, _, how = outage.name.removeprefix("without-").rpartition("-")
        if outage.exited is not None:
            yield Remark(f"the process ends when {name} is {how}", episode=outage.name)
        for kind in (ProbeKind.LIVENESS, ProbeKind.STARTUP):
            probe, made = seen.probe(kind), outage.of(kind)
            wrong = failed(made)
            if wrong:
                said = f"{len(wrong)} of {len(made)} attempts fail while {name} is {how}: {wrong[0].message}"
                yield Remark(said, kind, episode=outage.name)
            elif probe is not None and (taken := p99(made)) > MARGIN * probe.timeout:
                said = f"attempts take up to {taken:.3f} s while {name} is {how}, of a timeout of {probe.timeout:g} s"
                yield Remark(said, kind, Severity.WARNING, episode=outage.name)
