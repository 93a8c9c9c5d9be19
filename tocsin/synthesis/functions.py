"""Values for functions: of ranges, of histograms, of what an expression was."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.promql import (
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
    unwrapped,
)
from tocsin.promql.evaluation import clock
from tocsin.synthesis.drafting import Draft
from tocsin.synthesis.setting import LEVELS, RATES, SAME, TINY, FinerError, ImpossibleError, Line, shortest_range
from tocsin.synthesis.shapes import Shape
from tocsin.synthesis.unifying import Path

INVERSE: Mapping[str, Callable[[float], float]] = {
    "sqrt": lambda v: v * v,
    "exp": lambda v: math.log(v) if v > 0 else -700.0,
    "ln": lambda v: math.exp(min(v, 700)),
    "log2": lambda v: 2.0 ** min(v, 1000),
    "log10": lambda v: 10.0 ** min(v, 300),
    "deg": lambda v: v * math.pi / 180,
    "rad": lambda v: v * 180 / math.pi,
}
"""Functions with the way back, cut off where numbers end."""
_NEVER = 1 << 30
"""After so many samples a value changes that stays what it is."""


class Functions(Draft):
    """Gives calls their values."""

    def _number_call(self, node: Call, path: Path, target: Line) -> None:  # noqa: C901
        name, args = node.function, node.args
        if name in INVERSE:
            self.number(args[0], path, Line(INVERSE[name](target.value)))
        elif name in SAME or name in ("clamp_min", "clamp_max", "clamp"):
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
        if name in LEVELS:
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
        """Make the value of an expression grow by so much in a second."""
        match node:
            case Paren(expr=inner) | Call(function="abs" | "label_replace" | "sort", args=(inner, *_)):
                self._grow(inner, path, growth)
            case Aggregation(expr=inner):
                self._grow(inner, path, growth / (self._spread(inner, path) if node.op == "sum" else 1))
            case VectorSelector():
                self._grow_series(node, path, growth)
            case Binary(op="or", left=left, right=right):
                self._grow(left, path, growth)
                self._attempt(lambda: self.want(right, path, truth=False))
            case Binary(op="and" | "unless" as op, left=left, right=right):
                self._grow(left, path, growth)
                self.want(right, path, truth=op == "and")
            case Binary(op="*" | "/"):
                self._grow_product(node, path, growth)
            case _:
                raise ImpossibleError("no way to make an expression grow")

    def _grow_series(self, node: VectorSelector, path: Path, growth: float) -> None:
        recorded = self._recorded(node, path)
        if recorded is not None:
            self._grow(*recorded, growth)
            return
        for identity in self._identities(node, path):
            shape = self._get(identity) or Shape()
            if shape.growth is not None and shape.growth != growth:
                raise ImpossibleError("a series is to grow in two ways at once")
            self._set(identity, replace(shape, growth=growth))

    def _grow_product(self, node: Binary, path: Path, growth: float) -> None:
        other = self.value(node.right, path)
        if node.op == "/":
            other = other or self.nominal(node.right, path)
            self._grow(node.left, path, growth * other.value)
        elif other is not None and other.value:
            self._grow(node.left, path, growth / other.value)
        else:
            known = self.value(node.left, path)
            if known is None or not known.value:
                raise ImpossibleError("no way to make a product grow")
            self._grow(node.right, path, growth / known.value)

    def _in_range(self, name: str, seconds: float, target: Line, shape: Shape, identity: int) -> Shape:
        """Return a series' shape with a function of its window having a value."""
        value, interval = target.value, self.setting.grid.interval / 1000
        closed = 0 if self.setting.problem.generation.left_open else 1
        if name in (*RATES, "deriv", "delta", "idelta"):
            if name in RATES and value < 0:
                raise ImpossibleError("a counter never falls")
            factor = {"increase": 1 / seconds, "delta": 1 / seconds, "idelta": 1 / interval}.get(name, 1.0)
            return self._growing(shape, value * factor, identity)
        if name in LEVELS:
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
        return replace(shape, every=max(1, every))

    def _stepped(self, name: str, shape: Shape, seconds: float, value: float) -> Shape:
        interval = self.setting.grid.interval / 1000
        if value < 1:
            settled = shape.growth is not None or shape.level is not None
            return shape if settled else replace(shape, hop=_NEVER) if name == "changes" else replace(shape, level=1.0)
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
            usual = (100.0, 1000.0, 1.0, 1e6)
            chosen = self.pick((target.value / 2, *usual) if target.value > 0 else usual)
            level = shape.level if shape.level is not None else chosen
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

    # Histograms

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
                part = self._part(target.value, low, high)
                under = (fraction - part) / (1 - part) if part < 1 else 0.0
                if not 0 <= under <= 1:
                    raise ImpossibleError("the value is outside of the buckets that were chosen")
                shape = self._get(identity) or Shape()
                self._set(identity, replace(shape, fraction=under, low=low))
        if not self._attempt(lambda: self._flow(node.args[1], path)):
            raise ImpossibleError("no way to give buckets a rate")

    def _flow(self, node: Expr, path: Path, shape: Shape = Shape(level=1000.0)) -> None:  # noqa: B008 it is frozen
        """Let a histogram have observations; `shape` is for the series of what is inside."""
        match node:
            case VectorSelector():
                self._flow_series(node, path, shape)
            case Call(function=function, args=args):
                inside = Shape(growth=10.0) if function in RATES else shape
                for arg in args:
                    if type_of(arg) in ("vector", "matrix"):
                        self._flow(arg, path, inside)
            case Binary(left=left, right=right):
                for side in (left, right):
                    if type_of(side) == "vector":
                        self._flow(side, path, shape)
            case MatrixSelector(vector=inner):
                self._flow(inner, path, shape)
            case Paren(expr=inner) | Unary(expr=inner) | Aggregation(expr=inner) | Subquery(expr=inner):
                self._flow(inner, path, shape)
            case _:
                pass

    def _flow_series(self, node: VectorSelector, path: Path, shape: Shape) -> None:
        recorded = self._recorded(node, path)
        if recorded is not None:
            self._flow(*recorded)
            return
        for identity in self._identities(node, path):
            known = self._get(identity) or Shape()
            if known.level is None and known.growth is None:
                self._set(identity, replace(known, level=shape.level, growth=shape.growth))

    def _part(self, value: float, low: float, high: float) -> float:
        """Return how far into a bucket a value is."""
        generation = self.setting.problem.generation
        if generation.native and generation.exponential and low > 0:
            return math.log2(value / low) / math.log2(high / low)
        return (value - low) / (high - low)

    def _between(self, identity: int, leaf: int, value: float, fraction: float) -> tuple[float, float]:
        """Return the bounds of the bucket that a quantile is to be in."""
        known = self.setting.bounds.get(identity)
        if known is None:
            ground = self.setting.problem.grounding.buckets.get(self.setting.unified.leaves[leaf].metric)
            native = self.setting.problem.generation.native
            known = tuple(sorted(ground)) if ground else _powers(value) if native else _bounds(value, fraction)
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
    high = _rounded(low + (value - low) / max(0.02, 0.8 * fraction) + TINY)
    return (low, high, math.inf)


def _powers(value: float) -> tuple[float, ...]:
    """Return bounds of native histograms, schema 0, around a value."""
    exponent = math.ceil(math.log2(value)) if value > 0 else 0
    return (*(2.0**each for each in range(exponent - 2, exponent + 2)), math.inf)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")
