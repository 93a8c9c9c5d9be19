"""What is done to a container in a cluster: each an experiment that leaves an episode, if its owner allows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.kubernetes_changes import SCALED, Workload
from tocsin.engines.kubernetes_exec import ContainerOfPod, NotRun, tell_to_end
from tocsin.engines.kubernetes_pods import selector_of
from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.behaviour.bench import Scene
from tocsin.probes.behaviour.episode import Attempted, Episode, PodSeen
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.handlers import Exec, attempt
from tocsin.probes.incluster.bench import MOST_PODS, ClusterBench, Power
from tocsin.probes.incluster.job import SPACING, Plan
from tocsin.probes.incluster.live import LivePod, workload_of
from tocsin.probes.incluster.under_load import LOAD, STORM, ask_under_load, brew_storm, refused, storm_seconds
from tocsin.probes.incluster.watching import Watch, as_of, attempts_of, requests_of, watched
from tocsin.probes.specification import ProbeKind
from tocsin.supervisor import Kind

WATCH, IDLE, KILL, DRAIN, OUTAGE = "watch", "idle", "kill", "drain", "without"
BOOT = "boot-1"
AFTERWARDS = 3.0
"""Seconds for which it is watched after all is well again."""
TOLD_WITHIN = 10.0
COMMANDS = 20
"""How often the command of an exec probe is run."""
KILLED_CODE = 137
_TOLD_OF_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class ClusterExperiment:
    """One experiment on a container in a cluster."""

    name: str
    kind: str
    """By which it can be asked for."""
    seconds: float
    """How long it will take, about."""
    perform: Callable[[ClusterBench], Sequence[Episode]] | None = None
    """Does it, and returns what was seen. Raises Trouble, Explained and ValueError for what cannot be done."""
    power: Power | None = None
    """What its owner must allow; None of what only looks."""
    what: str = ""
    """What would be done, for who does not allow it."""
    lacking: str = ""
    """Why it cannot be done, whatever is allowed."""


def experiments(scene: Scene) -> Iterator[ClusterExperiment]:
    """Yield what is done in a cluster, in its order."""
    declared = scene.environment.cluster
    if declared is None:
        return
    effort, name = scene.effort, scene.subject.name
    yield ClusterExperiment(WATCH, WATCH, declared.watch, _watch)
    yield ClusterExperiment(
        IDLE, IDLE, effort.attempts * SPACING + 15, _idle, power="ask", what=f"to ask the probes of {name} from a Job"
    )
    load = scene.subject.declared.load
    yield _loaded(scene, LOAD, (load.seconds if load else 0.0) + 30, ask_under_load)
    yield ClusterExperiment(
        KILL, KILL, 60, _kill, power="kill", what=f"to end the main process of a pod of {name} (by pods/exec)"
    )
    yield ClusterExperiment(
        DRAIN, DRAIN, 120, _drain, power="rollout", what=f"to make all pods of {name} anew, and back"
    )
    for other in scene.subject.declared.dependencies:
        yield _outage(scene, other)
    yield _loaded(scene, STORM, storm_seconds(scene) + 30, brew_storm)
    for kind, why in _ELSEWHERE.items():
        yield ClusterExperiment(kind, kind, 0.0, lacking=why)


_ELSEWHERE = {
    "hang": (
        "nothing within a container can make its first process hang: do it in an environment with `processes:`, on"
        " the same manifests"
    ),
    "cost": "what probes cost is measured in an environment with `processes:`",
}


def _loaded(
    scene: Scene, kind: str, seconds: float, perform: Callable[[ClusterBench], Sequence[Episode]]
) -> ClusterExperiment:
    if why := refused(scene):
        return ClusterExperiment(kind, kind, 0.0, lacking=why)
    what = f"to ask the probes of {scene.subject.name} from a Job under load"
    return ClusterExperiment(kind, kind, seconds, perform, power="ask", what=what)


def _outage(scene: Scene, other: str) -> ClusterExperiment:
    name = f"{OUTAGE}-{other}-gone"
    workload = _dependency(scene, other)
    if workload is None:  # it is elsewhere, where nothing is done
        said = f"no manifest has a Deployment or StatefulSet {other!r}"
        return ClusterExperiment(name, OUTAGE, 0.0, lacking=said)
    what = f"to scale {workload} to no pods, and back, on which {scene.subject.name} depends"
    seconds = _outage_seconds(scene) + 60
    return ClusterExperiment(name, OUTAGE, seconds, partial(_without, other, workload), power="outage", what=what)


def _dependency(scene: Scene, other: str) -> Workload | None:
    """Return the workload that stands for a dependency, as the cluster knows it."""
    declared = scene.environment.cluster
    for each in scene.workloads:
        if declared is not None and each.object.name == other and each.kind in SCALED:
            return workload_of(each, declared)
    return None


def _outage_seconds(scene: Scene) -> float:
    """Return how long a dependency is gone: until each probe would have acted, within bounds."""
    budgets = [each.timing.failures * each.period + each.timeout for each in scene.subject.spec.probes]
    return min(max([scene.effort.outage_least, *budgets]) + AFTERWARDS, 4 * scene.effort.outage_most)


# Looked at


def _watch(bench: ClusterBench) -> Sequence[Episode]:
    """Watch its pods for a while, and nothing else: what is calm must stay calm."""
    with watched(bench.live, WATCH, bench.scene.subject.name, counted=True) as watch:
        bench.wait(bench.declared.watch, "the pods to be watched")
        watch.tape.differences = bench.live.differences(bench.scene.subject)
        watch.end(counted=True)
        return (watch.tape.episode(),)


# Asked


def _idle(bench: ClusterBench) -> Sequence[Episode]:
    """Ask every probe of some pods, from the pod network, and run the commands of exec probes where that is allowed."""
    pods = bench.well()[:MOST_PODS]
    effort = bench.scene.effort
    asked = bench.asked(pods)
    with watched(bench.live, IDLE, bench.scene.subject.name) as watch:
        tape = watch.tape
        tape.unasked = bench.handlers(pods[0])[1]
        if asked:
            with bench.job(Plan(asked, SPACING)) as job:
                bench.wait(effort.attempts * SPACING, "the probes to be asked")
                tape.attempts += attempts_of(job.lines(), tape)
        tape.attempts += _commands(bench, pods[0], tape)
        if not tape.attempts:
            raise ValueError("; ".join(tape.unasked.values()) or "it has no probe that can be asked")
        watch.end()
        return (tape.episode(),)


def _commands(bench: ClusterBench, pod: LivePod, tape: Tape) -> Iterator[Attempted]:
    """Run the command of each exec probe of a pod some times."""
    for kind, (spec, handler) in bench.handlers(pod)[0].items():
        if isinstance(handler, Exec):
            for _ in range(COMMANDS):
                at = tape.now
                made = asyncio.run(attempt(handler, spec.timeout))
                message = "" if made.outcome.healthy else made.message
                yield Attempted(kind, 0, at, at, made.seconds, made.outcome, made.reason, message, pod.name)


# A container that ends


def _kill(bench: ClusterBench) -> Sequence[Episode]:
    """End the main process of one pod, and watch it come back."""
    pod = bench.well()[0]
    if pod.container.workload.spec.get("shareProcessNamespace").value is True:
        raise ValueError("its pods share one process namespace, whose first process is none of the container's")
    asked = bench.asked([pod]) if bench.may("ask") else []
    with watched(bench.live, KILL, bench.scene.subject.name) as watch:
        if not asked:
            _killed(bench, watch, pod)
        else:
            with bench.job(Plan(asked, SPACING)) as job:
                _killed(bench, watch, pod)
                watch.tape.attempts += attempts_of(job.lines(), watch.tape)
        watch.end()
        episode = watch.tape.episode()
    seen = next(each for each in episode.pods if each.name == pod.name)
    return (episode, *_boot(episode, seen))


def _killed(bench: ClusterBench, watch: Watch, pod: LivePod) -> None:
    """Tell it to end; return when its next instance is ready."""
    container = ContainerOfPod(bench.cluster.access, bench.live.workload.namespace, pod.name, bench.live.container)
    began = _instances(bench, watch, pod)
    watch.tape.did(f"SIGTERM {pod.name}")
    try:
        tell_to_end(container, TOLD_WITHIN)
    except NotRun as error:
        raise EngineTrouble("its main process could not be told to end", pod.name, str(error)) from error

    def back() -> bool | Unmet:
        seen = watch.seen(pod.name)
        if len(seen.instances) <= began:
            return Unmet("its container runs on: its main process does not hear SIGTERM, or is not the application")
        started = seen.instances[-1].started
        ready = bool(seen.ready) and seen.ready[-1][1] and started is not None and seen.ready[-1][0] >= started
        return ready or Unmet(f"instance {seen.instances[-1].number} is not ready")

    budget = 60 + bench.scene.subject.pod.grace + sum(each.timing.budget for each in bench.scene.subject.spec.probes)
    try:
        wait_until(back, seconds=budget, what=f"{pod.name} to be ready again", every=0.2, stop=bench.stop)
    except DeadlineExceeded as error:
        raise EngineTrouble("its next instance did not get ready", pod.name, error.reason, Kind.TIMED_OUT) from error
    bench.wait(AFTERWARDS, "what comes after")


def _instances(bench: ClusterBench, watch: Watch, pod: LivePod) -> int:
    """Return how many instances of a container are known, once the watch has told of any."""

    def told() -> int | Unmet:
        return len(watch.seen(pod.name).instances) or Unmet("the API has told nothing of it")

    try:
        return wait_until(told, seconds=_TOLD_OF_WITHIN, what=pod.name, every=0.05, stop=bench.stop)
    except DeadlineExceeded as error:
        raise EngineTrouble("a pod is not told of", pod.name, error.reason, Kind.TIMED_OUT) from error


def _boot(episode: Episode, pod: PodSeen) -> Iterator[Episode]:
    """Yield the start that followed, as of a start on this machine: moments count from the container's start."""
    started = pod.instances[-1].started if pod.restarts else None
    if started is None or not episode.attempts:
        return
    made = tuple(
        Attempted(
            each.kind,
            0,
            each.due - started,
            each.started - started,
            each.seconds,
            each.outcome,
            each.reason,
            each.message,
            each.pod,
        )
        for each in episode.attempts
        if each.started >= started
    )
    yield Episode(
        BOOT,
        episode.subject,
        episode.began + started,
        episode.lasted - started,
        made,
        kubernetes=episode.kubernetes,
    )


