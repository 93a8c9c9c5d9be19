"""Do all experiments on the containers of an environment, and write an episode for each.

`folder/SUBJECT/EPISODE.json`, and `folder/SUBJECT/DONE` last. What is there already is left as it is, so several
processes may share the work: each subject is exercised under a lock of its own. Several subjects are exercised at the
same time, but one at a time is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.deadline import Stopped
from tocsin.model import Model
from tocsin.probes.behaviour import elsewhere
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.effort import ORDINARY, Effort
from tocsin.probes.behaviour.episode import Episode, write_episode
from tocsin.probes.behaviour.experiment import Experiment, Machine
from tocsin.probes.behaviour.experiments import boot, drain, hang, idle, load, storm, without
from tocsin.probes.behaviour.places import DONE, LOCK, Progress, folder_of, held, is_done, note_done
from tocsin.probes.behaviour.pulse import Pulse
from tocsin.probes.behaviour.subject import Subject, subjects
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.incluster import performing
from tocsin.supervisor import Supervisor, Trouble
from tocsin.system import System

__all__ = ["DONE", "KINDS", "Progress", "exercise", "folder_of", "is_done"]

MODULES = (boot, idle, load, drain, without, hang, storm)
"""In the order in which they are done: a storm is foreseen from the ones before it."""
KINDS = tuple(each.KIND for each in MODULES)
"""The kinds of experiments that can be asked for."""

_MACHINE = "machine.lock"
_AT_ONCE = 4
_LOOKED_AT_EVERY = 0.2
_ENDED_WITHIN = 0.5
"""Seconds from SIGTERM to SIGKILL for all that runs when it is stopped."""

_log = logging.getLogger(__name__)


def exercise(
    model: Model,
    environment: str,
    folder: Path,
    *,
    now: float,
    only: Collection[str] | None = None,
    names: Collection[str] | None = None,
    progress: Progress | None = None,
    effort: Effort | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Exercise the probes of an environment's containers; what was done before is left as it is.

    `only` some kinds of experiments, `names` only some subjects; `now` is Unix time. What cannot be done is an episode
    that says why. As soon as `stop` is set, all of it ends, and so does whatever was started; Stopped is raised then.
    Raises OSError if the folder cannot be written.
    """
    if model.system is None:
        return
    found: dict[str, Subject] = {}
    for each in subjects(model, environment):
        if names is None or each.name in names:
            found.setdefault(each.name, each)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(
        model, model.system, environment, folder, now, only, progress, effort or ORDINARY, stop or threading.Event()
    )
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probes") as pool:
        made = [pool.submit(run.subject, each) for each in found.values()]
        try:
            _await(made, run)
        except BaseException:
            run.halt()
            raise


def _await(made: Sequence[Future[None]], run: _Run) -> None:
    """Wait until all have ended; raise what one of them raised."""
    waiting = set(made)
    while waiting:
        done, waiting = wait(waiting, _LOOKED_AT_EVERY)
        if run.stop.is_set():
            raise Stopped("the probes to be exercised")
        for each in done:
            each.result()


