"""Proofs that one expression is a part of another, so that their quotient is between 0 and 1; and what cancels out.

Two sums of rates are part and whole where each series of the first is among those of the second, and both are grouped
alike: then each sum of the first is made of some of the terms of the second's, and no term is below 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tocsin.promql import regex
from tocsin.promql.analysis import unwrapped
from tocsin.promql.domains import PARTS
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matcher,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Span,
    VectorSelector,
)
from tocsin.promql.ranges import Interval
from tocsin.promql.types import COMPARISONS

Bounds = Callable[[Expr], Interval]
"""What is known of an expression's values."""

_WINDOWED = frozenset({"rate", "irate", "increase", "count_over_time", "sum_over_time", "changes"})


def part_of_whole(quotient: Binary, of: Bounds) -> str | None:
    """Return why the left side of a division is never more than the right side; None if that is not provable."""
    part, whole = scaled(quotient.left)[1], _at_least(quotient.right)
    matching = quotient.matching
    if quotient.fill_left is not None or quotient.fill_right is not None:
        return None
    if isinstance(whole, Call) and whole.function == "scalar":
        inner = unwrapped(whole.args[0])
        if isinstance(inner, Aggregation) and inner.grouping is None:
            whole, matching = inner, _EVERYTHING
    if _summand(part, whole, of):
        return "the part that is divided is one of the terms that it is divided by"
    if isinstance(whole, Aggregation):
        return _aggregated(part, whole, matching, of)
    if matching is None and isinstance(part, VectorSelector) and isinstance(whole, VectorSelector):
        known = PARTS.get(part.name or "") == whole.name and _same_time(part, whole)
        return f"{part.name} is a part of {whole.name}" if known else None
    return None


_EVERYTHING = Matching(on=True, labels=(), group="left", span=Span(0, 0))


def scaled(expr: Expr) -> tuple[float, Expr]:
    """Return the positive number by which an expression is multiplied, and the rest: of `100 * x`, 100 and `x`."""
    expr, factor = unwrapped(expr), 1.0
    while isinstance(expr, Binary) and expr.op == "*":
        left, right = unwrapped(expr.left), unwrapped(expr.right)
        if isinstance(right, NumberLiteral) and right.value > 0:
            factor, expr = factor * right.value, left
        elif isinstance(left, NumberLiteral) and left.value > 0:
            factor, expr = factor * left.value, right
        else:
            break
    if isinstance(expr, Aggregation) and expr.op == "sum":
        inner, term = scaled(expr.expr)
        return factor * inner, replace(expr, expr=term)
    return factor, expr


def _at_least(whole: Expr) -> Expr:
    """Return what a divisor is, or is more than: `clamp_min(x, 1)` is never less than `x`, and `x > 0` is `x`."""
    whole = unwrapped(whole)
    while True:
        if isinstance(whole, Call) and whole.function == "clamp_min":
            whole = unwrapped(whole.args[0])
        elif isinstance(whole, Binary) and whole.op in COMPARISONS and _unfiltered(whole) is not whole:
            whole = _unfiltered(whole)
        else:
            return whole


def _summand(part: Expr, whole: Expr, of: Bounds) -> bool:
    """Whether a part is itself among the terms of a sum of what is never below 0."""
    if not isinstance(whole, Binary) or whole.op != "+":
        return False
    terms = _terms(whole)
    return part in terms and all(of(term).low >= 0 and not of(term).clock for term in terms)


def _terms(expr: Expr) -> list[Expr]:
    found: list[Expr] = []
    waiting = [expr]
    while waiting:
        node = unwrapped(waiting.pop())
        if isinstance(node, Binary) and node.op == "+":
            waiting += [node.right, node.left]
        else:
            found.append(node)
    return found


def _aggregated(part: Expr, whole: Aggregation, matching: Matching | None, of: Bounds) -> str | None:
    if whole.op not in ("sum", "count"):
        return None
    if isinstance(part, Aggregation):
        if not _grouped_alike(part, whole, matching) or part.op not in ("sum", "count"):
            return None
        fits = _terms_fit(part, whole, of)
    else:
        fits = whole.op == "sum" and _one_in_its_group(whole, matching) and _within(part, whole.expr, of)
    return "every series of the part is counted in the whole too" if fits else None


def _terms_fit(part: Aggregation, whole: Aggregation, of: Bounds) -> bool:
    """Whether the terms of one sum (or count) are among those of another."""
    inner = of(part.expr)
    match part.op, whole.op:
        case "sum", "sum":
            return _within(part.expr, whole.expr, of)
        case "count", "count":
            return _present_within(part.expr, whole.expr)
        case "sum", "count":
            return inner.high <= 1 and not inner.clock and _present_within(part.expr, whole.expr)
        case _:
            return False


def _within(part: Expr, whole: Expr, of: Bounds) -> bool:
    """Whether each series of a part is in the whole, with the same value or a lower one, none below 0."""
    part, whole = unwrapped(part), unwrapped(whole)
    bounds = of(whole)
    if bounds.low < 0 or bounds.clock:
        return False
    if isinstance(part, Aggregation) and isinstance(whole, Aggregation):
        return _grouped_alike(part, whole, None) and _terms_fit(part, whole, of)
    return _same_shape(_unfiltered(part), whole)


def _present_within(part: Expr, whole: Expr) -> bool:
    """Whether each series of a part exists in the whole, whatever its value is."""
    part = _unfiltered(part, bool_too=True)
    return _same_shape(part, unwrapped(whole))


