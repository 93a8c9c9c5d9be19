"""The scheduler: performs drills, a few at a time, each on a site of its own, and leaves their evidence."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from tocsin.deadline import Stopped
from tocsin.drill.judge import judge_folder
from tocsin.drill.perform import AGAIN, Performance, Progress, unperformed
from tocsin.drill.planning import PlannedDrill, in_order
from tocsin.drill.site import Site
from tocsin.drill.turns import Turns
from tocsin.evidence import MANIFEST, Recording, Trouble, read_evidence
from tocsin.supervisor import usage
from tocsin.verdict import Outcome

ACTIVE = 3
"""Drills between steady state and recovery at once; what two cores bear (three were measured to)."""
WARMING = 1
"""Further sites that start meanwhile: starting is waiting, mostly, but a site takes 200 MB."""
ARMING = 20.0
"""Seconds from nothing to armed, at most, on a machine that is not starved."""
ARMING_REPLICAS = 40.0
"""The same with several engines of a kind, and the seconds in which one of them would tell again."""
EARLIER = "earlier"
"""The folder of a run with the evidence of attempts that proved nothing, and were made again."""
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
    attempts: int = 1
    """How often a drill on a stack of ours is performed at most, if it proves nothing."""

    def perform(self) -> None:
        """Perform every drill. Returns when all evidence is written and everything started has ended.

        What proved nothing on a stack of ours is performed again when the others are over, with nothing beside it.
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
            with self._heeding(turns):
                waiting = [pool.submit(self._one, plan, turns, phases.random()) for plan in ordered]
                for done in waiting:
                    done.result()
                for plan in (again for _ in range(1, self.attempts) for again in self._unproven()):
                    pool.submit(self._one, plan, turns, phases.random()).result()
            if self.stop.is_set():
                raise KeyboardInterrupt
        finally:
            self.stop.set()
            turns.wake()
            pool.shutdown(wait=True, cancel_futures=True)
            watched.set()
            watcher.join()
            for plan in self.plans:
                if not evidence_folder(self.folder, plan.name).exists():
                    self._conclude(plan, "interrupted: the run was stopped before this drill began")

    _watched: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def _heeding(self, turns: Turns) -> Iterator[None]:
        """Take a first SIGINT for the wish to stop, and a second one for what it is.

        An exception may be raised in the midst of anything, and where that is a destructor Python drops it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def asked(number: int, frame: FrameType | None) -> None:
            if self.stop.is_set():
                signal.default_int_handler(number, frame)
            self.stop.set()
            turns.wake()

        before = signal.signal(signal.SIGINT, asked)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _watch(self) -> None:
        while not self._watched.wait(EVERY):
            self.resources.take(os.getpid())

    def _unproven(self) -> Iterator[PlannedDrill]:
        """Yield the drills that proved nothing, each when its evidence has been set aside for that of a new attempt."""
        for plan in self.plans:
            folder = evidence_folder(self.folder, plan.name)
            if self.stop.is_set() or not plan.ours:
                continue
            result = judge_folder(folder)
            if result.verdict.outcome is not Outcome.INCONCLUSIVE:
                continue
            known = result.evidence.manifest.earlier if result.evidence.manifest else ()
            aside = self.folder / EARLIER / f"{plan.name}-{len(known) + 1}"
            aside.parent.mkdir(exist_ok=True)
            folder.rename(aside)
            self.tell(Progress(plan.name, AGAIN, time.time()))
            yield replace(plan, earlier=(*known, result.verdict.reason))

    def _one(self, plan: PlannedDrill, turns: Turns, phase_delay: float) -> None:
        try:
            with turns.present():
                self._perform(plan, turns, phase_delay)
        except Stopped:
            return
        self.tell(Progress(plan.name, "done", time.time()))

    def _perform(self, plan: PlannedDrill, turns: Turns, phase_delay: float) -> None:
        try:
            recording = Recording(evidence_folder(self.folder, plan.name))
            site = self.open_site(plan, recording)
            try:
                performance = Performance(
                    plan, site, recording, origin=self.origin, phase_delay=phase_delay, tell=self.tell, stop=self.stop
                )
                performance.perform(turns.turn(alone=plan.exclusive))
            finally:
                site.close()
        except Exception as error:  # noqa: BLE001 one drill's trouble must not take the others, and the report, with it
            self._conclude(
                plan, f"where the drill happens could not be made, or ended: {type(error).__name__}: {error}"
            )

    def _conclude(self, plan: PlannedDrill, what: str) -> None:
        """Write into a drill's evidence what went wrong outside of its performance, so that it proves nothing."""
        trouble = Trouble(time=round(time.time() - self.origin, 6), what=what)
        folder = evidence_folder(self.folder, plan.name)
        known = read_evidence(folder).manifest if (folder / MANIFEST).exists() else None
        if known is None:
            manifest = unperformed(plan, origin=self.origin, troubles=(trouble,))
        else:
            manifest = known.model_copy(update={"trouble": (*known.trouble, trouble)})
        with contextlib.suppress(OSError):  # evidence that cannot be written is missing, and the judge says so
            Recording(folder).conclude(manifest)


def evidence_folder(run: Path, drill: str) -> Path:
    """Return where a drill's evidence is, in a run's folder."""
    return run / "evidence" / drill


def _estimated_seconds(plan: PlannedDrill) -> float:
    """Return a rough length of a drill, by which the longest is begun first."""
    declared = [e.within or 600.0 for e in plan.drill.expect]
    return max([*declared, plan.drill.hold]) / plan.factor


def expected_seconds(plans: Iterable[PlannedDrill]) -> float:
    """Return a rough upper bound of what drills take one after the other, for a plan that is shown beforehand."""
    return sum(2 * _estimated_seconds(plan) + (ARMING_REPLICAS if plan.drill.replicas else ARMING) for plan in plans)
