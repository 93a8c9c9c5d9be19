"""Timelines: phases of shapes, each followed tick by tick with the alert's states, and what is to be asserted there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tocsin.promql.evaluation import EvaluationError
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.shapes import GONE, Shape, Tape, Track
from tocsin.synthesis.solution import Assertion, Edge, InputSeries, Property, State, Stretch, Test
from tocsin.synthesis.unifying import NAME
from tocsin.synthesis.world import Alarm, Grid, Run, World

Shapes = Sequence[Shape]


class WrongError(Exception):
    """The alert does not behave on this timeline as it should."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An edge with shapes on its sides."""

    edge: Edge
    under: Shapes
    """The alert's condition does not hold."""
    threshold: Shapes | None = None
    """Exactly at the edge."""
    over: Shapes | None = None
    """It just holds."""
    far: Callable[[], Sequence[Shapes]] = tuple
    """Makes shapes on which the condition does not hold by far."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an evaluation gave."""

    time: int
    pending: int
    firing: int

    @property
    def active(self) -> bool:
        """Whether anything is pending or fires."""
        return bool(self.pending or self.firing)


@dataclass(slots=True)
class Reel:
    """A timeline that is being written."""

    problem: Problem
    world: World
    grid: Grid
    tape: Tape
    run: Run
    alarm: Alarm
    next: int
    """The time of the next evaluation."""
    last: Seen | None = None
    """What the last evaluation gave."""
    assertions: list[Assertion] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)

    def copy(self) -> Reel:
        """Return a reel that can go on without changing this one."""
        tape = self.tape.copy()
        return Reel(
            self.problem,
            self.world,
            self.grid,
            tape,
            self.run.copy(tape.store),
            self.alarm.copy(),
            self.next,
            self.last,
            [*self.assertions],
            [*self.stretches],
        )

    def play(
        self,
        shapes: Shapes,
        enough: Callable[[list[Seen]], bool],
        most: int,
        *,
        fresh: bool = True,
        reset: bool = False,
    ) -> list[Seen]:
        """Write shapes until enough was seen, at most so many evaluations, and return what was seen."""
        seen: list[Seen] = []
        for _ in range(most):
            time = self.next
            self.tape.write(shapes, time + 1, fresh=fresh, reset=reset)
            fresh = reset = False
            self.last = self._tick(time)
            seen.append(self.last)
            self.next = time + self.grid.evaluation
            if enough(seen):
                break
        return seen

    def _tick(self, time: int) -> Seen:
        try:
            vector = self.run.evaluate(time)
        except EvaluationError as error:
            raise WrongError(str(error)) from error
        return Seen(time, *self.alarm.step(vector, time))

    def say(
        self,
        proves: Property,
        state: State,
        at: int,
        comment: str,
        *,
        since: int | None = None,
        edge: str | None = None,
    ) -> None:
        """Assert something."""
        self.assertions.append(
            Assertion(
                proves=proves,
                state=state,
                at=at / 1000,
                since=None if since is None else since / 1000,
                edge=edge,
                comment=comment,
            )
        )

    def stretch(self, seen: Sequence[Seen], name: str, said: str = "") -> None:
        """Name what was played."""
        end = seen[-1].time + self.grid.evaluation
        self.stretches.append(Stretch(start=seen[0].time / 1000, end=end / 1000, name=name, said=said))


