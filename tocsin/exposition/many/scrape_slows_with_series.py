"""Scrapes that take the longer the more series there are."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Grown, Record, Scrape, told
from tocsin.exposition.many.record.timing import slope
from tocsin.finding import Severity

SHARE = 0.1
"""Of `scrape_timeout`; what takes less is not looked at."""


def _of(series: int, seconds: float) -> Scrape:
    lines = (f'shop_carts{{shelf="{n % 50}",floor="{n // 50}"}} 1\n' for n in range(series))
    return told("# TYPE shop_carts gauge\n" + "".join(lines), seconds=seconds)[0]


@across(
    severity=Severity.WARNING,
    fix="Bound the series; and print them from what is held in memory, in one pass.",
    bad=Record(grown=(Grown("GET /{unique}", 20, _of(20, 0.1), _of(60, 2.0), _of(100, 4.0)),)),
    good=Record(grown=(Grown("GET /{unique}", 20, _of(20, 0.01), _of(60, 0.02), _of(100, 0.02)),)),
)
def scrape_slows_with_series(record: Record, reading: Reading) -> Iterator[Remark]:
    """By what one more series costs, it can be told at how many the scrape is lost: `scrape_timeout` is over.

    (prometheus.io/docs/prometheus: configuration, scrape_timeout.)
    """
    for grown in record.grown:
        scrapes = [scrape for scrape in (grown.before, grown.middle, grown.after) if scrape.whole]
        points = [(len(reading.of(scrape).shape.keys), scrape.seconds) for scrape in scrapes]
        each = slope(points)
        count, seconds = max(points, default=(0, 0.0))
        if each is None or each <= 0 or seconds < SHARE * record.timeout or len(points) < 3:
            continue
        if seconds < 2 * min(time for _, time in points):
            continue
        most = count + (record.timeout - seconds) / each
        yield Remark(
            "",
            f"a scrape takes {seconds:.2g} s with {count:,} series, {each * 1000:.2g} s more for each thousand: "
            f"with {max(most, count):,.0f} it takes {record.timeout:g} s, and is lost",
        )
