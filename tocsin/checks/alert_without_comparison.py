"""Alerts that fire whenever their series exist, whatever the value."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import (
    COMPARISONS,
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    selectors,
    type_of,
    walk,
)

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Busy\n    expr: 1 - avg by (instance) (rate(idle_seconds_total[5m])){}\n"
)
_MEANT = re.compile(
    r"watch-?dog|dead-?man|always|heartbeat|snitch|keep-?alive|i-?am-?alive|test-?alert|InfoInhibitor", re.IGNORECASE
)
_KEEPING = frozenset(
    {"label_replace", "label_join", "sort", "sort_desc", "abs", "last_over_time", "max_over_time", "min_over_time"}
    | {"present_over_time", "first_over_time"}
)
"""Functions whose result says no more than that the series is there, or was."""
_OF_TARGETS = frozenset({"__name__", "job", "instance", "namespace", "cluster", "pod", "service", "container"})
_EXISTING = frozenset({"max", "min", "group", "topk", "bottomk", "limitk", "limit_ratio", "sum", "count", "avg"})


@check(
    severity=Severity.ERROR,
    fix="Compare the value: `... > 0.9`.",
    bad=Example({"rules.yml": _RULES.format("")}, at="expr: 1 - avg"),
    good=Example({"rules.yml": _RULES.format(" > 0.95")}),
    origin="pint alerts/comparison",
)
def alert_without_comparison(alert: Rule, model: Model) -> Iterator[Remark]:
    """The alert fires all the time, as long as anything is scraped at all.

    (Prometheus, documentation of alerting rules: each series of the result is an alert, whatever its value; only a
    comparison without `bool` takes series away.)
    """
    tree = model.tree(alert)
    meant = _MEANT.search(alert.name) or _MEANT.search(alert.group) or alert.labels.get("severity") == "none"
    if tree is None or not selectors(tree) or meant:
        return
    if _depends(tree, model, 0):
        return
    place, width = model.piece(alert.part.get("expr"), tree.span)
    compared = next((n for n in walk(tree) if isinstance(n, Binary) and n.op in COMPARISONS and n.bool_), None)
    if compared is not None:
        place, width = model.piece(alert.part.get("expr"), compared.operator)
        said = f"`bool` gives 0 instead of nothing, so {alert.name} fires whether the comparison holds or not"
        yield Remark(place, said, width=width, fix="Leave out `bool`.")
    elif _only_asks_whether_there(tree):
        if any(matcher.name not in _OF_TARGETS for selector in selectors(tree) for matcher in selector.matchers):
            return  # it may be meant: that such a thing is there at all
        said = f"nothing is compared: {alert.name} fires as soon as the series exists, whatever its value"
        yield Remark(place, said, width=width, severity=Severity.WARNING)
    else:
        yield Remark(place, f"nothing is compared: {alert.name} fires for every series that exists", width=width)


def _depends(expr: Expr, model: Model, depth: int) -> bool:
    """Whether it hangs on a value, or on an absence, that the expression yields something."""
    match expr:
        case Binary(op="or", left=left, right=right):
            return _depends(left, model, depth) and _depends(right, model, depth)
        case Binary(op="and" | "unless"):
            return True
        case Binary(op=op, bool_=bool_) if op in COMPARISONS and not bool_:
            return True
        case Binary(left=left, right=right):
            return any(_depends(side, model, depth) for side in (left, right) if type_of(side) == "vector")
        case Call(function="absent" | "absent_over_time" | "scalar" | "info"):
            return True
        case Call(args=args):
            return any(_depends(arg, model, depth) for arg in args if type_of(arg) in ("vector", "matrix"))
        case Aggregation(expr=inner) | Paren(expr=inner) | Unary(expr=inner) | Subquery(expr=inner):
            return _depends(inner, model, depth)
        case MatrixSelector(vector=vector):
            return _depends(vector, model, depth)
        case VectorSelector():
            return _selected(expr, model, depth)
        case _:
            return False


def _selected(selector: VectorSelector, model: Model, depth: int) -> bool:
    name = selector.name
    if name is None or name in ("ALERTS", "ALERTS_FOR_STATE") or depth > 10:
        return True
    recorders = model.rule_labels.recorders.get(name, ())
    if not recorders:
        return ":" in name  # recorded somewhere else: it may be there only when something is wrong
    trees = [model.tree(rule) for rule in recorders]
    return any(tree is None or _depends(tree, model, depth + 1) for tree in trees)


def _only_asks_whether_there(expr: Expr) -> bool:
    """Whether the expression is a plain selector, or what only passes it on: a metric that exists in trouble only."""
    match expr:
        case Paren(expr=inner) | Subquery(expr=inner):
            return _only_asks_whether_there(inner)
        case Aggregation(op=op, expr=inner) if op in _EXISTING:
            return _only_asks_whether_there(inner)
        case Call(function=function, args=args) if function in _KEEPING and args:
            return _only_asks_whether_there(args[0])
        case VectorSelector() | MatrixSelector():
            return True
        case _:
            return False
