"""More series than were meant to be."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading, Values
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.finding import Severity
from tocsin.system import Budget

_TEXT = '# TYPE shop_orders_total counter\nshop_orders_total{country="NL"} 2\nshop_orders_total{country="BE"} 3\n'
_WATCHED = (Watched(told(_TEXT)),)


@across(
    severity=Severity.ERROR,
    fix="Take the label away that grew, or raise the budget under `endpoints` in system.yaml if it is meant to be so.",
    bad=Record(watched=_WATCHED, budgets={"shop_orders_total": Budget(labels={"country": 1})}),
    good=Record(watched=_WATCHED, budgets={"shop_orders_total": Budget(series=2, labels={"country": 2})}),
)
def budget_exceeded(record: Record, reading: Reading) -> Iterator[Remark]:
    """It costs more memory and time than its owner planned, in each Prometheus that scrapes it, and for each replica.

    (system.yaml: `endpoints`, `budgets`; prometheus.io/docs/practices/instrumentation: do not overuse labels.)
    """
    if not record.series:
        return
    largest = max(record.series, key=lambda scrape: len(reading.of(scrape).shape.keys))
    for metric, budget in record.budgets.items():
        found = reading.values(largest, (metric,), metric)
        if not found.series:
            yield Remark(metric, f"there is a budget for {metric}, and no series of it", Severity.INFO)
        yield from _beyond(metric, budget, found)


def _beyond(metric: str, budget: Budget, found: Values) -> Iterator[Remark]:
    if budget.series is not None and found.series > budget.series:
        yield Remark(metric, f"{metric} has {found.series:,} series, and {budget.series:,} were meant to be")
    for label, most in budget.labels.items():
        count = len(found.labels.get(label, ()))
        if count > most:
            yield Remark(metric, f"the label {label} of {metric} has {count:,} values, and {most:,} were meant to be")
