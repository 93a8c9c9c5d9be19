"""A rate of what is a rate already."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Call, Expr, unwrapped, walk
from tocsin.promql.intervals import vector_of

_RULES = """groups:
- name: a
  rules:
  - record: job:errors:rate5m
    expr: sum by (job) (rate(errors_total[5m]))
  - alert: A
    expr: {}(job:errors:rate5m[10m]) > 1
"""
_RATES = frozenset({"rate", "irate", "increase"})


@check(
    severity=Severity.WARNING,
    fix="Use avg_over_time() or max_over_time() of the recorded rate, or a rate of the counter itself.",
    bad=Example({"rules.yml": _RULES.format("rate")}, at="rate(job:"),
    good=Example({"rules.yml": _RULES.format("avg_over_time")}),
)
def rate_of_rate(rule: Rule, model: Model) -> Iterator[Remark]:
    """Each fall of the recorded rate is taken for a restart of a counter, so the result means nothing.

    (prometheus.io/docs/prometheus/latest/querying/functions, rate: for counters only, and before any aggregation.)
    """
    tree = model.tree(rule)
    for call in walk(tree) if tree is not None else ():
        if not isinstance(call, Call) or call.function not in _RATES:
            continue
        selector = vector_of(call.args[0])
        recorders = model.timing.recorders(selector.name) if selector is not None and selector.name else ()
        trees = [model.tree(recorder) for recorder in recorders]
        if recorders and all(each is not None and _is_rate(each) for each in trees):
            place, width = model.piece(rule.part.get("expr"), call.span)
            written = " ".join(recorders[0].expression.split())[:80]
            said = f"{recorders[0].name} is recorded as `{written}`, which is a rate already"
            yield Remark(place, said, width=width, subject=rule.subject)


def _is_rate(expr: Expr) -> bool:
    """Whether an expression's values are rates, as far as its functions tell."""
    return any(isinstance(node, Call) and node.function in _RATES for node in walk(unwrapped(expr)))
