"""`without-NAME-killed`, `without-NAME-frozen`: a process that the subject calls is gone, or is silent."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from functools import partial

from tocsin.probes.behaviour.asking import ask, finished
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.episode import Attempted
from tocsin.probes.behaviour.experiment import Experiment, Machine
from tocsin.probes.behaviour.tape import Tape

KIND = "without"
AT_LEAST = 3
"""Attempts of each probe, however long they take."""
_AFTERWARDS = 2.0


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield both ways of losing each dependency; what is declared and not there says so."""
    for name in sorted({*scene.dependencies, *scene.subject.declared.dependencies}):
        for how in ("killed", "frozen"):
            title = f"{KIND}-{name}-{how}"
            if name in scene.dependencies:
                perform = partial(_without, name=name, frozen=how == "frozen")
                seconds = scene.effort.outage_least + _AFTERWARDS
                yield Experiment(name=title, kind=KIND, seconds=seconds, perform=perform, machine=Machine.SHARED)
            else:
                yield Experiment(name=title, kind=KIND, seconds=0.0, lacking=_unknown(scene, name))


def _unknown(scene: Scene, name: str) -> str:
    known = ", ".join(sorted(scene.environment.processes)) or "none"
    return (
        f"{scene.subject.name} depends on {name}, which is no process of environment {scene.name}, so it cannot be"
        f" taken away there; declare the process (there are: {known}), or exercise it in an environment that has it"
    )


async def _without(bench: Bench, tape: Tape, *, name: str, frozen: bool) -> None:
    askings, tape.unasked = bench.some_askings()
    if frozen:
        await bench.freeze(name)
        tape.did(f"SIGSTOP {name}")
    else:
        await bench.kill(name)
        tape.did(f"killed {name}")
    made: Counter[str] = Counter()

    def seen(each: Attempted) -> None:
        made[each.kind] += 1
        bench.changes.beat()

    stopped = asyncio.Event()
    over = asyncio.create_task(_over(bench, made, set(map(str, askings)), stopped))
    spacing = bench.scene.effort.outage_spacing
    asked = asyncio.create_task(ask(askings, tape, spacing=spacing, seen=seen, stopped=stopped))
    await finished([asked, over])
    if bench.process and bench.process.exited:
        tape.ended(bench.process.exited)
    if frozen:
        await bench.thaw(name)
        tape.did(f"SIGCONT {name}")
    else:
        await bench.revive(name)
        tape.did(f"started {name}")
    await bench.well()
    tape.did("well again")


async def _over(bench: Bench, made: Counter[str], kinds: set[str], stopped: asyncio.Event) -> None:
    """Set the event when each probe was asked often enough, and long enough."""
    effort = bench.scene.effort
    loop = asyncio.get_running_loop()
    begun = loop.time()

    def each(number: float) -> bool:
        return all(made[kind] >= number for kind in kinds)

    await bench.changes.until(lambda: not bench.running, begun + effort.outage_least)
    await bench.changes.until(lambda: not bench.running or each(effort.outage_attempts), begun + effort.outage_most)
    await bench.changes.until(lambda: not bench.running or each(AT_LEAST), math.inf)
    stopped.set()
