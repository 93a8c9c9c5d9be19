"""What an experiment saw, as values that are written whole and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from tocsin.atomic import write_json
from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.marks import MarkKind
from tocsin.probes.specification import ProbeKind


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt. Moments are seconds since the episode began."""

    kind: ProbeKind
    instance: int
    """Of which start of the container: 0 is the first."""
    due: float
    started: float
    seconds: float
    """How long it took, all its tries together."""
    outcome: Outcome
    reason: Reason
    message: str = ""
    pod: str = ""
    """Which was asked, in a cluster."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A change that followed: ready, not ready, killed, restarted."""

    kind: MarkKind
    number: int
    at: float
    because: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that was done, or that happened: `SIGSTOP backend`, `load begins`, `exited with 0`."""

    at: float
    what: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests that were sent beside the attempts, as a client that waits for an answer."""

    sent: int = 0
    answered: int = 0
    lost: tuple[tuple[float, str], ...] = ()
    """When each that was not answered was sent, and why it was not."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A mark that was foreseen before the experiment began, from what was measured before it."""

    kind: MarkKind
    number: int
    earliest: float
    """Seconds after the action from which the experiment counts: `load begins`."""
    latest: float
    share: float
    """Of the lives that were drawn, from 0 to 1, how many had it."""


@dataclass(frozen=True, slots=True)
class InstanceSeen:
    """One start of a container in a cluster. Moments are seconds since the episode began, cut off to whole seconds."""

    number: int
    """How many came before it, as the kubelet counts."""
    started: float | None
    """When the runtime started it: up to a second more than this."""
    finished: float | None = None
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A pod of the workload, as the API server told it while it was watched."""

    name: str
    before: bool
    """Whether it was there when the episode began."""
    ready: tuple[tuple[float, bool], ...] = ()
    """Its condition Ready when it was seen first, and each change, with when that was received."""
    instances: tuple[InstanceSeen, ...] = ()
    """Of the container."""
    told_to_end: float | None = None
    """When it was received that the pod is deleted."""
    successes: Mapping[ProbeKind, int] = field(default_factory=dict, hash=False)
    """Attempts that the kubelet counted from the episode's begin to its end; empty if its counts cannot be read."""
    failures: Mapping[ProbeKind, int] = field(default_factory=dict, hash=False)

    @property
    def restarts(self) -> int:
        """How often its container was started again while it was watched."""
        return max(0, len(self.instances) - 1)


@dataclass(frozen=True, slots=True)
class Episode:
    """One experiment on one container."""

    name: str
    """`idle`, `load`, `boot-3`, `without-NAME-killed`, `without-NAME-frozen`, `drain`, `hang`, `storm`, `cost`;
    in a cluster also `watch`, `kill` and `without-NAME-gone`."""
    subject: str
    began: float
    """Unix time."""
    lasted: float
    """Seconds."""
    attempts: tuple[Attempted, ...] = ()
    marks: tuple[Marked, ...] = ()
    """Of a life that followed the attempts, as under a kubelet; empty where nothing was allowed to follow."""
    actions: tuple[Action, ...] = ()
    asked: Asked = Asked()
    cpu_seconds: float | None = None
    """Which the process used meanwhile, by the kernel's account."""
    exit_code: int | None = None
    """With which it ended, negative for a signal; None if it did not."""
    exited: float | None = None
    unasked: Mapping[ProbeKind, str] = field(default_factory=dict, hash=False)
    """Probes that could not be asked, and why."""
    foreseen: tuple[Foreseen, ...] = ()
    pods: tuple[PodSeen, ...] = ()
    """Of a workload in a cluster."""
    differences: tuple[str, ...] | None = None
    """In what the container that runs in a cluster differs from its manifest; None of one that was not looked at."""
    kubernetes: str = ""
    """The version of the cluster."""
    lacking: str = ""
    """Why the experiment could not be made; nothing else is known then."""
    declined: bool = False
    """Whether it is lacking because its owner does not allow it, or because it is not done in such a place."""

    def of(self, kind: ProbeKind) -> tuple[Attempted, ...]:
        """Return the attempts of one probe."""
        return tuple(each for each in self.attempts if each.kind is kind)

    def action(self, what: str) -> float | None:
        """Return when something was done first; None if it was not."""
        return next((each.at for each in self.actions if each.what.startswith(what)), None)


_EPISODE = TypeAdapter(Episode)


def write_episode(episode: Episode, folder: Path) -> None:
    """Write an episode, whole or not at all."""
    write_json(folder / f"{episode.name}.json", _EPISODE.dump_python(episode, mode="json"))


def read_episodes(folder: Path) -> Mapping[str, Episode]:
    """Return the episodes of a container by name. Raises OSError, or ValueError for what is none."""
    found = (_EPISODE.validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json")))
    return {each.name: each for each in found}
