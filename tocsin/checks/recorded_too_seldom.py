"""Recorded series that go stale before they are written again."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, rule_expressions
from tocsin.promql import MatrixSelector, VectorSelector, children
from tocsin.promql.nodes import Expr

LOOKBACK_SECONDS = 300.0
"""How long a sample is taken for the present: the default of --query.lookback-delta."""
_RULES = (
    "groups:\n- name: slow\n  interval: {}\n  rules:\n  - record: job:errors:rate1h\n"
    "    expr: sum by (job) (rate(errors_total[1h]))\n"
    "- name: alerts\n  rules:\n  - alert: Errors\n    expr: job:errors:rate1h > 1\n    for: 15m\n"
)


@check(
    severity=Severity.ERROR,
    fix="Record at least every 5 minutes, or ask with last_over_time() over more than the interval.",
    bad=Example({"rules.yml": _RULES.format("10m")}, at="interval: 10m"),
    good=Example({"rules.yml": _RULES.format("2m")}),
)
def recorded_too_seldom(model: Model) -> Iterator[Remark]:
    """Between two evaluations the series is gone, so the alert resolves and begins to pend anew each time.

    (Prometheus, documentation of staleness: a series without a sample in the last five minutes yields nothing.)
    """
    slow = {
        rule.name: group
        for group in model.rule_groups
        for rule in group.rules
        if not rule.alerting and (group.interval_seconds or 0) > LOOKBACK_SECONDS
    }
    if not slow or _lookback_is_set(model):
        return
    told: set[tuple[str, str]] = set()
    for each in rule_expressions(model):
        for name in _asked_at_once(each):
            group = slow.get(name)
            if group is None or len(model.rule_labels.recorders[name]) > 1 or each.rule is None:
                continue
            if (group.subject, name) in told or (each.rule.file, each.rule.group) == (group.file, group.name):
                continue
            told.add((group.subject, name))
            said = (
                f"{name} is recorded every {group.part.string('interval')} and is gone after 5m;"
                f" {each.rule.name} asks for its present value"
            )
            yield at_key(group.part.get("interval"), said, subject=f"{group.subject}/{name}",
                         related=(each.rule.expression_place,))  # fmt: skip


def _asked_at_once(each: PlacedExpression) -> Iterator[str]:
    """Yield the metrics whose present value is asked for, those under a range left out."""
    waiting: list[Expr] = [each.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, VectorSelector) and node.name:
            yield node.name
        elif not isinstance(node, MatrixSelector):
            waiting.extend(children(node))


def _lookback_is_set(model: Model) -> bool:
    """Whether some command line sets the lookback to another length."""
    texts = (file.text for file in model.files())
    return any("query.lookback-delta" in text for text in texts)
