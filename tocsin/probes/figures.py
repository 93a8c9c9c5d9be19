"""What the numbers of a container's probes come to, for those who have to live with them: seconds, and the reason.

All count from the moment that the question names, and hold for a kubelet that is not overloaded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.model.probes import seconds
from tocsin.probes.application import Application
from tocsin.probes.attempt import HEALTHY, REFUSED, Behaviour
from tocsin.probes.backoff import FORGOTTEN_AFTER
from tocsin.probes.container import grace_of, kill_seconds
from tocsin.probes.ground import Ground
from tocsin.probes.marks import Cause, Mark, MarkKind
from tocsin.probes.prediction import predict
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ProbeKind, ProbeSpec
from tocsin.probes.versions import STARTUP_SYNCS
from tocsin.probes.window import ZERO, Window

HOUR = 3600.0
_DRAWN = 12
"""How many lives a storm is counted over."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A length of time in seconds, or a number, between two bounds."""

    least: float
    most: float
    """Infinite if nothing bounds it."""
    because: str

    def __str__(self) -> str:
        if math.isinf(self.least):
            return f"never: {self.because}"
        upper = "no end" if math.isinf(self.most) else f"{self.most:g}"
        return f"{self.least:g} to {upper}: {self.because}"


NEVER = (math.inf, math.inf)


def _with(window: Window, because: str) -> Figure:
    return Figure(round(window.earliest, 3), round(window.latest, 3), because)


def when_ready(setups: Sequence[Setup], ground: Ground, *, horizon: float = 600.0) -> Figure:
    """Return how long after its containers' start a pod is ready: when the last of them is.

    Infinite where one may not be ready within the horizon, in seconds.
    """
    least = most = 0.0
    last = "it has no container that is probed"
    for setup in setups:
        first = predict(setup, ground, horizon).at(Mark(MarkKind.READINESS, 1))
        if first is None:
            return Figure(*NEVER, f"{setup.container.name} is not ready within {seconds(horizon)}")
        least = max(least, first.interval.earliest)
        latest = first.interval.latest if first.certain else math.inf
        if latest >= most:
            last = f"{setup.container.name}: {'; '.join(first.latest.because)}"
        most = max(most, latest)
    return Figure(round(least, 3), round(most, 3), last)


def noticed(probe: ProbeSpec, ground: Ground, *, hangs: bool = True) -> Figure:
    """Return how long after an endpoint breaks its probe acts: it hangs, or else refuses at once."""
    timing = probe.timing
    if hangs:
        window = Window(timing.soonest, timing.latest)
        text = f"{timing.failures} attempts, each {seconds(timing.timeout)} long, begin {seconds(timing.spacing)} apart"
    else:
        window = Window((timing.failures - 1) * timing.period, timing.failures * timing.period)
        text = f"{timing.failures} attempts fail at once, {seconds(timing.period)} apart"
    return _with(window + _until_sync(probe, ground), f"{text}, from just before a tick to just after one")


def _until_sync(probe: ProbeSpec, ground: Ground) -> Window:
    if probe.kind is ProbeKind.READINESS:
        return ZERO
    waits = probe.kind is ProbeKind.STARTUP and not ground.version.has(STARTUP_SYNCS)
    return ground.latencies.resync if waits else ground.latencies.sync


def restarted(setup: Setup, ground: Ground, *, stops: bool = False) -> Figure:
    """Return how long after a container hangs its next instance starts; `stops` if it still obeys SIGTERM at once.

    Of a first restart: later ones may be backed off.
    """
    liveness = setup.container.probe(ProbeKind.LIVENESS)
    if liveness is None:
        return Figure(*NEVER, "it has no liveness probe")
    if setup.restart_policy == "Never":
        return Figure(*NEVER, "its restartPolicy is Never: it is ended, and that is all")
    grace = grace_of(setup.pod, setup.container, ProbeKind.LIVENESS, ground.version)
    dies = kill_seconds(grace, pre_stop=setup.container.pre_stop, stops_in=0.0 if stops else None)
    found = noticed(liveness, ground)
    window = Window(found.least, found.most) + dies + ground.latencies.ended + ground.latencies.restarted
    how = "it obeys SIGTERM" if stops else f"SIGTERM is not heard, and SIGKILL comes after {seconds(dies)}"
    return _with(window, f"{found.because}; then {how}")


