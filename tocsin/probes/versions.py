"""What differs from one version of the kubelet to another, as named facts, each with its source.

Paths are those of kubernetes/kubernetes; a number with # is an issue or a pull request there.
"""

from __future__ import annotations

from dataclasses import dataclass

OLDEST, NEWEST = 20, 37
"""The minor versions of Kubernetes 1 that are known here."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that holds from one minor version on, to another."""

    name: str
    says: str
    source: str
    since: int | None = OLDEST
    """The first minor version that has it; None if none has it by default."""
    until: int | None = None
    """The last minor version that has it; None if the newest still does."""

    def holds(self, minor: int) -> bool:
        """Tell whether it holds in Kubernetes 1.`minor`. Raises ValueError for a version that is not known here."""
        if not OLDEST <= minor <= NEWEST:
            raise ValueError(f"Kubernetes 1.{minor} is not known: the kubelet's rules here are those of 1.20 to 1.37")
        return self.since is not None and self.since <= minor and (self.until is None or minor <= self.until)


JITTER_ALWAYS = Fact(
    "jitter-always",
    "each worker first waits a random part of its period, so that no two tick together",
    "pkg/kubelet/prober/worker.go, run; only for a young kubelet from #98376 on",
    until=20,
)
MANUAL_TRIGGER = Fact(
    "manual-trigger",
    "readiness is tried at once when the pod's status is made anew and the container is not ready",
    "pkg/kubelet/prober/prober_manager.go, UpdatePodStatus; #98376, mended in #101738",
    since=21,
)
TRIGGER_RESETS_TICKER = Fact(
    "trigger-resets-ticker",
    "after such an attempt the next one is a full period later",
    "pkg/kubelet/prober/worker.go, run; in 1.32.10, not in a copy of 2023; the version between is not known exactly",
    since=29,
)
STARTUP_SYNCS = Fact(
    "startup-syncs",
    "a result of a startup probe has the pod synced at once; before, it waited for the next sync",
    "pkg/kubelet/kubelet.go, syncLoopIteration; #98007, #98376",
    since=21,
)
STARTUP_HOLDS_AFTER_SUCCESS = Fact(
    "startup-holds-after-success",
    "a startup worker rests after a success too; before, it only idled while the container counted as started",
    "pkg/kubelet/prober/worker.go, doProbe; #117153",
    since=28,
)
PROBE_GRACE = Fact(
    "probe-grace",
    "a probe may have a grace period of its own",
    "pkg/features/kube_features.go, ProbeTerminationGracePeriod",
    since=22,
)
GRPC = Fact("grpc", "a probe may ask by gRPC", "pkg/features/kube_features.go, GRPCContainerProbe", since=24)
SIDECARS = Fact(
    "sidecars",
    "an init container with restartPolicy Always runs as long as the pod, and may have probes",
    "pkg/features/kube_features.go, SidecarContainers",
    since=29,
)
SIDECAR_WORKER_STOPS = Fact(
    "sidecar-worker-stops",
    "the workers of a sidecar that ended stop for good where the pod's restartPolicy is Never",
    "pkg/kubelet/prober/worker.go, doProbe; #133072 mended it",
    since=29,
    until=34,
)
SIDECAR_LIVENESS_IN_TERMINATION = Fact(
    "sidecar-liveness-in-termination",
    "the liveness of sidecars is still probed while the pod ends",
    "pkg/kubelet/prober/prober_manager.go, StopLivenessAndStartup; #141766 mended it",
    since=29,
    until=36,
)
CONTAINER_RESTART_RULES = Fact(
    "container-restart-rules",
    "a container may have a restart policy and rules of its own",
    "pkg/features/kube_features.go, ContainerRestartRules",
    since=35,
)
READY_KEPT_OVER_KUBELET_RESTART = Fact(
    "ready-kept-over-kubelet-restart",
    "a kubelet that starts again leaves Ready and started as they were until a probe says otherwise",
    "pkg/kubelet/prober/worker.go; KEP-4781",
    since=35,
)
STARTED_INHERITED = Fact(
    "started-inherited",
    "after a restart by liveness the new container counts as started until the startup worker's next tick",
    "pkg/kubelet/kubelet_pods.go, convertToAPIContainerStatuses; #141155, mended in #141342",
    since=35,
    until=36,
)
BACKOFF_WAKES_AT_EXPIRY = Fact(
    "backoff-wakes-at-expiry",
    "a container that is backed off is tried again when the time is over, times 1 to 1.5; before, every 10 to 15 s",
    "pkg/kubelet/pod_workers.go, completeWork; in 1.36.2, not in 1.32.10",
    since=33,
)
BACKOFF_CAP_CONFIGURABLE = Fact(
    "backoff-cap-configurable",
    "crashLoopBackOff.maxContainerRestartPeriod of the kubelet's configuration sets the longest wait",
    "pkg/features/kube_features.go, KubeletCrashLoopBackOffMax",
    since=35,
)
BACKOFF_DECAY_REDUCED = Fact(
    "backoff-decay-reduced",
    "waits begin at 1 s and end at 60 s (alpha, off by default)",
    "pkg/features/kube_features.go, ReduceDefaultCrashLoopBackOffDecay",
    since=None,
)

PROBES = Fact("probes", "containers are probed", "pkg/kubelet/prober")

FACTS = tuple(each for each in list(globals().values()) if isinstance(each, Fact))


@dataclass(frozen=True, slots=True)
class Version:
    """A version of Kubernetes, and the features that are switched on against its default."""

    minor: int = 36
    enabled: tuple[str, ...] = ()
    """Names of facts that a feature gate brings."""

    def __post_init__(self) -> None:
        PROBES.holds(self.minor)

    def has(self, fact: Fact) -> bool:
        """Tell whether something holds in it."""
        return fact.name in self.enabled or fact.holds(self.minor)

    def __str__(self) -> str:
        return f"1.{self.minor}"


CURRENT = Version()
"""The newest of which the sources were read whole."""


def read_version(text: str) -> Version:
    """Return the version that `1.20`, `v1.32.10` or `1.27+` names.

    Raises ValueError, with what is known, for anything else.
    """
    major, _, rest = text.strip().removeprefix("v").partition(".")
    minor = rest.partition(".")[0].rstrip("+")
    if major != "1" or not minor.isdecimal():
        raise ValueError(f"{text!r} is no version of Kubernetes: write it as 1.20 or v1.32.10")
    return Version(int(minor))
