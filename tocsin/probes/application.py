"""What runs in a container, scripted: what it answers to each probe, when it ends, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.probes.attempt import HEALTHY, Answer, Behaviour
from tocsin.probes.specification import ProbeKind


@dataclass(frozen=True, slots=True)
class Application:
    """One life of a container's process."""

    startup: Behaviour = HEALTHY
    liveness: Behaviour = HEALTHY
    readiness: Behaviour = HEALTHY
    exits: float | None = None
    """Seconds after its start at which it ends by itself; None if it does not."""
    exit_code: int = 1
    """Of an end by itself."""
    stops_in: float | None = 0.0
    """Seconds from SIGTERM to its end; None if it ignores SIGTERM."""
    stop_code: int = 143
    """Of an end by SIGTERM."""
    post_start: float = 0.0
    """Seconds that the container's postStart hook takes; until then no probe sees it run."""

    def behaviour(self, kind: ProbeKind) -> Behaviour:
        """Return what it answers to a kind of probe."""
        match kind:
            case ProbeKind.STARTUP:
                return self.startup
            case ProbeKind.LIVENESS:
                return self.liveness
        return self.readiness

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer that it ever gives."""
        return tuple(answer for each in (self.startup, self.liveness, self.readiness) for answer in each.answers)

    @classmethod
    def answering(cls, behaviour: Behaviour) -> Application:
        """Return one that answers the same to all probes."""
        return cls(behaviour, behaviour, behaviour)


def life(lives: Sequence[Application], instance: int) -> Application:
    """Return the life of a container's instance, counted from 0; the last one given stays."""
    return lives[min(instance, len(lives) - 1)]


WELL = Application()
"""One that is well and stays."""
