"""An increase that is compared with a whole number for equality."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, Call, Comparison, NumberLiteral, comparisons, unwrapped

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: increase(errors_total[5m]) {}\n"
_EXTRAPOLATED = frozenset({"increase", "delta", "rate"})


@check(
    severity=Severity.WARNING,
    fix="Compare with >=, or count with changes(), which does not extrapolate.",
    bad=Example({"rules.yml": _RULES.format("== 1")}, at="== 1"),
    good=Example({"rules.yml": _RULES.format(">= 1")}),
)
def increase_compared_exactly(alert: Rule, model: Model) -> Iterator[Remark]:
    """Whatever is extrapolated is hardly ever a whole number, so the comparison hardly ever holds.

    (prometheus.io/docs/prometheus/latest/querying/functions, increase: extrapolated to cover the whole range, so that
    it is possible to get a non-integer result even if a counter increases only by integer increments.)
    """
    tree = model.tree(alert)
    for comparison in comparisons(tree) if tree is not None else ():
        call = _extrapolated(comparison)
        limit = unwrapped(comparison.right)
        if call is None or not isinstance(limit, NumberLiteral) or limit.value == 0:
            continue
        place, width = model.piece(alert.part.get("expr"), comparison.node.operator)
        said = f"{call.function}() extrapolates: it makes 1.05 or so of 1, and `== {limit.value:g}` does not hold"
        yield Remark(place, said, width=width)


def _extrapolated(comparison: Comparison) -> Call | None:
    value = unwrapped(comparison.left)
    while isinstance(value, Aggregation) and value.op in ("sum", "max", "min"):
        value = unwrapped(value.expr)
    known = isinstance(value, Call) and value.function in _EXTRAPOLATED and comparison.op == "=="
    return value if known and isinstance(value, Call) else None
