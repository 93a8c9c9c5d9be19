"""A proposal that makes an alert's condition hold, and whether other shapes of its series do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tocsin.promql.evaluation import EvaluationError
from tocsin.synthesis.proposing import Proposal
from tocsin.synthesis.setting import (
    Setting,
    Wish,
    nearest_offset,
    shortest_range,
)
from tocsin.synthesis.shapes import Shape, Tape, Track, number_text
from tocsin.synthesis.unifying import Manner
from tocsin.synthesis.world import World


@dataclass(frozen=True, slots=True)
class Way:
    """One configuration of the search."""

    manner: Manner = field(default_factory=Manner)
    copies: int = 1
    """Of a class of labels that the search chooses."""
    nth: int = 0
    """Which of the classes that could be copied."""
    split: bool = False
    few: bool = False
    quickening: bool = False
    hours: bool = False
    """Whether the clock is tried at every hour of a week, and at every day of a month."""
    negative: bool = False
    variations: int = 12


@dataclass(slots=True)
class Found:
    """A proposal that makes the alert's condition hold."""

    way: Way
    wish: Wish
    setting: Setting
    world: World
    proposal: Proposal
    present: list[Shape]
    past: list[Shape]
    start: int
    tracks: list[Track] = field(default_factory=list)


def tracks_of(setting: Setting) -> list[Track]:
    """Return the series of a setting, with every bucket of its histograms."""
    found: list[Track] = []
    buckets = {
        setting.labelled.identity(leaf.number, copy)
        for leaf in setting.unified.leaves
        if leaf.bucket
        for copy in range(setting.labelled.count)
    }
    for identity, labels in enumerate(setting.labelled.identities):
        if identity not in buckets:
            found.append(Track(labels, identity))
            continue
        bounds = setting.bounds.get(identity, (1.0, float("inf")))
        for bound in bounds:
            text = "+Inf" if bound == float("inf") else number_text(bound)
            found.append(Track({**labels, "le": text}, identity, bound, bounds))
    return found


def holds(found: Found, present: Sequence[Shape], past: Sequence[Shape]) -> bool | None:
    """Tell whether the alert's condition holds when everything has settled; None where it cannot be evaluated."""
    setting, world = found.setting, found.world
    grid, reference = setting.grid, setting.reference
    reach = world.reach()
    tape = Tape(found.tracks, grid.interval, reference, max(0, reference - reach - grid.interval), reach)
    if past is not present and list(past) != list(present):
        cut = reference - _recent(setting)
        tape.write(past, cut, fresh=True)
        tape.write(present, reference + 1, fresh=True)
    else:
        tape.write(present, reference + 1, fresh=True)
    try:
        return bool(world.evaluate(tape.store, reference))
    except EvaluationError:
        return None


def _recent(setting: Setting) -> int:
    """Return for how many milliseconds the present has been what it is, where the past was different."""
    shortest = round(shortest_range(setting) * 1000)
    nearest = nearest_offset(setting) * 1000
    if nearest < 2 * shortest or not shortest:
        shortest = round(min(nearest - setting.grid.interval, shortest or nearest / 2))
    return max(setting.grid.interval, shortest)
