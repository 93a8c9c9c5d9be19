"""What is known, without a single sample, of the labels of the series that an expression yields.

Sources: promql/engine.go (VectorBinop, resultMetric, aggregation, createLabelsForAbsentFunction) and
promql/functions.go of Prometheus 2.42 and 3.x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.promql import regex
from tocsin.promql.analysis import unwrapped, walk
from tocsin.promql.label_values import ABSENT, ANY, PRESENT, Values, one_of
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matcher,
    MatrixSelector,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    children,
)
from tocsin.promql.types import COMPARISONS, SETS, type_of

NAME = "__name__"
"""The label that holds a series' metric name."""

SELECTING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
"""Aggregations that pass some series on as they are."""
_KEEPING = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "last_over_time", "first_over_time"})
"""Functions whose results keep the metric's name."""


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """What is known of the labels of each series of a result."""

    named: Mapping[str, Values] = field(default_factory=dict)
    others: Values = ANY
    """Of every label that is not in `named`."""
    nothing: bool = False
    """Whether it is certain that there is no series at all."""

    def of(self, name: str) -> Values:
        """Return what a label may hold."""
        return self.named.get(name, self.others)

    def surely_absent(self, name: str) -> bool:
        """Whether no series has the label."""
        return self.of(name).only == frozenset({""})

    def surely_present(self, name: str) -> bool:
        """Whether every series has the label."""
        return not self.of(name).possible("")

    def may_have(self, name: str) -> bool:
        """Whether a series may have the label."""
        return not self.surely_absent(name)

    def fixed(self, name: str) -> str | None:
        """Return the one value that every series has, "" if none has the label; None if it is not certain."""
        only = self.of(name).only
        return next(iter(only)) if only is not None and len(only) == 1 else None

    def possible_values(self, name: str) -> frozenset[str] | None:
        """Return every value that the label may have ("": some series may lack it); None if there is no telling."""
        return self.of(name).only

    @property
    def closed(self) -> bool:
        """Whether there are no labels but the named ones."""
        return self.others.only == frozenset({""})

    @property
    def names(self) -> frozenset[str]:
        """The labels that series are known to have, or may have where something is said of them."""
        return frozenset(name for name in self.named if self.may_have(name))

    # How operations change them

    def with_label(self, name: str, values: Values) -> LabelFacts:
        """Return the facts after a label was set."""
        return LabelFacts({**self.named, name: values}, self.others, self.nothing)

    def without(self, names: Iterable[str]) -> LabelFacts:
        """Return the facts after some labels were dropped."""
        return LabelFacts({**self.named, **dict.fromkeys(names, ABSENT)}, self.others, self.nothing)

    def only_labels(self, names: Iterable[str]) -> LabelFacts:
        """Return the facts after all labels but some were dropped."""
        return LabelFacts({name: self.of(name) for name in names}, ABSENT, self.nothing)

    def either(self, other: LabelFacts) -> LabelFacts:
        """Return what is known of a series that is of one or of the other."""
        if self.nothing or other.nothing:
            return other if self.nothing else self
        named = {name: self.of(name).either(other.of(name)) for name in (*self.named, *other.named)}
        return LabelFacts(named, self.others.either(other.others))

    def both(self, other: LabelFacts, names: Iterable[str] | None = None, but: Iterable[str] = ()) -> LabelFacts:
        """Return what is known of a series of ours whose labels equal those of one of the other's.

        `names` are the labels that are equal, or else all are save `but`.
        """
        left_out = frozenset(but)
        shared = [*names] if names is not None else [n for n in (*self.named, *other.named) if n not in left_out]
        named = {**self.named, **{name: self.of(name).both(other.of(name)) for name in shared}}
        if names is not None:
            others = self.others
        else:
            others = self.others.both(other.others)
            named |= {name: self.of(name) for name in left_out}
        impossible = any(not named[name].any for name in shared)
        return LabelFacts(named, others, self.nothing or other.nothing or impossible)


NO_LABELS = LabelFacts(others=ABSENT)
"""The facts of a scalar, and of what has no labels."""

Known = Callable[[VectorSelector], LabelFacts]
"""What is known of the series of a selector besides its matchers."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why no series of the left side of an operator can be paired with one of the right side."""

    label: str
    left: Values
    right: Values


def labels_of(expr: Expr, known: Known | None = None) -> LabelFacts:
    """Return what is known of the labels of the series that an expression yields; a range's, of its series."""
    return LabelReader(known).facts(expr)


