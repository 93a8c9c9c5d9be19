"""Where a probed container stands at a moment, as far as it is known."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from tocsin.probes.attempt import Outcome
from tocsin.probes.backoff import Backoff
from tocsin.probes.container import Standing
from tocsin.probes.marks import Cause
from tocsin.probes.specification import ProbeKind
from tocsin.probes.window import ZERO, Window
from tocsin.probes.worker import Worker


class Happening(IntEnum):
    """What happens to a container; at the same moment, in this order."""

    EXIT = 0
    END = 1
    GONE = 2
    START = 3
    SEEN = 4
    RESULT = 5
    SYNC = 6
    KILL = 7
    TICK = 8


class Event(NamedTuple):
    """Something that will happen."""

    what: Happening
    when: Window
    track: int = -1
    """For ticks and results, whose."""
    kind: ProbeKind | None = None
    """For a kill, the probe that failed."""
    cause: Cause | None = None
    """For an end and for a start."""
    decides: bool = True
    """For what is gone: whether it is to be decided yet if it comes back."""


class Mode(StrEnum):
    """What the container's process does."""

    RUNNING = "running"
    ENDING = "ending"
    """It was told to end."""
    DOWN = "down"
    """It will be started again."""
    OVER = "over"
    """It will not."""


class Track(NamedTuple):
    """A worker and its ticker. Times are seconds after `origin`, a tick."""

    worker: Worker
    origin: Window
    due: Window = ZERO
    """The next tick."""
    began: Window = ZERO
    """The attempt that is being made."""
    ends: Window | None = None
    """Its end; None if none is being made."""
    outcome: Outcome | None = None
    asked: int = 0
    """How many attempts the running process has seen."""
    poked: bool = False
    """Whether an attempt out of turn waits."""
    skips: float | None = None
    """The first tick that is left out because it changes nothing; None if none is."""

    def next(self, number: int) -> Event:
        """Return what it does next; `number` is its own."""
        if self.ends is not None:
            return Event(Happening.RESULT, self.origin + self.ends, number)
        return Event(Happening.TICK, self.origin + self.due, number)


class State(NamedTuple):
    """A container and its workers."""

    tracks: tuple[Track, ...]
    agenda: tuple[Event, ...] = ()
    mode: Mode = Mode.DOWN
    instance: int = -1
    """Of the process, counted from 0."""
    start: Window = ZERO
    finished: Window | None = None
    """When the newest instance that ended did so."""
    exit_code: int = 0
    backoff: Backoff = Backoff()
    seen: int = -1
    """The instance that the pod's status shows; -1 for none."""
    seen_start: Window = ZERO
    standing: Standing = Standing.WAITING
    started: bool = False
    ready: bool = False
    flips: int = 0
    """How often Ready changed."""
    kills: int = 0
    """How often it was told to end."""

    def with_track(self, number: int, track: Track) -> State:
        """Return the state with another track."""
        return self._replace(tracks=(*self.tracks[:number], track, *self.tracks[number + 1 :]))

    def planning(self, *events: Event) -> State:
        """Return the state with more to happen."""
        return self._replace(agenda=(*self.agenda, *events))

    def without(self, *whats: Happening) -> State:
        """Return the state with some of what was to happen called off."""
        return self._replace(agenda=tuple(each for each in self.agenda if each.what not in whats))

    def track_of(self, kind: ProbeKind) -> Track | None:
        """Return the track of a kind of probe."""
        return next((each for each in self.tracks if each.worker.kind is kind), None)
