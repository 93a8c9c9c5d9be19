"""The four verdicts, and how many of them make one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How something ended; the order of definition is from best to worst."""

    PASSED = "passed"
    WAIVED = "waived"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"


RANK = tuple(Outcome)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and the reason for it, in a sentence for the reader at 3 a.m."""

    outcome: Outcome
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is left to do about it."""
        return self.outcome in (Outcome.PASSED, Outcome.WAIVED)


PASSED = Verdict(Outcome.PASSED)


def failed(reason: str) -> Verdict:
    """Return the verdict that the system is at fault, and why."""
    return Verdict(Outcome.FAILED, reason)


def inconclusive(reason: str) -> Verdict:
    """Return the verdict that nothing was proven, and why."""
    return Verdict(Outcome.INCONCLUSIVE, reason)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict, with every reason of that rank; of nothing, Inconclusive."""
    found = list(verdicts)
    if not found:
        return inconclusive("nothing was examined")
    outcome = max((v.outcome for v in found), key=RANK.index)
    reasons = dict.fromkeys(v.reason for v in found if v.outcome is outcome and v.reason)
    return Verdict(outcome, "\n".join(reasons))