# A rollout


def _drain(bench: ClusterBench) -> Sequence[Episode]:
    """Make all pods anew while clients go on asking the old ones, as long as they would in a cluster."""
    subject, effort = bench.scene.subject, bench.scene.effort
    pods = bench.well()[:MOST_PODS]
    lag = subject.declared.endpoints_lag
    flows, any_status = bench.clients(pods, lag + subject.pod.grace) if bench.may("ask") else ([], True)
    readiness = [each for each in bench.asked(pods) if each.name.endswith(f" {ProbeKind.READINESS.value}")]
    with watched(bench.live, DRAIN, subject.name) as watch, bench.changes.part():
        tape = watch.tape
        if not flows:
            _rolled(bench, watch)
            watch.end()
        else:
            with bench.job(Plan(readiness, SPACING, flows)) as job:
                bench.wait(effort.before, "requests before the rollout")
                _rolled(bench, watch)
                bench.wait(lag, "clients who have not heard")
                lines = job.lines()
                watch.end()  # what comes now is the way back
            until = {
                pod.name: seen.told_to_end + lag
                for pod in pods
                if (seen := watch.seen(pod.name)).told_to_end is not None
            }
            asked = requests_of(lines, tape, until, any_status=any_status)
            tape.sent, tape.answered, tape.lost = asked.sent, asked.answered, list(asked.lost)
            first = min(until, key=lambda each: until[each], default="")
            tape.attempts += [each for each in attempts_of(lines, tape) if each.pod == first]
        _ends(bench, tape)
        episode = tape.episode()
    bench.well()  # with the template that it had
    return (episode,)


