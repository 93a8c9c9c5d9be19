"""A `for` that lets everything through."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, Binary, Call, NumberLiteral, unwrapped
from tocsin.promql.intervals import window_of

_RULES = """groups:
- name: a
  rules:
  - alert: A
    expr: increase(errors_total[10m]) > 0
    for: {}
"""


@check(
    severity=Severity.INFO,
    fix="Leave `for` out, or make it longer than the window.",
    bad=Example({"rules.yml": _RULES.format("1m")}, at="for: 1m"),
    good=Example({"rules.yml": _RULES.format("10m")}),
)
def for_filters_nothing(alert: Rule, model: Model) -> Iterator[Remark]:
    """One event alone is in the window for longer than `for`, so waiting makes the alert later and nothing else.

    (prometheus.io/docs/prometheus/latest/configuration/alerting_rules: `for` is the time for which the expression must
    have held.)
    """
    tree = model.tree(alert)
    if tree is None or not alert.hold_seconds:
        return
    tree = unwrapped(tree)
    if not isinstance(tree, Binary) or tree.op != ">":
        return
    limit, value = unwrapped(tree.right), unwrapped(tree.left)
    while isinstance(value, Aggregation) and value.op in ("sum", "max"):
        value = unwrapped(value.expr)
    if not (isinstance(limit, NumberLiteral) and limit.value == 0 and isinstance(value, Call)):
        return
    window = window_of(value.args[0]) if value.function in ("increase", "changes", "resets") else None
    if window is not None and alert.hold_seconds < window:
        hold, held = format_duration(alert.hold_seconds), format_duration(window)
        said = f"one event is in the window for {held}, and `for` waits {hold} only: it lets every event through"
        yield at_key(alert.part.get("for"), said)
