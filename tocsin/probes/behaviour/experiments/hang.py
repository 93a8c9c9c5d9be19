"""`hang`: the process is stopped where it stands (SIGSTOP), under a kubelet that does what it does then."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from collections.abc import Iterator

from tocsin.probes.behaviour.asking import finished
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.experiment import Experiment, Machine
from tocsin.probes.behaviour.kubelet import LocalKubelet
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.figures import noticed, restarted
from tocsin.probes.ground import from_source
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind
from tocsin.supervisor import Process, SupervisorTrouble

KIND = "hang"
_NOBODY = 5.0
"""Seconds that a hang goes on which nothing is there to notice."""


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield the hang."""
    if unknown := scene.subject.pre_stop_unknown:
        yield Experiment(name=KIND, kind=KIND, seconds=0.0, lacking=unknown)
    else:
        yield Experiment(
            name=KIND, kind=KIND, seconds=foreseen(scene), perform=_hang, machine=Machine.ANY, begins_well=False
        )


def foreseen(scene: Scene) -> float:
    """Return the seconds after which a hang has been noticed at the latest, by all that is there to notice it."""
    subject = scene.subject
    ground = from_source(scene.version)
    readiness = subject.spec.probe(ProbeKind.READINESS)
    setup = Setup(subject.spec, pod=subject.pod, version=scene.version)
    found = [restarted(setup, ground).most, noticed(readiness, ground).most if readiness else 0.0]
    return max((each for each in found if math.isfinite(each)), default=0.0) or _NOBODY


async def _hang(bench: Bench, tape: Tape) -> None:
    kubelet = LocalKubelet(bench, tape)
    stopped = asyncio.Event()
    frozen: list[Process] = []
    try:
        watched = asyncio.create_task(_watched(bench, kubelet, frozen, stopped))
        await finished([asyncio.create_task(kubelet.run(stopped)), watched])
    finally:
        for each in frozen:
            with contextlib.suppress(SupervisorTrouble):  # it has ended, as it should
                bench.supervisor.signal(each, signal.SIGCONT, tree=True)


async def _watched(bench: Bench, kubelet: LocalKubelet, frozen: list[Process], stopped: asyncio.Event) -> None:
    """Have it hang once it is ready, until all that must follow has followed, or should have by far."""
    scene, tape = bench.scene, kubelet.tape
    await kubelet.get_ready()
    process = await bench.stand_still()
    frozen.append(process)
    tape.did(f"SIGSTOP {bench.name}")
    restarts = scene.subject.spec.probe(ProbeKind.LIVENESS) is not None
    limit = asyncio.get_running_loop().time() + foreseen(scene) + scene.effort.beyond
    if not restarts and scene.subject.spec.probe(ProbeKind.READINESS) is None:
        limit -= scene.effort.beyond  # nobody is there to notice

    def noticed_by_all() -> bool:
        return kubelet.flips > 1 and (not restarts or kubelet.restarts > 0 or kubelet.over)

    if await bench.changes.until(noticed_by_all, limit) and kubelet.restarts:
        await kubelet.until(lambda: kubelet.ready, scene.effort.beyond)
    if bench.running and bench.process is process:
        tape.did(f"SIGCONT {bench.name}")
    stopped.set()
