"""A kubelet for one container on this machine: its workers' rules, real attempts, a real process, the real clock.

The rules are those of tocsin.probes (worker, container, backoff), which know no clock; here is what drives them.
(Kubernetes: pkg/kubelet/prober/worker.go, run; pkg/kubelet/kubelet.go, SyncPod.) It needs no time of its own: what it
does follows a result at once, where a real one takes up to some seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.backoff import Backoff, overshoot
from tocsin.probes.behaviour.asking import Asking, finished
from tocsin.probes.behaviour.bench import Bench, watched
from tocsin.probes.behaviour.pulse import until_moment
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.container import LEAST_GRACE, Standing, grace_of, restarts
from tocsin.probes.handlers import attempt
from tocsin.probes.marks import Cause, MarkKind
from tocsin.probes.prober import following
from tocsin.probes.specification import ProbeKind
from tocsin.probes.versions import JITTER_ALWAYS, MANUAL_TRIGGER, STARTED_INHERITED, TRIGGER_RESETS_TICKER
from tocsin.probes.window import Window
from tocsin.probes.worker import ContainerView, PodView, Result, Step, Worker, is_due
from tocsin.supervisor import SupervisorTrouble

_HOPELESS = 2
"""Ends by itself after which a container that was never ready is not waited for any longer."""


@dataclass(slots=True)
class Track:
    """A worker, its ticks, and what it asks."""

    worker: Worker
    asking: Asking
    origin: float
    """A tick, by the loop's clock."""
    tick: int = 0
    """Which one is next."""
    poked: bool = False
    """Whether an attempt out of turn waits."""

    @property
    def due(self) -> float:
        """When the next tick is."""
        return self.origin + self.tick * self.worker.spec.period


