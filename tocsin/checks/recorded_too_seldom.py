"""Recorded series that go stale before they are written again."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model

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
    for group, name, rule in model.timing.asked_in_gaps:
        said = (
            f"{name} is recorded every {group.part.string('interval')} and is gone after 5m;"
            f" {rule.name} asks for its present value"
        )
        yield at_key(group.part.get("interval"), said, subject=f"{group.subject}/{name}",
                     related=(rule.expression_place,))  # fmt: skip
