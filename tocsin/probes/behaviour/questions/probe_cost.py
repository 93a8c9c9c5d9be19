"""Probes that cost a good part of what a container may use."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.questions import Remark, Seen, Unproven, question
from tocsin.probes.behaviour.questions.measures import cores

MOST = 0.01
"""Of the container's processors."""
_NOISE = 0.02
"""Seconds of CPU that the two counts may be off: the kernel counts in hundredths."""


@question(severity=Severity.WARNING, fix="Have the handler do less, or ask less often.")
def probe_cost(seen: Seen) -> Iterator[Remark]:
    """What is spent on being asked is not there for requests, and each replica spends it.

    CPU of the process while it was asked, less that of as long a time in which it was not.
    """
    cost, idle = seen.episode("cost"), seen.episode("idle")
    if cost.cpu_seconds is None or idle.cpu_seconds is None or not idle.attempts:
        raise Unproven("what the process used was not counted")
    at_rest = cost.cpu_seconds / cost.lasted * idle.lasted if cost.lasted else 0.0
    each = max(0.0, idle.cpu_seconds - at_rest - _NOISE) / len(idle.attempts)
    rate = sum(1 / probe.period for probe in seen.probes)
    granted, said = cores(seen.subject)
    if each * rate > MOST * granted:
        yield Remark(
            f"an attempt costs {each * 1000:.1f} ms of CPU and there are {rate * 60:.0f} a minute: "
            f"{each * rate / granted:.1%} of {said}",
            episode="idle",
        )
