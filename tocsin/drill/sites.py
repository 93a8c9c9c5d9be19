"""Where the drills of a run happen: a fresh stack for each, or one by one on a system that runs already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.drill.admission import admit
from tocsin.drill.discovery import DISCOVERY, discover
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.preparation import prepare
from tocsin.drill.running import RunningSystem
from tocsin.drill.schedule import ACTIVE, WARMING
from tocsin.drill.site import Site
from tocsin.drill.stack import FreshStack
from tocsin.evidence import Recording, write_json
from tocsin.source import nearest
from tocsin.system import BadSystem, Problem, System


@dataclass(frozen=True, slots=True)
class Sites:
    """How a site is opened for each drill of a run, and how many may be open at once."""

    open: Callable[[PlannedDrill, Recording, threading.Event], Site]
    active: int
    warming: int


def sites(system: System, environment: str, plans: Sequence[PlannedDrill], folder: Path) -> Sites:
    """Return where an environment's drills happen; what is found of a running system is written to the run's folder.

    Raises BadSystem with every reason why they may not, and Trouble where something cannot be asked.
    """
    if system.environment(environment)[1].ours:
        prepared = prepare(system, environment)
        if unknown := tuple(_unknown_jobs(system, plans, prepared.jobs)):
            raise BadSystem(unknown)
        return Sites(
            lambda plan, recording, stop: FreshStack(prepared, recording, name=plan.name, stop=stop), ACTIVE, WARMING
        )
    admit(system, environment, plans)
    found = discover(system, environment, plans)
    write_json(folder / DISCOVERY, found.written())
    return Sites(
        lambda plan, recording, stop: RunningSystem(system, found, plan, recording, stop=stop), active=1, warming=0
    )


def _unknown_jobs(system: System, plans: Sequence[PlannedDrill], known: Iterable[str]) -> Iterator[Problem]:
    """Yield the drills that take away targets of a scrape job which has none here."""
    names = sorted(known)
    for plan in plans:
        for job in sorted(plan.stimulus.jobs - set(names)):
            meant = nearest(job, names)
            offered = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(names) or 'none'}"
            said = f"drill {plan.name}: no scrape job {job!r} has targets in this environment; {offered}"
            yield Problem(system.place("drills", plan.name, "stimulus"), said)
