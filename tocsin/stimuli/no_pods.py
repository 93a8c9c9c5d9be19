"""`no_pods: WORKLOAD`: scale a workload of the cluster to no pods; undone by scaling it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tocsin.stimuli import TARGETS_SEEN_WITHIN, Power, World, workload_argument
from tocsin.system import Load

FORM = "`no_pods: backend`, or `no_pods: {workload: backend, jobs: [SCRAPE JOB]}`"


@dataclass(frozen=True, slots=True)
class NoPods:
    """A workload of which nothing runs."""

    workload: str
    jobs: frozenset[str]
    jobs_named: bool
    marker: ClassVar[str] = "faults"
    power: ClassVar[Power] = "outage"
    container: ClassVar[str | None] = None
    noticed_within: ClassVar[float] = TARGETS_SEEN_WITHIN
    processes: ClassVar[frozenset[str]] = frozenset()
    load: ClassVar[Load | None] = None

    @classmethod
    def declared(cls, argument: Any) -> NoPods:
        """Read the argument; raises ValueError if it names no workload."""
        try:
            read = workload_argument(argument, FORM)
        except ValueError as error:
            raise ValueError(f"no_pods {error}") from error
        jobs = frozenset({read.workload}) if read.jobs is None else read.jobs
        return cls(read.workload, jobs, read.jobs is not None)

    def start(self, world: World) -> float:
        """Scale it to zero."""
        return world.scale_to_zero(self.workload)

    def stop(self, world: World) -> float:
        """Scale it back, and wait until its pods are ready."""
        return world.restore_workload(self.workload)


STIMULUS = NoPods
