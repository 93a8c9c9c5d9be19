"""The nodes of a parsed PromQL expression, each with the span of text that it was read from.

Spans count characters of the expression (not bytes) and are no part of equality: `a+b` and `a + b` are equal nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

NAN = math.nan
"""The one not-a-number that literals hold, so that equal expressions compare equal."""


class Span(NamedTuple):
    """A piece of an expression's text, as the offsets of its first character and of the one after its last."""

    start: int
    end: int

    def text(self, source: str) -> str:
        """Return the piece of `source`, the text that was parsed."""
        return source[self.start : self.end]


class PromQLError(Exception):
    """An expression that no Prometheus from 2.42 to 3.x accepts: what is wrong, and the offsets of the piece."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(f"{message} (character {start + 1} of the expression)")
        self.message = message
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has."""

    span: Span = field(compare=False, repr=False)

    def text(self, source: str) -> str:
        """Return the node's own text, out of the whole text that was parsed."""
        return self.span.text(source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Node):
    """A length of time: of a range, a step, an offset.

    `raw` and `span` are of the digits and units alone; `seconds` is negative for `offset -5m`. A bare number
    (Prometheus 3) is in seconds.
    """

    raw: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class At(Node):
    """The `@` modifier: a Unix time in seconds, or the start or end of the query."""

    kind: Literal["timestamp", "start", "end"]
    timestamp: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher(Node):
    """A condition on one label. A quoted metric name inside braces is a matcher of `__name__`."""

    name: str
    op: Literal["=", "!=", "=~", "!~"]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(Node):
    """How the series of two vectors are paired: `on` or `ignoring` some labels, and which side may be many."""

    on: bool
    labels: tuple[str, ...]
    group: Literal["left", "right"] | None = None
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLiteral(Node):
    """A number, its sign included. `duration` says that it was written as one (`5m`, Prometheus 3)."""

    value: float
    duration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StringLiteral(Node):
    """A string, unquoted. Bytes that are no UTF-8 (which only escapes can write) stand as surrogate escapes."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSelector(Node):
    """The latest sample of each series that matches. `metric` is None where no name stands outside the braces."""

    metric: str | None
    matchers: tuple[Matcher, ...] = ()
    offset: Duration | None = None
    at: At | None = None

    @property
    def name(self) -> str | None:
        """The metric's name, wherever it is written; None if no single name is required."""
        if self.metric is not None:
            return self.metric
        return next((m.value for m in self.matchers if m.name == "__name__" and m.op == "="), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSelector(Node):
    """All samples of a range of time. Offset and `@` are its own: the vector inside it has none."""

    vector: VectorSelector
    range: Duration
    offset: Duration | None = None
    at: At | None = None
    boundary: Literal["anchored", "smoothed"] | None = None
    """How the ends of the range are treated, where that is written (Prometheus 3.7, experimental)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery(Node):
    """An instant expression evaluated over a range; without a step, at the global evaluation interval."""

    expr: Expr
    range: Duration
    step: Duration | None = None
    offset: Duration | None = None
    at: At | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function and its arguments."""

    function: str
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation(Node):
    """An aggregation; `grouping` is None where neither `by` nor `without` is written. `op` is in lower case."""

    op: str
    expr: Expr
    param: Expr | None = None
    grouping: tuple[str, ...] | None = None
    without: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """Two expressions and an operator between them, in lower case; `operator` is the operator's own span."""

    op: str
    left: Expr
    right: Expr
    operator: Span = field(compare=False, repr=False)
    bool_: bool = False
    matching: Matching | None = None
    fill_left: float | None = None
    fill_right: float | None = None
    """Values that stand for missing series (Prometheus 3.10, experimental)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """A sign before an expression that is no number."""

    op: Literal["+", "-"]
    expr: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Paren(Node):
    """An expression in parentheses."""

    expr: Expr


Expr = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | Subquery
    | Call
    | Aggregation
    | Binary
    | Unary
    | Paren
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside `expr`, in the order in which they are evaluated."""
    inside = _INSIDE.get(type(expr))
    return inside(expr) if inside is not None else ()


_INSIDE: Mapping[type, Callable[[Any], tuple[Expr, ...]]] = {
    MatrixSelector: lambda node: (node.vector,),
    Subquery: lambda node: (node.expr,),
    Unary: lambda node: (node.expr,),
    Paren: lambda node: (node.expr,),
    Call: lambda node: node.args,
    Aggregation: lambda node: (node.expr,) if node.param is None else (node.param, node.expr),
    Binary: lambda node: (node.left, node.right),
}
"""By type, and no `match`: every check walks over every expression."""
