"""Arguments that a mutant is the rule in other words, so that no test can tell the two apart.

Each is a step of algebra that a reader can follow, true but for rounding; nothing is claimed that input could break.
What is not proven here may still be equivalent. An alert rings on whatever its expression yields: values count only
where something is compared, chosen by size, or made a label.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tocsin.promql import regex
from tocsin.promql.analysis import unwrapped
from tocsin.promql.dead import Proofs
from tocsin.promql.intervals import Known
from tocsin.promql.label_values import Values
from tocsin.promql.labels import SELECTING, labels_of, matched
from tocsin.promql.mutants import Mutant
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matcher,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    children,
)
from tocsin.promql.ranges import Interval, written
from tocsin.promql.types import COMPARISONS, SETS, type_of

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_ONE_OF_EACH = frozenset({"sum", "avg", "max", "min"})
"""Aggregations that of one value make that value."""
_OVER_TIME = frozenset(f"{each}_over_time" for each in ("avg", "max", "min", "sum", "count"))
_RATES = frozenset({"rate", "increase", "irate", "delta", "idelta", "deriv"})
_ELEMENTWISE = (
    _OVER_TIME
    | _RATES
    | frozenset({"abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "round", "sgn", "sort", "sort_desc"})
    | frozenset({"clamp_min", "clamp_max", "changes", "resets", "predict_linear", "last_over_time"})
    | frozenset({"present_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time"})
)
"""Functions that make of each series one with its labels."""
_SAME_PRESENCE = (_RATES, _OVER_TIME, frozenset({"changes", "resets"}), frozenset({"ceil", "floor"}))
"""Functions that yield something for the same series, each with another value."""


@dataclass(frozen=True, slots=True)
class Change:
    """The innermost node that a mutant changes, as it was and as it is."""

    old: Expr
    new: Expr
    above: tuple[Expr, ...]
    """The nodes of the rule around it, the nearest first."""


def equivalence(tree: Expr, mutant: Mutant, known: Known | None = None) -> str | None:
    """Return why no input tells a mutant from its rule, as a sentence without full stop; None if that is not proven."""
    if mutant.span is None:
        return None
    change = difference(tree, mutant.tree)
    proofs = Proofs(known)
    return next((argument for argument in _arguments(change, proofs) if argument is not None), None)


def _arguments(change: Change, proofs: Proofs) -> Iterator[str | None]:
    yield _same_truth(change, proofs)
    yield _only_presence(change)
    yield _only_sign(change, proofs)
    yield _scale_of_buckets(change)
    yield _single_values(change)
    yield _same_values(change, proofs)
    yield _same_groups(change)
    yield _same_series(change)
    yield _partner(change)
    yield _dead_operand(change, proofs)


def difference(old: Expr, new: Expr, above: tuple[Expr, ...] = ()) -> Change:
    """Return the innermost node in which two expressions differ; `above` is what is around them."""
    pairs = list(zip(children(old), children(new), strict=False))
    if _own(old) == _own(new) and len(children(old)) == len(children(new)):
        differing = [pair for pair in pairs if pair[0] != pair[1]]
        if len(differing) == 1:
            return difference(*differing[0], (old, *above))
    return Change(old, new, above)


def _own(node: Expr) -> tuple[object, ...]:
    """Return what a node is, without what is inside it."""
    match node:
        case Binary():
            return ("binary", node.op, node.bool_, node.matching, node.fill_left, node.fill_right)
        case Aggregation():
            return ("aggregation", node.op, node.grouping, node.without)
        case Call():
            return ("call", node.function)
        case MatrixSelector():
            return ("matrix", node.range, node.offset, node.at, node.boundary)
        case Subquery():
            return ("subquery", node.range, node.step, node.offset, node.at)
        case Unary() | Paren():
            return (type(node), getattr(node, "op", ""))
        case _:
            return (node,)


# Comparisons that come out the same for every value that there can be


def _same_truth(change: Change, proofs: Proofs) -> str | None:
    old, new = change.old, change.new
    if not (isinstance(old, Binary) and old.op in COMPARISONS):
        compared = next((each for each in change.above if not isinstance(each, Paren)), None)
        if not isinstance(compared, Binary) or compared.op not in COMPARISONS or type_of(old) != "scalar":
            return None
        left = new if unwrapped(compared.left) == unwrapped(old) else compared.left
        right = new if unwrapped(compared.right) == unwrapped(old) else compared.right
        old, new = compared, Binary(span=compared.span, op=compared.op, left=left, right=right,
                                    operator=compared.operator, bool_=compared.bool_)  # fmt: skip
    if not isinstance(new, Binary) or new.op not in COMPARISONS:
        return None
    one, other = _condition(old, proofs), _condition(new, proofs)
    if one is None or other is None or one[0] != other[0]:
        return None
    values = proofs.intervals.of(one[0])
    if values.clock or values.empty or not values.bounded:
        return None
    points = _points(values, (one[2], other[2]))
    if any(_holds(one[1], v, one[2]) != _holds(other[1], v, other[2]) for v in points):
        return None
    reasons = "; ".join(reason.text for reason in values.reasons)
    return (
        f"the value is {'a whole number ' if values.whole else ''}{values} ({reasons}), and of these "
        f"`{one[1]} {written(one[2])}` and `{other[1]} {written(other[2])}` let the same through"
    )


def _condition(binary: Binary, proofs: Proofs) -> tuple[Expr, str, float] | None:
    """Return what is compared with a number, how, and with which."""
    op, value, bound = binary.op, binary.left, binary.right
    if type_of(value) == "scalar":
        op, value, bound = _FLIPPED[op], bound, value
    limit = proofs.intervals.of(bound)
    if type_of(bound) != "scalar" or type_of(value) != "vector" or not limit.single or not math.isfinite(limit.low):
        return None
    return unwrapped(value), op, limit.low


def _holds(op: str, value: float, bound: float) -> bool:
    return {
        ">": value > bound,
        ">=": value >= bound,
        "<": value < bound,
        "<=": value <= bound,
        "==": value == bound,
        "!=": value != bound,
    }[op]


def _points(values: Interval, bounds: tuple[float, float]) -> list[float]:
    """Return a value of every stretch into which two bounds divide an interval; NaN, if it may be that."""
    low, high = sorted(bounds)
    if values.whole:
        near = [float(math.floor(each) + step) for each in bounds for step in (-1, 0, 1, 2)]
        near += [each for each in (values.low, values.high) if math.isfinite(each)]
        candidates = near
    else:
        ends = [max(values.low, low - 1e9), min(values.high, high + 1e9)]
        inner = sorted({*bounds, *ends})
        candidates = [*inner, *((one + other) / 2 for one, other in pairwise(inner))]
        candidates += [_near(values.low, 1), _near(values.high, -1)]
    found = [each for each in candidates if _within(values, each)]
    return [*found, *([math.nan] if values.nan else [])]


def _near(end: float, direction: int) -> float:
    return math.nextafter(end, math.inf * direction) if math.isfinite(end) else math.nan


def _within(values: Interval, value: float) -> bool:
    above = value > values.low or (value == values.low and not values.low_open)
    below = value < values.high or (value == values.high and not values.high_open)
    return above and below and not math.isnan(value)


# Values that nothing looks at


def _only_presence(change: Change) -> str | None:
    """Return why the value of what was changed is never looked at."""
    if not _same_presence(change.old, change.new):
        return None
    inner = change.old
    for node in change.above:
        if _counts(node, inner):
            return "the value that was changed is not looked at further on: only whether there is a series"
        if not _passes_presence(node, inner):
            return None
        inner = node
    return "nothing compares the value that was changed: the alert rings on whatever is there, whatever its value is"


def _same_presence(old: Expr, new: Expr) -> bool:
    match old, new:
        case Binary(op=one, left=left, right=right), Binary(op=other) if one not in COMPARISONS | SETS:
            return other not in COMPARISONS | SETS and (left, right, old.matching) == (
                new.left,
                new.right,
                new.matching,
            )
        case Call(function=one, args=args), Call(function=other, args=others):
            return args == others and any({one, other} <= group for group in _SAME_PRESENCE)
        case Aggregation(op=one), Aggregation(op=other):
            plain = _ONE_OF_EACH | {"count", "group", "stddev", "stdvar"}
            return {one, other} <= plain and _rest(old) == _rest(new)
        case NumberLiteral(), NumberLiteral():
            return True
        case _:
            return False


def _rest(node: Aggregation) -> tuple[object, ...]:
    return (node.expr, node.param, node.grouping, node.without)


def _counts(node: Expr, inner: Expr) -> bool:
    """Whether a node looks at its series and at no value of theirs."""
    match node:
        case Aggregation(op="count" | "group", expr=expr):
            return inner is expr
        case Binary(op="and" | "unless", right=right):
            return inner is right
        case Call(function="absent" | "absent_over_time" | "present_over_time" | "count_over_time"):
            return True
        case _:
            return False


def _passes_presence(node: Expr, inner: Expr) -> bool:
    """Whether a node yields the same series for the same series inside it, whatever their values are."""
    match node:
        case Paren() | Unary():
            return True
        case Binary(op=op):
            return op not in COMPARISONS or node.bool_
        case Aggregation(op=op):
            return op in _ONE_OF_EACH | {"count", "group", "stddev", "stdvar"}
        case Call(function=function, args=args):
            return function in _ELEMENTWISE and inner is args[0] and type_of(inner) == "vector"
        case _:
            return False


# Values of which only the sign counts


def _only_sign(change: Change, proofs: Proofs) -> str | None:
    """Return why a positive factor makes no difference: because what comes of it is compared with 0."""
    factor = _factor(change)
    if factor is None:
        return None
    said, uniform = factor
    inner = change.old
    for node in change.above:
        if isinstance(node, Binary) and node.op in COMPARISONS:
            other = node.right if inner is node.left else node.left
            zero = type_of(other) == "scalar" and _zero(other, proofs)
            return f"{said}, and what comes of it is compared with 0, of which only the sign counts" if zero else None
        if not _keeps_sign(node, inner, uniform=uniform, proofs=proofs):
            return None
        inner = node
    return None


def _zero(expr: Expr, proofs: Proofs) -> bool:
    interval = proofs.intervals.of(expr)
    return interval.single and interval.low == 0


def _factor(change: Change) -> tuple[str, bool] | None:
    """Return why the new value is the old one times a positive factor, and whether it is one for all series."""
    match change.old, change.new:
        case Call(function=one, args=args), Call(function=other, args=others) if {one, other} == {
            "rate",
            "increase",
        } and args == others:
            return "increase() is rate() times the window", True
        case Aggregation(op=one), Aggregation(op=other) if {one, other} == {"sum", "avg"} and _rest(
            change.old
        ) == _rest(change.new):
            return "a sum is its average times the number of series", False
        case Call(function="sum_over_time" | "avg_over_time" as one, args=args), Call(function=other, args=others) if (
            args == others and {one, other} == {"sum_over_time", "avg_over_time"}
        ):
            return "a sum is its average times the number of samples", False
        case Binary(op=one), Binary(op=other) if {one, other} == {"*", "/"}:
            return _factor_of_product(change.old, change.new)
        case NumberLiteral(value=one), NumberLiteral(value=other) if one * other > 0 and change.above:
            around = next((each for each in change.above if not isinstance(each, Paren)), None)
            product = isinstance(around, Binary) and around.op in ("*", "/")
            return ("a product changes with a factor, and not its sign", True) if product else None
        case _:
            return None


def _factor_of_product(old: Binary, new: Binary) -> tuple[str, bool] | None:
    number = unwrapped(old.right)
    same = (old.left, old.right, old.matching) == (new.left, new.right, new.matching)
    if not same or not isinstance(number, NumberLiteral) or not 0 < number.value < math.inf:
        return None
    return f"multiplied or divided by {written(number.value)}, a number keeps its sign", True


def _keeps_sign(node: Expr, inner: Expr, *, uniform: bool, proofs: Proofs) -> bool:
    """Whether a positive factor inside a node is one outside of it."""
    match node:
        case Paren() | Unary():
            return True
        case Binary(op="*" | "/"):
            return True  # in the denominator a factor becomes its inverse; that of 0 is infinite either way
        case Binary(op="and" | "unless", left=left):
            return inner is left
        case Aggregation(op=op):
            return op in _ONE_OF_EACH and (uniform or proofs.intervals.of(inner).non_negative)
        case _:
            return False


def _scale_of_buckets(change: Change) -> str | None:
    """Return why a factor of all buckets makes no difference: a quantile does not depend on their scale."""
    factor = _factor(change)
    if factor is None or not factor[1]:
        return None
    inner = change.old
    for node in change.above:
        if isinstance(node, Call) and node.function == "histogram_quantile" and inner is node.args[1]:
            return f"{factor[0]}, and a quantile does not depend on the scale of its buckets"
        scales = isinstance(node, Paren) or (isinstance(node, Aggregation) and node.op in _ONE_OF_EACH)
        if not scales and not (isinstance(node, Binary) and node.op in ("*", "/") and inner is node.left):
            return None
        inner = node
    return None


# Aggregations that change nothing


def _single_values(change: Change) -> str | None:
    old, new = change.old, change.new
    if not isinstance(old, Aggregation) or not isinstance(new, Aggregation) or not {old.op, new.op} <= _ONE_OF_EACH:
        return None
    facts = labels_of(old.expr)
    if _rest(old) != _rest(new) or not facts.closed:
        return None
    dropped = [n for n in facts.names if (n in (old.grouping or ())) == old.without]
    if any(facts.fixed(name) is None for name in dropped):
        return None
    return f"there is one series in each group, of which {old.op} and {new.op} are its value"


def _same_values(change: Change, proofs: Proofs) -> str | None:
    old, new = change.old, change.new
    if not isinstance(old, Aggregation) or not isinstance(new, Aggregation) or _rest(old) != _rest(new):
        return None
    values = proofs.intervals.of(old.expr)
    if not values.single or values.nan:
        return None
    ops = {old.op, new.op}
    if ops <= {"avg", "max", "min"}:
        return f"all values are {written(values.low)}, and so are their {old.op} and {new.op}"
    if ops <= {"count", "sum"} and values.low == 1:
        return "all values are 1, so their sum is their number"
    return None


def _same_groups(change: Change) -> str | None:
    """Return why a label more or less makes no difference to groups: no series has it, or all the same."""
    old, new = change.old, change.new
    if not isinstance(old, Aggregation) or not isinstance(new, Aggregation) or (old.op, old.expr) != (new.op, new.expr):
        return None
    one, other = set(old.grouping or ()), set(new.grouping or ())
    if old.without != new.without or one == other:
        return None
    facts = labels_of(old.expr)
    names = sorted(one ^ other)
    if all(facts.surely_absent(name) for name in names):
        return f"no series there has the label {', '.join(names)}, so the groups stay as they are"
    if all(facts.fixed(name) is not None and _lost_above(change, name) for name in names):
        said = ", ".join(f"{name}={facts.fixed(name)!r}" for name in names)
        return f"all series there have {said}, so the groups stay as they are, and the label is lost further on"
    return None


def _lost_above(change: Change, label: str) -> bool:
    """Whether a label of what was changed is left out before it can pair anything, or show in the result."""
    inner = change.old
    for node in change.above:
        match node:
            case Aggregation(grouping=grouping, without=without, op=op):
                return op not in SELECTING and (label in (grouping or ())) == without
            case Binary(matching=matching) if type_of(node.left) == type_of(node.right) == "vector":
                return matching is not None and (label in matching.labels) != matching.on and _yields(node, inner)
            case Binary() | Paren() | Unary():
                pass
            case Call(function=function) if function in _ELEMENTWISE:
                pass
            case _:
                return False
        inner = node
    return False


def _yields(node: Binary, inner: Expr) -> bool:
    """Whether the labels that are not matched are lost of an operand: it is not the side whose labels are kept."""
    matching = node.matching
    if node.op in SETS:
        return inner is node.right and node.op != "or"
    if node.op in COMPARISONS and not node.bool_ and inner is node.left:
        return matching is not None and matching.group == "right" and not matching.include
    many = node.left if matching is not None and matching.group == "left" else node.right
    return matching is not None and not (matching.group and inner is many) and not matching.include


# Matchers that refuse nothing


def _lost_matcher(change: Change) -> Matcher | None:
    old, new = change.old, change.new
    if not isinstance(old, VectorSelector) or not isinstance(new, VectorSelector):
        return None
    lost = [matcher for matcher in old.matchers if matcher not in new.matchers]
    return lost[0] if len(lost) == 1 and len(new.matchers) == len(old.matchers) - 1 else None


def _same_series(change: Change) -> str | None:
    """Return why the other matchers of a selector refuse already what a dropped one does."""
    lost = _lost_matcher(change)
    if lost is None or not isinstance(change.new, VectorSelector):
        return None
    if not _meets(matched(change.new.matchers, change.new.metric).of(lost.name), lost):
        return None
    return f"the other matchers of {lost.name} let nothing through that {lost.name}{lost.op}{lost.value!r} would refuse"


def _meets(values: Values, matcher: Matcher) -> bool:
    """Whether every value that a label may have meets a matcher."""
    known = {"=~": values.patterns, "!~": values.refused, "!=": values.never}
    if matcher.value in known.get(matcher.op, ()):
        return True
    if matcher.op == "!=" and matcher.value == "":
        return not values.possible("")
    if matcher.op == "=~" and matcher.value in (".+", "..*"):
        return not values.possible("")
    if matcher.op == "=~" and matcher.value == ".*":
        return True
    if values.only is None:
        return False
    return all(_met(matcher, value) for value in values.only)


def _met(matcher: Matcher, value: str) -> bool:
    if matcher.op in ("=", "!="):
        return (value == matcher.value) == (matcher.op == "=")
    told = regex.matches(matcher.value, value)
    return told is not None and told == (matcher.op == "=~")


def _partner(change: Change) -> str | None:
    """Return why what a dropped matcher lets in is lost at once: what it is joined with has the label's value."""
    lost = _lost_matcher(change)
    if lost is None or not isinstance(change.old, VectorSelector) or change.old.metric is None:
        return None
    inner: Expr = change.old
    for node in change.above:
        if isinstance(node, Binary) and type_of(node.left) == type_of(node.right) == "vector":
            other = node.right if inner is node.left else node.left
            # Where not all labels are matched, a series without a partner may still be one too many: an error.
            if not _pairs_by(node, lost.name) or (node.op not in SETS and node.matching is not None):
                return None
            if _refuses_unpaired(node, inner) and _meets(labels_of(other).of(lost.name), lost):
                return (
                    f"a series that {lost.name}{lost.op}{lost.value!r} would refuse finds no partner: on the other "
                    f"side of `{node.op}` none has such a value"
                )
        elif not _carries(node, inner, lost.name):
            return None
        inner = node
    return None


