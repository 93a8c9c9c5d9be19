"""The lives that are still to be followed, in the order of time; those that hardly differ are followed as one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tocsin.probes.state import Event, State
from tocsin.probes.window import ZERO, Window

CLOSE = 0.1
"""Seconds by which two moments that are taken for one may become wider than the wider of them."""
CLOSE_SHARE = 0.25
"""The same, as a part of how wide that is."""


@dataclass(slots=True)
class _Entry:
    """A state, apart from its moments, and those."""

    state: State
    moments: tuple[Window, ...]
    waits: bool = True


@dataclass(slots=True)
class Frontier:
    """States by what they are apart from their moments."""

    known: dict[Hashable, list[_Entry]] = field(default_factory=dict)
    waiting: list[tuple[float, int, _Entry]] = field(default_factory=list)
    count: int = 0

    def add(self, state: State) -> None:
        """Add a state, unless one is known that allows all that it does; join it with one that hardly differs."""
        moments = _moments(state)
        entries = self.known.setdefault(_apart(state), [])
        for entry in entries:
            if all(_within(new, old) for new, old in zip(moments, entry.moments, strict=True)):
                return
        for number, entry in enumerate(entries):
            if entry.waits and all(_close(new, old) for new, old in zip(moments, entry.moments, strict=True)):
                entry.waits = False
                moments = tuple(new.hull(old) for new, old in zip(moments, entry.moments, strict=True))
                state = _with(state, moments)
                del entries[number]
                break
        entry = _Entry(state, moments)
        entries.append(entry)
        self.count += 1
        heappush(self.waiting, (_next(entry.state), self.count, entry))

    def left(self) -> list[State]:
        """Return the states that still wait."""
        return [entry.state for *_, entry in self.waiting if entry.waits]

    def pop(self) -> State | None:
        """Return the state whose next event comes first; None if none waits."""
        while self.waiting:
            entry = heappop(self.waiting)[2]
            if entry.waits:
                entry.waits = False
                return entry.state
        return None


def _within(inner: Window, outer: Window) -> bool:
    return outer.earliest <= inner.earliest and inner.latest <= outer.latest


def _close(one: Window, other: Window) -> bool:
    most = (1 + CLOSE_SHARE) * max(one.width, other.width) + CLOSE + _ROUNDING
    return one.meets(other) and max(one.latest, other.latest) - min(one.earliest, other.earliest) <= most


_ROUNDING = 1e-6


def _sorted(state: State) -> list[Event]:
    return sorted(state.agenda, key=lambda each: (each.what, each.when))


def _moments(state: State) -> tuple[Window, ...]:
    """Return all moments of a state, in an order that `_with` knows."""
    return (
        state.start,
        state.seen_start,
        state.finished or ZERO,
        state.backoff.moved,
        *(each.when for each in _sorted(state)),
        *(each.origin for each in state.tracks),
    )


def _with(state: State, moments: tuple[Window, ...]) -> State:
    """Return a state with other moments."""
    start, seen_start, finished, moved, *rest = moments
    agenda = tuple(each._replace(when=when) for each, when in zip(_sorted(state), rest, strict=False))
    origins = rest[len(agenda) :]
    return state._replace(
        start=start,
        seen_start=seen_start,
        finished=None if state.finished is None else finished,
        backoff=state.backoff._replace(moved=moved),
        agenda=agenda,
        tracks=tuple(each._replace(origin=origin) for each, origin in zip(state.tracks, origins, strict=True)),
    )


def _apart(state: State) -> Hashable:
    """Return what a state is, apart from its moments."""
    return (
        state.mode,
        state.instance,
        state.exit_code,
        state.finished is None,
        state.backoff.delay,
        state.seen,
        state.standing,
        state.started,
        state.ready,
        state.flips,
        state.kills,
        tuple((each.what, each.track, each.kind, each.cause, each.decides) for each in _sorted(state)),
        tuple(
            (each.worker, each.due, each.began, each.ends, each.outcome, each.asked, each.poked, each.skips)
            for each in state.tracks
        ),
    )


def _next(state: State) -> float:
    """Return when the next event comes, at the latest."""
    moments = [each.when.latest for each in state.agenda]
    moments += [track.next(number).when.latest for number, track in enumerate(state.tracks)]
    return min(moments, default=0.0)
