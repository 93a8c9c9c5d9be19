"""A count that is asked whether it is too low, and is nothing where nothing is left."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import (
    COMPARISONS,
    Aggregation,
    Binary,
    Comparison,
    Expr,
    NumberLiteral,
    comparisons,
    unwrapped,
    walk,
)

_RULES = "groups:\n- name: a\n  rules:\n  - alert: TooFew\n    expr: {} < 3\n    for: 1m\n"


@check(
    severity=Severity.WARNING,
    fix="Sum up ones and noughts instead (`sum(x == bool 1)`), or add `or vector(0)` where there are no labels.",
    bad=Example({"rules.yml": _RULES.format('count(up{job="db"} == 1)')}, at="count("),
    good=Example({"rules.yml": _RULES.format('sum(up{job="db"} == bool 1)')}),
)
def count_silent_at_zero(alert: Rule, model: Model) -> Iterator[Remark]:
    """When none is left there is no count, not even 0, so the alert stops ringing just when it matters most.

    (prometheus.io/docs/prometheus/latest/querying/operators: an aggregation of nothing is nothing.)
    """
    tree = model.tree(alert)
    if tree is None or any(isinstance(node, Binary) and node.op == "or" for node in walk(tree)):
        return
    for comparison in comparisons(tree):
        count = _too_low(comparison)
        if count is not None:
            place, width = model.piece(alert.part.get("expr"), count.span)
            said = f"a count of nothing is nothing, and not 0: {alert.name} rings when few are left, "
            yield Remark(place, said + "and is silent when none is", width=width)


def _too_low(comparison: Comparison) -> Aggregation | None:
    """Return the count of what passed a comparison that is asked whether it is under 2 or more."""
    count, limit = unwrapped(comparison.left), unwrapped(comparison.right)
    if not isinstance(count, Aggregation) or count.op != "count" or not isinstance(limit, NumberLiteral):
        return None
    low = (comparison.op == "<" and limit.value > 1) or (comparison.op == "<=" and limit.value >= 1)
    return count if low and _filtered(count.expr) else None


def _filtered(expr: Expr) -> bool:
    expr = unwrapped(expr)
    return isinstance(expr, Binary) and expr.op in COMPARISONS and not expr.bool_
