"""`kill: PROCESS`: SIGKILL a process of the system; undone by starting it again at its old address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tocsin.stimuli import World
from tocsin.system import Load


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that is gone from one moment to the next."""

    process: str
    marker: ClassVar[str] = "faults"
    noticed_within: ClassVar[float] = 0.0
    jobs: ClassVar[frozenset[str]] = frozenset()
    load: ClassVar[Load | None] = None

    @classmethod
    def declared(cls, argument: Any) -> Kill:
        """Read the argument; raises ValueError if it is not a process's name."""
        if not isinstance(argument, str) or not argument:
            raise ValueError("kill takes the name of a process: `kill: backend`")
        return cls(argument)

    @property
    def processes(self) -> frozenset[str]:
        """The one that it kills."""
        return frozenset({self.process})

    def start(self, world: World) -> float:
        """Kill it."""
        return world.kill(self.process)

    def stop(self, world: World) -> float:
        """Start it again."""
        return world.revive(self.process)


STIMULUS = Kill
