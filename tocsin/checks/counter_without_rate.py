"""A counter that is compared as it is."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    Comparison,
    Expr,
    NumberLiteral,
    VectorSelector,
    comparisons,
    type_of,
    unwrapped,
)

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {} > 0\n"
_KEPT = frozenset({"max_over_time", "min_over_time", "avg_over_time", "last_over_time", "sort", "sort_desc"})
_SURE = frozenset({"kube_pod_container_status_restarts_total", "kube_pod_init_container_status_restarts_total"})
_EVENTS = re.compile(
    r"(?:errors?|failures?|failed|exceptions?|restarts?|dropped|discarded|rejected|retries|timeouts?|panics?|crashes)"
    r"_total$"
)
"""Names of what happens; `_total` alone is the end of many a gauge's name as well (`nodes_offline_total`)."""


@check(
    severity=Severity.ERROR,
    fix="Compare increase(...) or rate(...) of it instead.",
    bad=Example({"rules.yml": _RULES.format("http_errors_total")}, at="http_errors_total"),
    good=Example({"rules.yml": _RULES.format("rate(http_errors_total[5m])")}),
    origin="pint promql/counter",
)
def counter_without_rate(alert: Rule, model: Model) -> Iterator[Remark]:
    """Once a counter is over the threshold it stays there, so the alert rings until the process is restarted.

    (prometheus.io/docs/concepts/metric_types, counter; pint, docs/checks/promql/counter.md.)
    """
    tree = model.tree(alert)
    for comparison in _deciding(tree) if tree is not None else ():
        value = _over_a_number(comparison)
        if value is None:
            continue
        quotient = _quotient(value)
        if quotient is not None and _both_count(quotient, model):
            names = " and ".join(dict.fromkeys(each.name or "" for each in quotient))
            said = f"{names} counted from the start of the process on: the quotient is the average since then"
            place, width = model.piece(alert.part.get("expr"), quotient[0].span)
            yield Remark(place, said, width=width, severity=Severity.WARNING)
            continue
        found = _raw(value)
        sure = _counter(found.name or "", model) if found is not None else None
        if found is not None and sure is not None:
            place, width = model.piece(alert.part.get("expr"), found.span)
            said = f"{found.name} counts from the start of its process on: once it is over the threshold it stays there"
            yield Remark(place, said, width=width, severity=None if sure else Severity.WARNING)


def _deciding(tree: Expr) -> Iterator[Comparison]:
    """Yield the comparisons that an alert is about; what stands to the right of `and` only says when."""
    tree = unwrapped(tree)
    if isinstance(tree, Binary) and tree.op == "or":
        yield from _deciding(tree.left)
        yield from _deciding(tree.right)
    elif isinstance(tree, Binary) and tree.op in ("and", "unless"):
        yield from _deciding(tree.left)
    else:
        yield from comparisons(tree)


def _over_a_number(comparison: Comparison) -> Expr | None:
    """Return what is compared, where it is asked whether it is over a number."""
    value, limit, over = comparison.left, comparison.right, (">", ">=", "!=")
    if type_of(value) == "scalar":
        value, limit, over = limit, value, ("<", "<=", "!=")
    if comparison.op not in over or type_of(limit) != "scalar" or comparison.node.bool_:
        return None
    return value


def _quotient(value: Expr) -> tuple[VectorSelector, VectorSelector] | None:
    """Return two series of which one is divided by the other as they are."""
    value = unwrapped(value)
    while isinstance(value, Binary) and value.op == "*" and type_of(value.right) == "scalar":
        value = unwrapped(value.left)
    if not isinstance(value, Binary) or value.op != "/":
        return None
    one, other = _raw(value.left), _raw(value.right)
    return (one, other) if one is not None and other is not None else None


def _raw(expr: Expr) -> VectorSelector | None:
    """Return the series of an expression that grows when they grow."""
    expr = unwrapped(expr)
    match expr:
        case VectorSelector():
            return expr
        case Aggregation(op="sum" | "max" | "min" | "avg", expr=inner):
            return _raw(inner)
        case Call(function=function, args=(inner,)) if function in _KEPT:
            inner = unwrapped(inner)
            return _raw(getattr(inner, "vector", inner))
        case Binary(op="*" | "/", left=left, right=NumberLiteral()):
            return _raw(left)
        case Binary(op="*", left=NumberLiteral(), right=right):
            return _raw(right)
        case _:
            return None


def _both_count(quotient: tuple[VectorSelector, VectorSelector], model: Model) -> bool:
    return all(_counter(each.name or "", model, any_total=True) is not None for each in quotient)


def _counter(name: str, model: Model, *, any_total: bool = False) -> bool | None:
    """Return whether a metric surely is a counter; None if it is not known to be one. A name is only a convention."""
    told = {metric.type for metric in model.metrics.named(name) if metric.origin != "recorded"}
    if told or model.timing.recorders(name):
        return True if told == {"counter"} else None
    if name in _SURE:
        return True
    if "consecutive" in name:  # it begins anew with the first success
        return None
    return False if _EVENTS.search(name) or (any_total and name.endswith("_total")) else None
