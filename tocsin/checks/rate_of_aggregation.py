"""Rates of sums of counters, in which a restart of one looks like a reset of all."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import Aggregation, Binary, Call, Expr, MatrixSelector, Subquery, VectorSelector, unwrapped, walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Errors\n    expr: {} > 1\n"
_RATES = frozenset({"rate", "irate", "increase"})
_COUNTERS = ("_total", "_count", "_bucket", "_sum")
_MIXING = frozenset({"sum", "avg", "min", "max", "quantile"})


@check(
    severity=Severity.ERROR,
    fix="Take the rate first and then the sum: `sum by (job) (rate(x_total[5m]))`.",
    bad=Example({"rules.yml": _RULES.format("rate(sum by (job) (errors_total)[5m:1m])")}, at="rate(sum"),
    good=Example({"rules.yml": _RULES.format("sum by (job) (rate(errors_total[5m]))")}),
    origin="pint promql/rate",
)
def rate_of_aggregation(model: Model) -> Iterator[Remark]:
    """When one of the instances restarts, the sum falls, and the rate counts all that is left of it as new.

    So every rollout rings. (Prometheus, documentation of rate(): always take a rate() first, then aggregate, or
    rate() cannot detect counter resets.)
    """
    for each in expressions(model):
        for node in walk(each.tree):
            if isinstance(node, Call) and node.function in _RATES and node.args and not each.varies(node):
                yield from _mixed(each, node)


def _mixed(each: PlacedExpression, node: Call) -> Iterator[Remark]:
    argument = unwrapped(node.args[0])
    mixing: Aggregation | None = None
    said = ""
    if isinstance(argument, Subquery):
        mixing = _mixing(argument.expr)
        said = f"`{each.said(argument.expr)}`"
    elif isinstance(argument, MatrixSelector) and argument.vector.name is not None:
        recorder, mixing = _recorded(argument.vector.name, each.model)
        if recorder is not None:
            said = f"`{argument.vector.name}`, which records `{' '.join(recorder.expression.split())}`,"
    if mixing is None:
        return
    counters = [s.name for s in walk(mixing) if isinstance(s, VectorSelector) and (s.name or "").endswith(_COUNTERS)]
    if not counters:
        return
    place, width = each.piece(node.span)
    message = f"{node.function}() of {said} is over {mixing.op}() of the counter `{counters[0]}`: resets are lost in it"
    severity = each.severity if mixing.op == "sum" else Severity.WARNING
    yield Remark(place, message, width=width, subject=each.subject, severity=severity)


def _mixing(expr: Expr) -> Aggregation | None:
    """Return the aggregation of raw counters from which an expression is made, if it is nothing else."""
    inner = unwrapped(expr)
    if isinstance(inner, Binary):
        return _mixing(inner.left) or _mixing(inner.right)
    if not isinstance(inner, Aggregation) or inner.op not in _MIXING:
        return None
    within = unwrapped(inner.expr)
    if isinstance(within, Aggregation):
        return _mixing(within)
    return inner if isinstance(within, VectorSelector) else None


def _recorded(name: str, model: Model) -> tuple[Rule | None, Aggregation | None]:
    for rule in model.rule_labels.recorders.get(name, ()):
        tree = model.tree(rule)
        mixing = None if tree is None else _mixing(tree)
        if mixing is not None:
            return rule, mixing
    return None, None
