"""`remove_target: JOB`: take a job's targets out of service discovery while they go on running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tocsin.stimuli import World
from tocsin.system import Load


@dataclass(frozen=True, slots=True)
class RemoveTarget:
    """A target that nobody scrapes any more: the fault that silences every other alert about it."""

    job: str
    marker: ClassVar[str] = "faults"
    noticed_within: ClassVar[float] = 5.5
    """Discovery hands targets over every 5 s (discovery/manager.go, updatert), which no setting changes."""
    processes: ClassVar[frozenset[str]] = frozenset()
    load: ClassVar[Load | None] = None

    @classmethod
    def declared(cls, argument: Any) -> RemoveTarget:
        """Read the argument; raises ValueError if it is not a job's name."""
        if not isinstance(argument, str) or not argument:
            raise ValueError("remove_target takes the name of a scrape job: `remove_target: backend`")
        return cls(argument)

    @property
    def jobs(self) -> frozenset[str]:
        """The one whose targets it takes away."""
        return frozenset({self.job})

    def start(self, world: World) -> float:
        """Take the targets away."""
        return world.remove_target(self.job)

    def stop(self, world: World) -> float:
        """Put them back."""
        return world.restore_target(self.job)


STIMULUS = RemoveTarget
