"""What a pod says of its probes, with the values that the API server fills in.

(Kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_Probe; pkg/apis/core/validation/validation.go.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.probes import Timing
from tocsin.model.workloads import DEFAULT_GRACE, Container, Probe, Workload, workloads
from tocsin.part import Part
from tocsin.source import Document


class ProbeKind(StrEnum):
    """What a probe is asked for."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One probe of a container: what it asks, and the numbers as they apply."""

    kind: ProbeKind
    timing: Timing
    handler: str = "httpGet"
    """One of `exec`, `httpGet`, `tcpSocket`, `grpc`; empty if the manifest does not name exactly one."""
    action: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What stands under the handler, as the API has it."""
    grace: float | None = None
    """Seconds between SIGTERM and SIGKILL when this probe ends the container, in place of the pod's."""

    @property
    def delay(self) -> float:
        """Seconds from the container's start until the first attempt may be made."""
        return self.timing.delay

    @property
    def period(self) -> float:
        """Seconds between two attempts."""
        return self.timing.period

    @property
    def timeout(self) -> float:
        """Seconds that one try may take."""
        return self.timing.timeout

    @property
    def failures(self) -> int:
        """How many failures in a row make a failure."""
        return self.timing.failures

    @property
    def successes(self) -> int:
        """How many successes in a row make a success."""
        return self.timing.successes

    @classmethod
    def of(cls, probe: Probe) -> ProbeSpec:
        """Return a manifest's probe."""
        grace = probe.part.number("terminationGracePeriodSeconds")
        action = probe.action.value
        return cls(
            kind=ProbeKind(probe.word),
            timing=probe.timing,
            handler=probe.handler,
            action=action if isinstance(action, dict) else {},
            grace=grace if grace is not None and grace > 0 else None,
        )


def probe_spec(
    kind: ProbeKind,
    *,
    delay: float = 0,
    period: float = 10,
    timeout: float = 1,
    failures: int = 3,
    successes: int = 1,
    grace: float | None = None,
) -> ProbeSpec:
    """Return a probe of given numbers; what is left out has the API's default."""
    return ProbeSpec(kind, Timing(delay, period, timeout, failures, successes), grace=grace)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What of a container matters to its probes."""

    name: str = "app"
    probes: tuple[ProbeSpec, ...] = ()
    init: bool = False
    sidecar: bool = False
    """An init container that runs as long as the pod does; it is always restarted."""
    pre_stop: float = 0.0
    """Seconds that its preStop hook takes, where the manifest says so (`sleep`); else 0."""

    def probe(self, kind: ProbeKind) -> ProbeSpec | None:
        """Return its probe of a kind."""
        return next((each for each in self.probes if each.kind is kind), None)

    @classmethod
    def of(cls, container: Container) -> ContainerSpec:
        """Return a manifest's container."""
        pre_stop = container.part.number("lifecycle", "preStop", "sleep", "seconds")
        return cls(
            name=container.name,
            probes=tuple(ProbeSpec.of(each) for each in container.probes if len(each.handlers) == 1),
            init=container.init,
            sidecar=container.sidecar,
            pre_stop=max(0.0, pre_stop or 0.0),
        )


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What of a pod matters to its probes."""

    containers: tuple[ContainerSpec, ...] = ()
    """Those that run as long as the pod does: sidecars first."""
    restart_policy: str = "Always"
    grace: float = DEFAULT_GRACE
    """Seconds between SIGTERM and SIGKILL."""
    gates: tuple[str, ...] = ()
    """Conditions of others that it takes to be ready (`readinessGates`)."""

    @classmethod
    def of(cls, workload: Workload) -> PodSpec:
        """Return the pods of a manifest's workload."""
        return cls(
            containers=tuple(ContainerSpec.of(each) for each in workload.running),
            restart_policy=workload.restart_policy,
            grace=workload.grace,
            gates=tuple(part.string("conditionType") for part in workload.spec.list("readinessGates")),
        )


ORDINARY_POD = PodSpec()
"""One that says nothing of its own."""


def pod_of_api(value: Mapping[str, Any]) -> PodSpec:
    """Return a pod, or what makes pods, as the API server gives it in JSON.

    Raises ValueError if it is neither.
    """
    document = Document("the API's answer", dict(value), {}, {})
    found = workloads([KubernetesObject(Part.whole(document))])
    if not found:
        kind = value.get("kind", "nothing with a kind")
        raise ValueError(f"{kind} makes no pods: give a Pod, or what makes some, with apiVersion, kind and spec")
    return PodSpec.of(found[0])
