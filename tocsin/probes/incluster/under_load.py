"""Load on a workload of a cluster: what its probes answer meanwhile, and whether its kubelets restart it.

The load is sent from here, through the address by which clients reach the workload, and only where its owner allows
that; the probes are asked by a Job, pod by pod.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from urllib.parse import urlsplit

from tocsin.atomic import write_json
from tocsin.deadline import wait_until
from tocsin.engines.ceilings import exceeded
from tocsin.engines.locust import Load
from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.behaviour.bench import Scene
from tocsin.probes.behaviour.episode import Episode, PodSeen, read_episodes
from tocsin.probes.behaviour.experiments import load as locally
from tocsin.probes.behaviour.experiments import storm
from tocsin.probes.behaviour.forecast import Ground, forecast
from tocsin.probes.behaviour.loading import loading
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.ground import FROM_SOURCE
from tocsin.probes.incluster.bench import MOST_PODS, ClusterBench
from tocsin.probes.incluster.job import SPACING, Plan
from tocsin.probes.incluster.watching import Watch, attempts_of, watched
from tocsin.probes.marks import MarkKind
from tocsin.system import ProbedLoad

LOAD, STORM = locally.KIND, storm.KIND
EVERY = 0.25
"""Seconds between two looks at the load, and at the pods."""


def refused(scene: Scene) -> str:
    """Return why no load is sent to a workload; empty if its owner allows it."""
    if why := locally.refused(scene):
        return why
    environment, name = scene.environment, scene.subject.process
    place = f"environment {scene.name}"
    if not environment.allow_load:
        return f"{place} does not allow load: set `allow_load: true`, with `ceilings`, if its owners agree"
    if environment.ceilings is None:
        return f"{place}: `allow_load: true` needs `ceilings: {{users: N, requests_per_second: N, seconds: N}}`"
    address = environment.addresses.get(name)
    if address is None:
        return f"it is not known where clients reach {name}: add `addresses: {{{name}: http://HOST:PORT}}` to {place}"
    host = urlsplit(address).hostname
    if host not in environment.hosts:
        listed = ", ".join(environment.hosts) or "none"
        return f"load would go to {host}, which `hosts` of {place} does not list (it lists {listed})"
    return ""


def storm_seconds(scene: Scene) -> float:
    """Return how long a storm is waited for, under load: as long as its owner allows load at all."""
    ceilings = scene.environment.ceilings
    return scene.effort.storm if ceilings is None else min(scene.effort.storm, ceilings.seconds)


def ask_under_load(bench: ClusterBench) -> Sequence[Episode]:
    """Ask every probe of some pods while the declared load goes on."""
    declared = _declared(bench)
    pods = bench.well()[:MOST_PODS]
    asked, unasked = bench.asked(pods), bench.handlers(pods[0])[1]
    if not asked:
        raise ValueError("; ".join(unasked.values()) or "it has no probe that a Job can ask")
    spacing = max(SPACING, declared.seconds / bench.scene.effort.attempts)
    with watched(bench.live, LOAD, bench.scene.subject.name) as watch:
        tape = watch.tape
        tape.unasked = unasked
        with bench.job(Plan(asked, spacing)) as job:
            with _sent(bench, declared, tape) as load:
                began = tape.now
                _await(bench, load, declared.seconds)
            over = tape.now
            tape.attempts += [each for each in attempts_of(job.lines(), tape, since=began) if each.started <= over]
        watch.end()
        episode = tape.episode()
    bench.well()
    return (episode,)


def brew_storm(bench: ClusterBench) -> Sequence[Episode]:
    """Have the load come again if liveness failed under it, and see what was foreseen of that."""
    scene, declared = bench.scene, _declared(bench)
    episodes = read_episodes(scene.folder)
    under_load = episodes.get(LOAD)
    if under_load is None or under_load.lacking:
        why = under_load.lacking if under_load else "its probes were not asked under load"
        raise ValueError(f"there is nothing to foresee a storm from: {why}")
    if spared := storm.not_needed(scene, under_load):
        tape = Tape(STORM, scene.subject.name)
        tape.did(spared)
        return (tape.episode(),)
    effort, seconds = scene.effort, storm_seconds(scene)
    ground = Ground(
        scene.subject, episodes, bench.version, seconds, effort.restarts, effort.seed, latencies=FROM_SOURCE
    )
    foreseen = forecast(ground)
    write_json(scene.folder / storm.FORECAST, {"marks": [asdict(each) for each in foreseen]})
    bench.well()
    with watched(bench.live, STORM, scene.subject.name) as watch:
        watch.tape.foreseen = foreseen
        with _sent(bench, declared, watch.tape) as load:
            _await(bench, load, seconds, watch, effort.restarts)
        watch.end()
        mark_restarts(watch.tape)
        episode = watch.tape.episode()
    bench.well()
    return (episode,)


def _declared(bench: ClusterBench) -> ProbedLoad:
    load = bench.scene.subject.declared.load
    if load is None:
        raise ValueError(locally.undeclared(bench.scene))
    return load


def _sent(bench: ClusterBench, declared: ProbedLoad, tape: Tape) -> AbstractContextManager[Load]:
    """Have the load go to where clients reach the workload."""
    scene = bench.scene
    host = scene.environment.addresses[scene.subject.process]
    return loading(bench.changes.supervisor, scene.system.directory, declared, host, tape)


def _await(bench: ClusterBench, load: Load, seconds: float, watch: Watch | None = None, restarts: int = 0) -> None:
    """Let the load go on for so long, or until a pod was restarted so often. Raises EngineTrouble over a ceiling."""
    began, end = time.time(), time.monotonic() + seconds
    ceilings = bench.scene.environment.ceilings

    def over() -> bool:
        load.check_running()
        said = exceeded(ceilings, load.lines(), since=began, now=time.time()) if ceilings else ""
        if said:
            raise EngineTrouble("the load was stopped", str(load.settings.profile), said)
        enough = watch is not None and any(watch.seen(name).restarts >= restarts for name in watch.pods.names())
        return enough or time.monotonic() >= end

    wait_until(over, seconds=seconds + 30, what="the load", every=EVERY, stop=bench.stop)


def mark_restarts(tape: Tape) -> None:
    """Write down the restarts of the pod that was restarted first."""
    first = min((each for each in tape.pods if each.restarts), key=_first_restart, default=None)
    if first is None:
        return
    for number, one in enumerate(first.instances[1:], 1):
        before = first.instances[number - 1]
        if one.started is not None:
            because = f"{first.name}: {before.reason or 'ended'}, exit code {before.exit_code}"
            tape.marked(MarkKind.RESTART, number, because, at=one.started)


def _first_restart(pod: PodSeen) -> float:
    return min((each.started for each in pod.instances[1:] if each.started is not None), default=float("inf"))
