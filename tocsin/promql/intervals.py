"""Which values the series of an expression can have, from what PromQL's functions can give and what its metrics are.

The claim is sound: no real series is outside. What is not known may be anything. Source of what functions give:
https://prometheus.io/docs/prometheus/latest/querying/functions/ and promql/functions.go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from tocsin.promql import parts
from tocsin.promql.domains import DOMAINS, RATES
from tocsin.promql.nodes import (
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
)
from tocsin.promql.ranges import (
    ANYTHING,
    Interval,
    applied,
    between,
    hull,
    meet,
    minus,
    negated,
    over,
    plus,
    point,
    times,
    written,
)
from tocsin.promql.types import COMPARISONS, SETS, type_of

LOOKBACK = 300.0
"""Seconds for which a sample counts as the present one (Prometheus, --query.lookback-delta)."""
DEEPEST = 20
"""How many recording rules deep an expression is followed."""
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""A comparison as it reads from the other side."""
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_KEEPS_BUCKETS = frozenset(
    ["rate", "irate", "increase", "label_replace", "label_join", "sum_over_time", "avg_over_time", "last_over_time"]
)
_COUNTER_NAMES = ("_total", "_count", "_bucket")


class Known:
    """What is known of series beyond their names: nothing. A system's model knows more, and says so by overriding."""

    lookback: float = LOOKBACK

    def series(self, selector: VectorSelector) -> Interval | None:  # noqa: ARG002
        """Return the values of a selector's series; None if nothing but the name is known."""
        return None

    def top_bucket(self, selector: VectorSelector) -> float | None:  # noqa: ARG002
        """Return the highest finite bound of the buckets that a selector finds."""
        return None

    def gauge(self, name: str) -> bool:  # noqa: ARG002
        """Tell whether a metric is known to be a gauge, which can be negative and can fall."""
        return False

    def recorded(self, name: str) -> tuple[Expr, ...]:  # noqa: ARG002
        """Return the expressions that record a series of that name."""
        return ()

    def samples(self, selector: VectorSelector, seconds: float) -> int | None:  # noqa: ARG002
        """Return how many samples of one of its series a window holds at most; None if that is not known."""
        return None


