"""A tree as text again: what `parse` reads from it is the same tree.

The form is that of Prometheus's own String() (promql/parser/printer.go). A tree that was read holds its parentheses
as nodes; where one that was built lacks those that its meaning needs, they are written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import assert_never

from tocsin.durations import format_duration
from tocsin.promql.nodes import (
    Aggregation,
    At,
    Binary,
    Call,
    Duration,
    Expr,
    Matcher,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)

_PRECEDENCE = {
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_POWER = 6
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED = frozenset({"without", "inf", "nan"})
"""What cannot stand bare in a list of label names."""
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"}
_LONGEST_WHOLE = 1e16
"""Below it, a whole number is written without an exponent."""


def printed(expr: Expr) -> str:
    """Return an expression as text, on one line."""
    match expr:
        case NumberLiteral():
            return _literal(expr)
        case StringLiteral(value=value):
            return quoted(value)
        case VectorSelector():
            return _selector(expr)
        case MatrixSelector() | Subquery():
            return _ranged(expr)
        case Call(function=function, args=args):
            return f"{function}({', '.join(printed(arg) for arg in args)})"
        case Aggregation():
            return _aggregation(expr)
        case Unary(op=op, expr=inner):
            return f"{op}{_signed(inner)}"
        case Paren(expr=inner):
            return f"({printed(inner)})"
        case Binary():
            return _binary(expr)
        case _:
            assert_never(expr)


def _literal(node: NumberLiteral) -> str:
    if not node.duration:
        return number_text(node.value)
    sign = "-" if node.value < 0 else ""
    return f"{sign}{format_duration(abs(node.value))}"


def number_text(value: float) -> str:
    """Return a number as PromQL reads it, with as many digits as tell it from every other."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "-Inf" if value < 0 else "+Inf"
    if value == int(value) and abs(value) < _LONGEST_WHOLE:
        return str(int(value))
    return repr(value)


def quoted(value: str) -> str:
    """Return a string in double quotes; what stands for a byte that is no UTF-8 is escaped."""
    return '"' + "".join(_ESCAPED.get(c) or _byte(c) for c in value) + '"'


def _byte(character: str) -> str:
    point = ord(character)
    return f"\\x{point - 0xDC00:02x}" if 0xDC80 <= point <= 0xDCFF else character


def _selector(node: VectorSelector) -> str:
    braces = f"{{{matchers_text(node.matchers)}}}" if node.matchers or node.metric is None else ""
    return f"{node.metric or ''}{braces}{_moved(node.at, node.offset)}"


def matchers_text(matchers: Iterable[Matcher]) -> str:
    """Return conditions on labels as they stand between braces."""
    return ", ".join(
        f"{m.name if _NAME.fullmatch(m.name) else quoted(m.name)}{m.op}{quoted(m.value)}" for m in matchers
    )


def _moved(at: At | None, offset: Duration | None) -> str:
    found = ""
    if at is not None:
        found += f" @ {number_text(at.timestamp or 0.0) if at.kind == 'timestamp' else f'{at.kind}()'}"
    if offset is not None:
        found += f" offset {'-' if offset.seconds < 0 else ''}{offset.raw}"
    return found


def _ranged(node: MatrixSelector | Subquery) -> str:
    if isinstance(node, MatrixSelector):
        window = f"{printed(node.vector)}[{node.range.raw}]" + (f" {node.boundary}" if node.boundary else "")
    else:
        window = f"{_postfixed(node.expr)}[{node.range.raw}:{node.step.raw if node.step else ''}]"
    return window + _moved(node.at, node.offset)


def _aggregation(node: Aggregation) -> str:
    args = [printed(arg) for arg in (node.param, node.expr) if arg is not None]
    return f"{node.op}{grouping_text(node)}({', '.join(args)})"


def grouping_text(node: Aggregation) -> str:
    """Return the clause of an aggregation with its blanks, ` by (job) `; empty if there is none."""
    if node.grouping is None:
        return ""
    return f" {'without' if node.without else 'by'} {labels_text(node.grouping)} "


def labels_text(names: Iterable[str]) -> str:
    """Return a list of label names in parentheses."""
    return "(" + ", ".join(n if _NAME.fullmatch(n) and n.lower() not in _RESERVED else quoted(n) for n in names) + ")"


def _postfixed(inner: Expr) -> str:
    """Return what a range is put behind."""
    return f"({printed(inner)})" if isinstance(inner, Binary | Unary) else printed(inner)


def _signed(inner: Expr) -> str:
    """Return what a sign is put before; a number would take it in."""
    bare = not isinstance(inner, Binary | NumberLiteral) or (isinstance(inner, Binary) and inner.op == "^")
    return printed(inner) if bare else f"({printed(inner)})"


def _binary(node: Binary) -> str:
    between = node.op + (" bool" if node.bool_ else "") + _matching(node.matching) + _fills(node)
    return f"{_operand(node.left, node.op, left=True)} {between} {_operand(node.right, node.op, left=False)}"


def _matching(matching: Matching | None) -> str:
    if matching is None:
        return ""
    found = f" {'on' if matching.on else 'ignoring'} {labels_text(matching.labels)}"
    return f"{found} group_{matching.group} {labels_text(matching.include)}" if matching.group else found


def _fills(node: Binary) -> str:
    found = ""
    if node.fill_left is not None:
        found += f" fill_left({number_text(node.fill_left)})"
    if node.fill_right is not None:
        found += f" fill_right({number_text(node.fill_right)})"
    return found


def _operand(side: Expr, op: str, *, left: bool) -> str:
    text = printed(side)
    return f"({text})" if _needs_parentheses(side, _PRECEDENCE[op], left=left) else text


def _needs_parentheses(side: Expr, around: int, *, left: bool) -> bool:
    if isinstance(side, Binary):
        inside = _PRECEDENCE[side.op]
        # Powers are read from the right, everything else from the left.
        return inside < around or (inside == around and left == (around == _POWER))
    signed = isinstance(side, Unary) or (isinstance(side, NumberLiteral) and math.copysign(1, side.value) < 0)
    return signed and left and around == _POWER
