"""Trouble with what we run ourselves: never the system's fault, so it makes a verdict inconclusive."""

from __future__ import annotations

from enum import StrEnum

from tocsin.explained import Explained


class Kind(StrEnum):
    """What sort of trouble it is; a hang and a refusal are told apart."""

    REFUSED = "refused"
    """Nobody listens at the address."""
    TIMED_OUT = "timed out"
    """It did not answer, or not get there, in time."""
    BROKEN = "broken"
    """The connection broke before the answer was complete."""
    ANSWERED = "answered"
    """It answered, with an error."""
    EXITED = "exited"
    """The process ended when it should not have."""
    FAILED = "failed"
    """It could not be started, read or understood."""


class Trouble(Explained):
    """Something that we run, or ask, did not do its part: what, where, and the detail."""

    def __init__(self, what: str, where: str, detail: str, kind: Kind = Kind.FAILED) -> None:
        super().__init__(f"{what} ({where}): {detail}")
        self.what = what
        self.where = where
        self.detail = detail
        self.kind = kind


class SupervisorTrouble(Trouble):
    """The supervisor process is gone, or could not do what was asked."""
