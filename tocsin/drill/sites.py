"""Where the drills of a run happen: a fresh stack for each, or one by one on a system that runs already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.atomic import write_json
from tocsin.drill.admission import admit
from tocsin.drill.discovery import DISCOVERY, discover
from tocsin.drill.monitoring import setup_of
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.preparation import prepare
from tocsin.drill.running import RunningSystem
from tocsin.drill.schedule import ACTIVE, WARMING
from tocsin.drill.site import Site
from tocsin.drill.stack import FreshStack
from tocsin.drill.workloads import find_workloads, unknown_jobs
from tocsin.evidence import Recording
from tocsin.system import BadSystem, System


@dataclass(frozen=True, slots=True)
class Sites:
    """How a site is opened for each drill of a run, and how many may be open at once."""

    open: Callable[[PlannedDrill, Recording, threading.Event], Site]
    active: int
    warming: int
    found: Mapping[str, Any] | None = None
    """What was found of a system that runs already; None of one that we start."""

    def write(self, folder: Path) -> None:
        """Keep what was found in the run's folder."""
        if self.found is not None:
            write_json(folder / DISCOVERY, self.found)


def sites(system: System, environment: str, plans: Sequence[PlannedDrill]) -> Sites:
    """Return where an environment's drills happen, once the plan has been checked. Writes nothing.

    Raises BadSystem with every reason why they may not, and Trouble where something cannot be asked.
    """
    if system.environment(environment)[1].ours:
        prepared = prepare(system, environment)
        return Sites(
            lambda plan, recording, stop: FreshStack(
                prepared, recording, name=plan.name, stop=stop, setup=setup_of(plan)
            ),
            ACTIVE,
            WARMING,
        )
    admit(system, environment, plans)
    workloads = find_workloads(system, environment, plans)
    found = discover(system, environment, plans)
    jobs = [*(target.job for target in found.targets), *(job.name for job in found.scraping.jobs)]
    if problems := unknown_jobs(system, plans, jobs):
        raise BadSystem(problems)
    return Sites(
        lambda plan, recording, stop: RunningSystem(system, found, plan, recording, stop=stop, workloads=workloads),
        active=1,
        warming=0,
        found=found.written(),
    )
