"""An event that has left its window before `for` is over."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, Binary, Call, Comparison, Expr, NumberLiteral, comparisons, unwrapped
from tocsin.promql.intervals import vector_of, window_of

_RULES = """groups:
- name: a
  rules:
  - alert: Restarted
    expr: increase(kube_pod_container_status_restarts_total[10m]) > 0
    for: {}
"""
_EVENTS = frozenset({"increase", "rate", "irate", "changes", "resets"})
_SINGLE = re.compile(
    r"restarts?(?:_|$)|(?:^|_)oom(?:_|$)|panic|crash|reboot|boot_time|start_time|failover|killed|(?:^|_)numRestarts"
)
"""Names of what happens once in a while, and is worth an alert when it has happened once."""


@check(
    severity=Severity.ERROR,
    fix="Make `for` shorter than the window (or leave it out), or the window longer than `for`.",
    bad=Example({"rules.yml": _RULES.format("15m")}, at="for: 15m"),
    good=Example({"rules.yml": _RULES.format("5m")}),
)
def for_longer_than_window(alert: Rule, model: Model) -> Iterator[Remark]:
    """One event is in its window for no longer than the window is, so the alert cannot ring for it.

    (prometheus.io/docs/prometheus/latest/configuration/alerting_rules: an alert fires only if its expression has held
    at every evaluation for as long as `for` says. Where events are meant to go on, the finding is a note.)
    """
    tree = model.tree(alert)
    if tree is None or not alert.hold_seconds or _has_alternatives(tree):
        return
    stretch = model.values.stretch(alert)
    if stretch is not None and stretch.seconds <= alert.hold_seconds:
        hold, held = format_duration(alert.hold_seconds), format_duration(stretch.seconds)
        said = f"the condition holds for less than {held} ({stretch.argument}), and `for` waits {hold}: "
        said += f"{alert.name} cannot ring" + ("" if stretch.sure else ", unless two series share the matched labels")
        yield at_key(alert.part.get("for"), said, severity=None if stretch.sure else Severity.WARNING)
        return
    for comparison in comparisons(tree):
        found = _event(comparison)
        if found is None:
            continue
        call, window, name = found
        if window < alert.hold_seconds:
            hold, held = format_duration(alert.hold_seconds), format_duration(window)
            said = f"{call.function}({name}) sees one event for {held}, its window, and `for` waits {hold}: "
            single = _SINGLE.search(name) is not None
            if not single and (unwrapped(tree) is not comparison.node or call.function not in ("increase", "changes")):
                continue
            said += f"{alert.name} cannot ring for it" if single else f"{alert.name} rings only if they go on"
            yield at_key(alert.part.get("for"), said, severity=None if single else Severity.INFO)
            return


def _has_alternatives(expr: Expr) -> bool:
    expr = unwrapped(expr)
    if not isinstance(expr, Binary):
        return False
    return expr.op == "or" or (expr.op in ("and", "unless") and _has_alternatives(expr.left))


def _event(comparison: Comparison) -> tuple[Call, float, str] | None:
    """Return the call that a comparison asks for one event or more, its window in seconds, and the metric."""
    limit = unwrapped(comparison.right)
    if not isinstance(limit, NumberLiteral):
        return None
    one = (comparison.op == ">" and limit.value == 0) or (comparison.op == ">=" and 0 < limit.value <= 1)
    value = unwrapped(comparison.left)
    while isinstance(value, Aggregation) and value.op in ("sum", "max"):
        value = unwrapped(value.expr)
    if not (one or (comparison.op == "!=" and limit.value == 0)) or not isinstance(value, Call):
        return None
    if value.function not in _EVENTS or (value.function in ("rate", "irate") and comparison.op == ">="):
        return None
    selector, window = vector_of(value.args[0]), window_of(value.args[0])
    if selector is None or selector.name is None or window is None:
        return None
    return value, window, selector.name
