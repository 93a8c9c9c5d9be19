"""Attempts that take much of their timeout while nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.questions import Remark, Seen, question
from tocsin.probes.behaviour.questions.measures import MARGIN, p99


@question(
    severity=Severity.WARNING,
    fix="Give `timeoutSeconds` twice what the slowest attempts take, or make the handler cheaper.",
)
def within_timeout(seen: Seen) -> Iterator[Remark]:
    """A little load more, and attempts time out: what is slow when idle is late when busy.

    (kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes: timeoutSeconds, 1 if left out.)
    """
    idle = seen.episode("idle")
    for probe in seen.probes:
        made = idle.of(probe.kind)
        taken = p99(made)
        if taken > MARGIN * probe.timeout:
            severity = Severity.ERROR if taken >= probe.timeout else None
            said = (
                f"99 of 100 attempts take up to {taken:.3f} s with nothing to do, of a timeout of {probe.timeout:g} s"
            )
            yield Remark(said, probe.kind, severity, episode="idle")
