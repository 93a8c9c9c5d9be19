"""Scrapes that take long with nothing else to do."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.exposition.many.record.timing import durations
from tocsin.finding import Severity

SHARE = 0.5
"""Of `scrape_timeout`: what takes longer has no room for a bad day."""

_TEXT = "# TYPE shop_carts gauge\nshop_carts 3\n"


@across(
    severity=Severity.WARNING,
    fix="Compute values before they are asked for, export fewer series, or raise `scrape_timeout` of the job.",
    bad=Record(watched=(Watched(told(_TEXT, _TEXT, _TEXT, seconds=8.0)),)),
    good=Record(watched=(Watched(told(_TEXT, _TEXT, _TEXT, seconds=0.2)),)),
    explains=("scrape-slowed-by-load", "scrape-lost", "scrape-slow", "scrape-timed-out"),
)
def scrapes_slow(watched: Watched, record: Record) -> Iterator[Remark]:
    """A scrape that is not over by `scrape_timeout` is lost whole, and `up` is 0; it is an error where that happened.

    A target that never answers in time is told of by another check. (prometheus.io/docs/prometheus: configuration,
    scrape_timeout.)
    """
    found = None if watched.loaded else durations(watched.scrapes)
    if found is None or found.p99 <= SHARE * record.timeout or found.timed_out == found.count:
        return
    late = found.timed_out or found.longest >= record.timeout
    lost = f"; {found.timed_out} were given up" if found.timed_out else ""
    message = f"scrapes take {found}, and may take {record.timeout:g} s{lost}"
    yield Remark("", message, Severity.ERROR if late else None)
