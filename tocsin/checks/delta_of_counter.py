"""A difference of something that begins again at 0."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Call, walk
from tocsin.promql.intervals import vector_of

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}(errors_total[5m]) > 1\n"
_INSTEAD = {"delta": "increase", "idelta": "irate", "deriv": "rate"}


@check(
    severity=Severity.WARNING,
    fix="Use increase() or rate(), which know of restarts.",
    bad=Example({"rules.yml": _RULES.format("delta")}, at="delta("),
    good=Example({"rules.yml": _RULES.format("increase")}),
    origin="pint promql/counter",
)
def delta_of_counter(rule: Rule, model: Model) -> Iterator[Remark]:
    """Each restart of the process makes the difference negative, so what happened around it is not seen.

    (prometheus.io/docs/prometheus/latest/querying/functions, delta and deriv: for gauges only.)
    """
    tree = model.tree(rule)
    for call in walk(tree) if tree is not None else ():
        if not isinstance(call, Call) or call.function not in _INSTEAD:
            continue
        selector = vector_of(call.args[0])
        name = (selector.name if selector is not None else None) or ""
        told = {metric.type for metric in model.metrics.named(name) if metric.origin != "recorded"}
        if told == {"counter"} or (not told and name.endswith("_total") and not model.timing.recorders(name)):
            place, width = model.piece(rule.part.get("expr"), call.span)
            said = f"{name} is a counter: after a restart {call.function}() of it is negative"
            fix = f"Use {_INSTEAD[call.function]}() instead."
            yield Remark(place, said, width=width, subject=rule.subject, fix=fix)
