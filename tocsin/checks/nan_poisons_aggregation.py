"""Sums and averages of ratios, of which one without traffic makes the whole undefined."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import rule_expressions
from tocsin.promql import Aggregation, Binary, Call, Expr, NumberLiteral, Paren, Unary, type_of, unwrapped, walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Errors\n    expr: avg by (job) ({}) > 0.1\n"
_POISONED = frozenset({"sum", "avg", "stddev", "stdvar"})
_SINGLE = frozenset({"instance", "pod", "node", "host"})
_RATES = frozenset({"rate", "irate", "increase", "delta", "idelta"})


@check(
    severity=Severity.WARNING,
    fix="Divide the sums, `sum(a) / sum(b)`, or leave out what is idle: `a / (b > 0)`.",
    bad=Example({"rules.yml": _RULES.format("rate(e_total[5m]) / rate(r_total[5m])")}, at="avg by (job)"),
    good=Example({"rules.yml": _RULES.format("rate(e_total[5m]) / (rate(r_total[5m]) > 0)")}),
    origin="pint promql/nan",
)
def nan_poisons_aggregation(model: Model) -> Iterator[Remark]:
    """One idle series divides nothing by nothing, the sum over all of them is NaN, and no comparison with it holds.

    (IEEE 754: 0/0 is NaN, and so is every sum with it; Prometheus, promql/engine.go, aggregation.)
    """
    for each in rule_expressions(model):
        for node in walk(each.tree):
            if not isinstance(node, Aggregation) or node.op not in _POISONED:
                continue
            if not node.without and _SINGLE & set(node.grouping or ()):
                continue  # one series to a group: it poisons only itself
            ratio = _ratio(node.expr)
            if ratio is not None and _may_be_nought(ratio.right) and _may_be_nought(ratio.left):
                place, width = each.piece(node.span)
                said = (
                    f"{node.op}() of `{each.said(ratio)}` is NaN as soon as one of its series has no traffic:"
                    " it divides 0 by 0"
                )
                yield Remark(place, said, width=width, subject=each.subject)


def _ratio(expr: Expr) -> Binary | None:
    """Return the division of two vectors that an aggregation's operand is, with what only scales it around it."""
    inner = unwrapped(expr)
    while isinstance(inner, (Binary, Unary)):
        if isinstance(inner, Unary):
            inner = unwrapped(inner.expr)
        elif inner.op == "/" and type_of(inner.right) == "vector" and type_of(inner.left) == "vector":
            return inner
        elif inner.op in ("*", "/", "+", "-") and "scalar" in (type_of(inner.left), type_of(inner.right)):
            inner = unwrapped(inner.left if type_of(inner.left) == "vector" else inner.right)
        else:
            return None
    return None


def _may_be_nought(expr: Expr) -> bool:
    """Whether it is a rate, or a sum of rates, that nothing keeps above 0."""
    match expr:
        case Paren(expr=inner):
            return _may_be_nought(inner)
        case Call(function=function) if function in _RATES:
            return True
        case Aggregation(op="sum" | "avg" | "max" | "min", expr=inner):
            return _may_be_nought(inner)
        case Binary(op="*" | "/", left=left, right=right) if isinstance(unwrapped(right), NumberLiteral):
            return _may_be_nought(left)
        case _:
            return False
