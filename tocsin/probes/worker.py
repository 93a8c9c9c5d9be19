"""The kubelet's probe worker as a function of what it knows: one container, one kind of probe.

(Kubernetes: pkg/kubelet/prober/worker.go, doProbe; the letters in comments are the order of its steps.)
"""

from __future__ import annotations

import math
from enum import Enum, StrEnum
from typing import NamedTuple

from tocsin.probes.attempt import Outcome
from tocsin.probes.container import RestartRule, Standing, restarts
from tocsin.probes.specification import ProbeKind, ProbeSpec
from tocsin.probes.versions import (
    CURRENT,
    JITTER_ALWAYS,
    READY_KEPT_OVER_KUBELET_RESTART,
    SIDECAR_WORKER_STOPS,
    STARTUP_HOLDS_AFTER_SUCCESS,
    Version,
)


class Result(StrEnum):
    """What is stored of a probe."""

    UNKNOWN = "unknown"
    SUCCESS = "success"
    FAILURE = "failure"


INITIAL = {
    ProbeKind.STARTUP: Result.UNKNOWN,
    ProbeKind.LIVENESS: Result.SUCCESS,
    ProbeKind.READINESS: Result.FAILURE,
}
"""What is stored of a container that was not probed yet."""


class Step(Enum):
    """What a worker does at a tick."""

    ATTEMPT = "attempt"
    SKIP = "skip"
    STOP = "stop"


class ContainerView(NamedTuple):
    """What the kubelet's cached status says of a container."""

    identity: str
    """Its ID; empty while it has none."""
    standing: Standing = Standing.RUNNING
    started: bool = False
    exit_code: int | None = None
    due: bool = True
    """Whether its initial delay is over."""
    outlived_kubelet: bool = False
    """Whether it began more than 10 s before the kubelet did."""


class PodView(NamedTuple):
    """What the kubelet knows of a pod when a worker ticks."""

    container: ContainerView | None
    """None if the status does not name the container."""
    phase: str = "Running"
    known: bool = True
    """Whether there is a status at all."""
    deleting: bool = False
    """Whether the pod that the worker was made with was being deleted already; that seldom is so."""
    restart_policy: str = "Always"


class Worker(NamedTuple):
    """A worker between two ticks."""

    spec: ProbeSpec
    version: Version = CURRENT
    sidecar: bool = False
    rule: RestartRule | None = None
    """The container's own restart policy, where it has one."""
    identity: str = ""
    """The container that it knows."""
    stored: Result | None = None
    """The result for that container; None if none is stored."""
    last: Result = Result.SUCCESS
    run: int = 0
    """How many results like the last one in a row; it survives the container, as the kubelet's does."""
    resting: bool = False
    """On hold until there is a new container."""

    @property
    def kind(self) -> ProbeKind:
        """Which probe it is."""
        return self.spec.kind

    def tick(self, pod: PodView) -> tuple[Worker, Step]:
        """Return the worker after all that precedes an attempt, and what it does."""
        container = pod.container
        if not pod.known:  # a
            return self, Step.SKIP
        if pod.phase in ("Failed", "Succeeded"):  # b
            return self, Step.STOP
        if container is None or not container.identity:  # c
            return self, Step.SKIP
        worker = self if container.identity == self.identity else self._meeting(container)  # d
        if worker.resting:  # e
            return worker, Step.SKIP
        if container.standing is not Standing.RUNNING:  # f
            stops = container.standing is Standing.TERMINATED and not self._comes_back(pod, container)
            return worker._replace(stored=Result.FAILURE), Step.STOP if stops else Step.SKIP
        if pod.deleting and self.kind is not ProbeKind.READINESS:  # g
            return worker._replace(stored=Result.SUCCESS), Step.STOP
        gated = container.started if self.kind is ProbeKind.STARTUP else not container.started  # i
        return worker, Step.ATTEMPT if container.due and not gated else Step.SKIP  # h

    def judge(self, outcome: Outcome) -> Worker:
        """Return the worker after an attempt; an error changes nothing."""
        if not outcome.counts:  # j
            return self
        result = Result.SUCCESS if outcome.healthy else Result.FAILURE
        most = max(self.spec.failures, self.spec.successes)  # more of them change nothing
        run = min(self.run + 1, most) if result is self.last else 1  # k
        worker = self._replace(last=result, run=run)
        if run < (self.spec.successes if outcome.healthy else self.spec.failures):  # l
            return worker
        return _storing(worker, result)  # m

    def _meeting(self, container: ContainerView) -> Worker:
        """Return the worker with a container that is new to it; its run goes on, as the kubelet's does."""
        stored: Result | None = INITIAL[self.kind]
        if container.outlived_kubelet and self.version.has(READY_KEPT_OVER_KUBELET_RESTART):
            seeded = self.sidecar and self.kind is ProbeKind.STARTUP and container.started
            stored = Result.SUCCESS if seeded else None
        return self._replace(identity=container.identity, stored=stored, resting=False)

    def _comes_back(self, pod: PodView, container: ContainerView) -> bool:
        if self.sidecar:
            return pod.restart_policy != "Never" or not self.version.has(SIDECAR_WORKER_STOPS)
        if self.rule is not None:
            return self.rule.restarts(container.exit_code)
        # The kubelet asks for the policy alone: of OnFailure it does not look at the exit code here.
        return restarts(pod.restart_policy, None)


def _storing(worker: Worker, result: Result) -> Worker:
    """Return the worker with a result that reached its threshold."""
    failed = result is Result.FAILURE
    rests = failed if worker.kind is ProbeKind.LIVENESS else worker.kind is ProbeKind.STARTUP
    if not failed and not worker.version.has(STARTUP_HOLDS_AFTER_SUCCESS):
        rests = False
    return worker._replace(stored=result, resting=rests, run=0 if rests else worker.run)


def is_due(age: float, delay: float, truncated: float = 0.0) -> bool:
    """Tell whether an initial delay is over.

    `age` is the container's true age, `truncated` what was cut off its start when that was kept in whole seconds: it
    seems older by that. The age is then cut to whole seconds too.
    """
    return math.floor(age + truncated + _ROUNDING) >= delay


def first_wait(fraction: float, period: float, kubelet_age: float, version: Version) -> float:
    """Return the seconds that a worker waits before its first tick; `fraction` is a random number from 0 to 1.

    Only the workers of a kubelet that is younger than their period wait; up to 1.20 all do.
    """
    return fraction * period if kubelet_age < period or version.has(JITTER_ALWAYS) else 0.0


def starts(period: float, lasts: tuple[float, ...]) -> tuple[float, ...]:
    """Return when the attempts of a worker begin that last so long: one tick waits at most, and the grid stays."""
    made: list[float] = []
    free, at = 0.0, 0.0
    for seconds in lasts:
        made.append(at)
        free = at + seconds
        at = next_start(0.0, period, at, free)
    return tuple(made)


def next_start(origin: float, period: float, began: float, free: float) -> float:
    """Return when the next attempt begins after one that began and ended at these moments.

    A tick that passed meanwhile is kept, but only one: the attempt after a slow one follows it at once.
    """
    following = origin + (math.floor((began - origin) / period + _ROUNDING) + 1) * period
    return max(following, free)


_ROUNDING = 1e-9
