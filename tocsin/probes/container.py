"""What follows for a container and its pod: how it is ended, whether it comes back, whether it is ready.

(Kubernetes: pkg/kubelet/kuberuntime/kuberuntime_container.go, setTerminationGracePeriod and killContainer;
kuberuntime_manager.go, computePodActions; pkg/kubelet/status/generate.go; staging/src/k8s.io/endpointslice/utils.go.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind
from tocsin.probes.versions import CURRENT, PROBE_GRACE, Version

LEAST_GRACE = 2.0
"""Seconds that a process has between SIGTERM and SIGKILL, whatever its hook took."""


class Standing(StrEnum):
    """The state of a container in the pod's status."""

    WAITING = "waiting"
    RUNNING = "running"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class RestartRule:
    """A container's own restart policy (1.35 on), and the exit codes that bring it back under `Never`."""

    policy: str
    codes: tuple[int, ...] = ()

    def restarts(self, exit_code: int | None) -> bool:
        """Tell whether a container that ended with a code comes back; None if there is no code yet."""
        return (exit_code is not None and exit_code in self.codes) or restarts(self.policy, exit_code)


def restarts(policy: str, exit_code: int | None) -> bool:
    """Tell whether a restart policy brings a container back; without an exit code, only `Never` does not."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def kill_grace(
    pod_grace: float | None,
    probe_grace: float | None = None,
    *,
    deletion_grace: float | None = None,
    version: Version | None = None,
) -> float:
    """Return the seconds that a probe leaves a container between the word to end and the end.

    `probe_grace` is that of the probe that failed, `deletion_grace` that of a pod that is being deleted already.
    """
    if deletion_grace is not None:
        return deletion_grace
    if probe_grace is not None and (version or CURRENT).has(PROBE_GRACE):
        return probe_grace
    return LEAST_GRACE if pod_grace is None else pod_grace


def grace_of(pod: PodSpec, container: ContainerSpec, kind: ProbeKind, version: Version) -> float:
    """Return the grace of a container that a probe of a kind ends."""
    probe = container.probe(kind)
    return kill_grace(pod.grace, probe.grace if probe else None, version=version)


def kill_seconds(grace: float, *, pre_stop: float = 0.0, stops_in: float | None = None) -> float:
    """Return the seconds from the decision to the end.

    `pre_stop` is how long the hook takes, `stops_in` how long the process takes after SIGTERM; None if it ignores it.
    """
    hook = min(pre_stop, grace) if grace > 0 else 0.0
    left = max(grace - hook, LEAST_GRACE)
    return hook + (left if stops_in is None else min(stops_in, left))


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a container is ended, as the kubelet's event says it."""

    message: str
    restarts: bool


def ended_by(name: str, kind: ProbeKind, policy: str, *, sidecar: bool = False) -> Ended:
    """Return what a probe's failure does to a container."""
    back = sidecar or policy != "Never"
    who = f"{'Init container' if sidecar else 'Container'} {name} failed {kind} probe"
    return Ended(f"{who}, will be restarted" if back else who, back)


@dataclass(frozen=True, slots=True)
class Status:
    """A container in the pod's status."""

    ready: bool
    started: bool


def status(
    standing: Standing,
    *,
    startup: str | None = None,
    readiness: str | None = None,
    startup_worker: bool = False,
    readiness_worker: bool = False,
    inherited: bool = False,
) -> Status:
    """Return what a pod's status says of a container with these stored results and workers.

    `inherited` is the defect of 1.35 and 1.36: the name was started before, and so the new container is.
    """
    running = standing is Standing.RUNNING
    started = running and (startup == "success" or not startup_worker or inherited)
    ready = started and (readiness == "success" or (readiness != "success" and not readiness_worker))
    return Status(ready, started)


def init_status(standing: Standing, *, exit_code: int | None = None, sidecar: bool = False) -> Status:
    """Return what a pod's status says of an init container without probes."""
    running = standing is Standing.RUNNING
    if sidecar:
        return Status(running, running)
    return Status(standing is Standing.TERMINATED and exit_code == 0, started=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a pod."""

    true: bool
    reason: str = ""


def containers_ready(names: Iterable[str], ready: Mapping[str, bool] | None, phase: str = "Running") -> Condition:
    """Return the condition ContainersReady; `ready` is by container, as far as there are statuses."""
    if ready is None:
        return Condition(true=False, reason="UnknownContainerStatuses")
    if phase in ("Succeeded", "Failed"):
        return Condition(true=False, reason="PodCompleted" if phase == "Succeeded" else "PodFailed")
    whole = all(ready.get(name, False) for name in names)
    return Condition(true=whole, reason="" if whole else "ContainersNotReady")


def pod_ready(containers: Condition, gates: Iterable[str], conditions: Mapping[str, bool]) -> Condition:
    """Return the condition Ready of a pod with readiness gates."""
    if not containers.true:
        return containers
    open_ = all(conditions.get(gate, False) for gate in gates)
    return Condition(true=open_, reason="" if open_ else "ReadinessGatesNotReady")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an EndpointSlice says of a pod."""

    ready: bool
    serving: bool
    terminating: bool


def endpoint(*, pod_ready: bool, deleting: bool = False, publish_not_ready: bool = False) -> Endpoint:
    """Return the endpoint of a pod behind a Service; `publish_not_ready` is its publishNotReadyAddresses."""
    return Endpoint(publish_not_ready or (pod_ready and not deleting), pod_ready, deleting)


def next_may_start(standing: Standing, startup: str | None, *, startup_worker: bool) -> bool:
    """Tell whether the container after a sidecar may start: readiness and liveness of the sidecar do not count."""
    return standing is Standing.RUNNING and (not startup_worker or startup == "success")
