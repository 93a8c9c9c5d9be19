"""absent() that rings at once."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import COMPARISONS, Binary, Call, Expr, unwrapped

_RULES = 'groups:\n- name: a\n  rules:\n  - alert: A\n    expr: absent(up{job="api"})\n'


@check(
    severity=Severity.WARNING,
    fix="Add a `for` of a few scrape intervals.",
    bad=Example({"rules.yml": _RULES}, at="absent("),
    good=Example({"rules.yml": _RULES + "    for: 5m\n"}),
    origin="pint alerts/absent",
)
def absent_without_for(alert: Rule, model: Model) -> Iterator[Remark]:
    """Every start of Prometheus rings the alert, because rules are evaluated before the first scrape.

    (pint, docs/checks/alerts/absent.md; Prometheus, cmd/prometheus/main.go: rules and scrapes start at the same time.)
    """
    tree = model.tree(alert)
    if tree is None or alert.hold_seconds > 0:
        return
    for call in _deciding(tree):
        place, width = model.piece(alert.part.get("expr"), call.span)
        said = f"{alert.name} has no `for`: the first evaluation after a start finds nothing yet, and rings"
        yield Remark(place, said, width=width)


def _deciding(expr: Expr) -> Iterator[Call]:
    """Yield each absent() that is enough for the alert to ring."""
    expr = unwrapped(expr)
    match expr:
        case Call(function="absent"):
            yield expr
        case Binary(op="or"):
            yield from _deciding(expr.left)
            yield from _deciding(expr.right)
        case Binary(op=op) if op in COMPARISONS:
            yield from _deciding(expr.left)
        case _:
            return
