"""From a proposal that fires to tests: its edges, laid out on timelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tocsin.synthesis.blips import Blips
from tocsin.synthesis.dead import always, never_brief
from tocsin.synthesis.edges import Edges
from tocsin.synthesis.found import Found, holds
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.proposing import Proposal
from tocsin.synthesis.setting import CopiesError, FinerError, ImpossibleError, WarmError
from tocsin.synthesis.solution import Property, Solution, State, Test
from tocsin.synthesis.timelines import Director, Reel, Shapes, Turn, WrongError

_NEGATIVE = "it fires on values under 0, or outside of what the metrics' names let expect"
FALLING = "a series that falls goes under 0 before the test ends"
_MOST_ARMS = 3
_WEEK = 8 * 24 * 3600 * 1000
"""A week and a day, in milliseconds."""


class Staging:
    """Makes the tests of one proposal."""

    def __init__(self, problem: Problem, found: Found) -> None:
        self.problem = problem
        self.found = found
        self.director = Director(problem, found.world, found.setting.grid, found.tracks, found.setting.reference)
        self.reel = self.director.reel(found.start)
        self.notes: list[str] = []
        self.missing: dict[Property, str] = self.director.missing
        self.impossible: dict[Property, str] = {}
        self.shown: list[Turn] = []
        self.quiet: Shapes | None = None

    def solution(self) -> Solution:
        """Return tests for all that can be shown; raises WrongError where the alert does not even fire."""
        turns = Edges(self.problem, self.found).turns()
        if not turns and not self.found.setting.unified.leaves and not always(self.problem):
            return self._by_clock()
        if not turns and always(self.problem):
            self.director.fires(self.reel, self.found.present)
            return Solution(tests=(self.director.test("timeline", self.reel),), always=True)
        rest = self._turned(turns)
        self._blipped()
        if self.found.way.split and self.quiet is not None:
            self.director.settle(self.reel, self.quiet)
        self.director.fires(self.reel, self._over())
        self._resolved()
        self.director.absence(self.reel, self.found.present)
        tests = [self.director.test("timeline", self.reel), *self._alone(rest), *self._arms()]
        if not self.shown:
            self.missing[Property.INACTIVE] = "no input was found that keeps it silent"
        if self.found.way.negative:
            self.notes.append(_NEGATIVE)
        elif self._falls():
            self.notes.append(FALLING)
        return Solution(
            tests=tuple(tests),
            edges=tuple(turn.edge for turn in self.shown),
            notes=tuple(self.notes),
            missing=dict(self.missing),
            impossible=dict(self.impossible),
        )

    def _falls(self) -> bool:
        """Tell whether a value is under 0 that no proposal asked for: what falls for too long ends there."""
        values = (value for series in self.reel.tape.series for value in series.values if value is not None)
        return any(value < 0 for value in values)

    def _over(self) -> Shapes:
        """Return shapes to fire on: where nothing has to fill a window, those that are just over the first edge."""
        near = self.shown[0].over if self.shown else None
        return self.found.present if near is None or self.director.reach else near

    def _by_clock(self) -> Solution:
        """Return a test of what no series decides, only the clock: a day, or a week, in which it begins and ends."""
        reel, director = self.director.reel(0), self.director
        most = director.ticks(_WEEK)
        before = reel.play((), lambda seen: seen[-1].firing > 0, most)
        if not before[-1].firing:
            raise WrongError("the clock does not fire it within a week")
        first = before[-1].time
        reel.say(Property.FIRES, State.FIRING, first, "the clock has come to where the condition holds")
        during = reel.play((), lambda seen: not seen[-1].active, most)
        last = during[-1].time
        if during[-1].active:
            raise WrongError("the clock does not end it within a week")
        reel.say(Property.RESOLVES, State.INACTIVE, last, "the clock has left where the condition holds")
        after = reel.play((), lambda seen: seen[-1].active, director.long)
        quiet = [each for each in after if not each.active]
        if quiet:
            said = "the clock is where the condition does not hold"
            reel.say(Property.INACTIVE, State.NEVER_ACTIVE, quiet[-1].time, said, since=quiet[0].time)
        self.missing[Property.BLIP] = "no input decides, only the clock"
        return Solution(tests=(director.test("timeline", reel),), missing=dict(self.missing))

    # Silence

    def _turned(self, turns: Sequence[Turn]) -> list[Turn]:
        """Play the other sides of all edges, and return those that could not be played after the others."""
        if self.found.way.split:
            self.quiet = self.found.past
            self.director.prelude(self.reel, self.quiet)
            self.director.settle(self.reel, self.quiet)
        rest = []
        for turn in turns:
            played = self._inactive(self.reel, turn)
            if played is None:
                rest.append(turn)
                continue
            self.reel, under = played
            self.shown.append(turn)
            self.quiet = under if self.quiet is None else self.quiet
            self._threshold(turn)
        return rest

    def _inactive(self, reel: Reel, turn: Turn) -> tuple[Reel, Shapes] | None:
        """Return the timeline after the other side of an edge, near it or, where it cannot be kept up, far from it."""
        for number, shapes in enumerate(_chain([turn.under], turn.far)):
            tried = reel.copy()
            shown = turn if not number else replace(turn, edge=replace(turn.edge, discrete=True))
            try:
                self.director.silent(tried, shown, shapes, Property.INACTIVE)
            except WrongError:
                continue
            return tried, shapes
        return None

    def _threshold(self, turn: Turn) -> None:
        if turn.threshold is None:
            return
        tried = self.reel.copy()
        try:
            self.director.silent(tried, turn, turn.threshold, Property.AT_THRESHOLD)
        except WrongError:
            return
        self.reel = tried

    def _alone(self, turns: Sequence[Turn]) -> list[Test]:
        """Return tests of edges that could not be shown beside the others."""
        tests = []
        for turn in turns:
            played = self._inactive(self.director.reel(self.found.start), turn)
            if played is not None:
                self.shown.append(turn)
                tests.append(self.director.test(f"inactive {turn.edge.name}", played[0]))
        return tests

    # Blips, and the end

    def _blipped(self) -> None:
        if not self.problem.alert.hold_seconds:
            return
        if self.quiet is None:
            self.missing[Property.BLIP] = "nothing keeps it silent"
            return
        if self.found.way.split:
            self.director.settle(self.reel, self.quiet)
        overs = [self.found.present, *(turn.over for turn in self.shown if turn.over is not None)]
        proof = never_brief(self.problem)
        ways = Blips(self.director, self.reel, overs, self.quiet).ways(self.found, self.shown)
        for note, make in ways if proof is None else ():
            try:
                self.reel = make()
            except WrongError as wrong:
                self.missing[Property.BLIP] = str(wrong)
                continue
            self.missing.pop(Property.BLIP, None)
            self.notes += [note] if note else []
            return
        if proof is not None:
            self.impossible[Property.BLIP] = proof

    def _resolved(self) -> None:
        if self.quiet is None:
            self.missing[Property.RESOLVES] = "nothing ends it"
            return
        tried = self.reel.copy()
        try:
            self.director.resolves(tried, self.quiet)
        except WrongError as wrong:
            self.missing[Property.RESOLVES] = str(wrong)
            return
        self.reel = tried
        self.director.reset(self.reel, self.quiet)

    # The sides of `or`

    def _arms(self) -> list[Test]:
        """Return tests of the sides of `or` that did not fire yet, each with the other sides off."""
        tests: list[Test] = []
        for number, place in enumerate([*self.found.proposal.arms][:_MOST_ARMS], 2):
            other = self._turned_to(place, 1 - self.found.proposal.arms[place])
            if other is None:
                continue
            test = Staging(self.problem, other).arm(f"alternative {number}", self.shown)
            if test is not None:
                tests.append(test)
        return tests

    def _turned_to(self, place: tuple[tuple[int, ...], int], arm: int) -> Found | None:
        """Return the proposal with another side of an `or`; None where that does not fire."""
        found = self.found
        wish = replace(found.wish, arms={**found.wish.arms, place: arm})
        proposal = Proposal(found.setting, wish)
        try:
            present, past = proposal.run()
        except (ImpossibleError, CopiesError, FinerError, WarmError, ArithmeticError):
            return None
        other = replace(found, wish=wish, proposal=proposal, present=present, past=past)
        return other if holds(other, present, past if found.way.split else present) is True else None

    def arm(self, name: str, shown: list[Turn]) -> Test | None:
        """Return a test of one side of `or`: inactive at its edges, and firing, and ending; None if it cannot be."""
        known = {(turn.edge.span, turn.edge.said) for turn in shown}
        first: str | None = None
        found: list[Turn] = []
        for turn in Edges(self.problem, self.found).turns():
            if (turn.edge.span, turn.edge.said) in known:
                continue
            numbered = replace(turn, edge=replace(turn.edge, name=str(len(shown) + len(found) + 1)))
            played = self._inactive(self.reel, numbered)
            if played is not None:
                self.reel, under = played
                self.quiet = under if self.quiet is None else self.quiet
                first = numbered.edge.name if first is None else first
                found.append(numbered)
        if self.quiet is None or self.found.way.split:
            return None
        try:
            self.director.fires(self.reel, self.found.present, edge=first)
            self.director.resolves(self.reel, self.quiet, edge=first)
        except WrongError:
            return None
        shown += found
        return self.director.test(name, self.reel)


def _chain(first: Sequence[Shapes], more: Callable[[], Sequence[Shapes]]) -> Iterator[Shapes]:
    """Yield what is at hand, and what has to be made only where that is not enough."""
    yield from first
    yield from more()
