"""The scheduler: performs drills, a few at a time, each on a site of its own, and leaves their evidence."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.drill.perform import Performance, Progress
from tocsin.drill.planning import PlannedDrill, in_order
from tocsin.drill.site import Site
from tocsin.drill.turns import Turns
from tocsin.evidence import Recording
from tocsin.supervisor import usage

ACTIVE = 3
"""Drills between steady state and recovery at once; what two cores bear (three were measured to)."""
WARMING = 1
"""Further sites that start meanwhile: starting is waiting, mostly, but a site takes 200 MB."""
EVERY = 1.0
"""Seconds between two looks at what the whole run uses."""


@dataclass(slots=True)
class Resources:
    """What a run used at its peak, the harness included."""

    peak_rss_bytes: int = 0
    peak_pss_bytes: int = 0
    peak_processes: int = 0
    cpu_seconds: float = 0.0

    def take(self, pid: int) -> None:
        """Take in what the process and its descendants use now."""
        now = usage([pid])
        self.peak_rss_bytes = max(self.peak_rss_bytes, now.rss_bytes)
        self.peak_pss_bytes = max(self.peak_pss_bytes, now.pss_bytes or 0)
        self.peak_processes = max(self.peak_processes, now.processes)

    def written(self) -> Mapping[str, float]:
        """Return the figures for results.json."""
        times = os.times()
        cpu = times.user + times.system + times.children_user + times.children_system
        return {
            "peak_rss_bytes": self.peak_rss_bytes,
            "peak_pss_bytes": self.peak_pss_bytes,
            "peak_processes": self.peak_processes,
            "cpu_seconds": round(cpu, 2),
        }


@dataclass(slots=True)
class DrillRun:
    """One run of drills into a folder."""

    plans: Sequence[PlannedDrill]
    folder: Path
    """The run's folder; each drill's evidence goes to `evidence/NAME` in it."""
    open_site: Callable[[PlannedDrill, Recording], Site]
    tell: Callable[[Progress], None]
    origin: float
    """The run's start, Unix time."""
    seed: int = field(default_factory=lambda: random.SystemRandom().randrange(2**31))
    stop: threading.Event = field(default_factory=threading.Event)
    resources: Resources = field(default_factory=Resources)
    active: int = ACTIVE
    warming: int = WARMING

    def perform(self) -> None:
        """Perform every drill. Returns when all evidence is written and everything started has ended.

        An interruption (KeyboardInterrupt) stops the drills, lets them write what they have, and goes through.
        """
        turns = Turns(self.active, self.stop)
        watcher = threading.Thread(target=self._watch, name="resources", daemon=True)
        watched = threading.Event()
        self._watched = watched
        watcher.start()
        pool = ThreadPoolExecutor(self.active + self.warming, thread_name_prefix="drill")
        try:
            phases = random.Random(self.seed)  # noqa: S311 a phase, not a secret
            ordered = in_order(self.plans, _estimated_seconds)
            waiting = [pool.submit(self._one, plan, turns, phases.random()) for plan in ordered]
            for done in waiting:
                done.result()
        finally:
            self.stop.set()
            turns.wake()
            pool.shutdown(wait=True, cancel_futures=True)
            watched.set()
            watcher.join()

    _watched: threading.Event = field(default_factory=threading.Event)

    def _watch(self) -> None:
        while not self._watched.wait(EVERY):
            self.resources.take(os.getpid())

    def _one(self, plan: PlannedDrill, turns: Turns, phase_delay: float) -> None:
        if self.stop.is_set():
            return
        recording = Recording(evidence_folder(self.folder, plan.name))
        site = self.open_site(plan, recording)
        try:
            performance = Performance(
                plan, site, recording, origin=self.origin, phase_delay=phase_delay, tell=self.tell, stop=self.stop
            )
            performance.perform(turns.turn(alone=plan.exclusive))
        finally:
            site.close()
        self.tell(Progress(plan.name, "done", time.time()))


def evidence_folder(run: Path, drill: str) -> Path:
    """Return where a drill's evidence is, in a run's folder."""
    return run / "evidence" / drill


def _estimated_seconds(plan: PlannedDrill) -> float:
    """Return a rough length of a drill, by which the longest is begun first."""
    declared = [e.within or 600.0 for e in plan.drill.expect]
    return max([*declared, plan.drill.hold]) / plan.factor


def expected_seconds(plans: Iterable[PlannedDrill]) -> float:
    """Return a rough upper bound of what drills take one after the other, for a plan that is shown beforehand."""
    return sum(2 * _estimated_seconds(plan) + 20 for plan in plans)
