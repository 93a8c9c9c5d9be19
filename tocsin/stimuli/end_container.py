"""`end_container: WORKLOAD`: tell the main process of a container to end, once or more; its kubelet restarts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tocsin.stimuli import TARGETS_SEEN_WITHIN, Power, World, workload_argument
from tocsin.system import Load

FORM = (
    "`end_container: backend`, or `end_container: {workload: backend, container: NAME, times: 4, jobs: [SCRAPE JOB]}`"
)
MOST_TIMES = 20
"""A kubelet waits longer before each restart, five minutes at last: more would take hours."""


@dataclass(frozen=True, slots=True)
class EndContainer:
    """A container that ends, and is restarted."""

    workload: str
    container: str
    times: int
    jobs: frozenset[str]
    jobs_named: bool
    marker: ClassVar[str] = "faults"
    power: ClassVar[Power] = "kill"
    noticed_within: ClassVar[float] = TARGETS_SEEN_WITHIN
    processes: ClassVar[frozenset[str]] = frozenset()
    load: ClassVar[Load | None] = None

    @classmethod
    def declared(cls, argument: Any) -> EndContainer:
        """Read the argument; raises ValueError if it names no workload, or no number of times."""
        try:
            read = workload_argument(argument, FORM, "container", "times")
        except ValueError as error:
            raise ValueError(f"end_container {error}") from error
        container, times = read.rest.get("container", ""), read.rest.get("times", 1)
        if not isinstance(container, str):
            raise ValueError(f"end_container takes `container` as a container's name: {FORM}")
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST_TIMES:
            raise ValueError(f"end_container takes `times` from 1 to {MOST_TIMES}: {FORM}")
        jobs = frozenset({read.workload}) if read.jobs is None else read.jobs
        return cls(read.workload, container, times, jobs, read.jobs is not None)

    def start(self, world: World) -> float:
        """End it, again and again if need be."""
        return world.end_container(self.workload, self.container, self.times)

    def stop(self, world: World) -> float:
        """Wait until all pods are ready."""
        return world.restore_workload(self.workload)


STIMULUS = EndContainer
