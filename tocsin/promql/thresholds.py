"""What an alert's expression compares with numbers, and the numbers that expressions of numbers are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.promql.analysis import Comparison, comparisons, walk
from tocsin.promql.nodes import Binary, Expr, NumberLiteral, Paren, Unary


@dataclass(frozen=True)
class Threshold:
    """A number that an alert's expression is compared with."""

    comparison: Comparison
    number: Expr
    """The side that is the number."""
    measured: Expr
    """The other side."""
    value: float
    over: bool
    """Whether the alert rings above it, or at it; below otherwise."""


def thresholds(tree: Expr) -> Iterator[Threshold]:
    """Yield the comparisons of an alert's expression with a number."""
    known = _folded(tree)
    for comparison in comparisons(tree):
        left, right = known.get(id(comparison.left)), known.get(id(comparison.right))
        if right is not None and left is None:
            over = comparison.op in (">", ">=", "==", "!=")
            yield Threshold(comparison, comparison.right, comparison.left, right, over)
        elif left is not None and right is None:
            yield Threshold(
                comparison, comparison.left, comparison.right, left, comparison.op in ("<", "<=", "==", "!=")
            )


def numbers_of(tree: Expr) -> frozenset[float]:
    """Return every number of an expression, what comes of calculating with numbers alone included."""
    return frozenset(_folded(tree).values())


def _folded(tree: Expr) -> dict[int, float]:
    """Return the values of those parts of an expression that are made of numbers alone, by their identity."""
    known: dict[int, float] = {}
    for node in reversed(list(walk(tree))):  # what a node holds comes before it
        match node:
            case NumberLiteral(value=value):
                found: float | None = value
            case Paren(expr=inner):
                found = known.get(id(inner))
            case Unary(op=op, expr=inner):
                value_inside = known.get(id(inner))
                found = None if value_inside is None else -value_inside if op == "-" else value_inside
            case Binary(op=op, left=left, right=right) if id(left) in known and id(right) in known:
                found = _calculated(op, known[id(left)], known[id(right)])
            case _:
                found = None
        if found is not None:
            known[id(node)] = found
    return known


def _calculated(op: str, one: float, other: float) -> float | None:
    try:
        match op:
            case "+":
                return one + other
            case "-":
                return one - other
            case "*":
                return one * other
            case "/":
                return one / other
        return one**other if abs(other) < 64 and one > 0 else None
    except (OverflowError, ZeroDivisionError):
        return None
