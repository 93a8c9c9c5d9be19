"""What a worker does at a tick, out of turn, and when an attempt ends.

(Kubernetes: pkg/kubelet/prober/worker.go, run and doProbe.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from tocsin.probes.attempt import REFUSED, Answer, Outcome
from tocsin.probes.ground import Chance
from tocsin.probes.journal import Journal
from tocsin.probes.marks import Made
from tocsin.probes.setup import Setup
from tocsin.probes.state import Mode, State, Track
from tocsin.probes.versions import TRIGGER_RESETS_TICKER
from tocsin.probes.window import ZERO, Window
from tocsin.probes.worker import ContainerView, PodView, Step, Worker

Stored = Callable[[State, int, Worker, Window], list[State]]

_ROUNDING = 1e-9


@dataclass(slots=True)
class Probing:
    """The rules of attempts, for one container."""

    CUT: ClassVar[Outcome] = Outcome.FAILURE
    """What becomes of an attempt whose container ends: it is reset, or refused when it is tried again."""

    setup: Setup
    chance: Chance
    journal: Journal
    stored: Stored

    def tick(self, state: State, number: int, when: Window) -> list[State]:
        """Return the states after a tick."""
        track = state.tracks[number]
        period = track.worker.spec.period
        found = []
        for began, following in _following(track.due, period):
            found += self._probe(state, number, track._replace(began=began, due=Window.at(following), skips=None), when)
        return found

    def poked(self, state: State, number: int, when: Window, *, lost: bool = False) -> list[State]:
        """Return the states after an attempt out of turn was asked for; a lost one finds no container."""
        track = state.tracks[number]
        if track.ends is not None:
            return [state if lost else state.with_track(number, track._replace(poked=True))]
        track = self._reset(track, when)
        if lost:
            return [state.with_track(number, track)]
        return self._probe(state, number, track, when)

    def _reset(self, track: Track, when: Window) -> Track:
        period = Window.at(track.worker.spec.period)
        if self.setup.version.has(TRIGGER_RESETS_TICKER):
            return track._replace(origin=when, began=ZERO, due=period, poked=False, skips=None)
        return track._replace(began=when - track.origin, poked=False)

    def _probe(self, state: State, number: int, track: Track, when: Window) -> list[State]:
        before = track.worker
        worker, step = before.tick(self._view(state, due=True))
        if step is Step.ATTEMPT and before.spec.delay:
            found = []
            for clipped, due in self._due(state, before.spec.delay, when):
                worker, step = before.tick(self._view(state, due=due))
                narrow = _narrowed(track, clipped)
                found += self._stepped(state, number, narrow._replace(worker=worker), step, clipped)
            return found
        return self._stepped(state, number, track._replace(worker=worker), step, when)

    def _view(self, state: State, *, due: bool) -> PodView:
        policy = self.setup.restart_policy
        if state.seen < 0:
            return PodView(None, restart_policy=policy)
        container = ContainerView(str(state.seen), state.standing, state.started, due=due)
        return PodView(container, restart_policy=policy)

    def _due(self, state: State, delay: float, when: Window) -> Iterator[tuple[Window, bool]]:
        """Yield whether the initial delay is over, and the part of the moment at which it is so."""
        limit = state.seen_start + delay - self.chance("truncated", state.seen_start)
        if when.earliest + _ROUNDING >= limit.latest:
            yield when, True
        elif when.latest + _ROUNDING < limit.earliest:
            yield when, False
        else:
            yield when.clipped(earliest=limit.earliest) or Window.at(when.latest), True
            yield when.clipped(latest=limit.latest) or Window.at(when.earliest), False

    def _stepped(self, state: State, number: int, track: Track, step: Step, when: Window) -> list[State]:
        before = state.tracks[number].worker
        if step is Step.ATTEMPT:
            return [
                after
                for shown in self.stored(state.with_track(number, track), number, before, when)
                for after in self._attempt(shown, number, when)
            ]
        found = self.stored(state.with_track(number, track), number, before, when)
        if step is Step.SKIP:
            return found
        return [each._replace(tracks=(*each.tracks[:number], *each.tracks[number + 1 :])) for each in found]

    def _attempt(self, state: State, number: int, when: Window) -> list[State]:
        track = state.tracks[number]
        found = []
        for answer, clipped in self._answers(state, track, when):
            made = answer.within(track.worker.spec.timeout)
            seconds = made.seconds or 0.0
            if self.journal.attempts is not None:
                kind, instance = track.worker.kind, state.seen
                self.journal.attempts.append(Made(kind, instance, clipped.earliest, seconds, made.outcome))
            asked = _narrowed(track, clipped)._replace(asked=track.asked + 1)
            if seconds:
                flying = asked._replace(ends=asked.began + seconds, outcome=made.outcome)
                found.append(state.with_track(number, flying))
            else:
                found += self._judged(state, number, asked, made.outcome, clipped)
        return found

    def _answers(self, state: State, track: Track, when: Window) -> Iterator[tuple[Answer, Window]]:
        """Yield each answer that may be given, and the part of the moment at which it is."""
        if state.mode in (Mode.DOWN, Mode.OVER):
            yield REFUSED, when
            return
        behaviour = self.setup.life(state.instance).behaviour(track.worker.kind)
        if behaviour.attempts:
            yield behaviour.at(0.0, track.asked), when
            return
        zero = state.start + self.chance("booted", state.start)
        limits = (-math.inf, *behaviour.changes, math.inf)
        answers = (REFUSED, *(each.answer for each in behaviour.phases))
        for since, until, answer in zip(limits, limits[1:], answers, strict=False):
            if when.latest + _ROUNDING < zero.earliest + since or when.earliest + _ROUNDING >= zero.latest + until:
                continue
            clipped = when.clipped(earliest=zero.earliest + since, latest=zero.latest + until)
            yield answer, clipped or when

    def _judged(self, state: State, number: int, track: Track, outcome: Outcome, when: Window) -> list[State]:
        before = track.worker
        state = state.with_track(number, track._replace(worker=before.judge(outcome), ends=None, outcome=None))
        return self.stored(state, number, before, when)

    def result(self, state: State, number: int, when: Window) -> list[State]:
        """Return the states after an attempt ended: a tick that passed meanwhile is made up for, but only one."""
        track = state.tracks[number]
        ends, outcome = track.ends or ZERO, track.outcome or Outcome.FAILURE
        found = []
        for due in _after(track.due, ends):
            poked = track.poked
            landed = self._judged(state, number, track._replace(due=due, poked=False), outcome, when)
            if poked:
                landed = [after for each in landed for after in self.poked(each, number, when)]
            found += landed
        return found


def _following(due: Window, period: float) -> Iterator[tuple[Window, float]]:
    """Yield the tick after one that is due, with the part of it for which that one follows."""
    low = math.floor(due.earliest / period + _ROUNDING) + 1
    high = math.floor(due.latest / period + _ROUNDING) + 1
    for number in range(low, high + 1):
        part = due.clipped(earliest=(number - 1) * period, latest=number * period)
        yield part or due, number * period


def _after(due: Window, ends: Window) -> tuple[Window, ...]:
    """Return when the next attempt is due after one that ends: at its tick, or at once."""
    if ends.latest <= due.earliest:
        return (due,)
    if ends.earliest >= due.latest:
        return (ends,)
    return (due, ends.clipped(earliest=due.earliest) or ends)


def _narrowed(track: Track, when: Window) -> Track:
    """Return a track whose attempt began at a moment that is known better by now."""
    origin = track.origin.clipped(
        earliest=when.earliest - track.began.latest, latest=when.latest - track.began.earliest
    )
    return track._replace(origin=origin or track.origin)
