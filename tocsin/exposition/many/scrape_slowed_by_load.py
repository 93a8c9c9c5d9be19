"""Scrapes that take long when there is most to see."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.exposition.many.record.timing import durations
from tocsin.finding import Severity

SHARE = 0.5
"""Of `scrape_timeout`."""

_TEXT = "# TYPE shop_carts gauge\nshop_carts 3\n"
_IDLE = Watched(told(_TEXT, _TEXT, _TEXT))


@across(
    severity=Severity.ERROR,
    fix="Answer `/metrics` by a thread, a pool or a port that requests cannot use up, under no lock that they hold.",
    bad=Record(watched=(_IDLE, Watched(told(_TEXT, _TEXT, _TEXT, seconds=7.0), loaded=True))),
    good=Record(watched=(_IDLE, Watched(told(_TEXT, _TEXT, _TEXT, seconds=0.1), loaded=True))),
    explains=("scrape-lost",),
)
def scrape_slowed_by_load(record: Record) -> Iterator[Remark]:
    """Monitoring goes blind in the very moment that it is there for, and alerts on load have no data.

    (prometheus.io/docs/prometheus: configuration, scrape_timeout.)
    """
    idle = durations([scrape for watched in record.watched if not watched.loaded for scrape in watched.scrapes])
    loaded = durations([scrape for watched in record.watched if watched.loaded for scrape in watched.scrapes])
    most = SHARE * record.timeout
    if idle is None or loaded is None or idle.p99 > most or loaded.p99 <= most:
        return
    lost = f"; {loaded.timed_out} were given up" if loaded.timed_out else ""
    yield Remark("", f"scrapes take {idle} alone, and {loaded} under load; they may take {record.timeout:g} s{lost}")
