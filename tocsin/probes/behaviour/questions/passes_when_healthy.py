"""Attempts that fail while nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour.questions import Remark, Seen, Unproven, question


@question(
    severity=Severity.ERROR, fix="Ask what the application answers when it is well: its path, port, scheme and headers."
)
def passes_when_healthy(seen: Seen) -> Iterator[Remark]:
    """A probe that fails when all is well keeps pods from their Service, or restarts them for ever.

    (Kubernetes: pkg/probe; an attempt that ends in an error is discarded, so the state before it stays.)
    """
    idle = seen.episode("idle")
    for probe in seen.probes:
        made = idle.of(probe.kind)
        wrong = [each for each in made if not each.outcome.healthy]
        if wrong:
            what = "end in an error, which the kubelet discards" if wrong[0].outcome is Outcome.ERROR else "fail"
            said = f"{len(wrong)} of {len(made)} attempts {what} while nothing is wrong: {wrong[0].message}"
            yield Remark(said, probe.kind, episode="idle")
    if idle.unasked:
        raise Unproven("; ".join(idle.unasked.values()))
