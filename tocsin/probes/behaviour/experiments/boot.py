"""`boot-N`: the process is started, and every probe asked from that moment on until it has succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tocsin.probes.behaviour.asking import ask, finished
from tocsin.probes.behaviour.bench import Bench, Scene, watched
from tocsin.probes.behaviour.episode import Attempted
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.tape import Tape

KIND = "boot"
_USUAL = 3.0


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield as many starts as are declared."""
    for number in range(1, scene.subject.declared.boots + 1):
        yield Experiment(name=f"{KIND}-{number}", kind=KIND, seconds=_USUAL, perform=_boot, begins_well=False)


async def _boot(bench: Bench, tape: Tape) -> None:
    process = await bench.launch(fresh=True)
    # The process exists from now on; what was before that belongs to nobody.
    tape.began, tape.origin = process.started, tape.origin + tape.of_unix(process.started)
    tape.did(f"started {bench.name}", 0.0)
    askings, tape.unasked = bench.some_askings()
    missing = set(askings)

    def seen(each: Attempted) -> None:
        if each.outcome.healthy and each.kind in missing:
            missing.discard(each.kind)
            bench.changes.beat()

    async def over() -> None:
        limit = asyncio.get_running_loop().time() + watched(bench.scene)
        await bench.changes.until(lambda: not missing or not bench.running, limit)
        stopped.set()

    stopped = asyncio.Event()
    asked = asyncio.create_task(ask(askings, tape, spacing=bench.scene.effort.spacing, seen=seen, stopped=stopped))
    await finished([asked, asyncio.create_task(over())])
    if process.exited is not None:
        tape.ended(process.exited)
    await bench.end()