def _pairs_by(node: Binary, label: str) -> bool:
    """Whether an operator pairs only series that have the same value of a label, and its results have it."""
    if node.matching is None:
        return True
    return (label in node.matching.labels) == node.matching.on


def _refuses_unpaired(node: Binary, inner: Expr) -> bool:
    """Whether a series without a partner is lost, and nothing else happens with it."""
    if node.op in SETS:
        return node.op == "and" or (node.op == "unless" and inner is node.right)
    return True


def _carries(node: Expr, inner: Expr, label: str) -> bool:
    """Whether each result of a node comes of series that have the result's value of a label."""
    match node:
        case Paren() | Unary() | MatrixSelector():
            return True
        case Subquery():
            return True
        case Binary():
            return True  # with a scalar: those of two vectors were looked at
        case Aggregation(op=op):
            return (
                op in _ONE_OF_EACH | {"count", "group", "stddev", "stdvar"}
                and (label in (node.grouping or ())) != node.without
            )
        case Call(function=function, args=args):
            return (
                function in _ELEMENTWISE and any(inner is arg for arg in args) and not isinstance(inner, StringLiteral)
            )
        case _:
            return False


def _dead_operand(change: Change, proofs: Proofs) -> str | None:
    """Return why an operand that was dropped did nothing: it never yields anything."""
    old, new = change.old, change.new
    if not isinstance(old, Binary) or old.op not in ("or", "unless"):
        return None
    if unwrapped(new) == unwrapped(old.left):
        proof = proofs.never(old.right)
    elif unwrapped(new) == unwrapped(old.right) and old.op == "or":
        proof = proofs.never(old.left)
    else:
        return None
    return f"what was dropped never yields anything: {proof.argument}" if proof is not None else None
