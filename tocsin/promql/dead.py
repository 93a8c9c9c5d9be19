"""Proofs that an expression can never yield anything, or that it always does, each with its argument.

Nothing is claimed that input could break: the values of its series are bounded by `tocsin.promql.intervals`, and what
`and`, `or` and `unless` let through follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from tocsin.promql.analysis import unwrapped
from tocsin.promql.intervals import DEEPEST, FLIPPED, Intervals, Known, allowed, holds_always, holds_never
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Span,
    Subquery,
    Unary,
    VectorSelector,
)
from tocsin.promql.ranges import Ground, Interval, meet, written
from tocsin.promql.types import COMPARISONS, SETS, type_of

Cause = Literal["range", "contradiction", "presence", "recorded"]
"""A value outside of its range; two conditions that exclude each other; something that is always, or never, there;
a recorded series that is never recorded."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Why an expression never yields anything, or always does."""

    cause: Cause
    argument: str
    """A sentence, without the full stop."""
    span: Span
    """The piece of the expression that cannot be."""
    grounds: frozenset[Ground] = field(default_factory=frozenset)
    """What the bounds rest on."""
    node: Expr | None = field(default=None, compare=False, repr=False)


class Proofs:
    """The proofs of expressions of one system."""

    def __init__(self, known: Known | None = None) -> None:
        self.intervals = Intervals(known)
        self.known = self.intervals.known
        self._recording: set[str] = set()
        self._unrecorded: dict[str, Proof | None] = {}

    def never(self, expr: Expr) -> Proof | None:
        """Return why an expression yields nothing, whatever its input is; None if it may yield something."""
        match expr:
            case Paren(expr=inner) | Unary(expr=inner) | Subquery(expr=inner) | Aggregation(expr=inner):
                return self.never(inner)
            case MatrixSelector(vector=inner):
                return self.never(inner)
            case VectorSelector():
                return self._never_recorded(expr)
            case Call():
                return self._never_called(expr)
            case Binary(op=op) if op in SETS:
                return self._never_set(expr)
            case Binary():
                return self._never_pair(expr)
            case _:
                return None

    def always(self, expr: Expr) -> Proof | None:
        """Return why an alert on an expression rings whenever there are data; None if it need not.

        An expression that is meant to tell that something exists (`count(x) > 0`, `x_info == 1`, `vector(1)`) is none.
        """
        expr = unwrapped(expr)
        match expr:
            case Binary(op="or", left=left, right=right):
                return self._always_there(expr) or self.always(left) or self.always(right)
            case Binary(op="and", left=left, right=right):
                return self.always(left) if self.always(right) else None
            case Binary(op=op) if op in COMPARISONS and not expr.bool_:
                return self._always_compared(expr)
            case Call(function="absent" | "absent_over_time", args=(inner,)):
                proof = self.never(inner)
                text = f"what is looked for is never there, so its absence always is: {proof.argument}" if proof else ""
                return Proof("presence", text, expr.span, proof.grounds, expr) if proof else None
            case _:
                return None

    def dead_pieces(self, expr: Expr) -> Iterator[Proof]:
        """Yield the proofs of the alternatives of `or` that yield nothing, each where it is written."""
        expr = unwrapped(expr)
        if isinstance(expr, Binary) and expr.op == "or":
            yield from self.dead_pieces(expr.left)
            yield from self.dead_pieces(expr.right)
            return
        proof = self.never(expr)
        if proof is not None:
            yield proof

    # Never

    def _never_recorded(self, selector: VectorSelector) -> Proof | None:
        name = selector.name
        if name is None:
            return None
        if name not in self._unrecorded:
            if name in self._recording or len(self._recording) >= DEEPEST:
                return None
            self._recording.add(name)
            try:
                self._unrecorded[name] = self._never_any(self.known.recorded(name))
            finally:
                self._recording.discard(name)
        proof = self._unrecorded[name]
        if proof is None:
            return None
        return Proof("recorded", f"{name} is never recorded: {proof.argument}", selector.span, proof.grounds)

    def _never_any(self, rules: tuple[Expr, ...]) -> Proof | None:
        proofs = [self.never(rule) for rule in rules]
        return proofs[0] if proofs and None not in proofs else None

    def _never_called(self, call: Call) -> Proof | None:
        if call.function in ("vector", "scalar", "time", "pi"):
            return None
        if call.function in ("absent", "absent_over_time"):
            there = self._there(call.args[0])
            text = f"{there} always yields something, so it is never absent" if there else ""
            return Proof("presence", text, call.span, node=call) if there else None
        return next((proof for arg in call.args if (proof := self.never(arg)) is not None), None)

    def _never_set(self, binary: Binary) -> Proof | None:
        left = self.never(binary.left)
        match binary.op:
            case "or":
                right = self.never(binary.right) if left is not None else None
                return left if right is not None else None
            case "and":
                return left or self.never(binary.right) or self._contradiction(binary)
            case _:
                return left or self._excluded(binary)

    def _never_pair(self, binary: Binary) -> Proof | None:
        for side in (binary.left, binary.right):
            proof = self.never(side) if type_of(side) == "vector" else None
            if proof is not None and binary.fill_left is None and binary.fill_right is None:
                return proof
        if binary.op not in COMPARISONS or binary.bool_:
            return None
        left, right = self.intervals.of(binary.left), self.intervals.of(binary.right)
        if left.empty or right.empty or not holds_never(binary.op, left, right):
            return None
        return Proof("range", _said(binary, left, right, "never"), _compared_to(binary), _grounds(left, right), binary)

    def _contradiction(self, binary: Binary) -> Proof | None:
        """Return two conditions that exclude each other, both of which the same series must meet."""
        if not _same_series(binary):
            return None
        one, other = self.conditions(binary.left), self.conditions(binary.right)
        for key, (interval, text) in other.items():
            known = one.get(key)
            if known is None or interval.clock != known[0].clock:
                continue
            if meet(meet(interval, known[0]), self.intervals.of(key)).empty:
                said = f"nothing is `{known[1]}` and `{text}` at once"
                return Proof("contradiction", said, binary.right.span, node=binary)
        return None

    def _excluded(self, binary: Binary) -> Proof | None:
        """Return why `unless` takes back whatever is left over."""
        right = unwrapped(binary.right)
        if not _same_series(binary) or not isinstance(right, Binary) or right.op not in COMPARISONS or right.bool_:
            return None
        inner = _condition(right, self.intervals)
        if inner is None or self.conditions(inner[0]):
            return None
        known = self.conditions(binary.left).get(inner[0])
        if known is None or known[0].clock != inner[1].clock or not _inside(known[0], inner[1]):
            return None
        said = f"whatever is `{known[1]}` is `{inner[2]}` too, and `unless` takes it out again"
        return Proof("contradiction", said, binary.right.span, node=binary)

    def conditions(self, expr: Expr) -> dict[Expr, tuple[Interval, str]]:
        """Return what holds of each expression that a result's series has passed, by the expression."""
        expr = unwrapped(expr)
        if not isinstance(expr, Binary):
            return {}
        if expr.op == "and" and _same_series(expr):
            return self.conditions(expr.right) | self.conditions(expr.left)
        if expr.op in ("and", "unless"):
            return self.conditions(expr.left)
        if expr.op not in COMPARISONS or expr.bool_:
            return {}
        own = _condition(expr, self.intervals)
        if own is None:
            return {}
        inner = self.conditions(own[0])
        base = _unfiltered(own[0])
        known = inner.get(base)
        met = own[1] if known is None or known[0].clock != own[1].clock else meet(own[1], known[0])
        return inner | {base: (met, own[2])}

    # Always

    def _there(self, expr: Expr) -> str | None:
        """Return the piece of an expression that yields something whatever there is, as text; None if none does."""
        expr = unwrapped(expr)
        match expr:
            case Call(function="vector"):
                return "vector()"
            case Call(function="sort" | "sort_desc" | "abs" | "ceil" | "floor" | "round" | "label_replace", args=args):
                return self._there(args[0])
            case Aggregation(op="sum" | "min" | "max" | "avg" | "count" | "group", expr=inner):
                return self._there(inner)
            case Binary(op="or", left=left, right=right):
                return self._there(left) or self._there(right)
            case Binary(op=op, left=left, right=right) if op not in SETS:
                lost = op in COMPARISONS and not expr.bool_
                if lost and not holds_always(op, self.intervals.of(left), self.intervals.of(right)):
                    return None
                if type_of(right) == "scalar":
                    return self._there(left)
                return self._there(right) if type_of(left) == "scalar" else None
            case _:
                return None

    def _always_there(self, binary: Binary) -> Proof | None:
        """Return which alternative is there whatever happens: `x > 5 or vector(0)`."""
        for side in (binary.left, binary.right):
            there = self._there(side)
            if there is not None:
                said = f"{there} is an alternative that always yields something, whatever its value is"
                return Proof("presence", said, side.span, node=side)
        return None

    def _always_compared(self, binary: Binary) -> Proof | None:
        left, right = self.intervals.of(binary.left), self.intervals.of(binary.right)
        value = right if type_of(binary.left) == "scalar" else left
        grounds = _grounds(left, right)
        if value.single or grounds & {"count", "constant", "filter"} or type_of(binary.left) == type_of(binary.right):
            return None
        if not value.bounded or not holds_always(binary.op, left, right):
            return None
        return Proof("range", _said(binary, left, right, "always"), _compared_to(binary), grounds, binary)


