"""Values for expressions: how each series must be so that a node has the value that is wanted."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

from tocsin.promql import (
    COMPARISONS,
    Aggregation,
    Binary,
    Call,
    Expr,
    NumberLiteral,
    Paren,
    Unary,
    VectorSelector,
    type_of,
    unwrapped,
    walk,
)
from tocsin.promql.evaluation.arithmetic import COMPARISON
from tocsin.promql.intervals import FLIPPED
from tocsin.promql.past import shift, unshifted
from tocsin.synthesis.functions import Functions
from tocsin.synthesis.setting import TINY, CopiesError, ImpossibleError, Line, calculated
from tocsin.synthesis.shapes import Shape
from tocsin.synthesis.unifying import Path


class Aiming(Functions):
    """Gives operators, aggregations and selectors their values."""

    def number(self, node: Expr, path: Path, target: Line) -> None:  # noqa: C901
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

    def _number_set(self, node: Binary, path: Path, target: Line) -> None:
        place = (path, id(node))
        if node.op == "or":
            arm = self.arms[place] = self.wish.arms.get(place, int(self.pick((0, 1))) if self.wish.variation else 0)
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
            self.compare(filtered, path, truth=target.value > 0)
            return
        vector = node.left if type_of(node.left) == "vector" else node.right
        other = node.right if vector is node.left else node.left
        self.number(vector, path, target)
        bound = self.value(other, path)
        if bound is None:
            self.compare(node, path, truth=True)
            return
        op = node.op if vector is node.left else FLIPPED[node.op]
        if not COMPARISON[op](target.value, bound.value):
            raise ImpossibleError("a value does not pass a comparison")
        self._note(node, path, truth=True, delta=target.value - bound.value)

    def _number_arithmetic(self, node: Binary, path: Path, target: Line) -> None:
        left, right = node.left, node.right
        one, other = self.value(left, path), self.value(right, path)
        if one is not None and other is not None:
            found = calculated(node.op, one, other)
            if found is None or not math.isclose(found.value, target.value, rel_tol=1e-9, abs_tol=TINY):
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
        ago = shift(node.right) if node.op == "-" and not self.setting.split else 0.0
        same = ago and not shift(node.left) and unshifted(node.right) == unwrapped(node.left)
        if same and one is None and other is None and self.pick((1, 0)):
            self._grow(node.left, path, target.value / ago)
            return
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
                other = self.nominal(node.right, path)
            else:
                other = self.value(node.right, path) or Line(part)
        self.number(node.left, path, Line(target.value - sign * other.value, target.slope - sign * other.slope))

    def _number_product(self, node: Binary, path: Path, target: Line, one: Line | None, other: Line | None) -> None:
        if one is None and other is None:
            side = node.left if self.pick((0, 1)) else node.right
            found = 1.0
            if not self._attempt(lambda: self.number(side, path, Line(found))):
                self.nominal(side, path)
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
        if other is None:
            if target.value and self._ratio_from_left(node, path, target):
                return
            if self._within_other(node, path) and 0 <= target.value < 1 and not self.wish.variation % 2:
                # The right side counts what the left side counts as well.
                target = Line(target.value / (1 - target.value))
            other = self._ratio_right(node, path)
            if self.value(node.left, path) is not None:
                return  # both sides are the same series: what comes of it is for the evaluation to tell
        if other.slope:
            raise ImpossibleError("a quotient with the clock")
        self.number(node.left, path, Line(target.value * other.value, target.slope * other.value))

    def _ratio_right(self, node: Binary, path: Path) -> Line:
        nominal = self.pick((100.0, 1.0, 1000.0, 10.0))
        if self._attempt(lambda: self.number(node.right, path, Line(nominal))):
            return self.value(node.right, path) or Line(nominal)
        return self.nominal(node.right, path)

    def _ratio_from_left(self, node: Binary, path: Path, target: Line) -> bool:
        """Settle a quotient's left side first, where the right side reads the same series, or the left filters."""
        if self._shared(node, path):
            whole = self.pick((100.0, 1.0, 1000.0))
            if self._attempt(lambda: self._both(node, path, target, whole)):
                return True
        if not self.pick((_filters(node.left), not _filters(node.left))):
            return False
        begun = self._natural(node.left, path)
        if begun is None or not begun.value:
            return False
        self.number(node.right, path, Line(begun.value / target.value))
        return True

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

    def _count(self, node: Aggregation, path: Path, wanted: float) -> None:
        def set_one(truth: bool) -> None:
            self.want(node.expr, path, truth=truth)

        counted = unwrapped(node.expr)
        if isinstance(counted, Aggregation) and counted.op == "count_values":
            self._different(counted, path, math.ceil(wanted - TINY))
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
        count, number = self._spread(node.expr, path), math.ceil(wanted - TINY)
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
                set_one(True)
        with self.subset(copies[number:]):
            if number < count:
                set_one(False)

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

    @abstractmethod
    def compare(self, node: Binary, path: Path, *, truth: bool) -> None:
        """Make a comparison let something through, or nothing."""


def _filters(node: Expr) -> bool:
    """Tell whether a comparison inside of an expression lets only some of its values through."""
    return any(isinstance(each, Binary) and each.op in COMPARISONS and not each.bool_ for each in walk(node))
