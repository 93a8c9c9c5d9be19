"""Histograms whose parts are of different moments."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.finding import Severity


def _of(buckets: int, count: int) -> str:
    return (
        "# TYPE shop_seconds histogram\n"
        f'shop_seconds_bucket{{le="1"}} {buckets}\nshop_seconds_bucket{{le="+Inf"}} {buckets}\n'
        f"shop_seconds_sum {count}\nshop_seconds_count {count}\n"
    )


@across(
    severity=Severity.ERROR,
    fix="Take one copy of the histogram under the lock that observations take, and print that.",
    bad=Record(watched=(Watched(told(_of(3, 3), _of(5, 6), _of(7, 7)), loaded=True),)),
    good=Record(watched=(Watched(told(_of(3, 3), _of(6, 6), _of(7, 7)), loaded=True),)),
    explains=("count-differs-from-buckets", "buckets-not-cumulative"),
)
def histogram_torn(record: Record, reading: Reading) -> Iterator[Remark]:
    """Quantiles and averages are of numbers that never were together, the more so the more there is to do.

    What is torn in every scrape is no matter of the moment, and other checks tell of it. (OpenMetrics 1.0: histogram;
    concurrent expositions must be supported.)
    """
    taken = [(scrape, reading.of(scrape)) for scrape in record.series if reading.of(scrape).whole_histograms]
    torn = [(scrape, found) for scrape, found in taken if found.torn]
    if not torn or len(torn) == len(taken):
        return
    loaded = {scrape for watched in record.watched if watched.loaded for scrape in watched.scrapes}
    under_load = sum(1 for scrape, _ in torn if scrape in loaded)
    series, how = torn[0][1].torn[0]
    where = f", {under_load} of them under load" if under_load else ""
    yield Remark(
        series.partition("{")[0],
        f"{series}: {how}; so in {len(torn)} of {len(taken)} scrapes{where}, and whole in the others",
    )
