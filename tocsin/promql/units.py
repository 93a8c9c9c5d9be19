"""Of which unit the values of an expression are, as far as the names of its metrics say.

Sources: prometheus.io/docs/practices/naming (a name ends in its base unit), and what each function does to it
(prometheus.io/docs/prometheus/latest/querying/functions).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tocsin.promql.analysis import selectors, unwrapped
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Subquery,
    Unary,
    VectorSelector,
)
from tocsin.promql.types import COMPARISONS

Kind = Literal["number", "count", "count/s", "bytes", "bytes/s", "seconds", "seconds/s", "ratio", "timestamp"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: what is measured, and how many of the values make one of the base unit (1000: milliseconds; 8: bits)."""

    kind: Kind
    scale: float = 1.0
    value: float | None = None
    """Of a number, the number itself."""


Recorded = Callable[[str], Unit | None]
"""The unit of what a recording rule of a name records; None if it is not known."""

_SUFFIXES: tuple[tuple[str, Unit | None], ...] = (
    ("_timestamp_seconds", Unit("timestamp")),
    ("_start_time_seconds", Unit("timestamp")),
    ("_boot_time_seconds", Unit("timestamp")),
    ("_time_seconds", None),  # a moment of some exporters, a duration of others
    ("_timestamp_milliseconds", Unit("timestamp", 1e3)),
    ("_time_milliseconds", None),
    ("_milliseconds", Unit("seconds", 1e3)),
    ("_microseconds", Unit("seconds", 1e6)),
    ("_nanoseconds", Unit("seconds", 1e9)),
    ("_seconds", Unit("seconds")),
    ("_bytes", Unit("bytes")),
    ("_ratio", Unit("ratio")),
)
_KEEPING = frozenset(
    {"abs", "ceil", "floor", "round", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "clamp", "clamp_max"}
    | {"clamp_min", "scalar", "vector", "label_replace", "label_join", "increase", "delta", "idelta", "predict_linear"}
    | {"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "stddev_over_time"}
    | {"holt_winters", "double_exponential_smoothing"}
)
"""Functions whose results are of their first argument's unit."""
_PER_SECOND: dict[Kind, Kind] = {"bytes": "bytes/s", "seconds": "seconds/s", "count": "count/s"}
_WHOLE: dict[Kind, Kind] = {rate: amount for amount, rate in _PER_SECOND.items()}
_AGGREGATIONS = frozenset(
    {"sum", "avg", "min", "max", "quantile", "topk", "bottomk", "limitk", "limit_ratio", "stddev"}
)


def unit_of_metric(name: str) -> Unit | None:
    """Return the unit that a metric's name says."""
    base = name
    if name.endswith(("_bucket", "_count")):
        return Unit("count")
    if name.endswith("_created"):
        return Unit("timestamp")
    counter = name.endswith("_total")
    if counter or name.endswith("_sum"):
        base = name.rpartition("_")[0]
    for suffix, unit in _SUFFIXES:
        if base.endswith(suffix) and len(base) > len(suffix):
            if unit is None and base != name:
                return Unit("seconds", 1e3 if "milli" in suffix else 1.0)  # what is summed up is no moment
            return unit
    return (
        Unit("count")
        if counter and not re.search(r"_(?:time|duration|size|volume|milli|micro|nano|bits)", name)
        else None
    )


def unit_of(expr: Expr, recorded: Recorded) -> Unit | None:
    """Return the unit of an expression's values; None if it is not certain."""
    expr = unwrapped(expr)
    match expr:
        case NumberLiteral(value=value):
            return Unit("number", value=value)
        case VectorSelector(name=str(name)):
            return recorded(name) if ":" in name else unit_of_metric(name)
        case MatrixSelector(vector=inner) | Subquery(expr=inner) | Unary(expr=inner):
            return _signed(unit_of(inner, recorded), isinstance(expr, Unary) and expr.op == "-")
        case Aggregation(op=op, expr=inner):
            if op in ("count", "count_values", "group"):
                return Unit("count")
            return unit_of(inner, recorded) if op in _AGGREGATIONS else None
        case Call():
            return _call(expr, recorded)
        case Binary():
            return _binary(expr, recorded)
        case _:
            return None


def _signed(unit: Unit | None, negative: bool) -> Unit | None:
    return replace(unit, value=-unit.value) if unit and negative and unit.value is not None else unit


def _call(call: Call, recorded: Recorded) -> Unit | None:
    name, args = call.function, call.args
    if name in ("time", "timestamp"):
        return Unit("timestamp")
    if name == "pi" or not args:
        return None
    if name in ("count_over_time", "changes", "resets"):
        return Unit("count")
    if name == "histogram_quantile":
        return _quantile(args[-1])
    first = unit_of(args[1] if name == "quantile_over_time" and len(args) > 1 else args[0], recorded)
    if first is None or name in _KEEPING or name == "quantile_over_time":
        return first if name in _KEEPING or name == "quantile_over_time" else None
    if name in ("rate", "irate", "deriv"):
        kind = _PER_SECOND.get(first.kind)
        return Unit(kind, first.scale) if kind else None
    return None


def _quantile(histogram: Expr) -> Unit | None:
    """Return the unit of what a histogram is of: that of its name without `_bucket`."""
    names = {(selector.name or "").removesuffix("_bucket") for selector in selectors(histogram)}
    units = {unit_of_metric(name) for name in names if ":" not in name}
    return units.pop() if len(units) == 1 and len(names) == 1 else None


def _binary(binary: Binary, recorded: Recorded) -> Unit | None:
    left, right = unit_of(binary.left, recorded), unit_of(binary.right, recorded)
    op = binary.op
    if op in COMPARISONS:
        return None if binary.bool_ else left if left is None or left.kind != "number" else right
    if op in ("and", "unless"):
        return left
    if left is None or right is None:
        return None
    if op == "or":
        return left if left == right or right.kind == "number" else None
    if op in ("+", "-"):
        return _sum(op, left, right)
    if op == "*":
        return _product(left, right)
    return _quotient(left, right) if op == "/" else None


def _sum(op: str, left: Unit, right: Unit) -> Unit | None:
    if left.kind == right.kind == "number" and left.value is not None and right.value is not None:
        return Unit("number", value=left.value + right.value if op == "+" else left.value - right.value)
    if left.kind == "number" or right.kind == "number":
        number, other = (left, right) if left.kind == "number" else (right, left)
        whole = number.value == other.scale and op == "-"  # `1 - ratio` is a ratio; of what is left of an objective,
        return other if whole or other.kind not in ("ratio", "seconds/s") else None  # `ratio - 0.99`, one is the next
    if left.kind == right.kind == "timestamp":
        return Unit("seconds", left.scale) if op == "-" and left.scale == right.scale else None
    if left.kind == "timestamp" and right.kind == "seconds" and left.scale == right.scale:
        return left
    return left if left.kind == right.kind and left.scale == right.scale else None


def _product(left: Unit, right: Unit) -> Unit | None:
    if left.value is not None and right.value is not None:
        return Unit("number", value=left.value * right.value)
    if right.value is not None and left.kind != "number":
        return replace(left, scale=left.scale * abs(right.value)) if right.value else None
    if left.value is not None and right.kind != "number":
        return replace(right, scale=right.scale * abs(left.value)) if left.value else None
    for one, other in ((left, right), (right, left)):
        if one.kind == "ratio" and other.kind != "number":
            return replace(other, scale=other.scale * one.scale)
    return None


def _quotient(left: Unit, right: Unit) -> Unit | None:
    if not right.scale or right.value == 0:
        return None
    if left.value is not None and right.value is not None:
        return Unit("number", value=left.value / right.value)
    if right.value is not None:
        return replace(left, scale=left.scale / abs(right.value))
    if left.kind == "number":
        return None
    scale = left.scale / right.scale
    if left.kind == right.kind:
        return Unit("ratio", scale) if left.kind != "timestamp" else None
    if right.kind == "count/s" and left.kind in _WHOLE:
        return Unit(_WHOLE[left.kind], scale)
    if right.kind == "count" and left.kind not in ("timestamp", "ratio"):
        return Unit(left.kind, scale)
    if right.kind == "seconds" and left.kind in _PER_SECOND:
        return Unit(_PER_SECOND[left.kind], scale)
    return None
