"""Labels of alerts that change with the alert's value."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.alert_templates import alert_templates
from tocsin.promql import Call, Expr, comparisons, selectors, unwrapped

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Slow\n    expr: latency_seconds > 1\n    for: 5m\n"
    "    {}:\n      latency: '{{{{ $value }}}}'\n"
)


@check(
    severity=Severity.ERROR,
    fix="Show the value in an annotation; annotations are no part of what an alert is.",
    bad=Example({"rules.yml": _RULES.format("labels")}, at="$value"),
    good=Example({"rules.yml": _RULES.format("annotations")}),
    origin="pint alerts/template",
)
def value_in_alert_label(alert: Rule, model: Model) -> Iterator[Remark]:
    """Each value makes another alert, which begins to pend anew, so that with `for` none of them ever fires.

    Without `for`, each evaluation rings and resolves another alert. (Prometheus, documentation of alerting rules: an
    alert is known by its labels; rules/alerting.go, Eval.)
    """
    tree = model.tree(alert)
    if tree is None or _constant(tree):
        return
    for each in alert_templates(alert):
        if each.kind != "label" or not each.read.values:
            continue
        place, width = model.piece(each.part, each.read.values[0])
        follows = (
            f"with `for: {alert.part.string('for')}` it fires only while the value stands still"
            if alert.hold_seconds
            else "each new value is a new alert"
        )
        said = f"the label `{each.name}` of {alert.name} holds the value: {follows}"
        subject = f"{alert.subject}/{each.name}"
        severity = Severity.ERROR if alert.hold_seconds else Severity.WARNING
        yield Remark(place, said, width=width, subject=subject, severity=severity)


def _constant(tree: Expr) -> bool:
    """Whether the value is one and the same as long as the alert fires, as that of `up == 0` is."""
    inner = unwrapped(tree)
    if isinstance(inner, Call) and inner.function in ("absent", "absent_over_time", "vector"):
        return True
    found = comparisons(tree)
    return bool(found) and all(each.op == "==" and not selectors(each.right) for each in found)
