"""What was seen of a pod in a cluster, as values: pure, from the objects of the API.

The API keeps whole seconds; what needs to be finer goes by the moment at which the watcher received an object. All
moments are seconds since 1970. (Fields: Kubernetes API reference, PodStatus and Event.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PROBE_TOTAL = "prober_probe_total"
"""The kubelet's own count of attempts that counted; what is discarded is counted nowhere."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A pod as the API server told it."""

    at: float
    """When it was received."""
    pod: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadyChange:
    """The condition Ready became true or false; the first one seen counts as a change."""

    at: float
    """When that was received."""
    ready: bool
    transition: float | None
    """When the kubelet says it was, in whole seconds."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StartedChange:
    """A container's `started` became true or false: without a startup probe it is true as soon as it runs."""

    at: float
    started: bool


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One instance of a container, from its start to its end; its ID tells it from the next."""

    container_id: str
    restarts: int
    """How many came before it, as the kubelet counts."""
    started: float | None
    """When the runtime started it, in whole seconds."""
    seen: float
    """When it was first received."""
    finished: float | None = None
    """When it ended, in whole seconds; None as long as that was not seen."""
    exit_code: int | None = None
    reason: str = ""
    """Of its end: `Completed`, `Error`, `OOMKilled`."""


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """What was seen of one container of a pod."""

    name: str
    incarnations: tuple[Incarnation, ...]
    started: tuple[StartedChange, ...]
    waits: tuple[str, ...]
    """Reasons for which it was seen waiting, each once: `PodInitializing`, `CrashLoopBackOff`."""


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """What was seen of a pod."""

    name: str
    uid: str
    ready: tuple[ReadyChange, ...]
    containers: tuple[ObservedContainer, ...]

    def container(self, name: str) -> ObservedContainer:
        """Return a container. Raises KeyError if the pod's status never named it."""
        for each in self.containers:
            if each.name == name:
                return each
        raise KeyError(f"pod {self.name} was never seen with a container {name!r}")


@dataclass(frozen=True, slots=True)
class EventSeen:
    """An event of a pod. The kubelet drops and joins events: a count is a lower bound, never a number of attempts."""

    reason: str
    kind: str
    """`Normal` or `Warning`."""
    message: str
    container: str
    """Which it is about; empty if it is about the pod."""
    count: int
    first: float | None
    last: float | None


@dataclass(frozen=True, slots=True)
class ProbeCount:
    """How many attempts of a probe ended in one way, by the kubelet's metrics."""

    pod: str
    container: str
    kind: str
    """`liveness`, `readiness` or `startup`."""
    result: str
    """`successful` or `failed`."""
    value: int


def moment(text: str | None) -> float | None:
    """Return a time of the API as seconds since 1970; None for none."""
    return datetime.fromisoformat(text).timestamp() if text else None


def observed(snapshots: Sequence[Snapshot]) -> ObservedPod:
    """Return what a pod's snapshots, in the order of their receipt, say of it.

    Raises ValueError if there are none, or if they are of more than one pod.
    """
    found = {(each.pod["metadata"]["name"], each.pod["metadata"].get("uid", "")) for each in snapshots}
    if len(found) != 1:
        raise ValueError(f"snapshots of one pod are needed, not of {len(found)}: {sorted(found)}")
    ((name, uid),) = found
    names = dict.fromkeys(status["name"] for each in snapshots for status in _statuses(each.pod))
    containers = tuple(_container(each, snapshots) for each in names)
    return ObservedPod(name, uid, tuple(_ready(snapshots)), containers)