def _condition(binary: Binary, intervals: Intervals) -> tuple[Expr, Interval, str] | None:
    """Return the expression that a comparison with a number is about, what it must be, and how that is written."""
    op, value, bound = binary.op, unwrapped(binary.left), binary.right
    if type_of(binary.left) == "scalar":
        op, value, bound = FLIPPED[op], unwrapped(binary.right), binary.left
    limit = intervals.of(bound)
    if op == "!=" or type_of(bound) != "scalar" or type_of(value) != "vector" or not limit.single:
        return None
    value, op, number = _plain(value, op, limit.low)
    if not math.isfinite(number):
        return None
    return value, allowed(op, replace(limit, low=number, high=number, whole=False)), f"{op} {written(number)}"


def _unfiltered(expr: Expr) -> Expr:
    """Return what comparisons with numbers let through some series of."""
    expr = unwrapped(expr)
    while isinstance(expr, Binary) and expr.op in COMPARISONS and not expr.bool_ and type_of(expr.right) == "scalar":
        expr = unwrapped(expr.left)
    return expr


def _plain(value: Expr, op: str, number: float) -> tuple[Expr, str, float]:
    """Take factors away from a compared expression: `x * 100 > 90` says `x > 0.9`."""
    while isinstance(value, Binary) and value.op in ("*", "/"):
        left, right = unwrapped(value.left), unwrapped(value.right)
        if isinstance(right, NumberLiteral) and right.value > 0:
            number = number / right.value if value.op == "*" else number * right.value
            value = left
        elif isinstance(left, NumberLiteral) and left.value > 0 and value.op == "*":
            number, value = number / left.value, right
        else:
            break
    return value, op, number


