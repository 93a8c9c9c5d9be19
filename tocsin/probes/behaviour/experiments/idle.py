"""`cost` and `idle`: nothing happens but the attempts, and before them nothing at all, for as long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tocsin.probes.behaviour.asking import ask
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.tape import Tape

KIND = "idle"
MOST = 6.0
"""Attempts may take so many times what they take at their spacing; then fewer are made."""


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield the time without attempts, and the attempts."""
    seconds = scene.effort.attempts * scene.effort.spacing
    yield Experiment(name="cost", kind=KIND, seconds=seconds, perform=_nothing)
    yield Experiment(name="idle", kind=KIND, seconds=seconds, perform=_attempts)


async def _nothing(bench: Bench, tape: Tape) -> None:
    effort = bench.scene.effort
    before = bench.cpu_seconds
    await bench.exited(effort.attempts * effort.spacing)
    _account(bench, tape, before)


async def _attempts(bench: Bench, tape: Tape) -> None:
    effort = bench.scene.effort
    before = bench.cpu_seconds
    await asked(bench, tape, effort.attempts * effort.spacing * MOST, spacing=effort.spacing)
    _account(bench, tape, before)


async def asked(bench: Bench, tape: Tape, most: float, *, spacing: float) -> None:
    """Ask each probe as often as the effort says, for so many seconds at most. Raises ValueError if none can be."""
    askings, tape.unasked = bench.some_askings()
    stopped = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(most, stopped.set)
    try:
        await ask(askings, tape, spacing=spacing, count=bench.scene.effort.attempts, stopped=stopped)
    finally:
        timer.cancel()


def _account(bench: Bench, tape: Tape, before: float) -> None:
    """Write down what the process used, or how it ended."""
    exited = bench.process.exited if bench.process else None
    if exited is not None:
        tape.ended(exited)
    else:
        tape.cpu_seconds = round(bench.cpu_seconds - before, 6)
