"""Several processes behind one address, each with counters of its own."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.exposition.many.record.snapshot import START
from tocsin.exposition.many.record.workers import Workers, workers
from tocsin.finding import Severity


def _of(start: int, orders: int) -> str:
    return (
        f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {start}\n"
        f"# TYPE shop_orders_total counter\nshop_orders_total {orders}\n"
    )


@across(
    severity=Severity.ERROR,
    fix="Collect from all workers: in Python, PROMETHEUS_MULTIPROC_DIR and a MultiProcessCollector; else one port "
    "for each worker, or an aggregator in the main process.",
    bad=Record(watched=(Watched(told(_of(100, 9), _of(101, 4), _of(100, 10), _of(101, 5))),)),
    good=Record(watched=(Watched(told(_of(100, 9), _of(100, 9), _of(100, 10), _of(100, 12))),)),
    explains=(
        *("counter-falls", "series-flap", "series-vanish", "start-time-drifts", "requests-miscounted"),
        *("metadata-drift", "formats-drift-apart", "series-grow", "restart-not-told", "restart-keeps-values"),
    ),
)
def workers_answer_in_turn(record: Record, reading: Reading) -> Iterator[Remark]:
    """A scrape shows one worker's counters, so that each change of worker looks like a reset, and rates are made up.

    Proof is that one is seen, then another, then the first again. (prometheus.github.io/client_python/multiprocess;
    prometheus.io/docs/instrumenting/writing_clientlibs: process metrics.)
    """
    found = workers(record.series, reading)
    if found.alternate and found.falls:
        yield Remark(
            found.by if found.by.startswith("process") else "",
            f"{_many(found)} processes answered {found.scrapes} scrapes in turn, told apart by {found.by}; "
            f"in {found.falls} of {found.steps} steps from one scrape to the next, counters fell",
        )


def _many(found: Workers) -> str:
    """Return how many there are; counters alone may take two for one, or one for two."""
    return str(found.seen) if found.by in {START, "_created"} else f"about {found.seen}"
