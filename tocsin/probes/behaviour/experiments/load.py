"""`load`: the attempts of `idle` while the declared load goes on."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.experiments.idle import asked
from tocsin.probes.behaviour.loading import loaded
from tocsin.probes.behaviour.tape import Tape

KIND = "load"
_LOCUST = 4.0
"""Seconds that it takes to come and to go."""


def undeclared(scene: Scene) -> str:
    """Return how a load is declared, where there is none."""
    name = scene.subject.workload.object.name
    return (
        f"no load is declared for {scene.subject.name}, so it is not known what its probes have to bear; declare it in"
        f" system.yaml: `probes: {{workloads: {{{name}: {{load: {{profile: browse, users: 20}}}}}}}}`"
    )


def refused(scene: Scene) -> str:
    """Return why there is no load: none is declared, or more than its environment bears; empty if there is one."""
    load, most = scene.subject.declared.load, scene.environment.ceilings
    if load is None:
        return undeclared(scene)
    if most is not None and (load.users > most.users or load.seconds > most.seconds):
        return (
            f"the load of {scene.subject.name}, {load.users} users for {load.seconds:g} s, is more than environment"
            f" {scene.name} allows: {most.users} users for {most.seconds:g} s (`ceilings`)"
        )
    return ""


def experiments(scene: Scene) -> Iterator[Experiment]:
    """Yield the attempts under load."""
    load, why = scene.subject.declared.load, refused(scene)
    if load is None or why:
        yield Experiment(name=KIND, kind=KIND, seconds=0.0, lacking=why)
    else:
        yield Experiment(name=KIND, kind=KIND, seconds=load.seconds + _LOCUST, perform=_under_load)


async def _under_load(bench: Bench, tape: Tape) -> None:
    load = bench.scene.subject.declared.load
    if load is None:
        raise ValueError(undeclared(bench.scene))
    effort = bench.scene.effort
    spacing = max(effort.spacing, load.seconds / effort.attempts)
    async with loaded(bench, load, tape):
        before = bench.cpu_seconds
        await asked(bench, tape, load.seconds, spacing=spacing)
        if bench.running:
            tape.cpu_seconds = round(bench.cpu_seconds - before, 6)
    exited = bench.process.exited if bench.process else None
    if exited is not None:
        tape.ended(exited)