class LabelReader:
    """Reads the labels of expressions, each node once. The trees must live as long as the reader."""

    def __init__(self, known: Known | None = None) -> None:
        self._known = known
        self._facts: dict[int, LabelFacts] = {}
        self._kept: list[Expr] = []

    def facts(self, expr: Expr) -> LabelFacts:
        """Return what is known of the labels of the series that an expression yields."""
        if id(expr) not in self._facts:
            self._kept.append(expr)
            for node in reversed([*walk(expr)]):  # what is inside comes before what holds it
                if id(node) not in self._facts:
                    self._facts[id(node)] = self._read(node)
        return self._facts[id(expr)]

    def _read(self, node: Expr) -> LabelFacts:
        match node:
            case VectorSelector():
                facts = matched(node.matchers, node.metric)
                return facts if self._known is None else facts.both(self._known(node))
            case MatrixSelector(vector=inner) | Subquery(expr=inner) | Paren(expr=inner):
                return self._facts[id(inner)]
            case Unary(op=op, expr=inner):
                return self._facts[id(inner)].without([NAME] if op == "-" else [])
            case Call():
                return self._call(node)
            case Aggregation():
                return self._aggregation(node)
            case Binary():
                return self._binary(node)
            case _:
                return NO_LABELS

    def _aggregation(self, node: Aggregation) -> LabelFacts:
        inner = self._facts[id(node.expr)]
        if node.op in SELECTING:
            return inner
        if node.without:
            result = inner.without((*(node.grouping or ()), NAME))
        else:
            result = inner.only_labels(node.grouping or ())
        if node.op == "count_values" and isinstance(label := unwrapped_parameter(node), StringLiteral):
            result = result.with_label(label.value, PRESENT)
        return result

    def _call(self, node: Call) -> LabelFacts:
        if node.function in ("absent", "absent_over_time"):
            return of_absence(node)
        vector = next((arg for arg in node.args if type_of(arg) in ("vector", "matrix")), None)
        if vector is None or type_of(node) == "scalar":
            return NO_LABELS
        inner = self._facts[id(vector)]
        if node.function in ("label_replace", "label_join"):
            return _relabelled(node, inner)
        if node.function == "info":
            return LabelFacts(
                {name: v.either(ANY) if v.possible("") else v for name, v in inner.named.items()}, ANY, inner.nothing
            )
        if node.function in _KEEPING:
            return inner
        if node.function in ("histogram_quantile", "histogram_quantiles", "histogram_fraction"):
            inner = inner.without(["le"])
        if node.function == "histogram_quantiles" and isinstance(node.args[1], StringLiteral):
            inner = inner.with_label(node.args[1].value, PRESENT)
        return inner.without([NAME])

    def _binary(self, node: Binary) -> LabelFacts:
        left, right = self._facts[id(node.left)], self._facts[id(node.right)]
        of_left, of_right = (type_of(side) == "vector" for side in (node.left, node.right))
        if not (of_left and of_right):
            side = left if of_left else right if of_right else NO_LABELS
            return side.without([NAME] if _drops_name(node) else [])
        if node.op == "or":
            return left.either(right)
        if node.op == "unless":
            return left
        one = right if node.matching is not None and node.matching.group == "right" else left
        other = left if one is right else right
        result = _paired(node, one, other)
        if node.op == "and":
            return LabelFacts(result.named, one.others if _matches_some(node) else result.others, result.nothing)
        if node.fill_left is not None or node.fill_right is not None:
            return LabelFacts({}, ANY, left.nothing and right.nothing)
        return _result(node, result, other)

    def mismatch(self, node: Binary) -> Mismatch | None:
        """Return why the two sides of an operator on vectors can never match; None if they may."""
        if node.op == "or" or type_of(node.left) != "vector" or type_of(node.right) != "vector":
            return None
        left, right = self.facts(node.left), self.facts(node.right)
        if left.nothing or right.nothing:
            return None
        for name in _shared(node, left, right):
            if not left.of(name).both(right.of(name)).any:
                return Mismatch(name, left.of(name), right.of(name))
        return None

    def lost_at(self, expr: Expr, name: str) -> Expr | None:
        """Return the innermost piece of an expression at which its result lost a label that its operand may have.

        None if the result may have the label.
        """
        if not self.facts(expr).surely_absent(name):
            return None
        at = expr
        while True:
            sources = _sources(at)
            inside = [child for child in sources if self.facts(child).surely_absent(name)]
            if not inside or (isinstance(at, Binary) and at.op == "or" and len(inside) < len(sources)):
                return at
            at = inside[0]


def unwrapped_parameter(node: Aggregation) -> Expr | None:
    """Return the parameter of an aggregation without the parentheses around it."""
    return None if node.param is None else unwrapped(node.param)


def _sources(node: Expr) -> tuple[Expr, ...]:
    """Return those operands from which the labels of a result may come."""
    match node:
        case Binary(op="or"):
            return (node.left, node.right)
        case Binary(op="and" | "unless"):
            return (node.left,)
        case Binary():
            if node.matching is not None and node.matching.group == "right":
                return (node.right,)
            sides = [side for side in (node.left, node.right) if type_of(side) == "vector"]
            return tuple(sides if node.matching is None else sides[:1])
        case Aggregation(expr=inner):
            return (inner,)
        case _:
            return tuple(child for child in children(node) if type_of(child) in ("vector", "matrix"))[:1]