@dataclass(slots=True)
class LocalKubelet:
    """The life of one container. Of one loop."""

    bench: Bench
    tape: Tape
    tracks: dict[ProbeKind, Track] = field(default_factory=dict)
    instance: int = -1
    """Of the process, counted from 0."""
    began: float = 0.0
    """When it was started, by the loop's clock."""
    standing: Standing = Standing.WAITING
    started: bool = False
    ready: bool = False
    flips: int = 0
    kills: int = 0
    restarts: int = 0
    condemned: ProbeKind | None = None
    """The probe that failed, as long as nothing has followed from it."""
    ends: int = 0
    """How often it ended by itself."""
    over: bool = False
    finished_at: float | None = None
    """When the newest instance that ended did so, by the loop's clock."""
    backoff: Backoff = field(default_factory=Backoff)
    chance: random.Random = field(default_factory=random.Random)

    async def run(self, stopped: asyncio.Event) -> None:
        """Start the container and have it live until the event is set; its process is left as it is then.

        Raises Trouble, and ValueError where a probe cannot be asked here.
        """
        self.chance = random.Random(f"{self.bench.scene.effort.seed} {self.tape.name} {self.tape.subject}")  # noqa: S311
        await self._start()
        self._place_ticks()
        tasks = [asyncio.create_task(self._work(kind)) for kind in self.tracks]
        await finished([*tasks, asyncio.create_task(self._live())], stopped)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds of it, so many seconds at most; return whether it does."""
        return await self.bench.changes.until(condition, asyncio.get_running_loop().time() + seconds)

    async def get_ready(self) -> None:
        """Wait until the container is ready. Raises EngineTrouble if that cannot be had in time."""
        scene = self.bench.scene
        patience = watched(scene) + scene.effort.well
        await self.until(lambda: self.ready or self.over or self.ends >= _HOPELESS, patience)
        if self.ready:
            return
        what = f"{scene.subject.name} did not get ready under a kubelet"
        last = self.tape.attempts[-1] if self.tape.attempts else None
        said = (
            f"the last attempt, of {last.kind}: {last.message or last.outcome}" if last else "no probe could be asked"
        )
        raise EngineTrouble(what, f"in {self.tape.now:.1f} s, with {self.ends} ends by itself", said)

    def _place_ticks(self) -> None:
        """Give the workers their ticks: they began at one moment, some time before the container (up to 1.20: each).

        (Kubernetes: the workers of a pod are made when its sync begins, before its images are there.)
        """
        askings, unasked = self.bench.askings()
        if unasked:
            raise ValueError("; ".join(unasked.values()))
        spec, version = self.bench.scene.subject.spec, self.bench.scene.version
        longest = max((each.period for each in spec.probes), default=0.0)
        before = self.chance.uniform(0.0, longest)
        for kind, asking in askings.items():
            probe = spec.probe(kind)
            if probe is None:
                continue
            if version.has(JITTER_ALWAYS):
                before = self.chance.uniform(0.0, probe.period)
            track = Track(Worker(probe, version, sidecar=spec.sidecar), asking, self.began - before)
            track.tick = math.ceil(before / probe.period)
            self.tracks[kind] = track
            self.tape.did(f"phase {kind} {track.due - self.began:.3f}", self.tape.of_loop(self.began))
        self._seen()

    async def _start(self) -> None:
        process = await self.bench.launch()
        self.instance += 1
        self.began = self.tape.origin + self.tape.of_unix(process.started)
        inherited = self.bench.scene.version.has(STARTED_INHERITED) and self.started
        self.standing = Standing.RUNNING
        self.started = inherited or self.bench.scene.subject.spec.probe(ProbeKind.STARTUP) is None
        self.tape.did(f"started {self.bench.name}", self.tape.of_unix(process.started))
        if self.instance:
            self._seen()

    def _seen(self) -> None:
        """Have the pod's status made anew, after a start."""
        self._refresh(Cause.STARTED_WITHOUT_READINESS if self.started else Cause.REPLACED)
        self._poke()

    def _refresh(self, cause: Cause) -> None:
        """Make Ready anew."""
        track = self.tracks.get(ProbeKind.READINESS)
        good = track is None or self._stored(track.worker) is Result.SUCCESS
        running = self.standing is Standing.RUNNING
        ready = running and self.started and good
        if ready is self.ready:
            return
        if not ready and cause is Cause.STARTED_WITHOUT_READINESS:
            cause = Cause.REPLACED
        self.ready = ready
        self.flips += 1
        self._mark(MarkKind.READINESS, self.flips, cause)

    def _stored(self, worker: Worker) -> Result | None:
        return worker.stored if worker.identity == str(self.instance) else None

    def _mark(self, kind: MarkKind, number: int, cause: Cause) -> None:
        self.tape.marked(kind, number, str(cause))
        self.bench.changes.beat()

    def _poke(self) -> None:
        """Have readiness tried out of turn, as each new status of a container that is not ready does."""
        track = self.tracks.get(ProbeKind.READINESS)
        if track and self.started and not self.ready and self.bench.scene.version.has(MANUAL_TRIGGER):
            track.poked = True
            self.bench.changes.beat()

    async def _work(self, kind: ProbeKind) -> None:
        """Be a worker: at each tick, or when poked, do what its rules say."""
        loop = asyncio.get_running_loop()
        track = self.tracks[kind]
        step = Step.SKIP
        while step is not Step.STOP:
            due = track.due
            poked = await self.bench.changes.until(lambda: track.poked, due) and loop.time() < due
            started = loop.time()
            track.poked = False
            if poked:
                due = started
                if self.bench.scene.version.has(TRIGGER_RESETS_TICKER):
                    track.origin, track.tick = started, 1
            step = await self._probe(kind, track, due)
            if not poked:
                track.tick = following(track.tick, started - track.origin, track.worker.spec.period)

    async def _probe(self, kind: ProbeKind, track: Track, due: float) -> Step:
        before = track.worker
        track.worker, step = track.worker.tick(self._view(track))
        if step is Step.ATTEMPT:
            instance, started = self.instance, asyncio.get_running_loop().time()
            made = await attempt(track.asking.handler, track.asking.timeout)
            self.tape.attempted(kind, made, due=due, started=started, instance=instance)
            track.worker = track.worker.judge(made.outcome)
            self.bench.changes.beat()
        if track.worker.stored is not before.stored or track.worker.identity != before.identity:
            self._follow(kind, track.worker)
        return step

    def _view(self, track: Track) -> PodView:
        age = max(0.0, asyncio.get_running_loop().time() - self.began)
        view = ContainerView(
            identity=str(self.instance),
            standing=self.standing,
            started=self.started,
            due=is_due(age, track.worker.spec.delay),
        )
        return PodView(view, restart_policy=self.bench.scene.subject.pod.restart_policy)

    def _follow(self, kind: ProbeKind, worker: Worker) -> None:
        """Do what follows from a result that is stored."""
        stored = self._stored(worker)
        if stored is None or self.standing is not Standing.RUNNING:
            return
        if kind is ProbeKind.READINESS:
            self._refresh(Cause.READINESS_SUCCEEDED if stored is Result.SUCCESS else Cause.READINESS_FAILED)
            if stored is Result.FAILURE:
                self._poke()
            return
        if kind is ProbeKind.STARTUP:
            self.started = stored is Result.SUCCESS
            self._refresh(Cause.STARTED_WITHOUT_READINESS if self.started else Cause.REPLACED)
            self._poke()
        if stored is Result.FAILURE and self.condemned is None:
            self.condemned = kind
            self.bench.changes.beat()

    async def _live(self) -> None:
        """Follow the process: it is ended where a probe failed, or ends by itself, and is started again."""
        while not self.over:
            await self.bench.changes.until(lambda: not self.bench.running or self.condemned is not None)
            if self.condemned is not None and self.bench.running:
                await self._killed(self.condemned)
            else:
                await self._ended_by_itself()
            self.condemned = None
        await asyncio.Event().wait()  # its end is told by the marks; the workers go on until the experiment is over

    async def _killed(self, kind: ProbeKind) -> None:
        self.kills += 1
        self._mark(MarkKind.KILL, self.kills, Cause.failed(kind))
        subject = self.bench.scene.subject
        grace = grace_of(subject.pod, subject.spec, kind, self.bench.scene.version)
        hook = min(subject.spec.pre_stop, grace)
        if await self.bench.exited(hook) is None:
            with contextlib.suppress(SupervisorTrouble):  # it may end at this moment
                self.tape.did("SIGTERM", self.tape.of_unix(await self.bench.terminate()))
            if await self.bench.exited(max(grace - hook, LEAST_GRACE)) is None:
                self.tape.did("SIGKILL")
        exited = await self.bench.destroy()
        self.tape.did(str(exited))
        before, self.finished_at = self.finished_at, asyncio.get_running_loop().time()
        # The instance that has just been ended counts as running in the status that this decision is made from.
        await self._comes_back(before, exited.code, Cause.failed(kind), by_probe=True)

    async def _ended_by_itself(self) -> None:
        exited = await self.bench.destroy()  # of what it left behind
        self.tape.did(str(exited))
        self.ends += 1
        self.bench.changes.beat()
        self.finished_at = asyncio.get_running_loop().time()
        self.standing = Standing.TERMINATED
        self._refresh(Cause.ENDED)
        await self._comes_back(self.finished_at, exited.code, Cause.ENDED, by_probe=False)

    async def _comes_back(self, finished: float | None, code: int | None, cause: Cause, *, by_probe: bool) -> None:
        """Start it again, now or when its backoff is over, unless its policy is against it."""
        sidecar = self.bench.scene.subject.spec.sidecar
        policy = "Always" if sidecar else self.bench.scene.subject.pod.restart_policy
        now = Window.at(asyncio.get_running_loop().time())
        held = finished is not None and self.backoff.holds(now, Window.at(finished))[0]
        decided = code if held or not by_probe else None
        if not restarts(policy, decided):
            self._is_over()
            return
        if held:
            await self._backed_off()
            cause, finished = Cause.BACKED_OFF, self.finished_at
        if finished is not None:
            self.backoff = self.backoff.started(Window.at(asyncio.get_running_loop().time()), Window.at(finished))[0]
        self.started = self.started and by_probe and not held
        await self._start()
        self.restarts += 1
        self._mark(MarkKind.RESTART, self.restarts, cause)

    async def _backed_off(self) -> None:
        self.standing = Standing.TERMINATED
        self._refresh(Cause.ENDED)
        delay = self.backoff.delay or 0.0
        late = self.chance.uniform(0.0, overshoot(delay, self.bench.scene.version))
        self.tape.did(f"CrashLoopBackOff: {delay:g} s, and {late:.1f} s until that is noticed")
        await until_moment((self.finished_at or 0.0) + delay + late)

    def _is_over(self) -> None:
        self.over = True
        self.standing = Standing.TERMINATED
        self._refresh(Cause.ENDED)
        self._mark(MarkKind.OVER, 1, Cause.POLICY)
