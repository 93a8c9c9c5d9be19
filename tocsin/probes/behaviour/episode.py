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
class Episode:
    """One experiment on one container."""

    name: str
    """`idle`, `load`, `boot-3`, `without-NAME-killed`, `without-NAME-frozen`, `drain`, `hang`, `storm`, `cost`."""
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
    lacking: str = ""
    """Why the experiment could not be made; nothing else is known then."""

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