def _ready(snapshots: Iterable[Snapshot]) -> Iterator[ReadyChange]:
    last: bool | None = None
    for each in snapshots:
        conditions = each.pod.get("status", {}).get("conditions") or ()
        condition = next((one for one in conditions if one.get("type") == "Ready"), None)
        if condition is None or (ready := condition.get("status") == "True") is last:
            continue
        last = ready
        yield ReadyChange(each.at, ready, moment(condition.get("lastTransitionTime")), condition.get("reason", ""))


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _container(name: str, snapshots: Iterable[Snapshot]) -> ObservedContainer:
    incarnations: dict[str, Incarnation] = {}
    started: list[StartedChange] = []
    waits: dict[str, None] = {}
    for each in snapshots:
        status = next((one for one in _statuses(each.pod) if one["name"] == name), None)
        if status is None:
            continue
        for found in _incarnations(status, each.at):
            known = incarnations.get(found.container_id)
            incarnations[found.container_id] = found if known is None else _later(known, found)
        is_started = bool(status.get("started"))
        if not started or started[-1].started is not is_started:
            started.append(StartedChange(each.at, is_started))
        if waiting := status.get("state", {}).get("waiting"):
            waits[waiting.get("reason", "")] = None
    in_order = sorted(incarnations.values(), key=lambda each: (each.restarts, each.started or 0.0))
    return ObservedContainer(name, tuple(in_order), tuple(started), tuple(waits))


def _incarnations(status: Mapping[str, Any], at: float) -> Iterator[Incarnation]:
    """Yield the instance that a status is about, and the one before, of which it keeps the end."""
    count = int(status.get("restartCount", 0))
    state, last = status.get("state") or {}, status.get("lastState") or {}
    if earlier := last.get("terminated"):
        yield _ended(earlier, max(count - 1, 0), at)
    if ended := state.get("terminated"):
        yield _ended(ended, count, at)
    elif (running := state.get("running")) and status.get("containerID"):
        yield Incarnation(status["containerID"], count, moment(running.get("startedAt")), at)


def _ended(state: Mapping[str, Any], restarts: int, at: float) -> Incarnation:
    return Incarnation(
        container_id=state.get("containerID") or f"unnamed, number {restarts}",
        restarts=restarts,
        started=moment(state.get("startedAt")),
        seen=at,
        finished=moment(state.get("finishedAt")),
        exit_code=state.get("exitCode"),
        reason=state.get("reason", ""),
    )


def _later(known: Incarnation, found: Incarnation) -> Incarnation:
    """Return an instance with what was learnt of it later; it was first seen when it was first seen."""
    end = found if found.finished is not None else known
    return Incarnation(
        container_id=known.container_id,
        restarts=known.restarts,
        started=known.started or found.started,
        seen=known.seen,
        finished=end.finished,
        exit_code=end.exit_code,
        reason=end.reason,
    )


_CONTAINER = re.compile(r"\{(.+)\}$")


def event_seen(event: Mapping[str, Any]) -> EventSeen:
    """Return an event of the core API."""
    path = _CONTAINER.search((event.get("involvedObject") or {}).get("fieldPath") or "")
    return EventSeen(
        reason=event.get("reason") or "",
        kind=event.get("type") or "",
        message=event.get("message") or "",
        container=path.group(1) if path else "",
        count=int(event.get("count") or 1),
        first=moment(event.get("firstTimestamp") or event.get("eventTime")),
        last=moment(event.get("lastTimestamp") or event.get("eventTime")),
    )


_LABEL = re.compile(r'(\w+)="([^"]*)"')


def probe_counts(exposition: str, namespace: str) -> tuple[ProbeCount, ...]:
    """Return the counts of a namespace's probes from the text of the kubelet's /metrics/probes."""
    found = []
    for line in exposition.splitlines():
        if not line.startswith(PROBE_TOTAL + "{"):
            continue
        labels = dict(_LABEL.findall(line))
        if labels.get("namespace") == namespace:
            value = round(float(line.rpartition(" ")[2]))
            kind, result = labels.get("probe_type", "").lower(), labels.get("result", "")
            found.append(ProbeCount(labels.get("pod", ""), labels.get("container", ""), kind, result, value))
    return tuple(found)