def errors_served(setup: Setup, ground: Ground, *, hangs: bool = True) -> Figure:
    """Return how long after it breaks a container still gets requests: until it is no longer ready."""
    readiness = setup.container.probe(ProbeKind.READINESS)
    if readiness is not None:
        return noticed(readiness, ground, hangs=hangs)
    liveness = setup.container.probe(ProbeKind.LIVENESS)
    if liveness is None:
        return Figure(*NEVER, "it has neither a readiness nor a liveness probe: it gets requests for ever")
    found = restarted(setup, ground)
    return Figure(found.least, found.most, f"it has no readiness probe, so until it is replaced; {found.because}")


def out_of_service(setup: Setup, ground: Ground, *, boots: float = 0.0) -> Figure:
    """Return how long a container that hangs is of no use: until its next instance is ready; `boots` in seconds."""
    back = restarted(setup, ground)
    if math.isinf(back.least):
        return back
    answers = Behaviour.of((boots, HEALTHY.phases[0].answer))
    booting = Setup(setup.container, (Application.answering(answers),), setup.pod, ground.version, setup.pace)
    ready = when_ready([booting], ground)
    return Figure(back.least + ready.least, back.most + ready.most, f"{back.because}; then {ready.because}")


def startup_budget(setup: Setup, ground: Ground) -> Figure:
    """Return how long a container may take to start: within the least it is safe, after the most it is ended."""
    startup = setup.container.probe(ProbeKind.STARTUP)
    probe = startup or setup.container.probe(ProbeKind.LIVENESS)
    if probe is None:
        return Figure(*NEVER, "no probe ends it, however long it takes")
    tries = (probe.failures - 1) * probe.period
    early = ground.latencies.truncated.latest if probe.delay else 0.0
    shown = max(probe.delay, ground.latencies.seen.latest)
    longest = shown + probe.failures * probe.timing.spacing + probe.timeout
    window = Window(max(0.0, probe.delay - early) + tries, longest + _until_sync(probe, ground).latest)
    text = (
        f"{probe.failures} attempts of {probe.kind} are {probe.failures - 1} times {seconds(probe.period)} apart"
        f"{f', after {seconds(probe.delay)}' if probe.delay else ''}: one period less than their number says"
    )
    return _with(window, text if startup else f"{text}; it has no startup probe")


@dataclass(frozen=True, slots=True)
class Storm:
    """What becomes of a container that never gets well."""

    restarts: Figure
    backed_off_after: int | None
    """The first restart that CrashLoopBackOff holds back; None if none is within the time."""


def storm(setup: Setup, ground: Ground, *, horizon: float = HOUR) -> Storm:
    """Return how often a container is restarted that no probe ever finds well, within the horizon in seconds.

    Counted over a dozen lives with phases and latencies drawn at random, so the bounds are what was seen, not proven.
    """
    broken = Application.answering(Behaviour.always(REFUSED))
    sick = Setup(setup.container, (broken,), setup.pod, ground.version, setup.pace)
    counts, held = [], []
    for seed in range(_DRAWN):
        part = seed / _DRAWN
        origins = {each.kind: Window.at(part * each.period) for each in setup.container.probes}
        found = simulate(sick, horizon, origins=origins, chance=ground.latencies.drawn(seed))
        restarts = [mark for mark in found.marks if mark.kind is MarkKind.RESTART]
        counts.append(len(restarts))
        held += [mark.number for mark in restarts if Cause.BACKED_OFF in found.causes[mark]]
    first = min(held, default=None)
    if not max(counts):
        return Storm(Figure(0, 0, "no probe ends it"), None)
    shown = f"CrashLoopBackOff from restart {first} on" if first else "it never shows CrashLoopBackOff"
    forgets = f"a wait is forgotten {seconds(FORGOTTEN_AFTER)} after the start that set it"
    return Storm(Figure(min(counts), max(counts), f"in {seconds(horizon)}, {shown}; {forgets}"), first)
