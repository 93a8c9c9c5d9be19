"""Quantiles that are no share between 0 and 1."""

from collections.abc import Iterator
from math import isnan

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import expressions
from tocsin.promql import Aggregation, Call, Expr, NumberLiteral, unwrapped, walk

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Slow\n"
    "    expr: histogram_quantile({}, rate(latency_seconds_bucket[5m])) > 1\n"
)
_FUNCTIONS = {"histogram_quantile": 0, "quantile_over_time": 0}


@check(
    severity=Severity.ERROR,
    fix="Write the quantile as a share: 0.95, not 95.",
    bad=Example({"rules.yml": _RULES.format("95")}, at="histogram_quantile(95"),
    good=Example({"rules.yml": _RULES.format("0.95")}),
)
def quantile_out_of_range(model: Model) -> Iterator[Remark]:
    """A quantile above 1 is always +Inf and one below 0 always -Inf, so a comparison with it always or never holds.

    (Prometheus, promql/quantile.go: bucketQuantile and quantile return infinity outside of [0, 1].)
    """
    for each in expressions(model):
        for node in walk(each.tree):
            share = _share(node)
            if share is None or 0 <= share.value <= 1 or isnan(share.value) or each.varies(share):
                continue
            place, width = each.piece(share.span)
            called = node.op if isinstance(node, Aggregation) else node.function if isinstance(node, Call) else ""
            always = "+Inf" if share.value > 1 else "-Inf"
            said = f"{called}({share.value:g}, ...) is always {always}"
            if 1 < share.value <= 100:
                said += f"; {share.value / 100:g} is meant for {share.value:g} %"
            yield Remark(place, said, width=width, subject=each.subject, severity=each.severity)


def _share(node: Expr) -> NumberLiteral | None:
    """Return the constant that says which quantile is asked for."""
    given: Expr | None = None
    if isinstance(node, Aggregation) and node.op == "quantile":
        given = node.param
    elif isinstance(node, Call) and node.function in _FUNCTIONS and node.args:
        given = node.args[_FUNCTIONS[node.function]]
    inner = None if given is None else unwrapped(given)
    return inner if isinstance(inner, NumberLiteral) else None
