"""Metrics that end when something else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.scrapes import Bereft, Record, told
from tocsin.finding import Severity

_TEXT = "# TYPE shop_database_up gauge\nshop_database_up 0\n"
_GOOD = Bereft("database", told(_TEXT, _TEXT), "shop_database_up")
_BAD = replace(_GOOD, scrapes=(replace(_GOOD.scrapes[0], status=500), replace(_GOOD.scrapes[1], status=500)))


@across(
    severity=Severity.ERROR,
    fix="Answer with what is known, and `x_up 0` for what could not be reached; bound each question by a deadline.",
    bad=Record(bereft=(_BAD,)),
    good=Record(bereft=(_GOOD,)),
    explains=("dependency-not-told",),
)
def dependency_takes_metrics_down(bereft: Bereft) -> Iterator[Remark]:
    """`up` is 0 for a program that runs: the wrong one is called out, and all its other metrics are gone too.

    (prometheus.io/docs/instrumenting/writing_exporters: failed scrapes.)
    """
    lost = [scrape for scrape in bereft.scrapes if not scrape.whole]
    if lost:
        reason = "no answer in time" if lost[0].timed_out else lost[0].problem or f"status {lost[0].status}"
        yield Remark(
            bereft.up,
            f"without {bereft.dependency}, {len(lost)} of {len(bereft.scrapes)} scrapes failed: {reason}",
        )