def _same_series(binary: Binary) -> bool:
    """Whether a set operator pairs each series with the one of exactly its labels."""
    return binary.matching is None or (not binary.matching.on and not binary.matching.labels)


def _inside(one: Interval, other: Interval) -> bool:
    """Whether everything in one is in another."""
    if one.empty:
        return False
    low = one.low > other.low or (one.low == other.low and (one.low_open or not other.low_open))
    high = one.high < other.high or (one.high == other.high and (one.high_open or not other.high_open))
    return low and high


def _grounds(*intervals: Interval) -> frozenset[Ground]:
    return frozenset(reason.ground for interval in intervals for reason in interval.reasons)


def _compared_to(binary: Binary) -> Span:
    """Return the operator and what stands on the side of the threshold."""
    if type_of(binary.left) == "scalar":
        return Span(binary.left.span.start, binary.operator.end)
    return Span(binary.operator.start, binary.right.span.end)


def _said(binary: Binary, left: Interval, right: Interval, word: Literal["never", "always"]) -> str:
    op, value, bound = binary.op, left, right
    if type_of(binary.left) == "scalar":
        op, value, bound = FLIPPED[op], right, left
    reasons = "; ".join(reason.text for reason in value.having(bound).reasons)
    if value.clock:
        return f"`{op} {_moment(bound)}` {word} holds: {reasons}"
    said = f"the value is {value}" + (f" ({reasons})" if reasons else "")
    return f"{said}, so `{op} {bound}` {word} holds" if bound.single else f"{said}, and it is compared with {bound}"


def _moment(interval: Interval) -> str:
    return f"the present time {'minus' if interval.low < 0 else 'plus'} {written(abs(interval.low))} s"
