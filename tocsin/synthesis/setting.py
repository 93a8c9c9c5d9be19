"""What is asked of proposals, what they have in common, and what cuts one short."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from tocsin.promql import (
    Call,
    Expr,
    MatrixSelector,
    Subquery,
    VectorSelector,
    unwrapped,
    walk,
)
from tocsin.promql.evaluation.arithmetic import ARITHMETIC
from tocsin.synthesis.labelling import Labelled
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.unifying import Path, Unified
from tocsin.synthesis.world import Grid

Place = tuple[Path, int]
"""A node: the path to its expression, and its identity."""
RATES = frozenset({"rate", "irate", "increase"})
"""Functions of counters."""
LEVELS = frozenset(
    {
        *("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time"),
        *("quantile_over_time", "holt_winters", "double_exponential_smoothing", "mad_over_time"),
    }
)
"""Functions that give of a steady series the level that it has."""
SAME = frozenset(
    {
        *("abs", "ceil", "floor", "round", "sgn", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc"),
        *("label_replace", "label_join", "scalar", "vector", "info"),
    }
)
"""Functions that leave a value as it is, or nearly."""
TINY = 1e-9


class Line(NamedTuple):
    """A value at the reference time, and by how much it changes in a second."""

    value: float
    slope: float = 0.0


class ImpossibleError(Exception):
    """This proposal cannot be gone on with."""


class CopiesError(Exception):
    """More series of the same kind are needed, told apart by a label that a node leaves out."""

    def __init__(self, place: Place, node: Expr, count: int) -> None:
        super().__init__(count)
        self.place = place
        self.node = node
        self.count = count


class WarmError(Exception):
    """The clock must have run for so many seconds before, so that a moment before now is not before its beginning."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class FinerError(Exception):
    """Samples are needed that are no more than so many seconds apart."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(slots=True)
class Wish:
    """What is asked of a proposal besides that the alert's condition holds."""

    truth: bool = True
    deltas: dict[Place, float] = field(default_factory=dict)
    """By comparison, how far its left side is to be from its right side."""
    flipped: frozenset[Place] = frozenset()
    """Nodes that must yield nothing where the goal asks for something, or the other way round."""
    arms: dict[Place, int] = field(default_factory=dict)
    """By `or`, which side is to yield something."""
    variation: int = 0
    quickening: float = 1.0
    """By how much the growth of counters is to be multiplied while the shortest window passes."""
    few: bool = False
    """Whether a condition need hold of the last copy only."""
    negative: bool = False
    """Whether values may be outside of what their metrics' names let expect."""


@dataclass(frozen=True, slots=True)
class Met:
    """A node that the goal passed through."""

    place: Place
    node: Expr
    truth: bool
    outer: bool
    """Whether it stands in the alert's own expression."""
    whole: bool = False
    """Whether its left side has whole values only."""
    delta: float | None = None


@dataclass(slots=True)
class Setting:
    """What proposals of one alert have in common."""

    problem: Problem
    unified: Unified
    labelled: Labelled
    grid: Grid
    reference: int
    """The time for which levels are meant, in milliseconds."""
    bounds: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """By identity, the bounds of a histogram, once they are chosen."""
    grown: set[int] | None = None
    """The leaves that are read as counters, once they are known."""
    split: bool = False
    """Whether what is read of the past is another shape than what is read of the present."""


def nearest_offset(setting: Setting) -> float:
    """Return the shortest of the offsets into the past that the alert reads, in seconds; infinity without any."""
    trees = [setting.problem.alert.tree, *(rule.tree for rule in setting.problem.recorded)]
    offsets = [
        node.offset.seconds
        for tree in trees
        for node in walk(tree)
        if isinstance(node, VectorSelector | MatrixSelector | Subquery) and node.offset is not None
    ]
    return min((each for each in offsets if each > 0), default=math.inf)


def shortest_range(setting: Setting) -> float:
    """Return the shortest of the ranges that the alert reads, in seconds; 0 without any."""
    trees = [setting.problem.alert.tree, *(rule.tree for rule in setting.problem.recorded)]
    ranges = [node.range.seconds for tree in trees for node in walk(tree) if isinstance(node, MatrixSelector)]
    return min(ranges, default=0.0)


def counters(setting: Setting) -> set[int]:
    """Return the leaves that are read as counters, or as what grows."""
    if setting.grown is not None:
        return setting.grown
    trees = [setting.problem.alert.tree, *(rule.tree for rule in setting.problem.recorded)]
    grown = {
        id(matrix.vector)
        for tree in trees
        for node in walk(tree)
        if isinstance(node, Call) and node.function in RATES
        for matrix in [unwrapped(node.args[0])]
        if isinstance(matrix, MatrixSelector)
    }
    setting.grown = {leaf for (_, identity), leaf in setting.unified.by_place.items() if identity in grown}
    return setting.grown


def calculated(op: str, one: Line, other: Line) -> Line:
    """Return what an operator makes of two values."""
    value = ARITHMETIC[op](one.value, other.value)
    match op:
        case "+":
            return Line(value, one.slope + other.slope)
        case "-":
            return Line(value, one.slope - other.slope)
        case "*":
            return Line(value, one.slope * other.value + other.slope * one.value)
        case "/" if not other.slope and other.value:
            return Line(value, one.slope / other.value)
        case _:
            return Line(value)
