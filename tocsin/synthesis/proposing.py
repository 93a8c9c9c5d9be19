"""Proposals: what each series must do for an expression to yield something, or a certain value.

The goal is followed down the tree. Each proposal is only likely to be right; evaluation tells whether it is.
"""

from __future__ import annotations

import math
from dataclasses import replace

from tocsin.promql import (
    COMPARISONS,
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    type_of,
    walk,
)
from tocsin.promql.evaluation.arithmetic import COMPARISON
from tocsin.promql.intervals import FLIPPED
from tocsin.synthesis.aiming import Aiming
from tocsin.synthesis.setting import ImpossibleError, Line, counters, shortest_range
from tocsin.synthesis.shapes import GONE, Shape
from tocsin.synthesis.unifying import Path

NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
"""What holds where a comparison does not."""


class Proposal(Aiming):
    """One attempt: shapes for all series."""

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

    def _usual(self, identity: int, counter: bool, shape: Shape) -> Shape:
        domain = self._domain(identity)
        if counter:
            return replace(shape, growth=1.0)
        level = 1.0 if domain is None else min(max(1.0, domain.low), domain.high)
        return replace(shape, level=level)

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
                self.compare(node, path, truth=truth)
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
            arm = self.arms[place] = self.wish.arms.get(place, int(self.pick((0, 1))) if self.wish.variation else 0)
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

    def compare(self, node: Binary, path: Path, *, truth: bool) -> None:
        """Make a comparison let something through, or nothing."""
        if len(self._copies) > 1 and self.wish.few and truth:
            with self.subset(self._copies[-1:]):
                self.compare(node, path, truth=truth)
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
            other = self.nominal(right, path)
        margin = self._margin(op, other.value, whole)  # chosen in any case, so that later choices stay what they are
        if delta is None:
            delta = margin
        elif left is not node.left:
            delta = -delta
        self._note(node, path, truth=truth, whole=whole, delta=delta if left is node.left else -delta)
        self.number(left, path, Line(other.value + delta, other.slope))

    def _margin(self, op: str, bound: float, whole: bool) -> float:
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
