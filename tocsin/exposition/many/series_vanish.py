"""Counters that end."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import gone, restarted, steps
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Scrape, Watched, told
from tocsin.exposition.many.record.snapshot import Meaning
from tocsin.finding import Severity

MOST_SPELLED = 1_000
"""So many series are told by name."""

_HEAD = "# TYPE shop_orders_total counter\n"
_ALL = f'{_HEAD}shop_orders_total{{country="NL"}} 2\nshop_orders_total{{country="BE"}} 3\n'
_LESS = f'{_HEAD}shop_orders_total{{country="NL"}} 2\n'


@across(
    severity=Severity.INFO,
    fix="Keep the series as long as the program runs, unless what it counts is gone for good.",
    bad=Record(watched=(Watched(told(_ALL, _LESS, _LESS)),)),
    good=Record(watched=(Watched(told(_ALL, _ALL, _ALL)),)),
)
def series_vanish(watched: Watched, reading: Reading) -> Iterator[Remark]:
    """What a counter had counted leaves every sum, and `sum without (...) (rate())` shows nothing of it.

    Right where the thing itself is gone: a container, a disk. (OpenMetrics 1.0: metrics that are no longer exposed.)
    """
    missing: dict[int, Scrape] = {}
    for earlier, later in steps([scrape for scrape in watched.scrapes if scrape.whole]):
        before, now = reading.of(earlier), reading.of(later)
        if restarted(before, now):
            missing.clear()
            continue
        for key in now.shape.keys if missing else ():
            missing.pop(key, None)
        ended = gone(before, now)
        for key, meaning in zip(before.shape.keys, before.shape.meanings, strict=True) if ended else ():
            if meaning == Meaning.COUNTER and key in ended:
                missing.setdefault(key, earlier)
    told_of: dict[str, int] = {}
    first: dict[str, str] = {}
    for scrape in dict.fromkeys(missing.values()):
        keys = [key for key, seen in missing.items() if seen is scrape][:MOST_SPELLED]
        for series in reading.spelled(scrape, {*keys}).values():
            told_of[series.name] = told_of.get(series.name, 0) + 1
            first.setdefault(series.name, series.selector)
    for name, count in told_of.items():
        yield Remark(name, f"{count} series of {name} ended while they were watched, as {first[name]}")
