"""Recording rules so rare that what they record is gone in between."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Group
from tocsin.checks import Example, Remark, at, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model

_RULES = """groups:
- name: a
  interval: {}
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
"""


@check(
    severity=Severity.WARNING,
    fix="Evaluate the group at least every two minutes.",
    bad=Example({"rules.yml": _RULES.format("10m")}, at="interval: 10m"),
    good=Example({"rules.yml": _RULES.format("1m")}),
    origin="pint group/interval",
)
def group_interval_over_lookback(group: Group, model: Model) -> Iterator[Remark]:
    """Between two evaluations what the group records is gone, so alerts and graphs that read it have gaps.

    (Prometheus, --query.lookback-delta: a sample counts as present for 5 minutes; pint, docs/checks/group/interval.md.)
    """
    seconds, lookback = group.interval_seconds or 0.0, model.timing.lookback
    recorded = [rule.name for rule in group.rules if not rule.alerting]
    if any(slow is group for slow, _, __ in model.timing.asked_in_gaps):
        return  # `recorded-too-seldom` says what asks for it
    if seconds > lookback and recorded:
        said = f"{recorded[0]} counts as present for {format_duration(lookback)} after each evaluation, and the next "
        yield at(group.part.get("interval"), said + f"one comes after {format_duration(seconds)}")
