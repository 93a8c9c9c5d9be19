"""A start of the process that goes back and forth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.exposition.many.record.snapshot import START
from tocsin.finding import Severity

_HEAD = "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds "


@across(
    severity=Severity.WARNING,
    fix="Read the moment once, when the program starts; a clock that is subtracted from another one is never still.",
    bad=Record(watched=(Watched(told(f"{_HEAD}1700000000.2\n", f"{_HEAD}1700000000.1\n")),)),
    good=Record(watched=(Watched(told(f"{_HEAD}1700000000.2\n", f"{_HEAD}1700000000.2\n")),)),
)
def start_time_drifts(record: Record, reading: Reading) -> Iterator[Remark]:
    """A start that moves without a restart makes a reset of every counter for who goes by it, as OpenTelemetry does.

    (prometheus.io/docs/instrumenting/writing_clientlibs: process metrics; OpenMetrics 1.0: Created.)
    """
    starts = [start for scrape in record.series if (start := reading.of(scrape).start) is not None]
    back = [(before, now) for before, now in pairwise(starts) if now < before]
    if back:
        before, now = back[0]
        yield Remark(START, f"the process started at {before:.3f} by one scrape, and at {now:.3f} by the one after it")
