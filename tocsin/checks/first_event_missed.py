"""An increase of a series that is born with its first event."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, Call, Comparison, NumberLiteral, comparisons, unwrapped
from tocsin.promql.intervals import vector_of

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: increase(jobs_failed_total[5m]) > 0\n"
_APPLICATION = """from prometheus_client import Counter
FAILED = Counter("jobs_failed_total", "Jobs that failed.", {})
"""


@check(
    severity=Severity.INFO,
    fix="Have the application create the series at its start (`.labels(...)` once for each value), with the value 0.",
    bad=Example({"rules.yml": _RULES, "app.py": _APPLICATION.format('["kind"]')}, at="increase("),
    good=Example({"rules.yml": _RULES, "app.py": _APPLICATION.format("[]")}),
)
def first_event_missed(alert: Rule, model: Model) -> Iterator[Remark]:
    """There was no 0 before the first event, so it is no increase, and the alert does not ring for it.

    (prometheus.io/docs/practices/instrumentation, avoid missing metrics; prometheus/prometheus issue 1673.)
    """
    tree = model.tree(alert)
    for comparison in comparisons(tree) if tree is not None else ():
        call = _counts_events(comparison)
        selector = vector_of(call.args[0]) if call is not None else None
        if call is None or selector is None:
            continue
        told = [metric for metric in model.metrics.named(selector.name or "") if metric.origin != "recorded"]
        if told and all(metric.lazy and metric.type == "counter" for metric in told):
            place, width = model.piece(alert.part.get("expr"), call.span)
            said = f"a series of {selector.name} is born with its first event: {call.function}() is empty then"
            yield Remark(place, said, width=width)


def _counts_events(comparison: Comparison) -> Call | None:
    limit, value = unwrapped(comparison.right), unwrapped(comparison.left)
    while isinstance(value, Aggregation) and value.op in ("sum", "max"):
        value = unwrapped(value.expr)
    if not (isinstance(limit, NumberLiteral) and limit.value == 0 and comparison.op == ">"):
        return None
    return value if isinstance(value, Call) and value.function in ("increase", "changes") else None
