"""Mutants of a rule: each is the rule with one small thing changed, as a slip of the hand would change it.

A test suite that no mutant can pass says what the rule says; a mutant that passes is a mistake nobody would notice.
Only the changed piece of the expression's text differs, so that a mutant reads as a diff. What Prometheus would refuse
to load, and what reads as the same tree, is no mutant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tocsin.durations import format_duration
from tocsin.promql.analysis import unwrapped, walk
from tocsin.promql.lexer import Token, tokens
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    PromQLError,
    Span,
    Subquery,
    Unary,
    VectorSelector,
    children,
)
from tocsin.promql.parser import parse
from tocsin.promql.printing import labels_text, number_text
from tocsin.promql.types import COMPARISONS, SETS, type_of


class Operator(StrEnum):
    """A class of mutants."""

    COMPARATOR = "comparator reversed"
    BOUNDARY = "boundary moved"
    THRESHOLD = "threshold"
    HOLD = "for"
    KEEP = "keep_firing_for"
    WINDOW = "window"
    MATCHER = "matcher"
    AGGREGATION = "aggregation swapped"
    GROUPING = "grouping"
    ARITHMETIC = "arithmetic"
    OFFSET = "offset"
    OPERAND = "operand dropped"
    FUNCTION = "function swapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A rule with one thing changed; times in seconds."""

    operator: Operator
    description: str
    """What was done, such as `> made <`."""
    expression: str
    tree: Expr = field(repr=False, compare=False)
    hold_seconds: float
    keep_firing_seconds: float
    span: Span | None
    """The piece of the original expression that was changed; None where the expression was not."""
    diff: str
    """The lines that differ, the old ones after `- `, the new ones after `+ `."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """A piece of text in the place of another."""

    operator: Operator
    span: Span
    text: str
    said: str


_REVERSED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "!=", "!=": "=="}
_BOUNDARY = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": ">=", "!=": ">"}
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "^": "*"}
_NEGATED = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_AGGREGATIONS = {
    "sum": "avg",
    "avg": "max",
    "max": "min",
    "min": "max",
    "count": "sum",
    "topk": "bottomk",
    "bottomk": "topk",
    "stddev": "stdvar",
    "stdvar": "stddev",
}
_FUNCTIONS = {
    "rate": ("increase", "irate"),
    "increase": ("rate", "delta"),
    "irate": ("rate",),
    "delta": ("increase",),
    "idelta": ("delta",),
    "deriv": ("delta",),
    "avg_over_time": ("max_over_time",),
    "max_over_time": ("min_over_time",),
    "min_over_time": ("max_over_time",),
    "sum_over_time": ("avg_over_time",),
    "last_over_time": ("max_over_time",),
    "count_over_time": ("sum_over_time",),
    "changes": ("resets",),
    "resets": ("changes",),
    "ceil": ("floor",),
    "floor": ("ceil",),
}
_OPERATOR_OF_MATCHER = re.compile(r"(=~|!~|!=|=)")
_NAME_OF_MATCHER = re.compile(r"""\s*(?:[A-Za-z_]\w*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)\s*""", re.ASCII)
_COMMA = re.compile(r"\s*,?\s*")
_OFFSET = re.compile(r"\s*\boffset\s*[-+]?\s*$", re.IGNORECASE)
_USUAL_LABELS = ("instance", "job", "pod")


def mutants(
    expression: str, *, hold_seconds: float = 0.0, keep_firing_seconds: float = 0.0, tree: Expr | None = None
) -> tuple[Mutant, ...]:
    """Return every mutant of a rule, in the order of its text and then those of its times.

    `tree` is what `expression` reads as; raises PromQLError where it is left out and cannot be read.
    """
    original = parse(expression) if tree is None else tree
    found: list[Mutant] = []
    seen: list[Expr] = [original]
    for edit in sorted(_edits(expression, original), key=lambda each: each.span):
        text = expression[: edit.span.start] + edit.text + expression[edit.span.end :]
        changed = _read(text)
        if changed is None or changed in seen:
            continue
        seen.append(changed)
        found.append(
            Mutant(
                operator=edit.operator,
                description=edit.said,
                expression=text,
                tree=changed,
                hold_seconds=hold_seconds,
                keep_firing_seconds=keep_firing_seconds,
                span=edit.span,
                diff=_diff(expression, text),
            )
        )
    return (*found, *_times(expression, original, hold_seconds, keep_firing_seconds))


def _read(text: str) -> Expr | None:
    try:
        return parse(text)
    except PromQLError:
        return None


def _diff(old: str, new: str) -> str:
    """Return the lines between the first and the last that differ."""
    before, after = old.splitlines() or [""], new.splitlines() or [""]
    while len(before) > 1 and len(after) > 1 and before[0] == after[0]:
        before, after = before[1:], after[1:]
    while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return "\n".join([*(f"- {line}" for line in before), *(f"+ {line}" for line in after)])


def _times(expression: str, tree: Expr, hold: float, keep: float) -> Iterator[Mutant]:
    def mutant(operator: Operator, said: str, key: str, old: float, new: float) -> Mutant:
        lines = [f"- {key}: {format_duration(old)}"] + ([f"+ {key}: {format_duration(new)}"] if new else [])
        return Mutant(
            operator=operator,
            description=said,
            expression=expression,
            tree=tree,
            hold_seconds=new if operator is Operator.HOLD else hold,
            keep_firing_seconds=new if operator is Operator.KEEP else keep,
            span=None,
            diff="\n".join(lines),
        )

    if hold:
        yield mutant(Operator.HOLD, "for doubled", "for", hold, hold * 2)
        yield mutant(Operator.HOLD, "for halved", "for", hold, hold / 2)
        yield mutant(Operator.HOLD, "for dropped", "for", hold, 0.0)
    if keep:
        yield mutant(Operator.KEEP, "keep_firing_for dropped", "keep_firing_for", keep, 0.0)


def _edits(text: str, tree: Expr) -> Iterator[_Edit]:
    for node in walk(tree):
        match node:
            case Binary():
                yield from _of_binary(text, node)
            case VectorSelector():
                yield from _of_matchers(text, node)
                yield from _of_offset(text, node)
            case MatrixSelector() | Subquery():
                yield from _of_window(node)
                yield from _of_offset(text, node)
            case Aggregation():
                yield from _of_aggregation(text, node)
            case Call(function=function, span=span):
                for other in _FUNCTIONS.get(function, ()):
                    place = Span(span.start, span.start + len(function))
                    yield _Edit(Operator.FUNCTION, place, other, f"{function}() made {other}()")
            case _:
                pass


# Operators


def _of_binary(text: str, node: Binary) -> Iterator[_Edit]:
    op = node.op
    if op in SETS:
        yield _Edit(Operator.OPERAND, node.span, node.left.text(text), f"what stands after `{op}` dropped")
        if op != "unless":
            yield _Edit(Operator.OPERAND, node.span, node.right.text(text), f"what stands before `{op}` dropped")
    elif op in COMPARISONS:
        for operator, table in ((Operator.COMPARATOR, _REVERSED), (Operator.BOUNDARY, _BOUNDARY)):
            yield _Edit(operator, node.operator, table[op], f"{op} made {table[op]}")
        yield from _of_thresholds(text, node)
    elif op in _ARITHMETIC:
        yield _Edit(Operator.ARITHMETIC, node.operator, _ARITHMETIC[op], f"{op} made {_ARITHMETIC[op]}")


def _of_thresholds(text: str, node: Binary) -> Iterator[_Edit]:
    """Yield changes of what a comparison compares with: a constant side, else the numbers in its arithmetic."""
    constant = [side for side in (node.left, node.right) if type_of(side) == "scalar" and _constant(side)]
    for side in constant:
        literal = unwrapped(side)
        if isinstance(literal, NumberLiteral):
            yield from _of_number(text, literal)
        else:
            written = side.text(text)
            inner = written if isinstance(side, Paren) else f"({written})"
            yield _Edit(Operator.THRESHOLD, side.span, f"(2 * {inner})", f"the threshold {written} doubled")
            yield _Edit(Operator.THRESHOLD, side.span, f"({inner} / 2)", f"the threshold {written} halved")
    if not constant:
        for number in (*_coefficients(node.left), *_coefficients(node.right)):
            yield from _of_number(text, number)


def _constant(expr: Expr) -> bool:
    return all(isinstance(node, NumberLiteral | Binary | Paren | Unary) for node in walk(expr))


def _coefficients(expr: Expr) -> Iterator[NumberLiteral]:
    """Yield the numbers that an operand of a comparison is calculated with."""
    match expr:
        case NumberLiteral():
            yield expr
        case Paren() | Unary() | Binary() if not isinstance(expr, Binary) or expr.op not in COMPARISONS | SETS:
            for child in children(expr):
                yield from _coefficients(child)
        case _:
            pass


def _of_number(text: str, number: NumberLiteral) -> Iterator[_Edit]:
    written, value = number.text(text), number.value
    others = {1.0: "made 1", -1.0: "made -1"} if value == 0 else {value * 2: "doubled", value / 2: "halved"}
    for other, said in others.items():
        yield _Edit(Operator.THRESHOLD, number.span, number_text(other), f"the threshold {written} {said}")


# Selectors


def _of_matchers(text: str, node: VectorSelector) -> Iterator[_Edit]:
    for i, matcher in enumerate(node.matchers):
        written = matcher.text(text)
        name = _NAME_OF_MATCHER.match(written)
        sign = _OPERATOR_OF_MATCHER.match(written, name.end()) if name else None
        if sign is None:
            continue  # a quoted metric name inside braces: without it, it is another rule altogether
        if matcher.name != "__name__":
            place = _place_of_matcher(text, node, i)
            yield _Edit(Operator.MATCHER, place, "", f"the matcher {written} dropped")
        negated = written[: sign.start()] + _NEGATED[sign[0]] + written[sign.end() :]
        yield _Edit(Operator.MATCHER, matcher.span, negated, f"the matcher {written} negated")


def _place_of_matcher(text: str, node: VectorSelector, i: int) -> Span:
    """Return what is cut out with a matcher, one comma with it."""
    start, end = node.matchers[i].span
    if i + 1 < len(node.matchers):
        return Span(start, node.matchers[i + 1].span.start)
    if i:
        return Span(node.matchers[i - 1].span.end, end)
    comma = _COMMA.match(text, end)
    return Span(start, comma.end() if comma else end)


def _of_offset(text: str, node: VectorSelector | MatrixSelector | Subquery) -> Iterator[_Edit]:
    offset = node.offset
    if offset is None:
        return
    word = _OFFSET.search(text, node.span.start, offset.span.start)
    if word is not None:
        yield _Edit(Operator.OFFSET, Span(word.start(), offset.span.end), "", f"offset {offset.raw} dropped")
    doubled = format_duration(abs(offset.seconds) * 2)
    yield _Edit(Operator.OFFSET, offset.span, doubled, f"offset {offset.raw} doubled")


def _of_window(node: MatrixSelector | Subquery) -> Iterator[_Edit]:
    window = node.range
    for seconds, said in ((window.seconds * 2, "doubled"), (window.seconds / 2, "halved")):
        written = format_duration(seconds)
        yield _Edit(Operator.WINDOW, window.span, written, f"the window {window.raw} {said}")


# Aggregations


def _of_aggregation(text: str, node: Aggregation) -> Iterator[_Edit]:
    word = Span(node.span.start, node.span.start + len(node.op))
    other = _AGGREGATIONS.get(node.op)
    if other is not None:
        yield _Edit(Operator.AGGREGATION, word, other, f"{node.op} made {other}")
    if node.grouping is None:
        label = _USUAL_LABELS[0]
        if node.op not in ("topk", "bottomk"):
            yield _Edit(Operator.GROUPING, Span(word.end, word.end), f" by ({label}) ", f"by ({label}) added")
        return
    clause = _clause(text, node)
    keyword, other_keyword = ("without", "by") if node.without else ("by", "without")

    def made(names: tuple[str, ...], said: str, *, with_keyword: str = keyword) -> _Edit:
        return _Edit(Operator.GROUPING, clause, f"{with_keyword} {labels_text(names)}", said)

    for label in dict.fromkeys(node.grouping):
        rest = tuple(each for each in node.grouping if each != label)
        yield made(rest, f"{label} dropped from {keyword} (...)")
    added = next((each for each in _USUAL_LABELS if each not in node.grouping), None)
    if added is not None:
        yield made((*node.grouping, added), f"{added} added to {keyword} (...)")
    yield made(node.grouping, f"{keyword} made {other_keyword}", with_keyword=other_keyword)


def _clause(text: str, node: Aggregation) -> Span:
    """Return where `by (...)` or `without (...)` stands, before what is aggregated or after it."""
    pieces = tokens(node.text(text))[:-1]
    if pieces[1].text.lower() in ("by", "without"):
        first, last = pieces[1], _closing(pieces)
    else:
        last = pieces[-1]
        first = next(each for each in reversed(pieces) if each.text.lower() in ("by", "without"))
    return Span(node.span.start + first.start, node.span.start + last.end)


def _closing(pieces: list[Token]) -> Token:
    return next(each for each in pieces if each.text == ")" and each.kind == "mark")
