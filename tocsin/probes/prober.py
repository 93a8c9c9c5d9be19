"""Many probes at once on the real clock, in one process: each attempt begins at its tick.

One event loop carries them all. An attempt is waiting, nearly all of it, and between two waits it needs a few tenths of
a millisecond; threads would pay for that with switches, and wait for each other's turn at the interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tocsin.probes.handlers import ExplainedAttempt, Handler, attempt

THREADS = 64
"""For commands, names that are looked up, and slow closes; started as they are needed."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is asked, and how often."""

    name: str
    handler: Handler
    period: float
    """Seconds between two ticks."""
    timeout: float = 1.0
    """Seconds that one try may take."""
    phase: float = 0.0
    """Seconds from the prober's start to the first tick."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One attempt, and when it was made; moments are seconds of the monotonic clock."""

    probe: Probe
    due: float
    """When its tick was."""
    free: float
    """When it could begin: at its tick, or when the attempt before it was over."""
    started: float
    attempt: ExplainedAttempt

    @property
    def late(self) -> float:
        """Seconds by which the prober itself was late."""
        return self.started - self.free


class Prober:
    """Runs probes until it is told to stop.

    A slow attempt is followed at once by one that was due meanwhile, never by two, and the ticks stay where they were
    (Kubernetes: pkg/kubelet/prober/worker.go, run). `observe` is called on the thread of the loop, in the order in
    which attempts end; it must be quick, for the others wait for it.
    """

    def __init__(self, probes: Sequence[Probe], observe: Callable[[Observation], None]) -> None:
        self._probes = tuple(probes)
        self._observe = observe
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._trouble: BaseException | None = None

    def start(self) -> None:
        """Begin on a thread of its own; return when the loop runs."""
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """End: attempts that are under way are given up, and nothing more is observed. Idempotent.

        Raises what `observe` raised.
        """
        loop, stopped = self._loop, self._stopped
        if self._thread and loop and stopped:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stopped.set)
            self._thread.join()
        trouble, self._trouble = self._trouble, None
        if trouble:
            raise trouble

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as trouble:  # noqa: BLE001 - it is raised where the prober is stopped
            self._trouble = trouble
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="prober"))
        self._ready.set()
        await self.run(self._stopped)

    async def run(self, stopped: asyncio.Event) -> None:
        """Run in a loop that is there, until the event is set. Raises what `observe` raises."""
        begun = asyncio.get_running_loop().time()
        tasks = [asyncio.create_task(self._worker(probe, begun + probe.phase)) for probe in self._probes]
        tasks.append(asyncio.create_task(_set(stopped)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _worker(self, probe: Probe, origin: float) -> None:
        loop = asyncio.get_running_loop()
        tick, ended = 0, origin
        while True:
            due = origin + tick * probe.period
            await _until(due)
            started = loop.time()
            made = await attempt(probe.handler, probe.timeout)
            self._observe(Observation(probe, due, max(due, ended), started, made))
            ended = loop.time()
            tick = following(tick, started - origin, probe.period)


def following(tick: int, started: float, period: float) -> int:
    """Return which tick the next attempt is for, when that of `tick` started at an age of its worker, in seconds.

    A ticker holds one tick that nobody has taken yet: the first that comes after an attempt has started. The rest of
    those that come before it ends are lost.
    """
    return max(tick, math.floor(started / period)) + 1


async def _until(moment: float) -> None:
    """Wait for a moment of the loop's clock; do not wait at all if it has passed."""
    loop = asyncio.get_running_loop()
    if loop.time() >= moment:
        return
    come = asyncio.Event()
    timer = loop.call_at(moment, come.set)
    try:
        await come.wait()
    finally:
        timer.cancel()


async def _set(event: asyncio.Event) -> None:
    await event.wait()