class Director:
    """Makes tests of an alert from the shapes that were found."""

    def __init__(self, problem: Problem, world: World, grid: Grid, tracks: Sequence[Track], reference: int) -> None:
        self.problem = problem
        self.world = world
        self.grid = grid
        self.tracks = tracks
        self.reference = reference
        self.reach = world.reach()
        self.hold = round(problem.alert.hold_seconds * 1000)
        self.keep = round(problem.alert.keep_firing_seconds * 1000)
        self.missing: dict[Property, str] = {}
        self.dropped: list[Turn] = []

    def ticks(self, milliseconds: int) -> int:
        """Return how many evaluations a length of time spans."""
        return -(-milliseconds // self.grid.evaluation)

    @property
    def long(self) -> int:
        """How many evaluations it takes until a condition has settled, has held for `for`, and a little more."""
        return self.ticks(self.reach) + self.ticks(self.hold) + 2

    def reel(self, start: int) -> Reel:
        """Return an empty timeline."""
        first = -(-start // self.grid.evaluation) * self.grid.evaluation
        tape = Tape(self.tracks, self.grid.interval, self.reference, first, self.reach)
        run = Run(self.world, tape.store)
        return Reel(self.problem, self.world, self.grid, tape, run, Alarm.of(self.problem), first)

    def test(self, name: str, reel: Reel) -> Test:
        """Return a timeline as a test."""
        series = tuple(
            InputSeries(selector=selector_text(labels), values=values) for labels, values in reel.tape.texts()
        )
        return Test(
            name=name,
            interval=self.grid.interval / 1000,
            evaluation=self.grid.evaluation / 1000,
            series=series,
            assertions=tuple(reel.assertions),
            stretches=tuple(reel.stretches),
        )

    # Pieces of a timeline

    def silent(self, reel: Reel, turn: Turn, shapes: Shapes, proves: Property) -> None:
        """Play shapes on which the alert must never fire; raises WrongError where it does."""
        name = turn.edge.name
        if not reel.stretches and reel.last is None:
            self.prelude(reel, shapes)
        seen = reel.play(shapes, lambda seen: seen[-1].firing > 0, self.long, fresh=not reel.stretches)
        if seen[-1].firing or seen[-1].pending:
            raise WrongError("it fires where it should not")
        at = proves is Property.AT_THRESHOLD
        said = f"{'exactly at' if at else 'on the other side of'} {turn.edge.said}, it never fires"
        reel.say(proves, State.NEVER_FIRING, seen[-1].time, said, since=seen[0].time, edge=name)
        side = "other side" if turn.edge.discrete else "just under"
        reel.stretch(seen, "at the threshold" if at else side, turn.edge.said)

    def prelude(self, reel: Reel, shapes: Shapes) -> None:
        """Play shapes until windows are full, where the alert is not silent before they are."""
        tried = reel.copy()
        if not any(each.active for each in tried.play(shapes, lambda seen: seen[-1].active, self.long)):
            return
        seen = reel.play(shapes, lambda _: False, self.long + self.ticks(self.keep))
        if seen[-1].active:
            raise WrongError("it fires where it should not")
        reel.stretch(seen, "beginning", "windows fill; nothing is asserted")

    def fires(self, reel: Reel, over: Shapes, said: str = "", edge: str | None = None) -> None:
        """Play shapes on which the alert must fire; raises WrongError where it does not."""
        first = reel.next
        seen = reel.play(over, lambda seen: seen[-1].firing > 0, self.long + 3)
        if not seen[-1].firing:
            raise WrongError("it does not fire")
        begun = next(each for each in seen if each.active)
        if self.hold and edge is None and begun.time < seen[-1].time:
            reel.say(Property.FOR_EDGE, State.PENDING, begun.time, "the condition begins to hold")
            before = seen[-2]
            reel.say(Property.FOR_EDGE, State.SILENT, before.time, "one evaluation before `for` has passed")
            reel.say(Property.FOR_EDGE, State.FIRING, seen[-1].time, "`for` has passed")
        elif begun.time > first:
            reel.say(Property.FIRES, State.SILENT, seen[-2].time, "the condition does not hold yet", edge=edge)
        reel.say(Property.FIRES, State.FIRING, seen[-1].time, "the condition has held for long enough", edge=edge)
        more = reel.play(over, lambda _: False, 1, fresh=False)
        if more[-1].firing:
            reel.say(Property.FIRES, State.FIRING, more[-1].time, "the condition still holds", edge=edge)
        reel.stretch([*seen, *more], "over", said)

    def resolves(self, reel: Reel, quiet: Shapes, edge: str | None = None) -> None:
        """Play shapes on which the alert must end; raises WrongError where it does not."""
        last = reel.next - self.grid.evaluation
        fired = reel.last is not None and reel.last.firing > 0
        most = self.long + self.ticks(self.keep) + 3
        seen = reel.play(quiet, lambda seen: not seen[-1].active, most)
        if seen[-1].active:
            raise WrongError("it does not end")
        firing = [each.time for each in seen if each.firing]
        if firing or fired:
            reel.say(Property.RESOLVES, State.FIRING, firing[-1] if firing else last, "it fires still", edge=edge)
        reel.say(Property.RESOLVES, State.INACTIVE, seen[-1].time, "the condition has ended", edge=edge)
        more = reel.play(quiet, lambda _: False, 1, fresh=False)
        if more[-1].firing:
            raise WrongError("it comes back")
        reel.say(Property.RESOLVES, State.SILENT, more[-1].time, "it has ended for good", edge=edge)
        reel.stretch([*seen, *more], "resolved")

    def settle(self, reel: Reel, shapes: Shapes) -> None:
        """Play shapes until nothing of what was before is left in any window."""
        seen = reel.play(shapes, lambda _: False, self.ticks(self.reach) + 1)
        if seen[-1].active:
            raise WrongError("it is not silent before it is to fire")
        reel.stretch(seen, "quiet")

    def reset(self, reel: Reel, quiet: Shapes) -> None:
        """Play a reset of all counters, where there are any."""
        if not any(shape.growth is not None and shape.level is None and shape.growth >= 0 for shape in quiet):
            return
        tried = reel.copy()
        seen = tried.play(quiet, lambda _: False, self.ticks(self.hold) + 3, reset=True)
        state = State.NEVER_FIRING if not any(each.firing for each in seen) else State.FIRING
        if state is State.FIRING:
            self.missing[Property.RESET] = "a reset of its counters fires it"
            return
        tried.say(Property.RESET, state, seen[-1].time, "the counters began anew at 0", since=seen[0].time)
        tried.stretch(seen, "reset", "counters begin anew")
        _take(reel, tried)

    def absence(self, reel: Reel, before: Shapes) -> None:
        """Play the end of all series, and say what the alert does."""
        tried = reel.copy()
        gone = [GONE for _ in before]
        try:
            seen = tried.play(gone, lambda _: False, self.ticks(self.hold) + 3)
        except WrongError:
            return
        fires = seen[-1].firing > 0
        if not fires and any(each.firing for each in seen):
            return
        said = "it fires when its series are gone" if fires else "it is silent when its series are gone"
        if fires:
            tried.say(Property.ABSENCE, State.FIRING, seen[-1].time, said)
        else:
            tried.say(Property.ABSENCE, State.NEVER_FIRING, seen[-1].time, said, since=seen[0].time)
        tried.stretch(seen, "absent", "all series are gone")
        _take(reel, tried)


def _take(reel: Reel, other: Reel) -> None:
    """Make a reel what another one is."""
    reel.tape, reel.run, reel.alarm = other.tape, other.run, other.alarm
    reel.next, reel.last = other.next, other.last
    reel.assertions, reel.stretches = other.assertions, other.stretches


def selector_text(labels: object) -> str:
    """Return a series as promtool reads it."""
    pairs = dict(labels)  # type: ignore[call-overload]
    name = pairs.pop(NAME, "")
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(pairs.items()))
    return f"{name}{{{inside}}}" if inside else name


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
