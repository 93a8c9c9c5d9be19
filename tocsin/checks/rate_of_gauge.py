"""A rate of something that may fall."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Call, walk
from tocsin.promql.intervals import vector_of

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}(queue_length[5m]) > 1\n"
_APPLICATION = 'from prometheus_client import Gauge\nLENGTH = Gauge("queue_length", "What waits.")\n'


@check(
    severity=Severity.WARNING,
    fix="Use deriv() or delta() for what may fall.",
    bad=Example({"rules.yml": _RULES.format("rate"), "app.py": _APPLICATION}, at="rate("),
    good=Example({"rules.yml": _RULES.format("deriv"), "app.py": _APPLICATION}),
    origin="pint promql/rate",
)
def rate_of_gauge(rule: Rule, model: Model) -> Iterator[Remark]:
    """Each fall of a gauge is taken for a restart of a counter, so the rate shows growth that never was.

    (prometheus.io/docs/prometheus/latest/querying/functions, rate: of counters only; pint, checks/promql/rate.md.)
    """
    tree = model.tree(rule)
    for call in walk(tree) if tree is not None else ():
        if not isinstance(call, Call) or call.function not in ("rate", "irate", "increase", "resets"):
            continue
        selector = vector_of(call.args[0])
        name = selector.name if selector is not None else None
        told = [metric for metric in model.metrics.named(name) if metric.origin != "recorded"] if name else []
        if told and all(metric.type == "gauge" for metric in told):
            place, width = model.piece(rule.part.get("expr"), call.span)
            said = f"{name} is a gauge ({told[0].place.file}), and {call.function}() is for counters"
            yield Remark(place, said, width=width, subject=rule.subject)
