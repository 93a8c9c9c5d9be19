"""`partition: [ALERTMANAGER, ...]`: cut the Alertmanagers of a cluster off from each other; undone by joining them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tocsin.stimuli import World
from tocsin.system import Load


@dataclass(frozen=True, slots=True)
class Partition:
    """A cluster whose members run, are told of alerts, and hear nothing of each other."""

    alertmanagers: tuple[str, ...]
    marker: ClassVar[str] = "faults"
    noticed_within: ClassVar[float] = 3.0
    """A silent peer is suspected first and then dead, and a lost one is asked again in intervals; see `World`."""
    processes: ClassVar[frozenset[str]] = frozenset()
    jobs: ClassVar[frozenset[str]] = frozenset()
    load: ClassVar[Load | None] = None

    @classmethod
    def declared(cls, argument: Any) -> Partition:
        """Read the argument; raises ValueError if it is not a list of two names or more."""
        names = tuple(argument) if isinstance(argument, (list, tuple)) else ()
        if len(set(names)) < 2 or not all(isinstance(name, str) and name for name in names):
            raise ValueError(
                "partition takes the names of the Alertmanagers: `partition: [alertmanager-1, alertmanager-2]`"
            )
        return cls(names)

    def start(self, world: World) -> float:
        """Cut them off from each other."""
        return world.partition(self.alertmanagers)

    def stop(self, world: World) -> float:
        """Let them hear each other again."""
        return world.rejoin(self.alertmanagers)


STIMULUS = Partition
