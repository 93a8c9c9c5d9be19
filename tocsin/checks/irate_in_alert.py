"""An alert on the last two samples alone."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Call, walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}(errors_total[5m]) > 1\n    for: 5m\n"


@check(
    severity=Severity.INFO,
    fix="Use rate(), which sees the whole window.",
    bad=Example({"rules.yml": _RULES.format("irate")}, at="irate("),
    good=Example({"rules.yml": _RULES.format("rate")}),
)
def irate_in_alert(alert: Rule, model: Model) -> Iterator[Remark]:
    """Between two samples a short lull resets `for`, so the alert can miss what goes on for hours.

    (prometheus.io/docs/prometheus/latest/querying/functions, irate: brief changes in the rate can reset the `for`
    clause; it should only be used to graph volatile, fast-moving counters.)
    """
    tree = model.tree(alert)
    if tree is None or not alert.hold_seconds:
        return
    for call in walk(tree):
        if isinstance(call, Call) and call.function == "irate":
            place, width = model.piece(alert.part.get("expr"), call.span)
            yield Remark(place, "irate() looks at the last two samples of its window only", width=width)
