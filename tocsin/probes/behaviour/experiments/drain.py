"""`drain`: the container is told to end as a pod is, while its clients, who have not heard of it yet, go on.

The hook before SIGTERM, SIGTERM, and SIGKILL when the grace is over (Kubernetes: pkg/kubelet/kuberuntime/
kuberuntime_container.go, killContainer); requests come until every proxy knows that the endpoint is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from tocsin.probes.behaviour.asking import ask, finished
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.clients import Clients, wanted
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.container import LEAST_GRACE
from tocsin.probes.specification import ProbeKind
from tocsin.supervisor import ProcessExit, SupervisorTrouble

KIND = "drain"
TOLD = "told to end"
_AFTERWARDS = 2.0
"""Seconds for which answers are waited for that cannot come any more, since the process has ended."""
_USUAL = 5.0


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield the end of a pod."""
    if unknown := scene.subject.pre_stop_unknown:
        yield Experiment(name=KIND, kind=KIND, seconds=0.0, lacking=unknown)
        return
    lag = scene.subject.declared.endpoints_lag
    seconds = scene.effort.before + max(lag, scene.subject.spec.pre_stop + _USUAL)
    yield Experiment(name=KIND, kind=KIND, seconds=seconds, perform=_drain)


async def _drain(bench: Bench, tape: Tape) -> None:
    scene, loop = bench.scene, asyncio.get_running_loop()
    subject, effort = scene.subject, scene.effort
    lag, grace = subject.declared.endpoints_lag, subject.pod.grace
    clients = Clients(wanted(subject, bench.port), tape, patience=lag + max(grace, LEAST_GRACE) + subject.spec.pre_stop)
    told = loop.time() + effort.before
    asked = asyncio.create_task(clients.ask(effort.requests, told + lag))
    readiness = asyncio.create_task(_readiness(bench, tape))
    try:
        await bench.exited(effort.before)
        exited = await _end(bench, tape, grace)
        await asyncio.wait([asked])  # clients go on when it is gone, if they have not heard
        asked.result()
        await clients.finished(_AFTERWARDS)
    finally:
        for each in (asked, readiness, *clients.tasks):
            each.cancel()
        await asyncio.gather(asked, readiness, *clients.tasks, return_exceptions=True)
    if exited is not None:
        tape.ended(exited)


async def _readiness(bench: Bench, tape: Tape) -> None:
    """Ask the readiness probe again and again, until this is cancelled."""
    askings, tape.unasked = bench.askings()
    if asking := askings.get(ProbeKind.READINESS):
        asked = asyncio.create_task(
            ask({ProbeKind.READINESS: asking}, tape, spacing=bench.scene.effort.spacing, stopped=None)
        )
        await finished([asked])


async def _end(bench: Bench, tape: Tape, grace: float) -> ProcessExit | None:
    """End the process as the kubelet does; return how it ended."""
    hook = bench.scene.subject.spec.pre_stop
    tape.did(TOLD + (f", preStop waits {hook:g} s" if hook else ""))
    if hook:
        await bench.exited(min(hook, grace))
    if bench.running:
        with contextlib.suppress(SupervisorTrouble):  # it may end at this moment
            tape.did("SIGTERM", tape.of_unix(await bench.signal(signal.SIGTERM)))
        if await bench.exited(max(grace - min(hook, grace), LEAST_GRACE)) is None:
            tape.did("SIGKILL")
    return await bench.destroy()