def _rolled(bench: ClusterBench, watch: Watch) -> None:
    bench.changes.restart(bench.live.workload, as_of(time.time()))
    watch.tape.did("rollout")
    bench.well()


def _ends(bench: ClusterBench, tape: Tape) -> None:
    """Write down how the pod that was told first has ended; of several, one that was killed counts."""
    old = sorted((each for each in tape.pods if each.told_to_end is not None), key=lambda each: each.told_to_end or 0.0)
    if not old:
        return
    killed = [each for each in old if each.instances and each.instances[-1].exit_code == KILLED_CODE]
    pod = (killed or old)[0]
    told = pod.told_to_end or 0.0
    hook = bench.scene.subject.spec.pre_stop
    tape.did(f"told to end: {pod.name}", told)
    tape.did("SIGTERM", told + hook)
    last = pod.instances[-1] if pod.instances else None
    if last is None or last.finished is None:
        return
    tape.exit_code, tape.exited = last.exit_code, max(last.finished, told)
    if killed and last.finished - told >= bench.scene.subject.pod.grace - 1:
        tape.did("SIGKILL", tape.exited)


# An outage


def _without(other: str, workload: Workload, bench: ClusterBench) -> Sequence[Episode]:
    """Ask its probes while something that it calls has no pods."""
    if why := bench.lacking("ask", "to ask its probes while that is gone"):
        raise ValueError(why)
    pods, there = bench.well()[:MOST_PODS], bench.of(workload)
    name = f"{OUTAGE}-{other}-gone"
    with watched(bench.live, name, bench.scene.subject.name) as watch:
        tape = watch.tape
        tape.unasked = bench.handlers(pods[0])[1]
        others = bench.others_that_are_well()
        with bench.job(Plan(bench.asked(pods), SPACING)) as job, bench.changes.part():
            bench.changes.scale(workload, 0)
            tape.did(f"{workload} is scaled to no pods")
            _gone(bench, workload, tape)
            gone = tape.did(f"{other} is gone")
            bench.wait(_outage_seconds(bench.scene), "the outage")
            tape.did(f"{other} is put back")
            tape.attempts += attempts_of(job.lines(), tape, since=gone)
        watch.end()
        episode = tape.episode()
    bench.well(there)
    bench.well()
    for each in others:  # what the outage was to them is not to be seen in what is done to them next
        with suppress(EngineTrouble):  # and if they stay unwell, their own questions tell
            bench.well(each)
    return (episode,)


def _gone(bench: ClusterBench, workload: Workload, tape: Tape) -> None:
    try:
        wait_until(
            partial(_empty, bench, workload),
            seconds=120,
            what=f"the pods of {workload} to be gone",
            every=0.3,
            stop=bench.stop,
        )
    except DeadlineExceeded as error:
        raise EngineTrouble(f"{workload} is not gone", tape.subject, error.reason, Kind.TIMED_OUT) from error


def _empty(bench: ClusterBench, workload: Workload) -> bool | Unmet:
    """Tell whether a workload has no pods at all, of whatever containers."""
    selector = selector_of(bench.cluster.get(workload.path))
    path = f"/api/v1/namespaces/{workload.namespace}/pods"
    left = [each["metadata"]["name"] for each in bench.cluster.get(path, labelSelector=selector)["items"]]
    return not left or Unmet(f"there are still {', '.join(left)}")
