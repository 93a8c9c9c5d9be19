"""What a cluster's kubelet did, beside what was foreseen: restarts, and changes of Ready, each in its time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tocsin.finding import Severity
from tocsin.probes.application import Application
from tocsin.probes.attempt import OK, REFUSED, Behaviour
from tocsin.probes.behaviour.episode import Attempted, Episode, InstanceSeen, PodSeen
from tocsin.probes.behaviour.questions import NotAsked, Remark, Seen, question
from tocsin.probes.figures import noticed
from tocsin.probes.marks import Mark, MarkKind
from tocsin.probes.prediction import predict
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind
from tocsin.probes.window import Window

_FIRST = Mark(MarkKind.READINESS, 1)
_TRUNCATED = Window(0.0, 1.0)
"""What the API cuts off a moment that it keeps in whole seconds."""
_LATE = 2.0
"""Seconds for which a busy API server may keep a change from who watches, and a clock of a node be off."""
_BACKED_OFF = 300.0
"""The longest that CrashLoopBackOff holds back a container that was restarted before."""


@question(
    severity=Severity.ERROR,
    fix=(
        "See what lies between: a webhook, an operator or a mesh that changes probes, an overloaded node, readiness"
        " gates that somebody else sets."
    ),
)
def follows_as_foreseen(seen: Seen) -> Iterator[Remark]:
    """The numbers of its probes promise nothing if the cluster does not do what follows from them.

    (Kubernetes: pkg/kubelet/prober; what is foreseen is computed as `tocsin probe` prints it.)
    """
    compared = 0
    for name in [each for each in seen.episodes if each in ("kill", "drain") or each.startswith("without-")]:
        episode = seen.episodes[name]
        if not episode.pods:
            continue
        compared += 1
        for pod in episode.pods:
            if name.startswith("without-"):
                yield from _outage(seen, episode, pod)
            elif pod.told_to_end is None:
                yield from _starts(seen, episode, pod)
    if not compared:
        seen.in_cluster("kill")
        raise NotAsked("nothing was done to it in a cluster that would be followed by something")


@dataclass(frozen=True, slots=True)
class _Start:
    """A start of a container that was watched, and what came before."""

    instance: InstanceSeen
    at: float
    """Cut off to whole seconds."""
    before: InstanceSeen | None


def _watched_starts(pod: PodSeen) -> Iterator[_Start]:
    before: InstanceSeen | None = None
    for each in pod.instances:
        if each.started is not None and each.started + 1 >= 0 and (before is not None or not pod.before):
            yield _Start(each, each.started, before)
        before = each


def _starts(seen: Seen, episode: Episode, pod: PodSeen) -> Iterator[Remark]:
    """Compare what followed from each start that was watched."""
    for start in _watched_starts(pod):
        yield from _restarted(seen, episode, pod, start)
        ready = next((at for at, ready in pod.ready if ready and at >= start.at), None)
        earliest, latest = _ready_within(seen, episode, pod, start)
        if ready is None:
            if latest + _LATE < episode.lasted - start.at - 1:
                said = f"{pod.name} was not ready {episode.lasted - start.at:.0f} s after its container's start"
                yield Remark(f"{said}; foreseen was at most {latest:.1f} s", ProbeKind.READINESS, episode=episode.name)
            continue
        after = Window.at(ready - start.at) - _TRUNCATED
        if not after.meets(Window(earliest, latest + _LATE)):
            said = f"{pod.name} was ready {after.earliest:.1f} to {after.latest:.1f} s after its container's start"
            foreseen = f"{earliest:.1f} s to {'no end' if math.isinf(latest) else f'{latest:.1f} s'}"
            yield Remark(f"{said}; foreseen was {foreseen}", ProbeKind.READINESS, episode=episode.name)


def _restarted(seen: Seen, episode: Episode, pod: PodSeen, start: _Start) -> Iterator[Remark]:
    """Compare how long after the end of an instance the next one started."""
    before = start.before
    if before is None or before.finished is None:
        return
    latency = seen.ground.latencies.restarted
    most = latency.latest + (_BACKED_OFF if before.number else 0.0) + _LATE
    after = Window.at(start.at) + _TRUNCATED - (Window.at(before.finished) + _TRUNCATED)
    if not after.meets(Window(latency.earliest, most)):
        said = f"{pod.name} was started again {after.earliest:.0f} to {after.latest:.0f} s after its container's end"
        yield Remark(f"{said}; foreseen was {latency.earliest:g} s to {most:g} s", None, episode=episode.name)


def _ready_within(seen: Seen, episode: Episode, pod: PodSeen, start: _Start) -> tuple[float, float]:
    """Return from when to when after a start its pod is ready, by how soon each probe's answer was a good one.

    Where nobody asked it, nothing is known of how long the application takes, and so of the latest.
    """
    made = [each for each in episode.attempts if each.pod == pod.name and each.started >= start.at]
    soonest, latest = [], []
    for kind in (each.kind for each in seen.probes):
        of = [each for each in made if each.kind is kind]
        low, high = _well_from(of, start.at)
        soonest.append((kind, low))
        latest.append((kind, high))
    first = _ready(seen, soonest)
    if first is None:
        return math.inf, math.inf
    if any(math.isinf(high) for _, high in latest):
        return first.earliest, math.inf
    last = _ready(seen, latest)
    return first.earliest, math.inf if last is None else last.latest


def _well_from(made: Sequence[Attempted], start: float) -> tuple[float, float]:
    """Return between which ages of a container its answer became a good one, and stayed so; (0, inf) if unknown."""
    well = None
    for each in reversed(made):
        if not each.outcome.healthy:
            break
        well = each
    if well is None:
        return 0.0, math.inf
    wrong = [each for each in made if each.started < well.started]
    # Its age by the clock in whole seconds; it may be up to a second less.
    low = max(0.0, wrong[-1].started - start - 1) if wrong else 0.0
    return low, well.started + well.seconds - start


def _ready(seen: Seen, ages: Sequence[tuple[ProbeKind, float]]) -> Window | None:
    """Return when a container is ready whose probes succeed from certain ages on."""
    known = {kind: Behaviour.of((0.0, REFUSED), (age, OK)) if age else Behaviour.always(OK) for kind, age in ages}
    well = Behaviour.always(OK)
    application = Application(
        known.get(ProbeKind.STARTUP, well), known.get(ProbeKind.LIVENESS, well), known.get(ProbeKind.READINESS, well)
    )
    setup = Setup(seen.subject.spec, (application,), seen.subject.pod, seen.version)
    horizon = 120.0 + max((age for _, age in ages), default=0.0)
    found = predict(setup, seen.ground, horizon).at(_FIRST)
    return found.interval if found else None


def _outage(seen: Seen, episode: Episode, pod: PodSeen) -> Iterator[Remark]:
    """Compare when a pod left its Service, and came back, with what its readiness probe answered."""
    probe = seen.probe(ProbeKind.READINESS)
    made = [each for each in episode.of(ProbeKind.READINESS) if each.pod == pod.name]
    if probe is None or not made:
        return
    left = next((at for at, ready in pod.ready if not ready), None)
    wrong = next((each for each in made if each.outcome.counts and not each.outcome.healthy), None)
    if wrong is None:
        if left is not None:
            said = f"{pod.name} was not ready from {left:.1f} s on, while all attempts of the Job succeeded"
            yield Remark(said, ProbeKind.READINESS, episode=episode.name)
        return
    if any(each.outcome.healthy for each in made if each.started > wrong.started):
        return  # it flaps, which another question tells
    before = max((each.started for each in made if each.started < wrong.started), default=wrong.started)
    figure = noticed(probe, seen.ground, hangs=wrong.seconds >= probe.timeout)
    # Before the first attempt the dependency was going already, and what was answered then is not known.
    earliest = before + figure.least if before < wrong.started else -math.inf
    latest = wrong.started + figure.most + _LATE
    if left is None:
        if latest < episode.lasted:
            said = f"{pod.name} stayed ready, though its readiness failed from {wrong.started:.1f} s on"
            yield Remark(f"{said}; foreseen was to {latest:.1f} s", ProbeKind.READINESS, episode=episode.name)
    elif not earliest <= left <= latest:
        said = f"{pod.name} was not ready from {left:.1f} s on; foreseen was {earliest:.1f} to {latest:.1f} s"
        yield Remark(said, ProbeKind.READINESS, episode=episode.name)
