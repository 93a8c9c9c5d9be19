"""How the value of an expression changes when time is compressed by a factor.

A value that is multiplied by factor**n has the power n. It depends on the traffic of the drill: the same requests per
real second as in production, or as many more as the factor says. Under the same traffic a shorter window holds
fewer events (`increase`: -1) and a rate stays; under scaled traffic the counts stay and rates grow (`rate`: +1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from tocsin.promql import (
    COMPARISONS,
    SETS,
    Aggregation,
    Binary,
    Call,
    Expr,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    type_of,
    unwrapped,
    walk,
)

Traffic = Literal["same", "scaled"]

_T = TypeVar("_T")

COUNTS = frozenset({"increase", "delta", "idelta", "changes", "resets", "count_over_time"})
"""Functions that count events, or sum change, over a window."""

RATES = frozenset({"rate", "irate", "deriv"})
"""Functions that give change per second."""

_KEEPS = frozenset(
    [
        "abs",
        "avg_over_time",
        "ceil",
        "clamp",
        "clamp_max",
        "clamp_min",
        "double_exponential_smoothing",
        "first_over_time",
        "floor",
        "histogram_count",
        "histogram_stddev",
        "histogram_sum",
        "holt_winters",
        "label_join",
        "label_replace",
        "last_over_time",
        "mad_over_time",
        "max_over_time",
        "min_over_time",
        "quantile_over_time",
        "round",
        "scalar",
        "sort",
        "sort_by_label",
        "sort_by_label_desc",
        "sort_desc",
        "stddev_over_time",
        "sum_over_time",
        "vector",
    ]
)
"""Functions whose value is of the kind of what they are given."""

_SUMS = frozenset({"avg", "bottomk", "limit_ratio", "limitk", "max", "min", "quantile", "stddev", "sum", "topk"})


@dataclass(frozen=True, slots=True)
class Power:
    """The power of the factor by which a value is multiplied, for each kind of traffic."""

    same: float = 0.0
    scaled: float = 0.0

    def under(self, traffic: Traffic) -> float:
        """Return the power under that traffic."""
        return self.same if traffic == "same" else self.scaled

    def __mul__(self, times: float) -> Power:
        return Power(self.same * times, self.scaled * times)

    def __add__(self, other: Power) -> Power:
        return Power(self.same + other.same, self.scaled + other.scaled)

    def __sub__(self, other: Power) -> Power:
        return self + other * -1


NONE = Power()
COUNT = Power(same=-1)
RATE = Power(scaled=1)


def constant(expr: Expr) -> float | None:
    """Return the value of an expression made of numbers alone (`60 * 60`, `vector(5)`), else None."""
    match expr:
        case NumberLiteral(value=value):
            return value
        case Paren(expr=inner) | Call(function="vector" | "scalar", args=(inner,)):
            return constant(inner)
        case Unary(op=op, expr=inner):
            value_inside = constant(inner)
            return None if value_inside is None else (-value_inside if op == "-" else value_inside)
        case Binary(op=op, left=left, right=right) if op in _ARITHMETIC:
            a, b = constant(left), constant(right)
            return None if a is None or b is None else _computed(op, a, b)
        case _:
            return None


_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^"})


def _computed(op: str, a: float, b: float) -> float:
    try:
        match op:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                return a / b
            case "%":
                return math.fmod(a, b)
            case _:
                return math.pow(a, b)
    except (ArithmeticError, ValueError):
        return math.nan


class Recorded:
    """The recording rules that an expression may read, by the name that they record, and what is known of each.

    Rules that read one another are followed; one that reads itself, or stands behind MOST_STEPS others, counts as a
    measured value.
    """

    MOST_STEPS = 20

    def __init__(self, expressions: Mapping[str, Expr] | None = None) -> None:
        self.expressions = dict(expressions or {})
        self._powers: dict[str, Power] = {}
        self._clocks: dict[str, bool] = {}
        self._steps = 0

    def expression(self, name: str | None) -> Expr | None:
        """Return what is recorded by that name."""
        return None if name is None else self.expressions.get(name)

    def read_by(self, expr: Expr) -> dict[str, Expr]:
        """Return what is recorded of all that `expr` reads, each after what it reads itself."""
        found: dict[str, Expr] = {}
        entered: set[str] = set()

        def enter(reader: Expr) -> None:
            for node in walk(reader):
                name = node.name if isinstance(node, VectorSelector) else None
                if name in self.expressions and name not in entered and len(entered) <= self.MOST_STEPS:
                    entered.add(name)
                    enter(self.expressions[name])
                    found[name] = self.expressions[name]

        enter(expr)
        return found

    def power(self, name: str | None) -> Power:
        """Return the power of what is recorded by that name."""
        return self._followed(name, self._powers, NONE, power)

    def is_clock(self, name: str | None) -> bool:
        """Whether what is recorded by that name is a time, or a difference of times."""
        return self._followed(name, self._clocks, False, _has_clock)

    def _followed(self, name: str | None, known: dict[str, _T], nothing: _T, ask: Callable[[Expr, Recorded], _T]) -> _T:
        if name is None or name not in self.expressions or self._steps > self.MOST_STEPS:
            return nothing
        if name not in known:
            known[name] = nothing
            self._steps += 1
            known[name] = ask(self.expressions[name], self)
            self._steps -= 1
        return known[name]


NOTHING_RECORDED = Recorded()


def power(expr: Expr, recorded: Recorded) -> Power:
    """Return the power of `expr`; of what is neither a count nor a rate, nor made of them, it is none."""
    match expr:
        case Paren(expr=inner) | Unary(expr=inner) | Subquery(expr=inner):
            return power(inner, recorded)
        case VectorSelector():
            return recorded.power(expr.name)
        case Call(function=function, args=args):
            return _power_of_call(function, args, recorded)
        case Aggregation(op=op, expr=inner):
            if op == "stdvar":
                return power(inner, recorded) * 2
            return power(inner, recorded) if op in _SUMS else NONE
        case Binary():
            return _power_of_binary(expr, recorded)
        case _:
            return NONE


def _power_of_call(function: str, args: tuple[Expr, ...], recorded: Recorded) -> Power:
    if function in COUNTS:
        return COUNT
    if function in RATES:
        return RATE
    measured = next((arg for arg in args if type_of(arg) in ("vector", "matrix")), None)
    if measured is None:
        return NONE
    if function == "sqrt":
        return power(measured, recorded) * 0.5
    if function in ("stdvar_over_time", "histogram_stdvar"):
        return power(measured, recorded) * 2
    return power(measured, recorded) if function in _KEEPS else NONE


def _power_of_binary(expr: Binary, recorded: Recorded) -> Power:
    left, right = power(expr.left, recorded), power(expr.right, recorded)
    match expr.op:
        case "*":
            return left + right
        case "/":
            return left - right
        case "^":
            exponent = constant(expr.right)
            return left if exponent is None else left * exponent
        case op if op in SETS:
            return left if left != NONE else right if op == "or" else left
        case op if op in COMPARISONS:
            return NONE if expr.bool_ else (left if type_of(expr.left) == "vector" else right)
        case _:
            return left if left != NONE else right


# Time itself.

CLOCKS = frozenset({"time", "timestamp"})
"""Functions that give a moment, as a Unix time."""

_ELEMENTWISE = frozenset(
    [
        "abs",
        "avg_over_time",
        "ceil",
        "clamp",
        "clamp_max",
        "clamp_min",
        "floor",
        "label_join",
        "label_replace",
        "last_over_time",
        "max_over_time",
        "min_over_time",
        "quantile_over_time",
        "round",
        "scalar",
        "sort",
        "sort_desc",
        "vector",
    ]
)


def terms(expr: Expr) -> Iterator[Expr]:
    """Yield what `expr` adds up: the constants, clocks and other values that stand for times if one of them does.

    Signs, parentheses, multiplication by a constant, aggregation and functions that keep the unit are looked through.
    """
    inner = unwrapped(expr)
    parts = None if constant(inner) is not None else _parts(inner)
    if parts is None:
        yield inner
        return
    for part in parts:
        yield from terms(part)


def _parts(expr: Expr) -> tuple[Expr, ...] | None:
    """Return the operands whose unit is that of the whole; None if there are none."""
    match expr:
        case Unary(expr=operand) | Subquery(expr=operand):
            return (operand,)
        case Aggregation(op=op, expr=operand) if op in _SUMS:
            return (operand,)
        case Call(function=function, args=args) if function in _ELEMENTWISE:
            measured = args[1:] if function == "quantile_over_time" else args
            return tuple(arg for arg in measured if type_of(arg) != "string")
        case Binary():
            return _parts_of_binary(expr)
        case _:
            return None


def _parts_of_binary(expr: Binary) -> tuple[Expr, ...] | None:
    left, right = expr.left, expr.right
    if expr.op in ("+", "-"):
        return (left, right)
    if expr.op in ("*", "/") and constant(right) is not None:
        return (left,)
    if expr.op == "*" and constant(left) is not None:
        return (right,)
    if expr.op in SETS or (expr.op in COMPARISONS and not expr.bool_):
        return (left if type_of(left) == "vector" else right,)
    return None


def is_clock(term: Expr, recorded: Recorded) -> bool:
    """Whether a term is a moment, or a recorded time."""
    if isinstance(term, Call):
        return term.function in CLOCKS
    return isinstance(term, VectorSelector) and recorded.is_clock(term.name)


def _has_clock(expr: Expr, recorded: Recorded) -> bool:
    return any(is_clock(term, recorded) for term in terms(expr))


def compares_clocks(comparison: Binary, recorded: Recorded) -> bool:
    """Whether a comparison is between times: one of its terms, on either side, is a clock."""
    return _has_clock(comparison.left, recorded) or _has_clock(comparison.right, recorded)


def comparison_nodes(expr: Expr) -> Iterator[Binary]:
    """Yield every comparison in `expr`, wherever it stands."""
    return (node for node in walk(expr) if isinstance(node, Binary) and node.op in COMPARISONS)
