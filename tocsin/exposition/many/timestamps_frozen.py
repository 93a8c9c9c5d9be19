"""Timestamps that stand still."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.finding import Severity

OLD = 60.0
"""Seconds; most jobs scrape once a minute, and would get the same sample twice."""

_HEAD = "# TYPE shop_carts gauge\nshop_carts 3 "


@across(
    severity=Severity.ERROR,
    fix="Leave the timestamp out: the time of the scrape is the right one, unless the sample was taken elsewhere.",
    bad=Record(watched=(Watched(told(f"{_HEAD}1700000000000\n", f"{_HEAD}1700000000000\n", every=90.0)),)),
    good=Record(watched=(Watched(told(f"{_HEAD}1700000000000\n", f"{_HEAD}1700000090000\n", every=90.0)),)),
    explains=("explicit-timestamps", "timestamp-far-away"),
)
def timestamps_frozen(watched: Watched, reading: Reading) -> Iterator[Remark]:
    """`up` is 1 and no new sample is stored: the value that alerts look at is the one of then, until it is not there.

    A sample that is scraped again with its old time is dropped, in silence if its value is the same. What is watched
    for less than a minute may only be slow, and is a warning. (prometheus.io/docs: scrape_config, honor_timestamps;
    prometheus/prometheus, scrape: staleness.)
    """
    whole = [scrape for scrape in watched.scrapes if scrape.whole]
    if len(whole) < 2:
        return
    first, last = whole[0], whole[-1]
    span = last.start - first.start
    before, now = reading.of(first), reading.of(last)
    if before.times is None or now.times is None:
        return
    earlier = dict(zip(before.shape.keys, before.times, strict=True))
    frozen = {  # NaN, which is no timestamp, equals nothing
        key: time
        for key, time in zip(now.shape.keys, now.times, strict=True)
        if earlier.get(key) == time and last.at - time > OLD
    }
    if not frozen:
        return
    key, time = next(iter(frozen.items()))
    series = reading.spelled(last, {key})[key]
    others = f", and {len(frozen) - 1} more," if len(frozen) > 1 else ""
    yield Remark(
        series.name,
        f"the timestamp of {series.selector}{others} did not move in {span:.1f} s, and is {last.at - time:.0f} s old",
        None if span >= OLD else Severity.WARNING,
    )