class Intervals:
    """The intervals of expressions, each computed once."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known or Known()
        self._found: dict[int, tuple[Expr, Interval]] = {}
        self._recording: set[str] = set()

    def of(self, expr: Expr) -> Interval:
        """Return the values that the series (or the scalar) of an expression can have."""
        found = self._found.get(id(expr))
        if found is None or found[0] is not expr:
            found = self._found[id(expr)] = (expr, self._of(expr))
        return found[1]

    def _of(self, expr: Expr) -> Interval:
        match expr:
            case NumberLiteral(value=value):
                return point(value)
            case Paren(expr=inner):
                return self.of(inner)
            case Unary(op=op, expr=inner):
                return negated(self.of(inner)) if op == "-" else self.of(inner)
            case VectorSelector():
                return self._selector(expr)
            case MatrixSelector(vector=inner) | Subquery(expr=inner):
                return self.of(inner)
            case Call():
                return self._call(expr)
            case Aggregation():
                return self._aggregation(expr)
            case Binary():
                return self._binary(expr)
            case _:
                return ANYTHING

    def _binary(self, binary: Binary) -> Interval:
        if binary.op in SETS:
            left = self.of(binary.left)
            return hull(left, self.of(binary.right)) if binary.op == "or" else left
        return self._compared(binary) if binary.op in COMPARISONS else self._calculated(binary)

    # Series

    def _selector(self, selector: VectorSelector) -> Interval:
        name = selector.name
        found = self.known.series(selector)
        if name is None:
            return found or ANYTHING
        found = found or DOMAINS.get(name) or self._recorded(name)
        if found is None and name.endswith(_COUNTER_NAMES) and ":" not in name and not self.known.gauge(name):
            return between(0, math.inf, nan=True).because("counter", f"{name} counts, from 0 on")
        return found or ANYTHING

    def _recorded(self, name: str) -> Interval | None:
        rules = self.known.recorded(name)
        if not rules or name in self._recording or len(self._recording) >= DEEPEST:
            return None
        self._recording.add(name)
        try:
            found = self.of(rules[0])
            for rule in rules[1:]:
                found = hull(found, self.of(rule))
        finally:
            self._recording.discard(name)
        return ANYTHING if found.clock else found

    # Functions

    def _call(self, call: Call) -> Interval:
        name = call.function
        if name in _GIVES:
            return _GIVES[name]
        if not call.args:
            return _CLOCK.get(name, ANYTHING)
        made = self._MADE.get(name)
        if made is not None:
            return made(self, call)
        return ANYTHING

    def _same(self, call: Call) -> Interval:
        found = self.of(call.args[-1])
        return ANYTHING if found.clock else replace(found, nan=True)

    def _scalar(self, call: Call) -> Interval:
        return replace(self.of(call.args[0]), nan=True)

    def _average(self, call: Call) -> Interval:
        return replace(self._same(call), whole=False)

    def _sum(self, call: Call) -> Interval:
        return summed(self.of(call.args[-1]))

    def _rate(self, call: Call) -> Interval:
        selector = vector_of(call.args[0])
        name = selector.name if selector is not None else None
        if name is not None and self.known.gauge(name):
            return ANYTHING
        if name in RATES and call.function != "increase":
            return RATES[name or ""]
        if selector is None and not self.of(call.args[0]).non_negative:
            return ANYTHING
        return between(0, math.inf).because("counter", f"{call.function}() of a counter is never under 0")

    def _steps(self, call: Call) -> Interval:
        """Return what changes(), resets() and the counts over time give: no more than the window holds samples."""
        least = 1 if call.function == "count_over_time" else 0
        selector, seconds = vector_of(call.args[0]), window_of(call.args[0])
        most = self.known.samples(selector, seconds) if selector is not None and seconds is not None else None
        if most is None:
            return between(least, math.inf, whole=True).because("function", f"{call.function}() counts")
        most -= call.function != "count_over_time"
        held = f"{written(seconds or 0)} s hold at most {most} of what {call.function}() counts"
        text = f"{held}, at the interval of its scrapes"
        return between(least, max(least, most), whole=True).because("samples", text)

    def _quantile(self, call: Call) -> Interval:
        rank = self.of(call.args[0])
        if rank.low < 0 or rank.high > 1:
            return ANYTHING
        buckets = self.buckets(call.args[1])
        tops = [(self.known.top_bucket(each), each.name) for each in buckets or ()]
        known = [(top, name) for top, name in tops if top is not None]
        if not known or len(known) < len(tops):
            return ANYTHING
        top, name = max(known, key=lambda each: each[0])
        text = f"a quantile is never above the highest finite bucket, and that of {name} is {written(top)}"
        return Interval(high=top).because("buckets", text)

    def buckets(self, expr: Expr) -> list[VectorSelector] | None:
        """Return the selectors of what a histogram_quantile() reads, recording rules followed; None if not known."""
        found: list[VectorSelector] = []
        waiting, followed = [expr], set[str]()
        while waiting:
            node = waiting.pop()
            match node:
                case VectorSelector(name=name) if name is not None:
                    rules = self.known.recorded(name)
                    if not rules:
                        found.append(node)
                    elif name not in followed:
                        followed.add(name)
                        waiting.extend(rules)
                case MatrixSelector(vector=vector):
                    waiting.append(vector)
                case Subquery(expr=inside) | Paren(expr=inside) | Aggregation(expr=inside):
                    waiting.append(inside)
                case Call(function=function) if function in _KEEPS_BUCKETS:
                    waiting.append(node.args[0])
                case Binary(op="*" | "/" | ">" | ">="):
                    waiting.append(node.left)
                case _:
                    return None
        return found

    def _timestamp(self, call: Call) -> Interval:
        inner = call.args[0]
        while isinstance(inner, Paren):
            inner = inner.expr
        if not isinstance(inner, VectorSelector):
            text = "timestamp() of what is computed is the moment of the evaluation"
            return Interval(0, 0, clock=1.0, nan=False).because("age", text)
        if inner.offset is not None or inner.at is not None:
            return ANYTHING
        text = f"a sample older than {written(self.known.lookback)} s is not found any more, so none is older"
        return Interval(-self.known.lookback, 0, nan=False, clock=1.0).because("age", text)

    def _absolute(self, call: Call) -> Interval:
        inner = self.of(call.args[0])
        if inner.clock:
            return ANYTHING
        low = 0.0 if inner.low <= 0 <= inner.high else min(abs(inner.low), abs(inner.high))
        return Interval(low, max(abs(inner.low), abs(inner.high)), whole=inner.whole, reasons=inner.reasons)

    def _clamp(self, call: Call) -> Interval:
        inner = replace(self.of(call.args[0]), low_open=False, high_open=False)
        if inner.clock or any(self.of(limit).clock for limit in call.args[1:]):
            return ANYTHING
        least = self.of(call.args[1]).low if call.function != "clamp_max" else -math.inf
        most = self.of(call.args[-1]).high if call.function != "clamp_min" else math.inf
        low, high = min(max(inner.low, least), most), max(min(inner.high, most), least)
        found = Interval(low, high, reasons=inner.reasons)
        return found.because("function", f"{call.function}() keeps it {found}")

    def _rounded(self, call: Call) -> Interval:
        if call.function == "round" and len(call.args) > 1:
            return ANYTHING
        shape = {"ceil": math.ceil, "floor": math.floor, "round": lambda value: math.floor(value + 0.5)}[call.function]
        return applied(self.of(call.args[0]), lambda v: v if math.isinf(v) else float(shape(v)), whole=True)

    def _root(self, call: Call) -> Interval:
        inner = self.of(call.args[0])
        if not inner.non_negative:
            return between(0, math.inf, nan=True).because("function", "sqrt() is never under 0")
        return applied(inner, math.sqrt)

    def _vector(self, call: Call) -> Interval:
        return self.of(call.args[0])

    # Aggregations

    def _aggregation(self, aggregation: Aggregation) -> Interval:
        inner = self.of(aggregation.expr)
        match aggregation.op:
            case "count" | "count_values":
                return _EXISTING
            case "group":
                return point(1).because("constant", "group() is always 1")
            case "sum":
                return summed(inner)
            case "min" | "max" | "topk" | "bottomk" | "limitk" | "limit_ratio":
                return inner
            case "avg":
                return replace(inner, whole=False)
            case "quantile":
                rank = self.of(aggregation.param) if aggregation.param is not None else ANYTHING
                return replace(inner, whole=False) if rank.low >= 0 and rank.high <= 1 else ANYTHING
            case "stddev" | "stdvar":
                return between(0, math.inf, nan=True).because("function", f"{aggregation.op}() is never under 0")
            case _:
                return ANYTHING

    # Operators

    def _compared(self, binary: Binary) -> Interval:
        left, right = self.of(binary.left), self.of(binary.right)
        if binary.bool_:
            return between(0, 1, whole=True).because("function", "a comparison with bool gives 0 or 1")
        op, value, bound = binary.op, left, right
        if type_of(binary.left) == "scalar":
            op, value, bound = FLIPPED[op], right, left
        found = meet(value, allowed(op, bound))
        if replace(found, nan=value.nan) == value or found.clock or not bound.single:
            return found
        return found.because("filter", f"`{op} {written(bound.low)}` lets nothing else through")

    def _calculated(self, binary: Binary) -> Interval:
        left, right = self.of(binary.left), self.of(binary.right)
        match binary.op:
            case "+":
                return plus(left, right)
            case "-":
                return minus(left, right)
            case "*" | "/":
                constant = parts.cancelled(binary)
                if constant is not None:
                    text = "what is divided by is multiplied with again"
                    return replace(point(constant), nan=True).because("constant", text)
                return times(left, right) if binary.op == "*" else self._divided(binary, left, right)
            case "%":
                if right.single and right.low > 0 and left.non_negative:
                    return Interval(0, right.low, high_open=True).having(left)
                return ANYTHING
            case "^":
                return applied(left, lambda v: v**right.low) if right.single and _safe_power(left, right) else ANYTHING
            case _:
                return ANYTHING

    def _divided(self, binary: Binary, left: Interval, right: Interval) -> Interval:
        found = over(left, right)
        reason = parts.part_of_whole(binary, self.of)
        if reason is None:
            return found
        return meet(found, between(0, parts.scaled(binary.left)[0], nan=True)).because("ratio", reason)

    _MADE: ClassVar[dict[str, Callable[[Intervals, Call], Interval]]] = {
        **dict.fromkeys(["sort", "sort_desc", "sort_by_label", "sort_by_label_desc"], _vector),
        **dict.fromkeys(["label_replace", "label_join", "vector", "info"], _vector),
        "scalar": _scalar,
        **dict.fromkeys(["min_over_time", "max_over_time", "last_over_time", "first_over_time"], _same),
        **dict.fromkeys(["avg_over_time"], _average),
        "sum_over_time": _sum,
        **dict.fromkeys(["rate", "irate", "increase"], _rate),
        **dict.fromkeys(["changes", "resets", "count_over_time"], _steps),
        "histogram_quantile": _quantile,
        "timestamp": _timestamp,
        "abs": _absolute,
        **dict.fromkeys(["clamp", "clamp_max", "clamp_min"], _clamp),
        **dict.fromkeys(["ceil", "floor", "round"], _rounded),
        "sqrt": _root,
    }
    """What a function makes of what it is given."""


_EXISTING = between(1, math.inf, whole=True).because("count", "of nothing there is no count, not even 0")


def summed(inner: Interval) -> Interval:
    """Return the values of a sum of at least one of `inner`."""
    if inner.clock:
        return ANYTHING
    low = inner.low if inner.low >= 0 else -math.inf
    high = inner.high if inner.high <= 0 else math.inf
    low_open, high_open = inner.low_open and low == inner.low, inner.high_open and high == inner.high
    return Interval(low, high, low_open, high_open, inner.whole, inner.nan, reasons=inner.reasons)


def allowed(op: str, other: Interval) -> Interval:
    """Return what a value can be for which `value op other` holds for at least one value of `other`."""
    bound = Interval(clock=other.clock, nan=False).having(other)
    match op:
        case ">" | ">=":
            return replace(bound, low=other.low, low_open=op == ">" or other.low_open)
        case "<" | "<=":
            return replace(bound, high=other.high, high_open=op == "<" or other.high_open)
        case "==":
            return replace(other, nan=False)
        case _:
            return replace(bound, nan=True)


def holds_never(op: str, left: Interval, right: Interval) -> bool:
    """Tell whether `left op right` is false for all values; a NaN is never less, more or equal, but always unequal."""
    if left.clock != right.clock:
        return False
    if op == "!=":
        return left.single and right.single and left.low == right.low and not left.nan and not right.nan
    return meet(left, allowed(op, right)).empty


def holds_always(op: str, left: Interval, right: Interval) -> bool:
    """Tell whether `left op right` is true for all values that are not NaN."""
    plain = replace(left, nan=False), replace(right, nan=False)
    return holds_never(_NEGATED[op], *plain) and not left.empty and not right.empty


def vector_of(matrix: Expr) -> VectorSelector | None:
    """Return the selector of a range of samples; None of a subquery."""
    while isinstance(matrix, Paren):
        matrix = matrix.expr
    return matrix.vector if isinstance(matrix, MatrixSelector) else None


def window_of(matrix: Expr) -> float | None:
    """Return the seconds of a range of samples or of a subquery."""
    while isinstance(matrix, Paren):
        matrix = matrix.expr
    return matrix.range.seconds if isinstance(matrix, MatrixSelector | Subquery) else None


def _safe_power(left: Interval, right: Interval) -> bool:
    return left.non_negative and 0 < right.low <= 8 and left.high < 1e30


_GIVES = {
    "absent": point(1).because("constant", "absent() is always 1"),
    "absent_over_time": point(1).because("constant", "absent_over_time() is always 1"),
    "present_over_time": point(1).because("constant", "present_over_time() is always 1"),
    "day_of_month": between(1, 31, whole=True, nan=True).because("function", "a day of the month is 1 to 31"),
    "day_of_week": between(0, 6, whole=True, nan=True).because("function", "a day of the week is 0 (Sunday) to 6"),
    "day_of_year": between(1, 366, whole=True, nan=True).because("function", "a day of the year is 1 to 366"),
    "days_in_month": between(28, 31, whole=True, nan=True).because("function", "a month has 28 to 31 days"),
    "hour": between(0, 23, whole=True, nan=True).because("function", "an hour is 0 to 23"),
    "minute": between(0, 59, whole=True, nan=True).because("function", "a minute is 0 to 59"),
    "month": between(1, 12, whole=True, nan=True).because("function", "a month is 1 to 12"),
    "sgn": between(-1, 1, whole=True, nan=True).because("function", "sgn() is -1, 0 or 1"),
    "sin": between(-1, 1, nan=True).because("function", "a sine is between -1 and 1"),
    "cos": between(-1, 1, nan=True).because("function", "a cosine is between -1 and 1"),
    "exp": between(0, math.inf, nan=True).because("function", "exp() is never under 0"),
    "stddev_over_time": between(0, math.inf, nan=True).because("function", "a deviation is never under 0"),
    "stdvar_over_time": between(0, math.inf, nan=True).because("function", "a variance is never under 0"),
    "mad_over_time": between(0, math.inf, nan=True).because("function", "a deviation is never under 0"),
    "histogram_count": between(0, math.inf, nan=True).because("function", "a count is never under 0"),
    "histogram_fraction": between(0, 1, nan=True).because("function", "a fraction is between 0 and 1"),
}
"""What a function gives whatever it is given."""

_CLOCK = {"time": Interval(0, 0, clock=1.0, nan=False), "pi": point(math.pi)}
