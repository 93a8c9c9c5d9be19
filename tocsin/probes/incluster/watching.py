"""What is seen of a workload's pods while something is done, as an episode has it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tocsin.engines.kubernetes_api import ClusterUnreadable
from tocsin.engines.kubernetes_pods import selector_of
from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour.episode import Asked, Attempted, InstanceSeen, PodSeen
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.cluster import PodWatch
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.incluster.asker import ATTEMPT, REQUEST
from tocsin.probes.incluster.live import Live, LivePod
from tocsin.probes.observation import ObservedContainer, ProbeCount, Snapshot, observed
from tocsin.probes.specification import ProbeKind

BROKEN = 500
"""From this status on, an answer to a path that clients ask for is none."""
Line = Mapping[str, object]


@dataclass(slots=True)
class Watch:
    """A workload that is watched; what is seen of it is written to a tape."""

    live: Live
    tape: Tape
    pods: PodWatch
    before: frozenset[str]
    """The uids of the pods that were there when it began."""
    counts: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    """What the kubelets had counted by then."""

    def snapshots(self, pod: str) -> tuple[Snapshot, ...]:
        """Return what was told of a pod so far. Raises ClusterUnreadable if the watch has broken."""
        return self.pods.snapshots(pod)

    def seen(self, pod: str) -> PodSeen:
        """Return what was seen of a pod so far. Raises ClusterUnreadable."""
        told = self.snapshots(pod)
        if not told:
            return PodSeen(pod, before=False)
        found = observed(told)
        end = next((each.at for each in told if "deletionTimestamp" in each.pod["metadata"]), None)
        return PodSeen(
            name=pod,
            before=found.uid in self.before,
            ready=tuple((self.tape.of_unix(each.at), each.ready) for each in found.ready),
            instances=tuple(each for each in self._instances(found.containers) if each.number >= self._first(told[0])),
            told_to_end=None if end is None else self.tape.of_unix(end),
        )

    def _first(self, told: Snapshot) -> int:
        """Return the number of the instance that a pod had when it was first told of; those before it are history."""
        statuses = told.pod.get("status", {}).get("containerStatuses") or ()
        status: Mapping[str, Any] = next((each for each in statuses if each["name"] == self.live.container), {})
        made = {"running", "terminated"} & (status.get("state") or {}).keys()
        return int(status.get("restartCount", 0)) if made else 0

    def _instances(self, containers: Iterable[ObservedContainer]) -> Iterator[InstanceSeen]:
        for each in containers:
            if each.name == self.live.container:
                for one in each.incarnations:
                    started = None if one.started is None else self.tape.of_unix(one.started)
                    finished = None if one.finished is None else self.tape.of_unix(one.finished)
                    yield InstanceSeen(one.restarts, started, finished, one.exit_code, one.reason)

    def end(self, *, counted: bool = False) -> None:
        """Write down all that was seen; `counted`: what the kubelets counted, too. Raises ClusterUnreadable."""
        since = _since(self.counts, _counts(self.live)) if counted else {}
        self.tape.pods = [self._counted(self.seen(name), since) for name in self.pods.names()]

    def _counted(self, pod: PodSeen, since: Mapping[tuple[str, str, str, str], int]) -> PodSeen:
        def of(result: str) -> dict[ProbeKind, int]:
            return {
                ProbeKind(kind): value
                for (name, container, kind, ended), value in since.items()
                if (name, container, ended) == (pod.name, self.live.container, result)
            }

        return PodSeen(pod.name, pod.before, pod.ready, pod.instances, pod.told_to_end, of("successful"), of("failed"))


@contextmanager
def watched(live: Live, name: str, subject: str, *, counted: bool = False) -> Iterator[Watch]:
    """Watch a workload from here on. Raises EngineTrouble and ClusterUnreadable."""
    selector = selector_of(live.object())
    before = frozenset(each.uid for each in live.pods())
    counts = _counts(live) if counted else {}
    tape = Tape(name, subject)
    tape.kubernetes = live.cluster.version()
    with PodWatch(live.cluster, live.workload.namespace, selector) as pods:
        yield Watch(live, tape, pods, before, counts)


def _counts(live: Live) -> Mapping[tuple[str, str, str, str], int]:
    """Return what the kubelets count of the namespace; nothing where that may not be read."""
    try:
        found: Sequence[ProbeCount] = live.cluster.probe_counts(live.workload.namespace)
    except ClusterUnreadable:
        return {}
    return {(each.pod, each.container, each.kind, each.result): each.value for each in found}


def _since(
    before: Mapping[tuple[str, str, str, str], int], after: Mapping[tuple[str, str, str, str], int]
) -> Mapping[tuple[str, str, str, str], int]:
    return {key: value - before.get(key, 0) for key, value in after.items()}


def probe_name(pod: LivePod, kind: ProbeKind) -> str:
    """Return the name by which a Job's lines tell a pod's probe."""
    return f"{pod.name} {kind.value}"


def attempts_of(lines: Iterable[Line], tape: Tape, *, since: float = 0.0) -> list[Attempted]:
    """Return the attempts that a Job has told, from a moment of the tape on.

    Its clock is its node's: what that is off is off in the moments, and in nothing else.
    """
    found = []
    for line in lines:
        if line["what"] != ATTEMPT:
            continue
        pod, _, kind = str(line["of"]).rpartition(" ")
        started = tape.of_unix(_number(line["at"]))
        if started >= since:
            found.append(
                Attempted(
                    kind=ProbeKind(kind),
                    instance=0,
                    due=round(started - _number(line["late"]), 6),
                    started=started,
                    seconds=_number(line["took"]),
                    outcome=Outcome(str(line["outcome"])),
                    reason=Reason(str(line["reason"])),
                    message="" if Outcome(str(line["outcome"])).healthy else str(line["message"]),
                    pod=pod,
                )
            )
    return found


def requests_of(lines: Iterable[Line], tape: Tape, until: Mapping[str, float], *, any_status: bool) -> Asked:
    """Return what became of requests that were sent to each pod up to a moment of the tape.

    `any_status` if every answer will do, as of a path that may say that it is not ready.
    """
    sent = answered = 0
    lost: list[tuple[float, str]] = []
    for line in lines:
        pod = str(line.get("of"))
        if line["what"] != REQUEST or pod not in until or (at := tape.of_unix(_number(line["at"]))) > until[pod]:
            continue
        sent += 1
        if why := _lost(line, any_status=any_status):
            lost.append((at, f"{pod}: {why}"))
        else:
            answered += 1
    return Asked(sent, answered, tuple(sorted(lost)))


def _lost(line: Line, *, any_status: bool) -> str:
    status = line["status"]
    if line["reason"] == Reason.STATUS and isinstance(status, int):
        return "" if any_status or status < BROKEN else f"it was answered {status}"
    return "" if Outcome(str(line["outcome"])).healthy else f"{line['reason']}: {line['message']}"


def _number(value: object) -> float:
    return float(str(value))


def as_of(wall: float) -> str:
    """Return a moment as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall))