def matched(matchers: Iterable[Matcher], metric: str | None = None) -> LabelFacts:
    """Return what matchers say of the labels of the series that they select."""
    named = {NAME: one_of([metric]) if metric is not None else PRESENT}
    for matcher in matchers:
        named[matcher.name] = named.get(matcher.name, ANY).both(_asked(matcher))
    return LabelFacts(named, ANY, any(not values.any for values in named.values()))


_ANYTHING: Mapping[str, frozenset[str]] = {
    **dict.fromkeys((".*", "(.*)", "^.*$", "^.*", ".*$"), frozenset[str]()),
    **dict.fromkeys((".+", "(.+)", "^.+$"), frozenset({""})),
}
"""The patterns that match every text, or every text but the empty one, with what a label may be that matches not."""


def _asked(matcher: Matcher) -> Values:
    if matcher.op == "=":
        return one_of([matcher.value])
    if matcher.op == "!=":
        return Values(never=frozenset({matcher.value}))
    spelt = regex.alternatives(matcher.value)
    if matcher.op == "=~":
        if spelt is not None:
            return Values(only=spelt)
        refuses_empty = regex.matches(matcher.value, "") is False
        return Values(never=frozenset({""} if refuses_empty else ()), patterns=frozenset({matcher.value}))
    if spelt is not None:
        return Values(never=spelt)
    if matcher.value in _ANYTHING:
        return Values(only=_ANYTHING[matcher.value])
    empty = frozenset({""} if regex.matches_empty(matcher.value) else ())
    return Values(never=empty, refused=frozenset({matcher.value}))


def of_absence(node: Call) -> LabelFacts:
    """Return the labels that absent() or absent_over_time() gives its one series: of equality matchers alone."""
    argument = node.args[0] if node.args else node
    inner = unwrapped(argument)
    vector = inner.vector if isinstance(inner, MatrixSelector) else inner
    if not isinstance(vector, VectorSelector):
        return NO_LABELS
    named: dict[str, Values] = {}
    for matcher in vector.matchers:
        if matcher.name == NAME:
            continue
        fresh = matcher.op == "=" and matcher.name not in named
        named[matcher.name] = one_of([matcher.value]) if fresh else ABSENT
    facts = LabelFacts(named, ABSENT)
    return facts if inner is argument else facts.either(NO_LABELS)


def _relabelled(node: Call, inner: LabelFacts) -> LabelFacts:
    texts = [arg.value if isinstance(arg, StringLiteral) else None for arg in map(unwrapped, node.args[1:])]
    target = texts[0] if texts else None
    if target is None:
        return LabelFacts({}, ANY, inner.nothing)
    if node.function == "label_replace" and len(texts) == 4:
        return inner.with_label(target, _replaced(inner, target, *texts[1:]))
    separator, sources = (texts[1] if len(texts) > 1 else None), texts[2:]
    if len(sources) == 1 and sources[0] is not None:
        return inner.with_label(target, inner.of(sources[0]))
    return inner.with_label(target, PRESENT if separator and len(sources) > 1 else ANY)


def _replaced(inner: LabelFacts, target: str, new: str | None, source: str | None, pattern: str | None) -> Values:
    if new is None or source is None or pattern is None:
        return ANY
    given = one_of([new]) if "$" not in new else ANY
    if pattern in ("(.*)", ".*"):
        return inner.of(source) if pattern == "(.*)" and new in ("$1", "${1}") else given
    if pattern in ("(.+)", ".+"):
        if pattern == "(.+)" and new in ("$1", "${1}"):
            given = inner.of(source).both(PRESENT)
        return given if inner.surely_present(source) else given.either(inner.of(target))
    asked = regex.alternatives(pattern)
    value = inner.fixed(source)
    if asked is not None and value is not None:
        return given if value in asked else inner.of(target)
    return given.either(inner.of(target))


def _drops_name(node: Binary) -> bool:
    return node.bool_ or (node.op not in COMPARISONS and node.op not in SETS)


def _matches_some(node: Binary) -> bool:
    return node.matching is not None and node.matching.on


def _shared(node: Binary, left: LabelFacts, right: LabelFacts) -> list[str]:
    """Return the labels by which the series of two sides are paired, as far as either side says something of them."""
    if _matches_some(node):
        return list(node.matching.labels) if node.matching else []
    ignored = {NAME, *(node.matching.labels if node.matching else ())}
    return [name for name in dict.fromkeys((*left.named, *right.named)) if name not in ignored]


def _paired(node: Binary, one: LabelFacts, other: LabelFacts) -> LabelFacts:
    labels = node.matching.labels if node.matching else ()
    return one.both(other, names=labels) if _matches_some(node) else one.both(other, but=(NAME, *labels))


def _result(node: Binary, paired: LabelFacts, other: LabelFacts) -> LabelFacts:
    """Return the labels of the result of an operator, of what is known of the many side's and the one side's series."""
    matching = node.matching
    result = paired.without([NAME]) if _drops_name(node) else paired
    if matching is None:
        return result
    if matching.group is None:
        return result.only_labels(matching.labels) if matching.on else result.without(matching.labels)
    for name in matching.include:
        result = result.with_label(name, other.of(name))
    return result
