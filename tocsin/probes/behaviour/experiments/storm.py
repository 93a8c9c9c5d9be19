"""`storm`: where liveness failed under load, a kubelet that does what it does then, and what was foreseen of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict

from tocsin.atomic import write_json
from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.behaviour.asking import finished
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.episode import Episode, read_episodes
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.experiments.load import refused, undeclared
from tocsin.probes.behaviour.forecast import Ground, forecast
from tocsin.probes.behaviour.kubelet import LocalKubelet
from tocsin.probes.behaviour.loading import loaded
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.specification import ProbeKind

KIND = "storm"
FORECAST = "storm.forecast"
"""Written before the load begins."""


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield the storm."""
    lacking = scene.subject.pre_stop_unknown or refused(scene)
    if lacking:
        yield Experiment(name=KIND, kind=KIND, seconds=0.0, lacking=lacking)
    else:
        yield Experiment(name=KIND, kind=KIND, seconds=scene.effort.storm, perform=_storm, begins_well=False)


def not_needed(scene: Scene, under_load: Episode) -> str:
    """Return why nothing would be learnt from a storm; empty if it may come, or was asked for."""
    failed = any(e.outcome.counts and not e.outcome.healthy for e in under_load.of(ProbeKind.LIVENESS))
    return "" if failed or KIND in scene.asked else "not needed: no attempt of liveness failed under load"


async def _storm(bench: Bench, tape: Tape) -> None:
    scene, load = bench.scene, bench.scene.subject.declared.load
    episodes = await asyncio.to_thread(read_episodes, scene.folder)
    under_load = episodes.get("load")
    if load is None or under_load is None or under_load.lacking:
        why = under_load.lacking if under_load else undeclared(scene)
        raise EngineTrouble("there is nothing to foresee a storm from", "load", why)
    if spared := not_needed(scene, under_load):
        tape.did(spared)
        return
    effort = scene.effort
    ground = Ground(scene.subject, episodes, scene.version, effort.storm, effort.restarts, effort.seed)
    tape.foreseen = await asyncio.to_thread(forecast, ground)
    write_json(scene.folder / FORECAST, {"marks": [asdict(each) for each in tape.foreseen]})
    kubelet = LocalKubelet(bench, tape)
    stopped = asyncio.Event()
    await finished([asyncio.create_task(kubelet.run(stopped)), asyncio.create_task(_watched(bench, kubelet, stopped))])


async def _watched(bench: Bench, kubelet: LocalKubelet, stopped: asyncio.Event) -> None:
    """Have the load come once the container is ready, and go on until it was restarted often enough."""
    effort, load = bench.scene.effort, bench.scene.subject.declared.load
    await kubelet.get_ready()
    if load is not None:
        async with loaded(bench, load, kubelet.tape):
            await kubelet.until(lambda: kubelet.over or kubelet.restarts >= effort.restarts, effort.storm)
    stopped.set()
