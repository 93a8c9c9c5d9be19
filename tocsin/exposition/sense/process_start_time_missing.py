"""No word on when the program started."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.INFO,
    fix="Register the process collector of the client library; with several workers in Python, export the main one's.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
# HELP process_start_time_seconds When the process started.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
"""
    ),
)
def process_start_time_missing(scrape: Digest, collected: bool) -> Iterator[Remark]:
    """Without `process_start_time_seconds` a counter that falls cannot be told from a program that restarted.

    (prometheus.io/docs/instrumenting/writing_clientlibs: process metrics.)
    """
    names = [name.name for family in scrape.families.values() for name in family.names.values()]
    counters = any(
        family.type in ("counter", "histogram", "summary") and family.names for family in scrape.families.values()
    )
    told = any(name.endswith(("process_start_time_seconds", "_created")) for name in names)
    if counters and not told and not collected:
        yield Remark(0, "process_start_time_seconds", "the scrape has counters, and no process_start_time_seconds")
