"""Conditions that compare the present with the past, and for how long they can hold at a stretch.

`x == 0 and x offset 1h > 0` holds for no longer than an hour: whatever it has been true of for an hour was 0 an hour
ago, and not above it. So does `x unless x offset 1h`, and `x offset 1h unless x`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tocsin.promql.analysis import selectors, unwrapped
from tocsin.promql.dead import Proofs
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Span,
    Subquery,
    Unary,
    VectorSelector,
)
from tocsin.promql.ranges import meet


@dataclass(frozen=True, slots=True)
class Stretch:
    """The longest time for which a condition can hold."""

    seconds: float
    """It holds for less than this."""
    argument: str
    span: Span
    sure: bool
    """Whether it is so of every input; otherwise, where no two series share the labels that are matched on."""


def longest_stretch(expr: Expr, proofs: Proofs) -> Stretch | None:
    """Return for how long a condition can hold at most; None if nothing limits it."""
    expr = unwrapped(expr)
    if not isinstance(expr, Binary):
        return None
    if expr.op == "unless":
        return _come_or_gone(expr) or longest_stretch(expr.left, proofs)
    if expr.op == "and":
        return _turned(expr, proofs) or longest_stretch(expr.left, proofs)
    return None


def _come_or_gone(binary: Binary) -> Stretch | None:
    """Return for how long something counts as new (`x unless x offset 1h`), or as gone (`x offset 1h unless x`)."""
    left, right = unwrapped(binary.left), unwrapped(binary.right)
    for older, newer, word in ((right, left, "new"), (left, right, "gone")):
        ago = shift(older)
        if ago and not shift(newer) and unshifted(older) == newer:
            said = f"nothing is {word} for longer than its `offset` goes back"
            return Stretch(ago, said, binary.right.span, sure=True)
    return None


def _turned(binary: Binary, proofs: Proofs) -> Stretch | None:
    """Return for how long something counts as changed: `x == 0 and x offset 1h > 0`."""
    now, then = proofs.conditions(binary.left), proofs.conditions(binary.right)
    for key, (interval, text) in then.items():
        ago = shift(key)
        known = now.get(unshifted(key)) if ago else None
        if known is None or known[0].clock != interval.clock or not meet(known[0], interval).empty:
            continue
        matching = binary.matching
        sure = matching is None or (not matching.on and not matching.labels)
        said = f"what has been `{known[1]}` for so long was not `{text}` then"
        return Stretch(ago, said, binary.right.span, sure=sure)
    return None


def shift(expr: Expr) -> float:
    """Return how many seconds back everything in an expression is read; 0 if not all of it is, or not equally far."""
    offsets = {_offset(each) for each in _ranges(expr)}
    return next(iter(offsets)) if len(offsets) == 1 and all(offset > 0 for offset in offsets) else 0.0


def _ranges(expr: Expr) -> list[VectorSelector | MatrixSelector]:
    found: list[VectorSelector | MatrixSelector] = []
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        match node:
            case VectorSelector() | MatrixSelector():
                found.append(node)
            case Subquery():
                return []  # its own offset shifts what is inside as well
            case Call(args=args):
                waiting.extend(args)
            case Aggregation(expr=inner) | Unary(expr=inner) | Paren(expr=inner):
                waiting.append(inner)
            case Binary(left=left, right=right):
                waiting += [left, right]
            case _:
                pass
    return found if len(found) >= len(selectors(expr)) else []


def _offset(selector: VectorSelector | MatrixSelector) -> float:
    return selector.offset.seconds if selector.offset is not None and selector.at is None else 0.0


def unshifted(expr: Expr) -> Expr:
    """Return an expression of the present, without any `offset`."""
    match expr:
        case VectorSelector() | MatrixSelector():
            return replace(expr, offset=None)
        case Call(args=args):
            return replace(expr, args=tuple(unshifted(arg) for arg in args))
        case Aggregation(expr=inner) | Unary(expr=inner):
            return replace(expr, expr=unshifted(inner))
        case Paren(expr=inner):
            return unshifted(inner)
        case Binary(left=left, right=right):
            return replace(expr, left=unshifted(left), right=unshifted(right))
        case _:
            return expr
