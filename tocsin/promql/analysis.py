"""What can be read off a parsed expression: its nodes, its selectors, how far back it looks, what it compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.promql.nodes import (
    Binary,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    VectorSelector,
    children,
)
from tocsin.promql.types import COMPARISONS, SETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A comparison on which the result of an alert's expression hangs: `left` `op` `right`."""

    op: str
    left: Expr
    right: Expr
    node: Binary


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield `expr` and every expression inside it, each before what it holds, in the order of the text."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def selectors(expr: Expr) -> tuple[VectorSelector, ...]:
    """Return every vector selector, those under a range included."""
    return tuple(node for node in walk(expr) if isinstance(node, VectorSelector))


def longest_window(expr: Expr) -> float:
    """Return how many seconds of the past `expr` can depend on.

    Ranges of nested subqueries add up, and so do offsets; one into the future (`offset -5m`) counts against them,
    down to 0. The lookback delta and `@` are left out of account: neither is a window of the expression.
    """
    longest = 0.0
    waiting = [(expr, 0.0)]
    while waiting:
        node, before = waiting.pop()
        if isinstance(node, MatrixSelector | Subquery):
            before += node.range.seconds
        if isinstance(node, VectorSelector | MatrixSelector | Subquery) and node.offset is not None:
            before += node.offset.seconds
        longest = max(longest, before)
        waiting.extend((child, before) for child in children(node))
    return longest


def recording_delay(expr: Expr, recorded: Mapping[str, Expr], interval: float) -> float:
    """Return how many seconds a change takes at most to pass the recording rules that `expr` reads.

    Each is evaluated every `interval` seconds, and looks back over its own window; those that read others add up.
    """
    return _delay(expr, recorded, interval, frozenset())


def _delay(expr: Expr, recorded: Mapping[str, Expr], interval: float, passed: frozenset[str]) -> float:
    names = {s.name for s in selectors(expr) if s.name in recorded and s.name not in passed}
    delays = (
        interval + longest_window(recorded[name]) + _delay(recorded[name], recorded, interval, passed | {name})
        for name in names
        if name is not None
    )
    return max(delays, default=0.0)


def comparisons(expr: Expr) -> tuple[Comparison, ...]:
    """Return the comparisons that decide whether an alert's expression gives a result, in the order of the text.

    Both sides of `and` and `or` and the left side of `unless` are searched, and so are parentheses. A comparison of
    a comparison (`1 < x < 5`) gives both. Those inside functions, aggregations and arithmetic give none.
    """
    found: list[Comparison] = []
    waiting = [expr]
    while waiting:
        match waiting.pop():
            case Paren(expr=inner):
                waiting.append(inner)
            case Binary(op="unless", left=left):
                waiting.append(left)
            case Binary(op=op, left=left, right=right) if op in SETS:
                waiting += [right, left]
            case Binary(op=op, left=left, right=right) as node if op in COMPARISONS:
                found.append(Comparison(op=op, left=left, right=right, node=node))
                waiting += [side for side in (right, left) if _filters(side)]
            case _:
                pass
    return tuple(sorted(found, key=lambda comparison: comparison.node.operator))


def _filters(side: Expr) -> bool:
    """Whether a side of a comparison is itself one that lets series through unchanged."""
    while isinstance(side, Paren):
        side = side.expr
    return isinstance(side, Binary) and side.op in COMPARISONS and not side.bool_


def unwrapped(expr: Expr) -> Expr:
    """Return `expr` without the parentheses around it."""
    while isinstance(expr, Paren):
        expr = expr.expr
    return expr
