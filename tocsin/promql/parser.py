"""Reads a PromQL expression: tokens in, a tree out, by precedence climbing.

The grammar is promql/parser/generated_parser.y of Prometheus, from 2.42 to 3.x. Of what needs a feature flag there,
experimental functions, `limitk`, `fill` and `anchored` are read; arithmetic on durations (`[5m * 2]`) is not.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Literal, TypeVar, cast

from tocsin.durations import parse_duration
from tocsin.promql.functions import AGGREGATIONS, FUNCTIONS
from tocsin.promql.lexer import Token, tokens
from tocsin.promql.literals import number, unquote
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
    PromQLError,
    Span,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    children,
)
from tocsin.promql.types import check, check_selector

MAX_NESTING = 100
"""Parentheses, calls, signs and powers inside one another; beyond it an expression is refused."""

MAX_HEIGHT = 200
"""Nodes on the longest way from the whole to a leaf, chains of operators included."""

_PRECEDENCE = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_SIGN = 5
_MODIFIERS = frozenset({"offset", "@", "[", "anchored", "smoothed"})
_LITERAL_WORDS = frozenset({"inf", "nan"})
_FILLS = {"fill": ("left", "right"), "fill_left": ("left",), "fill_right": ("right",)}
_NEVER_METRICS = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "atan2"}) | _LITERAL_WORDS
_NEVER_LABELS = frozenset({"without"}) | _LITERAL_WORDS
_LARGEST_TIME = 2.0**63
_LONGEST = 2.0**63 / 1e9

_Made = TypeVar("_Made", bound=Expr)


def parse(text: str) -> Expr:
    """Return the expression that `text` holds, checked for types as Prometheus checks it.

    Raises PromQLError, and nothing else, for whatever Prometheus would refuse, and for an expression nested more
    deeply than MAX_NESTING or higher than MAX_HEIGHT.
    """
    parser = _Parser(text)
    try:
        return parser.whole()
    except RecursionError:
        raise parser.too_deep(parser.token) from None


@lru_cache(maxsize=4096)  # a system is examined again with one file changed, and trees never change
def parsed(text: str) -> Expr | PromQLError:
    """Return the expression that `text` holds, as `parse` does, or what is wrong with it."""
    try:
        return parse(text)
    except PromQLError as error:
        return error.with_traceback(None)


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.at = 0
        self.nesting = 0
        self.heights: dict[int, int] = {}

    # What stands at the current place.

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    @property
    def word(self) -> str:
        """The token as keywords and operators are known: in lower case, and never the content of a string."""
        token = self.token
        return token.text.lower() if token.kind in ("word", "mark") else ""

    @property
    def next_is_parenthesis(self) -> bool:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)].text == "("

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def take(self, *words: str) -> Token | None:
        return self.advance() if self.word in words else None

    def expect(self, mark: str, after: str) -> Token:
        token = self.take(mark)
        if token is None:
            raise self.unexpected(f"{mark!r} {after}")
        return token

    def unexpected(self, wanted: str) -> PromQLError:
        token = self.token
        what = "the expression ends" if token.kind == "end" else f"{token.text[:40]!r} stands"
        return PromQLError(f"{what} where {wanted} is expected", token.start, token.end)

    def too_deep(self, token: Token) -> PromQLError:
        return PromQLError("the expression is nested too deeply; split it into recording rules", token.start, token.end)

    def since(self, start: int) -> Span:
        """Return the span from `start` to the end of the last token taken."""
        return Span(start, self.tokens[self.at - 1].end)

    def made(self, node: _Made) -> _Made:
        """Check a finished node, and how high the tree has grown under it."""
        height = 1 + max((self.heights.get(id(child), 0) for child in children(node)), default=0)
        if height > MAX_HEIGHT:
            raise self.too_deep(self.token)
        self.heights[id(node)] = height
        check(node)
        return node

    # Expressions.

    def whole(self) -> Expr:
        if self.token.kind == "end":
            raise PromQLError("there is no expression", 0, self.token.end)
        expr = self.expression()
        if self.at < len(self.tokens) - 1:
            raise self.unexpected("an operator or the end of the expression")
        return expr

    def expression(self, least: int = 0) -> Expr:
        """Read operands joined by operators that bind more tightly than `least`."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.too_deep(self.token)
        left = self.signed()
        while (precedence := _PRECEDENCE.get(self.word, 0)) > least:
            left = self.binary(left, precedence)
        self.nesting -= 1
        return left

    def binary(self, left: Expr, precedence: int) -> Binary:
        token = self.advance()
        bool_ = self.take("bool") is not None
        matching = self.matching() if self.word in ("on", "ignoring") else None
        fill_left, fill_right = self.fills()
        op = token.text.lower()
        right = self.expression(precedence - 1 if op == "^" else precedence)
        return self.made(
            Binary(
                span=self.since(left.span.start),
                op=op,
                left=left,
                right=right,
                operator=token.span,
                bool_=bool_,
                matching=matching,
                fill_left=fill_left,
                fill_right=fill_right,
            )
        )

    def matching(self) -> Matching:
        first = self.advance()
        labels = self.labels(f"after {first.text}")
        group = self.take("group_left", "group_right")
        include = self.labels("after the group modifier") if group and self.word == "(" else ()
        side: Literal["left", "right"] | None = None
        if group:
            side = "left" if group.text.lower() == "group_left" else "right"
        on = first.text.lower() == "on"
        return Matching(span=self.since(first.start), on=on, labels=labels, group=side, include=include)

    def fills(self) -> tuple[float | None, float | None]:
        found: dict[str, float] = {}
        while self.word in _FILLS and self.next_is_parenthesis:
            token = self.advance()
            self.advance()
            value = self.signed_number("a number in fill()")
            self.expect(")", f"to close {token.text}(")
            for side in _FILLS[token.text.lower()]:
                if side in found:
                    raise PromQLError("this side is filled twice", *self.since(token.start))
                found[side] = value
        return found.get("left"), found.get("right")

    def signed(self) -> Expr:
        sign = self.take("+", "-")
        if sign is None:
            return self.modified(self.primary())
        inner = self.expression(_SIGN)
        span = self.since(sign.start)
        if isinstance(inner, NumberLiteral):
            value = -inner.value if sign.text == "-" and not math.isnan(inner.value) else inner.value
            return self.made(replace(inner, span=span, value=value))
        return self.made(Unary(span=span, op="-" if sign.text == "-" else "+", expr=inner))

    def primary(self) -> Expr:
        token = self.token
        match token.kind:
            case "number":
                self.advance()
                return self.made(NumberLiteral(span=token.span, value=number(token)))
            case "duration":
                self.advance()
                return self.made(NumberLiteral(span=token.span, value=_seconds(token), duration=True))
            case "string":
                self.advance()
                return self.made(StringLiteral(span=token.span, value=unquote(token)))
            case "word":
                return self.named()
            case _:
                return self.bracketed()

    def bracketed(self) -> Expr:
        if self.word == "{":
            return self.selector(None, self.token.start)
        opened = self.take("(")
        if opened is None:
            raise self.unexpected("an expression")
        inner = self.expression()
        self.expect(")", "to close the parenthesis")
        return self.made(Paren(span=self.since(opened.start), expr=inner))

    def named(self) -> Expr:
        token, word = self.token, self.word
        if word in _LITERAL_WORDS:
            self.advance()
            return self.made(NumberLiteral(span=token.span, value=number(token)))
        following = self.tokens[self.at + 1].text.lower()
        if word in AGGREGATIONS and following in ("(", "by", "without"):
            return self.aggregation()
        if following == "(" and word not in _PRECEDENCE:
            return self.call()
        if word in _NEVER_METRICS:
            raise self.unexpected("an expression")
        self.advance()
        return self.selector(token.text, token.start)

    # Calls and aggregations.

    def call(self) -> Call:
        token = self.advance()
        if token.text not in FUNCTIONS:
            raise PromQLError(f"there is no function {token.text}()", token.start, token.end)
        args = self.arguments(token)
        return self.made(Call(span=self.since(token.start), function=token.text, args=args))

    def arguments(self, called: Token) -> tuple[Expr, ...]:
        self.expect("(", f"after {called.text}")
        found: list[Expr] = []
        if self.take(")"):
            return ()
        while True:
            labels_only = called.text == "info" and len(found) == 1 and self.word == "{"
            found.append(self.selector(None, self.token.start, labels_only=True) if labels_only else self.expression())
            if not self.take(","):
                self.expect(")", f"to close {called.text}(")
                return tuple(found)

    def aggregation(self) -> Aggregation:
        token = self.advance()
        op = token.text.lower()
        modifier = self.take("by", "without")
        grouping = self.labels(f"after {modifier.text}") if modifier else None
        args = self.arguments(token)
        if modifier is None:
            modifier = self.take("by", "without")
            grouping = self.labels(f"after {modifier.text}") if modifier else None
        span = self.since(token.start)
        wanted = 1 if AGGREGATIONS[op] is None else 2
        if len(args) != wanted:
            raise PromQLError(f"{op} takes {wanted} argument{'s' * (wanted > 1)}, not {len(args)}", *span)
        without = modifier is not None and modifier.text.lower() == "without"
        param = args[0] if wanted == 2 else None
        return self.made(Aggregation(span=span, op=op, expr=args[-1], param=param, grouping=grouping, without=without))

    def labels(self, after: str) -> tuple[str, ...]:
        self.expect("(", f"and label names {after}")
        found: list[str] = []
        while not self.take(")"):
            token = self.token
            if token.kind == "string":
                found.append(unquote(token))
            elif token.kind == "word" and self.word not in _NEVER_LABELS:
                found.append(token.text)
            else:
                raise self.unexpected("a label name")
            self.advance()
            if not found[-1]:
                raise PromQLError("a label name cannot be empty", *token.span)
            if self.word != ")":
                self.expect(",", "or ')' after a label name")
        return tuple(found)

    # Selectors and their modifiers.

    def selector(self, metric: str | None, start: int, *, labels_only: bool = False) -> VectorSelector:
        matchers = self.matchers() if self.word == "{" else ()
        selector = self.made(VectorSelector(span=self.since(start), metric=metric, matchers=matchers))
        check_selector(selector, may_select_all=labels_only)
        return selector

    def matchers(self) -> tuple[Matcher, ...]:
        self.advance()
        found: list[Matcher] = []
        while not self.take("}"):
            found.append(self.matcher())
            if self.word != "}":
                self.expect(",", "or '}' after a matcher")
        return tuple(found)

    def matcher(self) -> Matcher:
        token = self.token
        if token.kind not in ("word", "string"):
            raise self.unexpected("a label name or '}'")
        self.advance()
        name = unquote(token) if token.kind == "string" else token.text
        op = self.take("=", "!=", "=~", "!~")
        if op is None:
            if token.kind == "word":
                raise self.unexpected("one of = != =~ !~")
            return Matcher(span=token.span, name="__name__", op="=", value=name)
        if not name:
            raise PromQLError("a label name cannot be empty", *token.span)
        value = self.token
        if value.kind != "string":
            raise self.unexpected("a quoted value")
        self.advance()
        written = cast("Literal['=', '!=', '=~', '!~']", op.text)
        return Matcher(span=self.since(token.start), name=name, op=written, value=unquote(value))

    def modified(self, expr: Expr) -> Expr:
        while (word := self.word) in _MODIFIERS:
            if word == "[":
                expr = self.ranged(expr)
            elif word == "@":
                expr = self.pinned(expr)
            elif word == "offset":
                expr = self.shifted(expr)
            else:
                expr = self.bounded(expr)
        return expr

    def ranged(self, expr: Expr) -> MatrixSelector | Subquery:
        opened = self.advance()
        range_ = self.duration("a range", positive=True)
        if self.take(":"):
            step = None if self.word == "]" else self.duration("a step", positive=True)
            self.expect("]", "to close the subquery")
            span = self.since(expr.span.start)
            return self.made(Subquery(span=span, expr=expr, range=range_, step=step))
        self.expect("]", "or ':' after the range")
        if not isinstance(expr, VectorSelector):
            message = "a range can follow a selector only; after another expression write a subquery, such as [5m:]"
            raise PromQLError(message, *self.since(opened.start))
        if expr.offset or expr.at:
            raise PromQLError("offset and @ stand after the range, not before it", *self.since(opened.start))
        return self.made(MatrixSelector(span=self.since(expr.span.start), vector=expr, range=range_))

    def shifted(self, expr: Expr) -> Expr:
        token = self.advance()
        negative = (sign := self.take("+", "-")) is not None and sign.text == "-"
        offset = self.duration("an offset")
        if not isinstance(expr, VectorSelector | MatrixSelector | Subquery):
            raise PromQLError("offset can follow a selector, a range or a subquery only", *self.since(token.start))
        if expr.offset is not None:
            raise PromQLError("offset is given twice", *self.since(token.start))
        if negative:
            offset = replace(offset, seconds=-offset.seconds)
        return self.made(replace(expr, span=self.since(expr.span.start), offset=offset))

    def pinned(self, expr: Expr) -> Expr:
        token = self.advance()
        word = self.word
        at: At
        if word in ("start", "end"):
            self.advance()
            self.expect("(", f"after {word}")
            self.expect(")", f"to close {word}(")
            at = At(span=self.since(token.start), kind="start" if word == "start" else "end")
        else:
            time = self.signed_number("a Unix time, start() or end()")
            at = At(span=self.since(token.start), kind="timestamp", timestamp=time)
            if not -_LARGEST_TIME < time < _LARGEST_TIME:
                raise PromQLError("this time is out of bounds", *at.span)
        if not isinstance(expr, VectorSelector | MatrixSelector | Subquery):
            raise PromQLError("@ can follow a selector, a range or a subquery only", *at.span)
        if expr.at is not None:
            raise PromQLError("@ is given twice", *at.span)
        return self.made(replace(expr, span=self.since(expr.span.start), at=at))

    def bounded(self, expr: Expr) -> MatrixSelector:
        token = self.advance()
        if not isinstance(expr, MatrixSelector) or expr.boundary is not None:
            raise PromQLError(f"{token.text} can follow a range only, and once", *token.span)
        boundary: Literal["anchored", "smoothed"] = "anchored" if token.text.lower() == "anchored" else "smoothed"
        return self.made(replace(expr, span=self.since(expr.span.start), boundary=boundary))

    # Numbers and durations.

    def signed_number(self, wanted: str) -> float:
        sign = self.take("+", "-")
        token = self.token
        if token.kind == "duration":
            value = _seconds(token)
        elif token.kind == "number" or self.word in _LITERAL_WORDS:
            value = number(token)
        else:
            raise self.unexpected(wanted)
        self.advance()
        return -value if sign is not None and sign.text == "-" else value

    def duration(self, wanted: str, *, positive: bool = False) -> Duration:
        token = self.token
        if token.kind == "duration":
            seconds = _seconds(token)
        elif token.kind == "number":
            seconds = number(token)
        else:
            raise self.unexpected(f"{wanted} such as 5m")
        self.advance()
        if positive and seconds <= 0:
            raise PromQLError(f"{wanted} must be longer than 0", *token.span)
        if seconds > _LONGEST:
            raise PromQLError(f"{token.text[:40]!r} is longer than Prometheus can hold (292 years)", *token.span)
        return Duration(span=token.span, raw=token.text, seconds=seconds)


def _seconds(token: Token) -> float:
    try:
        return parse_duration(token.text)
    except ValueError as error:
        raise PromQLError(str(error), token.start, token.end) from error
