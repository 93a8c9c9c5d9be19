"""Proposals: what each series must do for an expression to yield something, or a certain value.

The goal is followed down the tree. Each proposal is only likely to be right; evaluation tells whether it is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Iterator, NamedTuple

from tocsin.promql import (
    COMPARISONS,
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    type_of,
    unwrapped,
    walk,
)
from tocsin.promql.domains import DOMAINS
from tocsin.promql.evaluation import clock
from tocsin.promql.evaluation.arithmetic import ARITHMETIC, COMPARISON
from tocsin.promql.intervals import FLIPPED
from tocsin.promql.ranges import Interval
from tocsin.synthesis.labelling import Labelled
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.shapes import GONE, Shape
from tocsin.synthesis.unifying import Path, Unified
from tocsin.synthesis.world import Grid

Place = tuple[Path, int]
"""A node: the path to its expression, and its identity."""
NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_RATES = frozenset({"rate", "irate", "increase"})
_LEVELS = frozenset(
    {
        *("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time"),
        *("quantile_over_time", "holt_winters", "double_exponential_smoothing", "mad_over_time"),
    }
)
_INVERSE: Mapping[str, Callable[[float], float]] = {
    "sqrt": lambda v: v * v,
    "exp": lambda v: math.log(v) if v > 0 else -700.0,
    "ln": lambda v: math.exp(min(v, 700)),
    "log2": lambda v: 2.0 ** min(v, 1000),
    "log10": lambda v: 10.0 ** min(v, 300),
    "deg": lambda v: v * math.pi / 180,
    "rad": lambda v: v * 180 / math.pi,
}
_SAME = frozenset({"abs", "ceil", "floor", "round", "sgn", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc",
                   "label_replace", "label_join", "scalar", "vector", "info"})  # fmt: skip
_WHOLE = frozenset({"changes", "resets", "count_over_time"})
_TINY = 1e-9


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


class Proposal:
    """One attempt: shapes for all series."""

    def __init__(self, setting: Setting, wish: Wish) -> None:
        self.setting = setting
        self.wish = wish
        self.shapes: dict[int, Shape] = {}
        self.past: dict[int, Shape] = {}
        self.met: dict[Place, Met] = {}
        self.arms: dict[Place, Expr] = {}
        self.notes: set[str] = set()
        self._picked = 0
        self._random = random.Random(wish.variation)  # noqa: S311 proposals, not secrets
        self._copies: Sequence[int] = range(setting.labelled.count)
        self._earlier = False
        self._now = setting.reference / 1000

    def run(self) -> tuple[list[Shape], list[Shape]]:
        """Return a shape for every identity, of the present and of the past; raises ImpossibleError and its like."""
        self.want(self.setting.problem.alert.tree, (), truth=self.wish.truth)
        count = len(self.setting.labelled.identities)
        self.defaults()
        present = [self.shapes.get(i, self.past.get(i, Shape(level=1.0))) for i in range(count)]
        past = [self.past.get(i, present[i]) for i in range(count)]
        if self.wish.quickening != 1:
            present = [self._quicker(shape) for shape in present]
        return present, past

    def _quicker(self, shape: Shape) -> Shape:
        if shape.growth is None or shape.level is not None:
            return shape
        samples = max(1.0, shortest_range(self.setting) * 1000 / self.setting.grid.interval)
        return replace(shape, growth=abs(shape.growth) or 1.0, quickening=self.wish.quickening ** (1 / samples))

    def defaults(self) -> None:
        """Give every series that nothing asked anything of a usual shape."""
        roles = counters(self.setting)
        for leaf in self.setting.unified.leaves:
            for copy in range(self.setting.labelled.copies[leaf.number]):
                identity = self.setting.labelled.identity(leaf.number, copy)
                shape = self.shapes.get(identity)
                if shape is not None and not shape.gone and shape.level is None and shape.growth is None:
                    self.shapes[identity] = self._usual(identity, leaf.number in roles, shape)
                elif shape is None and identity not in self.past:
                    self.shapes[identity] = self._usual(identity, leaf.number in roles, Shape())
                self._bucket(leaf.number, identity)

    def _bucket(self, leaf: int, identity: int) -> None:
        shape = self.shapes.get(identity)
        if self.setting.unified.leaves[leaf].bucket and identity not in self.setting.bounds:
            self.setting.bounds[identity] = self._some_bounds(leaf)
        if self.setting.unified.leaves[leaf].bucket and shape is not None and not shape.gone and shape.fraction is None:
            self.shapes[identity] = replace(shape, fraction=0.5, low=self.setting.bounds[identity][0])

    def _some_bounds(self, leaf: int) -> tuple[float, ...]:
        metric = self.setting.unified.leaves[leaf].metric
        return self.setting.problem.grounding.buckets.get(metric, (0.1, 1.0, math.inf))

    def _usual(self, identity: int, counter: bool, shape: Shape) -> Shape:  # noqa: FBT001
        domain = self._domain(identity)
        if counter:
            return replace(shape, growth=1.0)
        level = 1.0 if domain is None else min(max(1.0, domain.low), domain.high)
        return replace(shape, level=level)

    # Choices

    def pick(self, options: Sequence[float]) -> float:
        """Return one of some options: the first ones at first, and later any."""
        self._picked += 1
        variation = self.wish.variation
        if variation == 0 or len(options) == 1:
            return options[0]
        if variation < 7:
            return options[min(variation, len(options) - 1)]
        return self._random.choice(list(options))

    # Places of series

    def _identities(self, node: VectorSelector, path: Path) -> list[int]:
        leaf = self.setting.unified.by_place[path, id(node)]
        labelled = self.setting.labelled
        return list(dict.fromkeys(labelled.identity(leaf, copy) for copy in self._copies))

    def _recorded(self, node: VectorSelector, path: Path) -> tuple[Expr, Path] | None:
        deeper = self.setting.unified.paths.get((path, id(node)))
        return None if deeper is None else (self.setting.unified.rules[path, id(node)].tree, deeper)

    def _domain(self, identity: int) -> Interval | None:
        name = self.setting.labelled.identities[identity]["__name__"]
        return DOMAINS.get(name)

    @contextmanager
    def subset(self, copies: Sequence[int]) -> Iterator[None]:
        """Speak of some copies only."""
        before, self._copies = self._copies, copies
        try:
            yield
        finally:
            self._copies = before

    @contextmanager
    def earlier(self, node: VectorSelector | MatrixSelector | Subquery) -> Iterator[None]:
        """Speak of the past, where a selector looks back and the two are kept apart."""
        before = self._earlier
        back = node.offset.seconds if node.offset is not None else 0.0
        if self.setting.split and (back > 0 or (isinstance(node, MatrixSelector) and self._long(node))):
            self._earlier = True
        try:
            yield
        finally:
            self._earlier = before

    def _long(self, node: MatrixSelector) -> bool:
        return node.range.seconds > shortest_range(self.setting) * 1.5

    def _shapes(self) -> dict[int, Shape]:
        return self.past if self._earlier else self.shapes

    def _get(self, identity: int) -> Shape | None:
        return self._shapes().get(identity)

    def _set(self, identity: int, shape: Shape) -> None:
        self._shapes()[identity] = shape

    # Truth

    def want(self, node: Expr, path: Path, *, truth: bool) -> None:  # noqa: C901, PLR0912
        """Make an expression yield something for each copy spoken of, or nothing."""
        place = (path, id(node))
        if place in self.wish.flipped:
            truth = not truth
        match node:
            case Paren(expr=inner) | Unary(expr=inner):
                self.want(inner, path, truth=truth)
            case Binary(op="and" | "or" | "unless"):
                self._want_set(node, path, truth=truth)
            case Binary(op=op) if op in COMPARISONS and not node.bool_:
                self._want_comparison(node, path, truth=truth)
            case Binary():
                self._note(node, path, truth=truth)
                sides = [side for side in (node.left, node.right) if type_of(side) == "vector"]
                for side in sides if truth else sides[:1]:
                    self.want(side, path, truth=truth)
            case VectorSelector():
                self._want_selector(node, path, truth=truth)
            case MatrixSelector(vector=inner):
                with self.earlier(node):
                    self._want_selector(inner, path, truth=truth)
            case Subquery(expr=inner):
                with self.earlier(node):
                    self.want(inner, path, truth=truth)
            case Aggregation(expr=inner):
                self._note(node, path, truth=truth)
                self.want(inner, path, truth=truth)
            case Call(function="absent" | "absent_over_time", args=args):
                self._note(node, path, truth=truth)
                self.want(args[0], path, truth=not truth)
            case Call(function="vector"):
                if not truth:
                    raise ImpossibleError("vector() always yields something")
            case Call(args=args):
                vectors = [arg for arg in args if type_of(arg) in ("vector", "matrix")]
                for arg in vectors:
                    self.want(arg, path, truth=truth)
                if not vectors and not truth and type_of(node) == "vector":
                    raise ImpossibleError(f"{node.function}() always yields something")
            case _:
                pass

    def _note(self, node: Expr, path: Path, *, truth: bool, whole: bool = False, delta: float | None = None) -> None:
        place = (path, id(node))
        self.met[place] = Met(place, node, truth, path == (), whole, delta)

    def _want_selector(self, node: VectorSelector, path: Path, *, truth: bool) -> None:
        if node.offset is not None and not self._earlier and self.setting.split and node.offset.seconds > 0:
            with self.earlier(node):
                self._want_selector(node, path, truth=truth)
            return
        place = (path, id(node))
        if place in self.wish.flipped:
            truth = not truth
        inner = self._recorded(node, path)
        self._note(node, path, truth=truth)
        if inner is not None:
            self.want(*inner, truth=truth)
            return
        for identity in self._identities(node, path):
            shape = self._get(identity)
            if shape is None:
                self._set(identity, Shape() if truth else GONE)
            elif shape.gone is truth:
                raise ImpossibleError("a series is to be there and not to be there")

    def _want_set(self, node: Binary, path: Path, *, truth: bool) -> None:
        place = (path, id(node))
        if node.op == "or":
            if not truth:
                self.want(node.left, path, truth=False)
                self.want(node.right, path, truth=False)
                return
            self.arms[place] = node
            arm = self.wish.arms.get(place, int(self.pick((0, 1))) if self.wish.variation else 0)
            sides = (node.left, node.right)
            self.want(sides[arm], path, truth=True)
            self._attempt(lambda: self.want(sides[1 - arm], path, truth=False))
            return
        right = node.op == "and"
        if truth:
            order = ((node.left, True), (node.right, right))
            later = self.wish.variation % 3 == 2
            if self._asked_of(node.right):
                later = True
            elif self._asked_of(node.left):
                later = False
            for side, wanted in reversed(order) if later else order:
                self.want(side, path, truth=wanted)
            return
        if self.pick((0, 1)):
            self.want(node.right, path, truth=not right)
        else:
            self.want(node.left, path, truth=False)

    def _asked_of(self, node: Expr) -> bool:
        """Tell whether the wish is about a piece of an expression."""
        asked = {identity for _, identity in (*self.wish.deltas, *self.wish.flipped)}
        return bool(asked) and any(id(each) in asked for each in walk(node))

    def _attempt(self, made: Callable[[], None]) -> bool:
        """Do something, or undo it where it cannot be done."""
        shapes, past, met = dict(self.shapes), dict(self.past), dict(self.met)
        try:
            made()
        except (ImpossibleError, CopiesError, FinerError):
            self.shapes, self.past, self.met = shapes, past, met
            return False
        return True

    def _want_comparison(self, node: Binary, path: Path, *, truth: bool) -> None:
        if len(self._copies) > 1 and self.wish.few and truth:
            with self.subset(self._copies[-1:]):
                self._want_comparison(node, path, truth=truth)
            return
        op = node.op if truth else NEGATED[node.op]
        left, right = node.left, node.right
        if self._constant(left, path) and not self._constant(right, path):
            left, right, op = right, left, FLIPPED[op]
        whole = self._is_whole(left, path)
        place = (path, id(node))
        one, other = self.value(left, path), self.value(right, path)
        delta = self.wish.deltas.get(place)
        if one is not None and other is not None:
            if delta is None and COMPARISON[op](one.value, other.value):
                away = one.value - other.value
                self._note(node, path, truth=truth, whole=whole, delta=away if left is node.left else -away)
                self.want(left, path, truth=True)
                return
            if one is not None and self._constant(left, path):
                raise ImpossibleError("two constants do not compare so")
        if other is None and one is not None:
            left, right, op, one, other = right, left, FLIPPED[op], other, one
        if other is None:
            other = self._nominal(right, path)
        margin = self._margin(op, other.value, whole)  # chosen in any case, so that later choices stay what they are
        if delta is None:
            delta = margin
        elif left is not node.left:
            delta = -delta
        self._note(node, path, truth=truth, whole=whole, delta=delta if left is node.left else -delta)
        self.number(left, path, Line(other.value + delta, other.slope))

    def _nominal(self, node: Expr, path: Path) -> Line:
        """Give an expression some value, and return it."""
        options = [10.0, 1.0, 100.0, 0.5, 1000.0, 0.0]
        first = self.pick(options)
        for value in (first, *options):
            if self._attempt(lambda value=value: self.number(node, path, Line(value))):  # type: ignore[misc]
                found = self.value(node, path)
                return found if found is not None else Line(value)
        raise ImpossibleError("no value can be given to one side of a comparison")

    def _margin(self, op: str, bound: float, whole: bool) -> float:  # noqa: FBT001
        """Return how far from a bound a value is to be so that it compares so."""
        if not math.isfinite(bound):
            bound = 0.0
        size = abs(bound)
        if whole:
            up = math.floor(bound) + 1 - bound
            down = bound - (math.ceil(bound) - 1)
        else:
            up = (1 - size) / 2 if 0 < bound < 1 else size / 2 or 1.0
            down = size / 2 if bound > 0 else size / 2 or 1.0
        match op:
            case ">" | ">=":
                rest = 100 - bound if 1 < bound < 100 else size * 3
                ups = [u for u in (up, size * 0.01 or 0.01, size * 9 + 1, rest, 1.0, rest / 2) if u > 0]
                if whole:
                    ups = [up, up + 1, up + 10]
                return self.pick([0.0, *ups] if op == ">=" and whole and bound % 1 == 0 else ups)
            case "<" | "<=":
                downs = [down, size * 0.01 or 0.01, size or 1.0, size * 4 or 10.0, 1.0, size * 0.9 or 100.0]
                if whole:
                    downs = [down, down if bound < 2 else down + 1, max(down, bound)]
                return -self.pick([0.0, *downs] if op == "<=" and (bound == 0 or whole) else downs)
            case "!=":
                return self.pick([1.0, -1.0, size or 0.5] if bound != 1 else [-1.0, 1.0, 0.5])
            case _:
                return 0.0

    # What is known already

    def _constant(self, node: Expr, path: Path) -> bool:
        return not self.setting.unified.under.get((path, id(node)), ())

    def _is_whole(self, node: Expr, path: Path) -> bool:
        match unwrapped(node):
            case Aggregation(op="count" | "count_values" | "group"):
                return True
            case Aggregation(op="sum" | "min" | "max" | "topk" | "bottomk", expr=inner):
                return self._is_whole(inner, path)
            case Call(function=function, args=args):
                if function in _SAME and function != "vector" and args and type_of(args[0]) == "vector":
                    return self._is_whole(args[0], path)
                return function in _WHOLE
            case Binary(bool_=True):
                return True
            case Binary(op=op, left=left) if op in COMPARISONS or op in ("and", "unless"):
                return self._is_whole(left, path)
            case Binary(op="+" | "-", left=left, right=right):
                return self._is_whole(left, path) and self._is_whole(right, path)
            case VectorSelector() as selector:
                inner = self._recorded(selector, path)
                if inner is not None:
                    return self._is_whole(*inner)
                domain = DOMAINS.get(selector.name or "")
                return domain is not None and domain.whole
            case NumberLiteral(value=value):
                return value == math.floor(value) if math.isfinite(value) else False
            case _:
                return False

    def value(self, node: Expr, path: Path) -> Line | None:  # noqa: C901, PLR0911, PLR0912
        """Return the value that an expression has by what is settled so far; None if that is not enough."""
        match node:
            case NumberLiteral(value=value):
                return Line(value)
            case Paren(expr=inner):
                return self.value(inner, path)
            case Unary(op=op, expr=inner):
                found = self.value(inner, path)
                return found if found is None or op == "+" else Line(-found.value, -found.slope)
            case VectorSelector():
                return self._value_of(node, path, lambda s: Line(s.level, s.slope) if s.level is not None else None)
            case Call():
                return self._value_of_call(node, path)
            case Aggregation(op=op, expr=inner):
                return self._value_of_aggregation(op, inner, path)
            case Binary(op="and" | "unless" | "or", left=left):
                return self.value(left, path)
            case Binary(op=op, left=left, right=right):
                one, other = self.value(left, path), self.value(right, path)
                if op in COMPARISONS and not node.bool_:
                    return one if type_of(left) == "vector" else other
                if op == "*" and any(side is not None and side.value == 0 for side in (one, other)):
                    return Line(0.0)
                if one is None or other is None:
                    return None
                if op in COMPARISONS:
                    return Line(float(COMPARISON[op](one.value, other.value)))
                return _calculated(op, one, other)
            case _:
                return None

    def _value_of_aggregation(self, op: str, node: Expr, path: Path) -> Line | None:
        if self._spread(node, path) == 1:
            found = self.value(node, path)
            alone = {"count": Line(1.0), "group": Line(1.0), "stddev": Line(0.0), "stdvar": Line(0.0)}
            return found if found is None else alone.get(op, found)
        lines: list[Line] = []
        for copy in self._copies:
            with self.subset([copy]):
                found = self.value(node, path)
            if found is None:
                return None
            lines.append(found)
        count, slope = len(lines), sum(line.slope for line in lines)
        values = [line.value for line in lines]
        match op:
            case "sum":
                return Line(sum(values), slope)
            case "avg" | "quantile":
                return Line(sum(values) / count, slope / count)
            case "min" | "max" | "topk" | "bottomk":
                return Line(min(values) if op in ("min", "bottomk") else max(values), lines[0].slope)
            case "count":
                return Line(float(count))
            case "group":
                return Line(1.0)
            case _:
                return None

    def _value_of(
        self, node: VectorSelector, path: Path, read: Callable[[Shape], Line | None]
    ) -> Line | None:
        inner = self._recorded(node, path)
        if inner is not None:
            return self.value(*inner)
        with self.earlier(node):
            identities = self._identities(node, path)
            shape = self._get(identities[0]) if identities else None
            return None if shape is None or shape.gone else read(shape)

    def _value_of_call(self, node: Call, path: Path) -> Line | None:  # noqa: C901, PLR0911
        name, args = node.function, node.args
        if name == "time":
            return Line(self._now, 1.0)
        if name == "pi":
            return Line(math.pi)
        if name in clock.FUNCTIONS and not args:
            return Line(clock.FUNCTIONS[name](self._now))
        if not args:
            return None
        if name in _SAME or name in ("clamp_min", "clamp_max", "clamp"):
            found = self.value(args[0], path)
            if found is None or not name.startswith("clamp"):
                return Line(abs(found.value), found.slope) if found is not None and name == "abs" else found
            limits = [self.value(arg, path) for arg in args[1:]]
            if None in limits:
                return found
            low = limits[0].value if name != "clamp_max" and limits[0] else -math.inf
            high = limits[-1].value if name != "clamp_min" and limits[-1] else math.inf
            return Line(min(max(found.value, low), high), found.slope if low < found.value < high else 0.0)
        matrix = unwrapped(args[-1] if name == "quantile_over_time" else args[0])
        if isinstance(matrix, Subquery):
            return self.value(matrix.expr, path) if name in _LEVELS else None
        if not isinstance(matrix, MatrixSelector):
            return None
        seconds = matrix.range.seconds

        def read(shape: Shape) -> Line | None:
            if name in ("rate", "irate", "deriv"):
                return Line(shape.growth) if shape.growth is not None else None
            if name in ("increase", "delta"):
                return Line(shape.growth * seconds) if shape.growth is not None else None
            if name in _LEVELS and shape.level is not None and shape.growth is None:
                return Line(shape.level, shape.slope)
            if name == "changes" and (shape.hop or shape.level is not None):
                return Line(math.floor(seconds * 1000 / (self.setting.grid.interval * shape.hop)) if shape.hop else 0.0)
            return None

        with self.earlier(matrix):
            return self._value_of(matrix.vector, path, read)

    def _spread(self, node: Expr, path: Path) -> int:
        """Return how many series an expression yields, of the copies spoken of."""
        leaves = self.setting.unified.under.get((path, id(node)), ())
        copied = any(self.setting.labelled.copies[leaf] > 1 for leaf in leaves)
        return len(self._copies) if copied else 1

    # Numbers

    def number(self, node: Expr, path: Path, target: Line) -> None:  # noqa: C901, PLR0912
        """Give an expression a value."""
        if not math.isfinite(target.value):
            raise ImpossibleError("no series can have that value")
        match node:
            case Paren(expr=inner):
                self.number(inner, path, target)
            case Unary(op=op, expr=inner):
                self.number(inner, path, target if op == "+" else Line(-target.value, -target.slope))
            case NumberLiteral(value=value):
                if value != target.value:
                    raise ImpossibleError("a constant cannot be changed")
            case VectorSelector():
                self._number_selector(node, path, target)
            case Call():
                self._number_call(node, path, target)
            case Aggregation():
                self._number_aggregation(node, path, target)
            case Binary(op="and" | "or" | "unless"):
                self._number_set(node, path, target)
            case Binary(op=op) if op in COMPARISONS:
                self._number_comparison(node, path, target)
            case Binary():
                self._number_arithmetic(node, path, target)
            case _:
                raise ImpossibleError("a value is asked of what has none")

    def _number_selector(self, node: VectorSelector, path: Path, target: Line) -> None:
        inner = self._recorded(node, path)
        if inner is not None:
            with self.earlier(node):
                self.number(*inner, target)
            return
        with self.earlier(node):
            for identity in self._identities(node, path):
                shape = self._get(identity) or Shape()
                if shape.gone:
                    raise ImpossibleError("a series that is gone has no value")
                if shape.level is not None:
                    if not math.isclose(shape.level, target.value, rel_tol=1e-12):
                        raise ImpossibleError("a series is to have two values at once")
                    continue
                self._within(identity, target.value, target.slope)
                self._set(identity, replace(shape, level=target.value, slope=target.slope))

    def _within(self, identity: int, value: float, slope: float = 0.0) -> None:
        """Refuse a value that a series of that name cannot have."""
        if self.wish.negative:
            return
        if value < 0 and slope > 0:
            raise WarmError(-value / slope)
        domain = self._domain(identity)
        if domain is not None and (value < domain.low or value > domain.high or (domain.whole and value % 1)):
            raise ImpossibleError("the metric does not have such values")
        if value < 0:
            raise ImpossibleError("the metric may never be negative")

    def _number_set(self, node: Binary, path: Path, target: Line) -> None:
        place = (path, id(node))
        if node.op == "or":
            self.arms[place] = node
            arm = self.wish.arms.get(place, int(self.pick((0, 1))) if self.wish.variation else 0)
            sides = (node.left, node.right)
            if self._constant(sides[arm], path) and self.value(sides[arm], path) != target:
                arm = 1 - arm
            self.number(sides[arm], path, target)
            self._attempt(lambda: self.want(sides[1 - arm], path, truth=False))
            return
        self.number(node.left, path, target)
        self.want(node.right, path, truth=node.op == "and")

    def _number_comparison(self, node: Binary, path: Path, target: Line) -> None:
        if node.bool_:
            filtered = replace(node, bool_=False)
            self.setting.unified.under[path, id(filtered)] = self.setting.unified.under.get((path, id(node)), ())
            self._want_comparison(filtered, path, truth=target.value > 0)
            return
        vector = node.left if type_of(node.left) == "vector" else node.right
        other = node.right if vector is node.left else node.left
        self.number(vector, path, target)
        bound = self.value(other, path)
        if bound is None:
            self._want_comparison(node, path, truth=True)
            return
        op = node.op if vector is node.left else FLIPPED[node.op]
        if not COMPARISON[op](target.value, bound.value):
            raise ImpossibleError("a value does not pass a comparison")
        self._note(node, path, truth=True, delta=target.value - bound.value)

    def _number_arithmetic(self, node: Binary, path: Path, target: Line) -> None:
        left, right = node.left, node.right
        one, other = self.value(left, path), self.value(right, path)
        if one is not None and other is not None:
            found = _calculated(node.op, one, other)
            if found is None or not math.isclose(found.value, target.value, rel_tol=1e-9, abs_tol=_TINY):
                raise ImpossibleError("both sides have their values already")
            return
        match node.op:
            case "+" | "-":
                self._number_sum(node, path, target, one, other)
            case "*":
                self._number_product(node, path, target, one, other)
            case "/":
                self._number_ratio(node, path, target, one, other)
            case "%" if other is not None:
                options = [target.value, target.value + other.value, target.value + 2 * other.value]
                self.number(left, path, Line(self.pick(options if target.value else [*options[1:], 0.0])))
            case "^" if other is not None and other.value:
                self.number(left, path, Line(max(target.value, 0.0) ** (1 / other.value)))
            case "^" if one is not None and one.value > 0 and target.value > 0:
                self.number(right, path, Line(math.log(target.value) / math.log(one.value)))
            case _:
                raise ImpossibleError(f"no way back through {node.op}")

    def _number_sum(self, node: Binary, path: Path, target: Line, one: Line | None, other: Line | None) -> None:
        sign = 1.0 if node.op == "+" else -1.0
        if one is not None:
            rest = Line((target.value - one.value) * sign, (target.slope - one.slope) * sign)
            self.number(node.right, path, rest)
            return
        if other is None:
            if node.op == "+":
                part = self.pick((target.value / 2, 0.0, target.value))
            else:
                part = self.pick((max(10.0, -2 * target.value), max(0.0, -target.value), 1000.0 + abs(target.value)))
            if not self._attempt(lambda: self.number(node.right, path, Line(part))):
                other = self._nominal(node.right, path)
            else:
                other = self.value(node.right, path) or Line(part)
        self.number(node.left, path, Line(target.value - sign * other.value, target.slope - sign * other.slope))

    def _number_product(self, node: Binary, path: Path, target: Line, one: Line | None, other: Line | None) -> None:
        if one is None and other is None:
            side = node.left if self.pick((0, 1)) else node.right
            found = 1.0
            if not self._attempt(lambda: self.number(side, path, Line(found))):
                self._nominal(side, path)
            one, other = self.value(node.left, path), self.value(node.right, path)
            if one is not None and other is not None:
                self._number_arithmetic(node, path, target)
                return
        known, side = (one, node.right) if one is not None else (other, node.left)
        if known is not None and known.value == 0 == target.value:
            self.want(side, path, truth=True)
            return
        if known is None or known.value == 0:
            raise ImpossibleError("a product with nothing")
        self.number(side, path, Line(target.value / known.value, target.slope / known.value))

    def _number_ratio(self, node: Binary, path: Path, target: Line, one: Line | None, other: Line | None) -> None:
        if one is not None:
            if target.value == 0:
                raise ImpossibleError("a quotient that is nothing")
            self.number(node.right, path, Line(one.value / target.value))
            return
        if one is None and other is None and target.value and self._shared(node, path):
            whole = self.pick((100.0, 1.0, 1000.0))
            if self._attempt(lambda: self._both(node, path, target, whole)):
                return
        if other is None and target.value and self.pick((_filters(node.left), not _filters(node.left))):
            begun = self._natural(node.left, path)
            if begun is not None and begun.value:
                self.number(node.right, path, Line(begun.value / target.value))
                return
        if other is None:
            nominal = self.pick((100.0, 1.0, 1000.0, 10.0))
            if self._within_other(node, path) and 0 <= target.value < 1 and not self.wish.variation % 2:
                # The right side counts what the left side counts as well.
                target = Line(target.value / (1 - target.value))
            if not self._attempt(lambda: self.number(node.right, path, Line(nominal))):
                other = self._nominal(node.right, path)
            else:
                other = self.value(node.right, path) or Line(nominal)
            again = self.value(node.left, path)
            if again is not None:
                return  # both sides are the same series: what comes of it is for the evaluation to tell
        if other.slope:
            raise ImpossibleError("a quotient with the clock")
        self.number(node.left, path, Line(target.value * other.value, target.slope * other.value))

    def _shared(self, node: Binary, path: Path) -> bool:
        """Tell whether both sides read the same series."""
        under = self.setting.unified.under
        return bool(set(under.get((path, id(node.left)), ())) & set(under.get((path, id(node.right)), ())))

    def _both(self, node: Binary, path: Path, target: Line, whole: float) -> None:
        self.number(node.left, path, Line(target.value * whole))
        self.number(node.right, path, Line(whole))

    def _natural(self, node: Expr, path: Path) -> Line | None:
        """Let an expression yield something, and return the value that it has then; None if that is not known."""
        found: list[Line | None] = []

        def made() -> None:
            self.want(node, path, truth=True)
            found.append(self.value(node, path))
            if found[-1] is None:
                raise ImpossibleError("its value is not known")

        return found[-1] if self._attempt(made) else None

    def _within_other(self, node: Binary, path: Path) -> bool:
        """Tell whether the series of the left side are of a metric that the right side reads too."""
        leaves = self.setting.unified.leaves
        under = self.setting.unified.under
        right = under.get((path, id(node.right)), ())
        left = under.get((path, id(node.left)), ())
        return any(leaves[a].metric == leaves[b].metric and a != b for a in left for b in right)

    # Aggregations

    def _number_aggregation(self, node: Aggregation, path: Path, target: Line) -> None:  # noqa: C901, PLR0912
        self._note(node, path, truth=True)
        inner, count = node.expr, self._spread(node.expr, path)
        match node.op:
            case "count":
                self._count(node, path, target.value)
            case "sum" if isinstance(made := unwrapped(inner), Binary) and made.bool_:
                self._some(node, path, target.value, lambda truth: self.number(inner, path, Line(float(truth))))
            case "sum" if self._switch(inner, path):
                self._some(node, path, target.value, lambda truth: self.number(inner, path, Line(float(truth))))
            case "sum" | "avg" if 0 < len(free := self._free(inner, path)) < count:
                self._rest(node, path, target, free)
            case "sum":
                self.number(inner, path, Line(target.value / count, target.slope / count))
            case "avg" if self._switch(inner, path) and 0 < target.value < 1:
                if count < 4:
                    raise CopiesError((path, id(node)), node, 4)
                number = max(1, min(count - 1, round(target.value * count)))
                self._some(node, path, number, lambda truth: self.number(inner, path, Line(float(truth))))
            case "min" | "max" if count > 1 and self.wish.variation % 2 == 0:
                self._extreme(node, path, target)
            case "min" | "max" | "avg" | "quantile" | "topk" | "bottomk" | "limitk":
                self.number(inner, path, target)
            case "stddev" | "stdvar":
                self._deviation(node, path, target)
            case "group":
                self.want(inner, path, truth=True)
            case "count_values":
                self._count(node, path, target.value)
            case _:
                raise ImpossibleError(f"no way back through {node.op}")

    def _free(self, node: Expr, path: Path) -> list[int]:
        """Return the copies spoken of that have no value yet."""
        found = []
        for copy in self._copies:
            with self.subset([copy]):
                if self.value(node, path) is None:
                    found.append(copy)
        return found

    def _rest(self, node: Aggregation, path: Path, target: Line, free: Sequence[int]) -> None:
        """Give the copies without a value such ones that the whole is what it is to be."""
        known = 0.0
        for copy in self._copies:
            with self.subset([copy]):
                found = self.value(node.expr, path)
                known += found.value if found is not None else 0.0
        whole = target.value * (len(self._copies) if node.op == "avg" else 1)
        with self.subset(free):
            self.number(node.expr, path, Line((whole - known) / len(free)))

    def _switch(self, node: Expr, path: Path) -> bool:
        """Tell whether an expression is a metric that is 0 or 1."""
        selector = unwrapped(node)
        if not isinstance(selector, VectorSelector) or self._recorded(selector, path):
            return False
        domain = DOMAINS.get(selector.name or "")
        return domain is not None and domain.low == 0 and domain.high == 1

    def _count(self, node: Aggregation, path: Path, wanted: float) -> None:
        def set_one(truth: bool) -> None:  # noqa: FBT001
            self.want(node.expr, path, truth=truth)

        counted = unwrapped(node.expr)
        if isinstance(counted, Aggregation) and counted.op == "count_values":
            self._different(counted, path, math.ceil(wanted - _TINY))
            return
        self._some(node, path, wanted, set_one)

    def _different(self, node: Aggregation, path: Path, number: int) -> None:
        """Give the series under an expression so many different values."""
        if number < 1:
            raise ImpossibleError("a number of values under 1")
        if number > self._spread(node.expr, path):
            raise CopiesError((path, id(node)), node, number)
        for copy in self._copies:
            with self.subset([copy]):
                self.number(node.expr, path, Line(float(min(copy, number - 1) + 1)))

    def _some(self, node: Aggregation, path: Path, wanted: float, set_one: Callable[[bool], None]) -> None:
        """Make something so for as many copies as wanted, and not so for the others."""
        count, number = self._spread(node.expr, path), math.ceil(wanted - _TINY)
        if number < 0:
            raise ImpossibleError("a number of series under 0")
        if number > count:
            raise CopiesError((path, id(node)), node, number)
        copies = self._copies
        if count == 1:
            set_one(number == 1)
            return
        with self.subset(copies[:number]):
            if number:
                set_one(True)  # noqa: FBT003
        with self.subset(copies[number:]):
            if number < count:
                set_one(False)  # noqa: FBT003

    def _extreme(self, node: Aggregation, path: Path, target: Line) -> None:
        copies = self._copies
        with self.subset(copies[:1] if node.op == "max" else copies[-1:]):
            self.number(node.expr, path, target)

    def _deviation(self, node: Aggregation, path: Path, target: Line) -> None:
        if self._spread(node.expr, path) < 2:
            raise CopiesError((path, id(node)), node, 2)
        copies, away = self._copies, target.value if node.op == "stddev" else math.sqrt(max(0.0, target.value))
        base = max(away, 10.0)
        for number, copy in enumerate(copies):
            with self.subset([copy]):
                self.number(node.expr, path, Line(base + (away if number % 2 else -away)))

    # Functions

    def _number_call(self, node: Call, path: Path, target: Line) -> None:  # noqa: C901, PLR0912
        name, args = node.function, node.args
        if name in _INVERSE:
            self.number(args[0], path, Line(_INVERSE[name](target.value)))
        elif name in _SAME or name in ("clamp_min", "clamp_max", "clamp"):
            if not args:
                raise ImpossibleError("nothing to give a value to")
            self.number(args[0], path, target)
        elif name in ("absent", "absent_over_time"):
            self.want(args[0], path, truth=target.value != 1)
        elif name == "histogram_quantile":
            self._quantile(node, path, target)
        elif name == "timestamp":
            self._timestamp(args[0], path, target)
        elif name == "time":
            raise ImpossibleError("the clock cannot be set")
        elif name in clock.FUNCTIONS:
            raise ImpossibleError("no way back through the calendar")
        elif name == "predict_linear":
            self._predict(node, path, target)
        elif args and type_of(matrix := (args[1] if name == "quantile_over_time" else args[0])) == "matrix":
            self._number_range(name, unwrapped(matrix), path, target)
        else:
            raise ImpossibleError(f"no way back through {name}()")

    def _number_range(self, name: str, matrix: Expr, path: Path, target: Line) -> None:
        if isinstance(matrix, Subquery):
            with self.earlier(matrix):
                self._number_subquery(name, matrix, path, target)
            return
        if not isinstance(matrix, MatrixSelector):
            raise ImpossibleError("no range")
        with self.earlier(matrix):
            inner = self._recorded(matrix.vector, path)
            if inner is not None:
                self._number_history(name, *inner, target, matrix.range.seconds)
                return
            for identity in self._identities(matrix.vector, path):
                shape = self._get(identity) or Shape()
                if shape.gone:
                    raise ImpossibleError("a series that is gone has no value")
                self._set(identity, self._in_range(name, matrix.range.seconds, target, shape, identity))

    def _number_subquery(self, name: str, node: Subquery, path: Path, target: Line) -> None:
        self._number_history(name, node.expr, path, target, node.range.seconds)

    def _number_history(self, name: str, node: Expr, path: Path, target: Line, seconds: float) -> None:
        """Give a function of what an expression was the value that is wanted."""
        if name in _LEVELS:
            self.number(node, path, target)
        elif name in ("rate", "irate", "deriv", "idelta"):
            self._grow(node, path, target.value)
        elif name in ("increase", "delta"):
            self._grow(node, path, target.value / seconds)
        elif name in ("count_over_time", "present_over_time"):
            self.want(node, path, truth=target.value > 0)
        elif name == "sum_over_time":
            self.number(node, path, Line(target.value * self.setting.grid.evaluation / 1000 / seconds))
        else:
            raise ImpossibleError(f"no way back through {name}() of what an expression was")

    def _grow(self, node: Expr, path: Path, growth: float) -> None:
        match node:
            case Paren(expr=inner):
                self._grow(inner, path, growth)
            case Aggregation(expr=inner):
                self._grow(inner, path, growth / (self._spread(inner, path) if node.op == "sum" else 1))
            case VectorSelector():
                inner_rule = self._recorded(node, path)
                if inner_rule is not None:
                    self._grow(*inner_rule, growth)
                    return
                for identity in self._identities(node, path):
                    shape = self._get(identity) or Shape()
                    if shape.growth is not None and shape.growth != growth:
                        raise ImpossibleError("a series is to grow in two ways at once")
                    self._set(identity, replace(shape, growth=growth))
            case Binary(op="or", left=left, right=right):
                self._grow(left, path, growth)
                self._attempt(lambda: self.want(right, path, truth=False))
            case Binary(op="and" | "unless" as op, left=left, right=right):
                self._grow(left, path, growth)
                self.want(right, path, truth=op == "and")
            case Binary(op="*" | "/" as op, left=left, right=right):
                other = self.value(right, path) or (self._nominal(right, path) if op == "/" else None)
                if other is None or not other.value:
                    known = self.value(left, path)
                    if known is None or op == "/" or not known.value:
                        raise ImpossibleError("no way to make a product grow")
                    self._grow(right, path, growth / known.value)
                    return
                self._grow(left, path, growth * other.value if op == "/" else growth / other.value)
            case Call(function="vector" | "abs" | "label_replace" | "sort", args=args):
                self._grow(args[0], path, growth)
            case _:
                raise ImpossibleError("no way to make an expression grow")

    def _in_range(self, name: str, seconds: float, target: Line, shape: Shape, identity: int) -> Shape:  # noqa: C901, PLR0911, PLR0912
        """Return a series' shape with a function of its window having a value."""
        value, interval = target.value, self.setting.grid.interval / 1000
        closed = 0 if self.setting.problem.generation.left_open else 1
        if name in (*_RATES, "deriv", "delta", "idelta"):
            if name in _RATES and value < 0:
                raise ImpossibleError("a counter never falls")
            factor = {"increase": 1 / seconds, "delta": 1 / seconds, "idelta": 1 / interval}.get(name, 1.0)
            return self._growing(shape, value * factor, identity)
        if name in _LEVELS:
            return self._levelled(shape, target, identity)
        match name:
            case "sum_over_time":
                return self._levelled(shape, Line(value / (seconds // interval + closed)), identity)
            case "count_over_time":
                return self._counted(shape, seconds, value)
            case "present_over_time":
                return shape
            case "changes" | "resets":
                return self._stepped(name, shape, seconds, value)
            case "stddev_over_time" | "stdvar_over_time":
                away = math.sqrt(max(value, 0.0)) if name == "stdvar_over_time" else value
                return replace(shape, wobble=away, level=shape.level if shape.level is not None else max(away, 10.0))
            case _:
                raise ImpossibleError(f"no way back through {name}()")

    def _growing(self, shape: Shape, growth: float, identity: int) -> Shape:
        if shape.growth is not None and not math.isclose(shape.growth, growth, rel_tol=1e-12):
            raise ImpossibleError("a series is to grow in two ways at once")
        if growth < 0 and shape.level is None:
            level = abs(growth) * 400 * max(600.0, shortest_range(self.setting))
            self._within(identity, level)
            return replace(shape, growth=growth, level=level)
        return replace(shape, growth=growth)

    def _levelled(self, shape: Shape, target: Line, identity: int) -> Shape:
        if shape.level is not None and not math.isclose(shape.level, target.value, rel_tol=1e-12):
            raise ImpossibleError("a series is to have two values at once")
        self._within(identity, target.value, target.slope)
        return replace(shape, level=target.value, slope=target.slope)

    def _counted(self, shape: Shape, seconds: float, value: float) -> Shape:
        interval = self.setting.grid.interval / 1000
        most = seconds / interval
        if value > most:
            raise FinerError(seconds / (value + 1))
        every = max(1, math.ceil(most / value)) if value >= 1 else 1
        return replace(shape, every=every if every > 1 else 1)

    def _stepped(self, name: str, shape: Shape, seconds: float, value: float) -> Shape:
        interval = self.setting.grid.interval / 1000
        if value < 1:
            return replace(shape, level=shape.level if shape.level is not None else 1.0) if shape.growth is None else shape
        least = 1 if name == "changes" else 2
        period = math.floor(seconds / (math.ceil(value) * interval))
        if period < least:
            raise FinerError(seconds / (math.ceil(value) * least + 1))
        return replace(shape, hop=period) if name == "changes" else replace(shape, drop=period)

    def _predict(self, node: Call, path: Path, target: Line) -> None:
        matrix, ahead = unwrapped(node.args[0]), self.value(node.args[1], path)
        if ahead is None or not isinstance(matrix, MatrixSelector) or not ahead.value:
            if isinstance(matrix, Subquery) and ahead is not None:
                self.number(matrix.expr, path, target)
                return
            raise ImpossibleError("no way back through predict_linear()")
        inner = self._recorded(matrix.vector, path)
        if inner is not None:
            self.number(*inner, target)
            return
        for identity in self._identities(matrix.vector, path):
            shape = self._get(identity) or Shape()
            if shape.growth is not None or shape.gone:
                raise ImpossibleError("a series grows in another way already")
            level = shape.level if shape.level is not None else self.pick((100.0, 1000.0, 1.0, 1e6))
            self._within(identity, level)
            self._set(identity, replace(shape, level=level, growth=(target.value - level) / ahead.value))

    def _timestamp(self, node: Expr, path: Path, target: Line) -> None:
        age = self._now - target.value
        selector = unwrapped(node)
        if not isinstance(selector, VectorSelector) or self._recorded(selector, path):
            raise ImpossibleError("the time of what is computed is the present")
        every = math.ceil(max(0.0, age) * 1000 / self.setting.grid.interval) + 1
        for identity in self._identities(selector, path):
            shape = self._get(identity) or Shape()
            self._set(identity, replace(shape, every=every))

    def _quantile(self, node: Call, path: Path, target: Line) -> None:
        """Give a histogram's quantile a value: by the part of its observations that are under a lower bound."""
        share = self.value(node.args[0], path)
        leaves = [
            leaf for leaf in self.setting.unified.under.get((path, id(node.args[1])), ())
            if self.setting.unified.leaves[leaf].bucket
        ]  # fmt: skip
        if share is None or not leaves or target.value < 0:
            raise ImpossibleError("no buckets")
        fraction = min(max(share.value, 0.0), 1.0)
        for leaf in leaves:
            for copy in self._copies:
                identity = self.setting.labelled.identity(leaf, copy)
                low, high = self._between(identity, leaf, target.value, fraction)
                part = (target.value - low) / (high - low)
                under = (fraction - part) / (1 - part) if part < 1 else 0.0
                if not 0 <= under <= 1:
                    raise ImpossibleError("the value is outside of the buckets that were chosen")
                shape = self._get(identity) or Shape()
                self._set(identity, replace(shape, fraction=under, low=low))
        if not self._attempt(lambda: self._flow(node.args[1], path)):
            raise ImpossibleError("no way to give buckets a rate")

    def _flow(self, node: Expr, path: Path) -> None:
        """Let a histogram have observations."""
        match node:
            case VectorSelector():
                inner = self._recorded(node, path)
                if inner is not None:
                    self._flow(*inner)
                    return
                for identity in self._identities(node, path):
                    shape = self._get(identity) or Shape()
                    if shape.level is None and shape.growth is None:
                        self._set(identity, replace(shape, level=1000.0))
            case Call(function=function, args=args) if function in _RATES:
                matrix = unwrapped(args[0])
                if isinstance(matrix, MatrixSelector):
                    for identity in self._identities(matrix.vector, path):
                        shape = self._get(identity) or Shape()
                        if shape.growth is None:
                            self._set(identity, replace(shape, growth=10.0))
            case Paren(expr=inner_node) | Unary(expr=inner_node) | Aggregation(expr=inner_node):
                self._flow(inner_node, path)
            case Call(args=args):
                for arg in args:
                    if type_of(arg) in ("vector", "matrix"):
                        self._flow(arg, path)
            case Binary(left=left, right=right):
                for side in (left, right):
                    if type_of(side) == "vector":
                        self._flow(side, path)
            case MatrixSelector(vector=vector):
                self._flow(vector, path)
            case Subquery(expr=inner_node):
                self._flow(inner_node, path)
            case _:
                pass

    def _between(self, identity: int, leaf: int, value: float, fraction: float) -> tuple[float, float]:
        """Return the bounds of the bucket that a quantile is to be in."""
        known = self.setting.bounds.get(identity)
        if known is None:
            ground = self.setting.problem.grounding.buckets.get(self.setting.unified.leaves[leaf].metric)
            known = tuple(sorted(ground)) if ground else _bounds(value, fraction)
            self.setting.bounds[identity] = known
        finite = [bound for bound in known if math.isfinite(bound)]
        above = next((bound for bound in finite if bound >= value), None)
        if above is None or not finite:
            raise ImpossibleError("the value is over the highest bucket")
        if len(finite) == 3 and finite[0] < value:
            above = finite[-2] if value <= finite[-2] else above
        below = [bound for bound in finite if bound < above]
        return (below[-1] if below else 0.0), above


def _bounds(value: float, fraction: float) -> tuple[float, ...]:
    """Return bounds between which a quantile can move to both sides of a value."""
    if value <= 0:
        return (1.0, 2.0, math.inf)
    low = _rounded(value / 3)
    high = _rounded(low + (value - low) / max(0.02, 0.8 * fraction) + _TINY)
    return (low, high, math.inf)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _filters(node: Expr) -> bool:
    """Tell whether a comparison inside of an expression lets only some of its values through."""
    return any(isinstance(each, Binary) and each.op in COMPARISONS and not each.bool_ for each in walk(node))


def _calculated(op: str, one: Line, other: Line) -> Line | None:
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
        if isinstance(node, Call) and node.function in _RATES
        for matrix in [unwrapped(node.args[0])]
        if isinstance(matrix, MatrixSelector)
    }
    setting.grown = {leaf for (_, identity), leaf in setting.unified.by_place.items() if identity in grown}
    return setting.grown
