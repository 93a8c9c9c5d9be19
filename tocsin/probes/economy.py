"""What need not be followed: ticks that change nothing, and differences too small to matter.

Both only concern predictions. A tick of a worker that rests, or that sees the same answer for the tenth time, is left
out until something may change for it. Moments are rounded outward, so that lives that hardly differ become one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

from tocsin.probes.container import Standing
from tocsin.probes.ground import Chance
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind
from tocsin.probes.state import Event, Happening, Mode, State, Track
from tocsin.probes.window import ZERO, Window

GRID = 0.1
"""Seconds; moments that are not known exactly are rounded outward to multiples of it."""
MOVED_GRID = 5.0
"""The same for what is only asked whether it is ten minutes ago."""
_COARSER = 20
"""A window that is so many times wider than the grid is rounded to a coarser one."""
_WAKING = (Happening.START, Happening.SEEN, Happening.EXIT, Happening.GONE, Happening.END)
_NEVER = Window(math.inf, math.inf)


@dataclass(slots=True)
class Economy:
    """How much is left out for one container."""

    setup: Setup
    chance: Chance

    def after(self, state: State, event: Event, found: list[State]) -> list[State]:
        """Return the states that follow an event, with what need not be followed left out."""
        kind = state.tracks[event.track].worker.kind if event.track >= 0 else None
        result: list[State] = []
        for each in found:
            settled = self._settled(each, kind, event.when) if kind is not None else each
            wakes = event.what in _WAKING or each.started is not state.started
            result += [self._tidy(one) for one in (_woken(settled, event.when) if wakes else [settled])]
        return result

    def _settled(self, state: State, kind: ProbeKind, when: Window) -> State:
        """Return the state with a worker's next ticks left out, as far as they change nothing."""
        for number, track in enumerate(state.tracks):
            if track.worker.kind is kind and track.ends is None and track.skips is None:
                until = _NEVER.earliest if idle(track, state) else self._steady_until(track, state, when)
                if until is not None:
                    return state.with_track(number, _asleep(track, until))
        return state

    def _steady_until(self, track: Track, state: State, when: Window) -> float | None:
        """Return until when a worker's attempts change nothing; None if the next one may."""
        worker, behaviour = track.worker, self.setup.life(state.instance).behaviour(track.worker.kind)
        if behaviour.attempts or state.mode is not Mode.RUNNING or not track.due.exact:
            return None
        if not worker.identity == str(state.seen) == str(state.instance) or state.standing is not Standing.RUNNING:
            return None
        limit = state.seen_start + worker.spec.delay - self.chance("truncated", state.seen_start)
        zero = state.start + self.chance("booted", state.start)
        age = when - zero
        answer = behaviour.at(age.earliest)
        if when.earliest < limit.latest or behaviour.at(age.latest) != answer or answer.seconds != 0:
            return None
        if worker.judge(answer.outcome) != worker:
            return None
        later = [change for change in behaviour.changes if change > age.earliest]
        return zero.earliest + min(later) if later else math.inf

    def _tidy(self, state: State) -> State:
        """Return the state without what no longer matters, its moments rounded outward."""
        delays = any(each.worker.spec.delay for each in state.tracks)
        return state._replace(
            tracks=tuple(self._tidy_track(each, state) for each in state.tracks),
            agenda=tuple(sorted((each._replace(when=outward(each.when)) for each in state.agenda), key=_by_moment)),
            start=outward(state.start) if state.mode in (Mode.RUNNING, Mode.ENDING) else ZERO,
            seen_start=outward(state.seen_start) if delays else ZERO,
            finished=None if state.finished is None else outward(state.finished),
            backoff=state.backoff._replace(moved=outward(state.backoff.moved, MOVED_GRID)),
        )

    def _tidy_track(self, track: Track, state: State) -> Track:
        attempts = self.setup.life(max(0, state.instance)).behaviour(track.worker.kind).attempts
        asked = min(track.asked, len(attempts))
        began = ZERO if track.ends is None else track.began
        return track._replace(origin=outward(track.origin), asked=asked, began=began)


def idle(track: Track, state: State) -> bool:
    """Tell whether a worker's ticks do nothing as things stand."""
    if state.standing is not Standing.RUNNING or state.seen < 0:
        return True
    known = track.worker.identity == str(state.seen)
    if track.worker.resting and known:
        return True
    if track.worker.kind is ProbeKind.STARTUP:
        return state.started and known
    # A readiness worker that meets its container has the pod synced, and so tried out of turn: that tick counts.
    return known and not state.started


def outward(window: Window, grid: float = GRID) -> Window:
    """Return a window that begins and ends on the grid, and holds the other; an exact moment stays."""
    if window.exact:
        return window
    while window.width > _COARSER * grid:
        grid *= 2
    low = math.floor(window.earliest / grid + _ROUNDING) * grid
    return Window(low, math.ceil(window.latest / grid - _ROUNDING) * grid)


_ROUNDING = 1e-6


def _asleep(track: Track, until: float) -> Track:
    """Return a track whose next tick is the first that may come at a moment or later."""
    if math.isinf(until):
        return track._replace(skips=track.due.earliest, due=_NEVER)
    number = max(_first(track, until), round(track.due.earliest / track.worker.spec.period))
    due = Window.at(number * track.worker.spec.period)
    return track if due == track.due else track._replace(skips=track.due.earliest, due=due)


def _first(track: Track, moment: float) -> int:
    """Return the number of the first tick that is not certainly before a moment."""
    return math.ceil((moment - track.origin.latest) / track.worker.spec.period - _ROUNDING)


def _woken(state: State, when: Window) -> list[State]:
    """Return the states in which workers tick again, because something changed for them at a moment.

    A tick that may have come before or after the moment did either.
    """
    found = [state]
    for number, track in enumerate(state.tracks):
        if track.skips is None or track.ends is not None or idle(track, state):
            continue
        found = [each.with_track(number, one) for each in found for one in _rearmed(track, when)]
    return found


def _rearmed(track: Track, when: Window) -> list[Track]:
    """Return the track with each tick that may be the first after a moment."""
    period = track.worker.spec.period
    first = max(_first(track, when.earliest), math.ceil((track.skips or 0.0) / period - _ROUNDING))
    found: list[Track] = []
    for number in count(first):
        due = number * period
        if due > track.due.latest:
            return [*found, track]
        latest = when.latest - due + period if number > first else math.inf
        part = track.origin.clipped(earliest=when.earliest - due - _ROUNDING, latest=latest)
        if part is not None:
            found.append(track._replace(origin=part, due=Window.at(due), skips=None))
        if track.origin.earliest + due >= when.latest:
            break
    return found


def _by_moment(event: Event) -> tuple[float, float, int]:
    return (event.when.latest, event.when.earliest, event.what)
