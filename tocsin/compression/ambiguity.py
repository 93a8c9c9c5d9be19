"""Which rules change their meaning when time is compressed, and what their owner can decide.

The classes were measured with promtool: windows, offsets and holds can be divided by the factor blindly; these cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tocsin.compression.scaling import (
    CLOCKS,
    NONE,
    NOTHING_RECORDED,
    Recorded,
    Traffic,
    compares_clocks,
    comparison_nodes,
    constant,
    is_clock,
    power,
    terms,
)
from tocsin.promql import Binary, Call, Expr, Span, VectorSelector, walk
from tocsin.promql.functions import TIME_OF_DAY


class Class(StrEnum):
    """Why dividing the windows is not enough."""

    ELAPSED = "elapsed"
    """A difference of times is compared with a number: the number is a duration."""
    PREDICTION = "prediction"
    """predict_linear looks ahead by a number: the number is a duration."""
    COUNT = "count"
    """Events of a window are compared with a number: a shorter window holds fewer, unless traffic grows alike."""
    RATE = "rate"
    """Events per second are compared with a number: right only where traffic does not grow."""
    CALENDAR = "calendar"
    """The time of day or the date decides: a drill cannot wait for it, and cannot move it."""


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """One reason why a rule is not the same rule in compressed time.

    `span` is the piece of the expression; `traffic` are the kinds of traffic under which it matters; `decisions` are
    those that settle it, as they are written in system.yaml.
    """

    kind: Class
    span: Span
    reason: str
    decisions: tuple[str, ...]
    traffic: tuple[Traffic, ...] = ("same", "scaled")


def classify(expr: Expr, recorded: Recorded = NOTHING_RECORDED) -> tuple[Ambiguity, ...]:
    """Return the ambiguities of an expression, in the order of its text; of most expressions, none.

    `recorded` are the recording rules that it may read, by name. A comparison with 0 is never ambiguous, nor is one of
    two values of a kind (`increase(a[5m]) / increase(b[5m]) > 0.1`, `rate(a[5m]) < 0.5 * rate(a[5m] offset 1h)`).
    """
    found = [*_calendar(expr, recorded), *_predictions(expr)]
    for comparison in comparison_nodes(expr):
        found += (
            _elapsed(comparison, recorded) if compares_clocks(comparison, recorded) else _counted(comparison, recorded)
        )
    return tuple(sorted(found, key=lambda ambiguity: ambiguity.span))


def _calendar(expr: Expr, recorded: Recorded) -> Iterator[Ambiguity]:
    for node in walk(expr):
        what = _calendar_piece(node)
        source = recorded.expression(node.name) if isinstance(node, VectorSelector) else None
        if isinstance(node, VectorSelector) and source is not None:
            inside = next(filter(None, map(_calendar_piece, walk(source))), None)
            what = f"{node.name}, which is recorded by {inside}," if inside else None
        if what is not None:
            reason = f"{what} depends on the time of day, which a drill cannot choose"
            yield Ambiguity(Class.CALENDAR, node.span, reason, ("not_drillable",))


def _calendar_piece(node: Expr) -> str | None:
    if isinstance(node, Call) and node.function in TIME_OF_DAY:
        return f"{node.function}()"
    if isinstance(node, Binary) and node.op == "%":
        clock = any(isinstance(inner, Call) and inner.function in CLOCKS for inner in walk(node.left))
        return "the remainder of time()" if clock else None
    return None


def _predictions(expr: Expr) -> Iterator[Ambiguity]:
    for node in walk(expr):
        if isinstance(node, Call) and node.function == "predict_linear" and constant(node.args[1]) != 0:
            reason = "predict_linear looks ahead by a number of seconds, which must shrink with its window"
            decisions = ("scale_constant", "not_drillable")
            yield Ambiguity(Class.PREDICTION, node.args[1].span, reason, decisions)


def _elapsed(comparison: Binary, recorded: Recorded) -> Iterator[Ambiguity]:
    added = [*terms(comparison.left), *terms(comparison.right)]
    durations = [term for term in added if constant(term) not in (None, 0.0)]
    clocks = [term for term in added if is_clock(term, recorded)]
    others = [term for term in added if constant(term) is None and term not in clocks]
    if durations:
        reason = "a time that has passed is compared with a number of seconds, which must shrink with the drill's time"
        decisions = ("scale_constant", "threshold", "not_drillable")
        yield Ambiguity(Class.ELAPSED, comparison.span, reason, decisions)
    elif len(others) > len(clocks):
        reason = "a time that has passed is compared with a measured duration, which does not shrink with the drill"
        yield Ambiguity(Class.ELAPSED, comparison.span, reason, ("not_drillable",))


def _counted(comparison: Binary, recorded: Recorded) -> Iterator[Ambiguity]:
    if 0.0 in (constant(comparison.left), constant(comparison.right)):
        return
    left, right = power(comparison.left, recorded), power(comparison.right, recorded)
    traffics: tuple[Traffic, ...] = ("same", "scaled")
    matters = tuple(traffic for traffic in traffics if left.under(traffic) != right.under(traffic))
    if not matters:
        return
    number = constant(comparison.left) is not None or constant(comparison.right) is not None
    decisions = ("threshold", "not_drillable") if number else ("not_drillable",)
    with_what = "a number" if number else "a value of another kind" if NONE not in (left, right) else "a measured value"
    if matters == ("same",):
        reason = f"events of a window are compared with {with_what}, and the shorter window of a drill holds fewer"
        kind = Class.COUNT
    else:
        reason = f"change per second is compared with {with_what}, which is right only if traffic is not scaled"
        kind = Class.RATE
    yield Ambiguity(kind, comparison.span, reason, decisions, matters)
