"""Why a predicted interval begins and ends where it does, in words and seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tocsin.model.probes import seconds
from tocsin.probes.ground import Ground
from tocsin.probes.marks import Cause, Mark
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind, ProbeSpec
from tocsin.probes.versions import MANUAL_TRIGGER, STARTUP_SYNCS


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of an interval."""

    seconds: float
    """After the container's first start."""
    because: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s: {'; '.join(self.because)}"


_PROBE = {
    Cause.READINESS_SUCCEEDED: ProbeKind.READINESS,
    Cause.READINESS_FAILED: ProbeKind.READINESS,
    Cause.STARTED_WITHOUT_READINESS: ProbeKind.STARTUP,
    Cause.LIVENESS: ProbeKind.LIVENESS,
    Cause.STARTUP: ProbeKind.STARTUP,
}


def _probes(setup: Setup, causes: Sequence[Cause]) -> Iterator[tuple[Cause, ProbeSpec]]:
    for cause in causes:
        kind = _PROBE.get(cause)
        probe = setup.container.probe(kind) if kind is not None else None
        if probe is not None:
            yield cause, probe


def earliest_reasons(setup: Setup, ground: Ground, causes: Sequence[Cause]) -> tuple[str, ...]:
    """Return why it cannot come about sooner."""
    found = []
    for cause, probe in _probes(setup, causes):
        healthy = cause in (Cause.READINESS_SUCCEEDED, Cause.STARTED_WITHOUT_READINESS)
        times = probe.successes if healthy else probe.failures
        word = "success" if healthy else "failure"
        text = f"a tick of {probe.kind} comes the moment it may (the phase of its ticks is not known)"
        if times > 1:
            text += f", and {times} of {word} in a row take {seconds((times - 1) * probe.period)}"
        found.append(text)
        if probe.delay and ground.latencies.truncated.latest:
            found.append(f"the start is kept in whole seconds: the delay may end {_upto(1.0)} early")
        if probe.kind is ProbeKind.READINESS and setup.version.has(MANUAL_TRIGGER) and healthy:
            found.append("an attempt out of turn may come before the tick")
    found += [cause.value for cause in causes if cause not in _PROBE]
    if ground.latencies.observed.earliest < 0:
        found.append(f"what is observed is kept in whole seconds: {_upto(-ground.latencies.observed.earliest)} early")
    return tuple(found)


def latest_reasons(setup: Setup, ground: Ground, causes: Sequence[Cause], mark: Mark) -> tuple[str, ...]:
    """Return why it cannot come about later."""
    found = []
    took = ground.latencies
    for cause, probe in _probes(setup, causes):
        found.append(f"a tick of {probe.kind} has just passed: the next is {seconds(probe.period)} later")
        if setup.may_hang:
            found.append(f"an attempt that hangs takes {seconds(probe.timeout)}")
        if cause in (Cause.STARTUP, Cause.STARTED_WITHOUT_READINESS) and not setup.version.has(STARTUP_SYNCS):
            found.append(f"no result of startup has the pod synced: {_upto(took.resync.latest)}")
        elif took.sync.latest:
            found.append(f"the pod is synced for it: {_upto(took.sync.latest)}")
    if took.seen.latest:
        found.append(f"until the status shows that the container runs: {_upto(took.seen.latest)}")
    if mark.kind == "restart" and took.restarted.latest:
        found.append(f"its end and its new start: {_upto(took.ended.latest + took.restarted.latest)}")
    if Cause.BACKED_OFF in causes:
        found.append("a container that is backed off is tried late: up to half its wait, or 15 s up to 1.32")
    if took.observed.latest > 0:
        found.append(f"until it is observed: {_upto(took.observed.latest)}")
    return tuple(found)


def _upto(length: float) -> str:
    return f"up to {seconds(length)}"
