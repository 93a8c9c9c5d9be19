"""What is to be seen of a container from outside, and why it comes about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.probes.attempt import Outcome
from tocsin.probes.specification import ProbeKind
from tocsin.probes.window import Window


class MarkKind(StrEnum):
    """What is seen."""

    READINESS = "readiness"
    """Ready changes; it is true after the first change, false after the second, and so on."""
    KILL = "kill"
    RESTART = "restart"
    OVER = "over"
    """It ended and will not be started again."""
    SEEN = "seen"
    """The pod's status shows that an instance runs. It is not foreseen; observed, it narrows what comes after."""
    STARTED = "started"
    """The status says that an instance's startup probe succeeded. As above."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """The first, second, ... of its kind."""

    kind: MarkKind
    number: int

    @property
    def ready(self) -> bool:
        """Of a change of Ready, what it is afterwards."""
        return self.number % 2 == 1

    def __str__(self) -> str:
        if self.kind is MarkKind.READINESS:
            return f"{'ready' if self.ready else 'not ready'} (change {self.number})"
        return f"{self.kind} {self.number}"


class Cause(StrEnum):
    """Why something comes about."""

    READINESS_SUCCEEDED = "readiness succeeded"
    READINESS_FAILED = "readiness failed"
    STARTED_WITHOUT_READINESS = "it counts as started, and has no readiness probe"
    REPLACED = "a new instance was not probed yet"
    ENDED = "it ended by itself"
    LIVENESS = "liveness failed"
    STARTUP = "startup failed"
    BACKED_OFF = "it was backed off"
    POLICY = "its restart policy does not bring it back"

    @classmethod
    def failed(cls, kind: ProbeKind) -> Cause:
        """Return the cause that a probe's failure is."""
        return cls.STARTUP if kind is ProbeKind.STARTUP else cls.LIVENESS


@dataclass(frozen=True, slots=True)
class Made:
    """An attempt that was made."""

    kind: ProbeKind
    instance: int
    began: float
    seconds: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Seen:
    """A mark that was observed."""

    mark: Mark
    when: Window
