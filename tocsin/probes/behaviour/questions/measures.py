"""Figures of attempts: how long they take, and what a share of failures comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tocsin.model.quantities import quantity
from tocsin.probes.behaviour.episode import Attempted
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.specification import ProbeSpec

PERCENTILE = 0.99
MARGIN = 0.5
"""Of the timeout: what takes longer when all is well has no room for a bad day."""


def p99(attempts: Sequence[Attempted]) -> float:
    """Return the seconds that 99 of 100 attempts do not exceed; 0 of none."""
    taken = sorted(each.seconds for each in attempts)
    return taken[min(len(taken) - 1, math.ceil(PERCENTILE * len(taken)) - 1)] if taken else 0.0


def until_in_a_row(share: float, probe: ProbeSpec) -> float:
    """Return after how many seconds, in the mean, so many failures in a row come that the probe acts.

    `share` is that of failures, each by its own luck; infinite if there are none. (Feller, An Introduction to
    Probability Theory, XIII.7: the mean time to a run.)
    """
    if share <= 0:
        return math.inf
    if share >= 1:
        return probe.failures * probe.period
    run = Fraction(share).limit_denominator(10_000)
    attempts = (1 - run**probe.failures) / ((1 - run) * run**probe.failures)
    return float(attempts) * probe.period


def cores(subject: Subject) -> tuple[float, str]:
    """Return the processors that a container may count on, and what says so; one if nothing does."""
    resources = subject.container.part.get("resources")
    for where in ("requests", "limits"):
        found = resources.get(where, "cpu")
        granted = quantity(found.text) if found else None
        if granted:
            return float(granted), f"its {where} of {found.text}"
    return 1.0, "one core, for its manifest asks for no CPU"
