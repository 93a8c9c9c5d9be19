"""Rewrites an expression for compressed time, by span: all that is not a time stays as it was written."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tocsin.compression.ambiguity import classify
from tocsin.compression.scaling import NOTHING_RECORDED, Recorded, compares_clocks, comparison_nodes, constant, terms
from tocsin.durations import format_duration
from tocsin.promql import (
    Call,
    Comparison,
    Duration,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Span,
    Subquery,
    VectorSelector,
    comparisons,
    parse,
    walk,
)


class Unscalable(ValueError):
    """An expression to which a decision cannot be applied; the message says why and what would work."""


def scale_expression(
    text: str,
    factor: float,
    *,
    scale_constants: bool = False,
    threshold: float | None = None,
    recorded: Recorded = NOTHING_RECORDED,
) -> str:
    """Return the expression with each range, subquery step and offset divided by `factor`; `@` times stay.

    With `scale_constants`, the numbers that are durations (`time() - x > 300`, the second argument of predict_linear)
    are divided too. With `threshold`, it takes the place of the number of the one comparison that decides the alert.
    Raises PromQLError if the text is no expression, and Unscalable if there is nothing that a decision could change.
    """
    expr = parse(text)
    edits = dict(_durations(expr, factor)) if factor != 1 else {}
    if scale_constants:
        constants = dict(_constants(expr, text, factor, recorded))
        if not constants:
            raise Unscalable("scale_constant is decided, but no number in the expression is a duration")
        edits |= constants
    if threshold is not None:
        place = _number_side(threshold_comparison(expr, recorded)).span
        edits = {span: new for span, new in edits.items() if span.end <= place.start or span.start >= place.end}
        edits[place] = number_text(threshold)
    return _edited(text, edits)


def threshold_comparison(expr: Expr, recorded: Recorded = NOTHING_RECORDED) -> Comparison:
    """Return the comparison whose number a decided threshold replaces.

    It is the one deciding comparison with a number; of several, the one that is ambiguous. Raises Unscalable if that
    leaves none or more than one.
    """
    candidates = [c for c in comparisons(expr) if _has_number(c)]
    if len(candidates) > 1:
        unclear = {ambiguity.span for ambiguity in classify(expr, recorded)}
        candidates = [c for c in candidates if c.node.span in unclear]
    if len(candidates) != 1:
        raise Unscalable(
            "a threshold is decided, but the expression does not have exactly one comparison with a number to replace"
        )
    return candidates[0]


def number_text(value: float) -> str:
    """Return a number as PromQL writes it: the shortest text that reads back as the same number."""
    if math.isinf(value):
        return "-Inf" if value < 0 else "Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _edited(text: str, edits: dict[Span, str]) -> str:
    pieces: list[str] = []
    at = 0
    for span in sorted(edits):
        pieces += [text[at : span.start], edits[span]]
        at = span.end
    return "".join([*pieces, text[at:]])


def _durations(expr: Expr, factor: float) -> Iterator[tuple[Span, str]]:
    for node in walk(expr):
        found: list[Duration | None] = []
        if isinstance(node, VectorSelector | MatrixSelector | Subquery):
            found.append(node.offset)
        if isinstance(node, MatrixSelector | Subquery):
            found.append(node.range)
        if isinstance(node, Subquery):
            found.append(node.step)
        for duration in found:
            if duration is not None and duration.seconds != 0:
                yield duration.span, format_duration(abs(duration.seconds) / factor)


def _constants(expr: Expr, text: str, factor: float, recorded: Recorded) -> Iterator[tuple[Span, str]]:
    for node in walk(expr):
        if isinstance(node, Call) and node.function == "predict_linear" and constant(node.args[1]) not in (None, 0.0):
            yield node.args[1].span, _divided(node.args[1], text, factor)
    for comparison in comparison_nodes(expr):
        if compares_clocks(comparison, recorded):
            for side in (comparison.left, comparison.right):
                for term in terms(side):
                    if constant(term) not in (None, 0.0):
                        yield term.span, _divided(term, text, factor)


def _divided(node: Expr, text: str, factor: float) -> str:
    """Return a constant divided by the factor; one that is more than a number keeps its text, so that it is known."""
    if not isinstance(node, NumberLiteral):
        return f"(({node.text(text)}) / {number_text(factor)})"
    if node.duration and node.value > 0:
        return format_duration(node.value / factor)
    return number_text(node.value / factor)


def _has_number(comparison: Comparison) -> bool:
    return constant(comparison.left) is not None or constant(comparison.right) is not None


def _number_side(comparison: Comparison) -> Expr:
    return comparison.left if constant(comparison.right) is None else comparison.right
