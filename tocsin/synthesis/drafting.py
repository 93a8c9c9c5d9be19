"""A proposal while it is made: the shapes of series, and the values that expressions have by them so far."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

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
)
from tocsin.promql.domains import DOMAINS
from tocsin.promql.evaluation import clock
from tocsin.promql.evaluation.arithmetic import COMPARISON
from tocsin.promql.ranges import Interval
from tocsin.synthesis.setting import (
    LEVELS,
    SAME,
    CopiesError,
    FinerError,
    ImpossibleError,
    Line,
    Met,
    Place,
    Setting,
    WarmError,
    Wish,
    calculated,
    shortest_range,
)
from tocsin.synthesis.shapes import Shape
from tocsin.synthesis.unifying import Path

WHOLE = frozenset({"changes", "resets", "count_over_time"})
"""Functions that count."""


class Draft(ABC):
    """Shapes, and what is read of them."""

    def __init__(self, setting: Setting, wish: Wish) -> None:
        self.setting = setting
        self.wish = wish
        self.shapes: dict[int, Shape] = {}
        self.past: dict[int, Shape] = {}
        self.met: dict[Place, Met] = {}
        self.arms: dict[Place, int] = {}
        """By `or` that the goal passed through, which side yields something."""
        self.notes: set[str] = set()
        self._picked = 0
        self._random = random.Random(1000 * setting.problem.seed + wish.variation)  # noqa: S311 proposals, not secrets
        self._copies: Sequence[int] = range(setting.labelled.count)
        self._earlier = False
        self._now = setting.reference / 1000

    @abstractmethod
    def want(self, node: Expr, path: Path, *, truth: bool) -> None:
        """Make an expression yield something for each copy spoken of, or nothing."""

    @abstractmethod
    def number(self, node: Expr, path: Path, target: Line) -> None:
        """Give an expression a value."""

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

    def _note(self, node: Expr, path: Path, *, truth: bool, whole: bool = False, delta: float | None = None) -> None:
        place = (path, id(node))
        self.met[place] = Met(place, node, truth, path == (), whole, delta)

    def _attempt(self, made: Callable[[], None]) -> bool:
        """Do something, or undo it where it cannot be done."""
        shapes, past, met = dict(self.shapes), dict(self.past), dict(self.met)
        try:
            made()
        except (ImpossibleError, CopiesError, FinerError):
            self.shapes, self.past, self.met = shapes, past, met
            return False
        return True

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

    def nominal(self, node: Expr, path: Path) -> Line:
        """Give an expression some value, and return it."""
        options = [10.0, 1.0, 100.0, 0.5, 1000.0, 0.0]
        first = self.pick(options)
        for value in (first, *options):
            if self._attempt(lambda value=value: self.number(node, path, Line(value))):  # type: ignore[misc]
                found = self.value(node, path)
                return found if found is not None else Line(value)
        raise ImpossibleError("no value can be given to one side of a comparison")

    # What is known already

    def _constant(self, node: Expr, path: Path) -> bool:
        return not self.setting.unified.under.get((path, id(node)), ())

    def _is_whole(self, node: Expr, path: Path) -> bool:
        """Tell whether the values of an expression are whole numbers only."""
        match unwrapped(node):
            case Aggregation(op=op, expr=inner):
                counts = op in ("count", "count_values", "group")
                return counts or (op in ("sum", "min", "max", "topk", "bottomk") and self._is_whole(inner, path))
            case Call(function=function, args=args):
                if function in SAME and function != "vector" and args and type_of(args[0]) == "vector":
                    return self._is_whole(args[0], path)
                return function in WHOLE
            case Binary() as binary:
                return binary.bool_ or self._whole_operator(binary, path)
            case VectorSelector() as selector:
                recorded = self._recorded(selector, path)
                domain = DOMAINS.get(selector.name or "")
                return self._is_whole(*recorded) if recorded is not None else domain is not None and domain.whole
            case NumberLiteral(value=value):
                return math.isfinite(value) and value == math.floor(value)
            case _:
                return False

    def _whole_operator(self, node: Binary, path: Path) -> bool:
        if node.op in COMPARISONS or node.op in ("and", "unless"):
            return self._is_whole(node.left, path)
        return node.op in ("+", "-") and self._is_whole(node.left, path) and self._is_whole(node.right, path)

    def value(self, node: Expr, path: Path) -> Line | None:  # noqa: C901, PLR0912
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
                return calculated(op, one, other)
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

    def _value_of(self, node: VectorSelector, path: Path, read: Callable[[Shape], Line | None]) -> Line | None:
        inner = self._recorded(node, path)
        if inner is not None:
            return self.value(*inner)
        with self.earlier(node):
            identities = self._identities(node, path)
            shape = self._get(identities[0]) if identities else None
            return None if shape is None or shape.gone else read(shape)

    def _value_of_call(self, node: Call, path: Path) -> Line | None:  # noqa: C901
        name, args = node.function, node.args
        if name == "time":
            return Line(self._now, 1.0)
        if name == "pi":
            return Line(math.pi)
        if name in clock.FUNCTIONS and not args:
            return Line(clock.FUNCTIONS[name](self._now))
        if not args:
            return None
        if name in SAME or name in ("clamp_min", "clamp_max", "clamp"):
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
            return self.value(matrix.expr, path) if name in LEVELS else None
        if not isinstance(matrix, MatrixSelector):
            return None
        seconds = matrix.range.seconds

        def read(shape: Shape) -> Line | None:
            if name in ("rate", "irate", "deriv"):
                return Line(shape.growth) if shape.growth is not None else None
            if name in ("increase", "delta"):
                return Line(shape.growth * seconds) if shape.growth is not None else None
            if name in LEVELS and shape.level is not None and shape.growth is None:
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

    def _switch(self, node: Expr, path: Path) -> bool:
        """Tell whether an expression is a metric that is 0 or 1."""
        selector = unwrapped(node)
        if not isinstance(selector, VectorSelector) or self._recorded(selector, path):
            return False
        domain = DOMAINS.get(selector.name or "")
        return domain is not None and domain.low == 0 and domain.high == 1

    def _shared(self, node: Binary, path: Path) -> bool:
        """Tell whether both sides read the same series."""
        under = self.setting.unified.under
        return bool(set(under.get((path, id(node.left)), ())) & set(under.get((path, id(node.right)), ())))
