"""Blips: a condition that holds for less than `for`, so that the alert becomes pending, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tocsin.synthesis.found import Found, holds
from tocsin.synthesis.shapes import MISSING, Shape
from tocsin.synthesis.solution import Property, State
from tocsin.synthesis.timelines import Director, Reel, Seen, Shapes, Turn, WrongError

_FIRES = "whatever makes it pending makes it fire"
_GAPPED = "a blip needs failed scrapes before it: what happens once stays in the window for longer than `for`"
_NEVER = 1 << 30
"""Samples: a value that changes after so many of them does not change."""
_MOST_LEFT = 8
"""Evaluations for which what is old is left in the window."""
_SURGES = (1.0, 100.0)
"""By how much the other counters grow faster when one stands still."""


class Blips:
    """The ways to make a blip after what a timeline has had so far."""

    def __init__(self, director: Director, reel: Reel, overs: Sequence[Shapes], quiet: Shapes) -> None:
        self.director = director
        self.reel = reel
        self.overs = overs
        self.quiet = quiet

    def ways(self, found: Found, shown: Sequence[Turn]) -> Iterator[tuple[str, Callable[[], Reel]]]:
        """Yield the ways to make one, plain ones first, each with what is to be said of it.

        Each returns the timeline after the blip, and raises WrongError where there is none.
        """
        yield "", lambda: self.plain(())
        calmer = [shapes for turn in shown for shapes in turn.far()][:4]
        yield "", lambda: self.plain(calmer)
        yield "", lambda: self.timed(calmer)
        yield "", lambda: self.plain([*_surges(found)])
        yield "", lambda: self.aged([self.quiet, *calmer])
        yield _GAPPED, lambda: self.gapped(calmer)

    def plain(self, calmer: Sequence[Shapes]) -> Reel:
        """Play what makes the condition hold, and end it before `for` has passed."""
        for shapes in self.overs:
            begun = self.reel.copy()
            most = self.director.ticks(self.director.reach) + 3
            before = begun.next
            risen = begun.play(shapes, lambda seen: seen[-1].active, most)
            if not risen[-1].pending or risen[-1].firing:
                continue
            for longer in range(max(0, self.director.ticks(self.director.hold) - 2), -1, -1):
                held = begun.copy()
                more = held.play(shapes, lambda seen: seen[-1].firing > 0, longer, fresh=False) if longer else []
                if any(each.firing for each in more):
                    continue
                for after in (self.quiet, *calmer, shapes):
                    tried = held.copy()
                    most = self.director.long + 2 if after is not shapes else self.director.ticks(self.director.hold)
                    fallen = tried.play(
                        after,
                        lambda seen: not seen[-1].active or seen[-1].firing > 0,
                        most,
                        fresh=after is not shapes,
                    )
                    if any(each.firing for each in fallen) or fallen[-1].active:
                        continue
                    rest = tried.play(after, lambda _: False, 1, fresh=False)
                    if rest[-1].active:
                        continue
                    _say(tried, before, risen, more, [*fallen, *rest])
                    return tried
        raise WrongError(_FIRES)

    def timed(self, calmer: Sequence[Shapes]) -> Reel:
        """Play its cause for less than `for`, where the condition comes later."""
        for shapes in self.overs:
            for count in range(self.director.ticks(self.director.hold) - 1, 0, -1):
                for after in (self.quiet, *calmer):
                    tried = self.reel.copy()
                    before = tried.next
                    risen = tried.play(shapes, lambda seen: seen[-1].firing > 0, count)
                    risen += tried.play(after, lambda seen: seen[-1].firing > 0, self.director.long + 1)
                    if any(each.firing for each in risen) or risen[-1].active:
                        continue
                    if any(each.pending for each in risen):
                        _say(tried, before, risen, [], risen[-1:])
                        return tried
        raise WrongError(_FIRES)

    def gapped(self, calmer: Sequence[Shapes]) -> Reel:
        """Play what makes the condition hold after scrapes that failed.

        After a gap that is a little shorter than the window, what came before it soon leaves the window.
        """
        missing = [MISSING for _ in self.quiet]
        for wished in self.overs:
            shapes = [replace(shape, hop=1) if shape.hop else shape for shape in wished]
            for left in range(1, self.director.ticks(self.director.hold) + 1):
                gap = self.director.ticks(self.director.reach) - left
                if gap < 1:
                    break
                tried = self.reel.copy()
                before = tried.next
                lost = tried.play(missing, lambda _: False, gap)
                risen = tried.play(shapes, lambda seen: seen[-1].active, 1, fresh=False)
                if not risen[-1].pending or any(each.firing for each in (*lost, *risen)):
                    continue
                for after in (self.quiet, *calmer):
                    ended = tried.copy()
                    fallen = ended.play(
                        after, lambda seen: not seen[-1].active or seen[-1].firing > 0, self.director.long + 2
                    )
                    if fallen[-1].active or any(each.firing for each in fallen):
                        continue
                    rest = ended.play(after, lambda _: False, 1, fresh=False)
                    if not rest[-1].active:
                        _say(ended, before, [*lost, *risen], [], [*fallen, *rest])
                        return ended
        raise WrongError(_FIRES)

    def aged(self, calmer: Sequence[Shapes]) -> Reel:
        """Play most of a cause, wait until it has almost left the window, and play the rest of it.

        What counts changes in a window holds for as long as all of them are in it.
        """
        director = self.director
        still = [[_changing(shape, _NEVER) for shape in shapes] for shapes in calmer]
        for wished in self.overs:
            shapes = [_changing(shape, 1) for shape in wished]
            for rest in still if shapes != list(wished) else ():
                settled = self.reel.copy()
                before = settled.next
                lead = settled.play(rest, lambda _: False, director.ticks(director.reach) + 1)
                needed = settled.copy().play(shapes, lambda seen: seen[-1].active, 40, fresh=False)
                if lead[-1].active or not needed[-1].active:
                    continue
                for early in range(len(needed) - 1, 0, -1):
                    for left in range(1, min(_MOST_LEFT, director.ticks(director.hold)) + 1):
                        ended = self._parted(settled.copy(), shapes, rest, early, left)
                        if ended is not None:
                            _say(ended[0], before, [*lead, *ended[1]], [], ended[2])
                            return ended[0]
        raise WrongError(_FIRES)

    def _parted(
        self, reel: Reel, shapes: Shapes, rest: Shapes, early: int, left: int
    ) -> tuple[Reel, list[Seen], list[Seen]] | None:
        """Play a cause in two parts; return what was seen until it held, and until it had ended."""
        director = self.director
        risen = reel.play(shapes, lambda _: False, early, fresh=False)
        gap = director.ticks(director.reach) - early - left
        if gap > 0:
            risen += reel.play(rest, lambda _: False, gap, fresh=False)
        if any(each.active for each in risen):
            return None
        risen += reel.play(shapes, lambda seen: seen[-1].active, early + left, fresh=False)
        if not risen[-1].pending or risen[-1].firing:
            return None
        fallen = reel.play(rest, lambda seen: not seen[-1].active or seen[-1].firing > 0, director.long, fresh=False)
        if fallen[-1].active or any(each.firing for each in fallen):
            return None
        fallen += reel.play(rest, lambda _: False, 1, fresh=False)
        return None if fallen[-1].active else (reel, risen, fallen)


def _changing(shape: Shape, every: int) -> Shape:
    """Return a shape whose value changes after every so many samples, if it is one that changes."""
    return replace(shape, hop=every) if shape.hop else shape


def _surges(found: Found) -> Iterator[Shapes]:
    """Yield shapes of which one counter stands still and the others grow on, or much faster: a share becomes small."""
    growing = [i for i, shape in enumerate(found.present) if shape.growth]
    for surge in _SURGES:
        for still in growing if len(growing) > 1 else ():
            shapes = [
                replace(shape, growth=(shape.growth or 0.0) * (0.0 if i == still else surge)) if i in growing else shape
                for i, shape in enumerate(found.present)
            ]
            if holds(found, shapes, shapes) is False:
                yield shapes


def _say(reel: Reel, before: int, risen: list[Seen], more: list[Seen], fallen: list[Seen]) -> None:
    pending = [each for each in (*risen, *more, *fallen) if each.pending]
    reel.say(Property.BLIP, State.PENDING, pending[-1].time, "the condition holds, and `for` has not passed")
    end = fallen[-1].time
    reel.say(Property.BLIP, State.NEVER_FIRING, end, "the condition ended before `for` had passed", since=before)
    reel.say(Property.BLIP, State.INACTIVE, end, "nothing is left of the blip")
    reel.stretch([*risen, *more, *fallen], "blip", "the condition holds for less than `for`")
