"""Alerts on the first few of many series, which are now these and now those."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, Binary, Call, Expr, NumberLiteral, Paren, Unary, type_of, unwrapped
from tocsin.promql.labels import SELECTING

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Full\n    expr: {}\n    for: 5m\n"


@check(
    severity=Severity.WARNING,
    fix="Compare all series, without {op}(); Alertmanager groups the alerts.".replace("{op}", "topk"),
    bad=Example({"rules.yml": _RULES.format("topk(1, used_ratio) > 0.9")}, at="topk(1"),
    good=Example({"rules.yml": _RULES.format("used_ratio > 0.9")}),
    origin="pint promql/fragile",
)
def flapping_aggregation(alert: Rule, model: Model) -> Iterator[Remark]:
    """Whenever another series comes first, the alert of the one before resolves, and another begins to pend anew.

    (Prometheus, documentation of operators: topk, bottomk, limitk and limit_ratio keep the labels of the series that
    they select; of alerting rules: each set of labels is an alert of its own.)
    """
    tree = model.tree(alert)
    if tree is None:
        return
    for node in _passed_on(tree):
        if _one_of_each(node):
            continue
        place, width = model.piece(alert.part.get("expr"), node.span)
        said = f"{alert.name} fires for the series that {node.op}() selects at the moment, and others later"
        yield Remark(place, said, width=width, fix=f"Compare all series, without {node.op}(), or aggregate what it"
                     " selects with max() or min().")  # fmt: skip


def _one_of_each(node: Aggregation) -> bool:
    """Whether it takes one series of each of the groups that are named, as is done with series that are there twice."""
    number = node.param and unwrapped(node.param)
    return bool(node.grouping) and not node.without and isinstance(number, NumberLiteral) and number.value == 1


def _passed_on(expr: Expr) -> Iterator[Aggregation]:
    """Yield the selecting aggregations whose labels become those of the alert."""
    waiting = [expr]
    while waiting:
        match waiting.pop():
            case Aggregation(op=op) as node if op in SELECTING:
                yield node
            case Paren(expr=inner) | Unary(expr=inner):
                waiting.append(inner)
            case Call(args=args):
                waiting += [arg for arg in args if type_of(arg) == "vector"]
            case Binary(op="or", left=left, right=right):
                waiting += [right, left]
            case Binary(op="and" | "unless", left=left):
                waiting.append(left)
            case Binary(left=left, right=right, matching=matching):
                many = right if matching is not None and matching.group == "right" else left
                waiting.append(many if type_of(many) == "vector" else right)
            case _:
                pass