@dataclass(slots=True)
class _Run:
    """What is asked for, and what goes on."""

    model: Model
    system: System
    environment: str
    folder: Path
    now: float
    only: Collection[str] | None
    progress: Progress | None
    effort: Effort
    stop: threading.Event
    tasks: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = field(default_factory=list)

    def halt(self) -> None:
        """End all that goes on."""
        self.stop.set()
        for loop, task in list(self.tasks):
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)

    def subject(self, subject: Subject) -> None:
        """Exercise one subject, on a thread of its own."""
        where = folder_of(self.folder, subject.name)
        where.mkdir(parents=True, exist_ok=True)
        with held(where / LOCK, self.stop):
            if is_done(self.folder, subject.name, self.only):
                return
            declared = self.system.environment(self.environment)[1]
            asked = frozenset(self.only or ())
            scene = Scene(
                subject, self.system, self.environment, declared, self.effort, where, asked, self.model.workloads
            )
            try:
                asyncio.run(self._whole(scene))
            except asyncio.CancelledError:
                raise Stopped(f"the probes of {subject.name} to be exercised") from None
            note_done(self.folder, subject.name, self.only)

    async def _whole(self, scene: Scene) -> None:
        """Do what is missing."""
        task = asyncio.current_task()
        if task is not None:
            self.tasks.append((asyncio.get_running_loop(), task))
        if scene.environment.cluster is not None:
            await asyncio.to_thread(
                performing.perform, scene, now=self.now, only=self.only, progress=self.progress, stop=self.stop
            )
            return
        planned = [each for each in self._planned(scene) if not (scene.folder / f"{each.name}.json").is_file()]
        if not scene.environment.ours:
            await self._elsewhere(scene, planned)
            return
        for each in planned:
            if each.perform is None:
                write_episode(self._lacking(scene, each, each.lacking), scene.folder)
        if performed := [each for each in planned if each.perform is not None]:
            await self._performed(scene, performed)

    def _planned(self, scene: Scene) -> Iterator[Experiment]:
        for module in MODULES:
            if self.only is None or module.KIND in self.only:
                yield from module.experiments(scene)

    def _lacking(self, scene: Scene, experiment: Experiment, why: str) -> Episode:
        return Episode(experiment.name, scene.subject.name, self.now, 0.0, lacking=why)

    async def _performed(self, scene: Scene, experiments: Sequence[Experiment]) -> None:
        changes = Pulse()
        logs = scene.folder / "logs"
        with Supervisor(f"probes-{scene.folder.name}", logs, lambda _: changes.beat()) as supervisor:
            bench = Bench(scene, supervisor, changes)
            try:
                await self._all(bench, experiments)
            except asyncio.CancelledError:
                supervisor.close(seconds=_ENDED_WITHIN)
                raise

    async def _all(self, bench: Bench, experiments: Sequence[Experiment]) -> None:
        scene, trouble = bench.scene, ""
        try:
            await bench.open()
        except (Trouble, OSError, ValueError) as error:
            trouble = f"what {scene.subject.name} needs could not be started: {error}"
        for each in experiments:
            episode = self._lacking(scene, each, trouble) if trouble else await self._one(bench, each)
            write_episode(episode, scene.folder)

    async def _one(self, bench: Bench, experiment: Experiment) -> Episode:
        """Make one experiment; what trips it is no reason for the others not to be made."""
        async with self._machine(experiment):
            if self.progress:
                self.progress(bench.scene.subject.name, experiment.name, experiment.seconds)
            try:
                return await _made(bench, experiment)
            except (Trouble, ValueError, OSError) as error:
                return self._lacking(bench.scene, experiment, str(error))
            except Exception as error:  # noqa: BLE001 - a defect of ours is told, and costs one experiment
                _log.exception("%s of %s tripped", experiment.name, bench.scene.subject.name)
                return self._lacking(bench.scene, experiment, f"a defect of Tocsin, please report it: {error!r}")

    @contextlib.asynccontextmanager
    async def _machine(self, experiment: Experiment) -> AsyncIterator[None]:
        """Have of the machine what an experiment needs."""
        if experiment.machine is Machine.ANY:
            yield
            return
        lock = held(self.folder / _MACHINE, self.stop, shared=experiment.machine is Machine.SHARED)
        await asyncio.to_thread(lock.__enter__)
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    async def _elsewhere(self, scene: Scene, planned: Sequence[Experiment]) -> None:
        """Ask what runs elsewhere, and say of the rest why it was not done."""
        why = elsewhere.lacking(scene, planned)
        for each in planned:
            if each.name in why:
                write_episode(self._lacking(scene, each, why[each.name]), scene.folder)
                continue
            if self.progress:
                self.progress(scene.subject.name, each.name, each.seconds)
            tape = Tape(each.name, scene.subject.name)
            try:
                await elsewhere.idle(scene, tape)
            except (ValueError, OSError) as error:
                write_episode(self._lacking(scene, each, str(error)), scene.folder)
            else:
                write_episode(tape.episode(), scene.folder)


async def _made(bench: Bench, experiment: Experiment) -> Episode:
    """Have the bench as the experiment needs it, make it, and return what was seen."""
    if experiment.perform is None:
        raise ValueError(experiment.lacking)
    if experiment.begins_well:
        await bench.well()
    else:
        await bench.end()
        await bench.others_well()
    tape = Tape(experiment.name, bench.scene.subject.name)
    await experiment.perform(bench, tape)
    return tape.episode()
