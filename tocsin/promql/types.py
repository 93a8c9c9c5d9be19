"""The types of expressions, and what Prometheus checks when it reads one (checkAST in promql/parser/parse.go)."""

from __future__ import annotations

from typing import assert_never

from tocsin.promql import regex
from tocsin.promql.functions import AGGREGATIONS, FUNCTIONS, ValueType
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    PromQLError,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
SETS = frozenset({"and", "or", "unless"})

_SAID = {"scalar": "a scalar", "vector": "an instant vector", "matrix": "a range vector", "string": "a string"}


def type_of(expr: Expr) -> ValueType:
    """Return the type of value that `expr` evaluates to; `matrix` is a range vector."""
    match expr:
        case NumberLiteral():
            return "scalar"
        case StringLiteral():
            return "string"
        case MatrixSelector() | Subquery():
            return "matrix"
        case VectorSelector() | Aggregation():
            return "vector"
        case Call(function=function):
            return FUNCTIONS[function].gives
        case Unary(expr=inner) | Paren(expr=inner):
            return type_of(inner)
        case Binary(left=left, right=right):
            both = type_of(left) == "scalar" and type_of(right) == "scalar"
            return "scalar" if both else "vector"
        case _:
            assert_never(expr)


def check(expr: Expr) -> None:
    """Raise PromQLError if `expr` breaks a rule, given that the expressions inside it break none."""
    match expr:
        case Binary():
            _check_binary(expr)
        case Call():
            _check_call(expr)
        case Aggregation(op=op, expr=inner, param=param):
            _expect(inner, "vector", f"what {op} aggregates")
            wanted = AGGREGATIONS[op]
            if param is not None and wanted is not None:
                _expect(param, wanted, f"the parameter of {op}")
        case Unary(op=op, expr=inner):
            if type_of(inner) not in ("scalar", "vector"):
                raise _wrong(expr, f"a sign {op!r} cannot stand before {_SAID[type_of(inner)]}")
        case Subquery(expr=inner):
            _expect(inner, "vector", "what a subquery repeats")
        case _:
            pass


def check_selector(selector: VectorSelector, *, may_select_all: bool = False) -> None:
    """Raise PromQLError if a selector names its metric twice, has a bad pattern, or selects everything.

    `may_select_all` is for the second argument of info(), which selects labels only.
    """
    for matcher in selector.matchers:
        reason = regex.problem(matcher.value) if matcher.op in ("=~", "!~") else None
        if reason is not None:
            raise PromQLError(f"the pattern of label {matcher.name} is refused: {reason}", *matcher.span)
        if selector.metric is not None and matcher.name == "__name__":
            raise PromQLError(
                f"the metric is named twice: {selector.metric!r} and again inside the braces", *matcher.span
            )
    if selector.metric is None and not may_select_all and all(_matches_empty(m.op, m.value) for m in selector.matchers):
        raise _wrong(selector, "this selects every series: at least one matcher must refuse an empty value")


def _matches_empty(op: str, value: str) -> bool:
    if op in ("=", "!="):
        return (value == "") == (op == "=")
    return regex.matches_empty(value) == (op == "=~")


def _check_call(call: Call) -> None:
    signature = FUNCTIONS[call.function]
    count = len(call.args)
    if count < signature.least or (signature.most is not None and count > signature.most):
        raise _wrong(call, f"{call.function}() takes {_count(signature.least, signature.most)}, not {count}")
    for index, arg in enumerate(call.args):
        wanted = signature.args[min(index, len(signature.args) - 1)]
        _expect(arg, wanted, f"argument {index + 1} of {call.function}()")
    if call.function == "info" and count == 2 and getattr(call.args[1], "metric", "") is not None:
        raise _wrong(
            call.args[1], "the second argument of info() must be label matchers in braces, with no metric name"
        )


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} arguments"
    if least != most:
        return f"{least} to {most} arguments"
    return "no arguments" if least == 0 else f"{least} argument{'s' * (least > 1)}"


def _check_binary(binary: Binary) -> None:
    op = binary.op
    sides = (type_of(binary.left), type_of(binary.right))
    for side, found in zip((binary.left, binary.right), sides, strict=True):
        if found not in ("scalar", "vector"):
            raise _wrong(side, f"{op!r} takes scalars and instant vectors, and this is {_SAID[found]}")
    if binary.bool_ and op not in COMPARISONS:
        raise PromQLError(f"bool goes with comparisons only, not with {op!r}", *binary.operator)
    if op in COMPARISONS and not binary.bool_ and sides == ("scalar", "scalar"):
        raise PromQLError(f"a comparison of two scalars must be written {op} bool", *binary.operator)
    if op in SETS and "scalar" in sides:
        raise _wrong(binary, f"{op!r} takes instant vectors on both sides")
    _check_matching(binary, scalar="scalar" in sides)


def _check_matching(binary: Binary, *, scalar: bool) -> None:
    op, matching = binary.op, binary.matching
    filled = binary.fill_left is not None or binary.fill_right is not None
    if scalar and (filled or (matching is not None and matching.labels)):
        raise _wrong(binary, "labels can be matched between two instant vectors only")
    if op in SETS and (filled or (matching is not None and matching.group)):
        raise _wrong(binary, f"{op!r} takes neither group_left nor group_right nor fill: it is always many-to-many")
    if matching is not None and matching.on:
        twice = set(matching.labels) & set(matching.include)
        if twice:
            raise PromQLError(f"label {min(twice)} stands both in on() and in the group modifier", *matching.span)


def _expect(expr: Expr, wanted: ValueType, what: str) -> None:
    found = type_of(expr)
    if found != wanted:
        raise _wrong(expr, f"{what} must be {_SAID[wanted]}, and this is {_SAID[found]}")


def _wrong(expr: Expr, message: str) -> PromQLError:
    return PromQLError(message, *expr.span)