def _unfiltered(expr: Expr, *, bool_too: bool = False) -> Expr:
    """Return what a comparison with a number lets through some series of."""
    expr = unwrapped(expr)
    while isinstance(expr, Binary) and expr.op in COMPARISONS and (bool_too or not expr.bool_):
        if not isinstance(unwrapped(expr.right), NumberLiteral):
            break
        expr = unwrapped(expr.left)
    return expr


def _same_shape(part: Expr, whole: Expr) -> bool:
    """Whether both read the same samples in the same way, the part with the same matchers or stricter ones."""
    match part, whole:
        case VectorSelector(), VectorSelector():
            return _same_time(part, whole) and _narrower(part, whole)
        case Call(function=one), Call(function=other) if one == other and one in _WINDOWED:
            a, b = unwrapped(part.args[0]), unwrapped(whole.args[0])
            if not (isinstance(a, MatrixSelector) and isinstance(b, MatrixSelector)):
                return False
            same = a.range.seconds == b.range.seconds and _same_time(a, b) and a.boundary == b.boundary
            return same and _narrower(a.vector, b.vector)
        case _:
            return False


def _same_time(one: VectorSelector | MatrixSelector, other: VectorSelector | MatrixSelector) -> bool:
    offsets = [each.offset.seconds if each.offset is not None else 0.0 for each in (one, other)]
    return offsets[0] == offsets[1] and one.at == other.at


def _narrower(part: VectorSelector, whole: VectorSelector) -> bool:
    """Whether a selector finds nothing that another does not find, a histogram's buckets being parts of its count."""
    names = part.name, whole.name
    if None in names:
        return False
    needed = [m for m in whole.matchers if m.name != "__name__"]
    if names[0] != names[1]:
        bucket = (names[0] or "").removesuffix("_bucket") + "_count" == names[1] and _bound(part) is not None
        if not bucket and PARTS.get(names[0] or "") != names[1]:
            return False
    elif (names[0] or "").endswith("_bucket") and _bound(whole) == "+Inf":
        if _bound(part) is None:
            return False
        needed = [m for m in needed if m.name != "le"]
    return all(any(implies(own, matcher) for own in part.matchers) or _lets_all(matcher) for matcher in needed)


def _bound(selector: VectorSelector) -> str | None:
    """Return the bound of the one bucket that a selector finds."""
    return next((m.value for m in selector.matchers if m.name == "le" and m.op == "=" and m.value), None)


def implies(stricter: Matcher, matcher: Matcher) -> bool:
    """Tell whether whatever one matcher accepts is accepted by another one too, as far as that is certain."""
    if stricter.name != matcher.name:
        return False
    if (stricter.op, stricter.value) == (matcher.op, matcher.value):
        return True
    if stricter.op not in ("=", "=~"):
        return False
    values = [stricter.value] if stricter.op == "=" else regex.alternatives(stricter.value)
    return values is not None and all(_accepts(matcher, value) for value in values)


def _accepts(matcher: Matcher, value: str) -> bool:
    if matcher.op in ("=", "!="):
        return (value == matcher.value) == (matcher.op == "=")
    found = regex.matches(matcher.value, value)
    return found is not None and found == (matcher.op == "=~")


def _lets_all(matcher: Matcher) -> bool:
    return matcher.op == "=~" and matcher.value in (".*", "(.*)", "(?:.*)")


def _grouped_alike(part: Aggregation, whole: Aggregation, matching: Matching | None) -> bool:
    """Whether each group of the part is inside of the one group of the whole that it is divided by."""
    one, other = set(part.grouping or ()), set(whole.grouping or ())
    by_one, by_other = (not (each.without and each.grouping is not None) for each in (part, whole))
    if by_one != by_other:
        return False
    if one == other:
        return matching is None or not matching.group or _pairs(matching, one, other, by=by_one)
    if matching is None:
        return False
    coarser = other < one if by_one else one < other
    return coarser and matching.group == "left" and _pairs(matching, one, other, by=by_one)


def _pairs(matching: Matching, one: set[str], other: set[str], *, by: bool) -> bool:
    """Whether a matching pairs each group with the coarser one that holds it."""
    labels = set(matching.labels)
    if matching.on:
        return by and labels == other
    return labels == (one - other if by else other - one) or (by and labels >= one - other and not labels & other)


def _one_in_its_group(whole: Aggregation, matching: Matching | None) -> bool:
    """Whether single series are divided by the sum over the group that each belongs to."""
    if matching is None or matching.group != "left":
        return False
    grouping, labels = set(whole.grouping or ()), set(matching.labels)
    if whole.without and whole.grouping is not None:
        return not matching.on and labels == grouping
    return matching.on and labels == grouping


def cancelled(product: Binary) -> float | None:
    """Return the number that a product is where every series of it is divided by itself again; None otherwise."""
    number, powers = 1.0, dict[Expr, int]()
    waiting: list[tuple[Expr, int]] = [(product, 1)]
    while waiting:
        node, power = waiting.pop()
        node = unwrapped(node)
        match node:
            case Binary(op="*" | "/", fill_left=None, fill_right=None) if node.matching is None:
                waiting += [(node.left, power), (node.right, power if node.op == "*" else -power)]
            case NumberLiteral(value=value) if value:
                number = number * value if power > 0 else number / value
            case VectorSelector() if node.name is not None:
                key = VectorSelector(metric=node.name, offset=node.offset, at=node.at, span=node.span)
                powers[key] = powers.get(key, 0) + power
            case _:
                return None
    return number if powers and not any(powers.values()) else None
