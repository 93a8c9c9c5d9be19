"""Series that come and go."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import gone, restarted, steps
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Scrape, Watched, told
from tocsin.finding import Severity

MOST_SPELLED = 1_000
"""So many series are told by name."""

_HEAD = "# TYPE shop_queue gauge\n"
_ALL = f'{_HEAD}shop_queue{{name="mail"}} 0\nshop_queue{{name="print"}} 3\n'
_LESS = f'{_HEAD}shop_queue{{name="print"}} 3\n'


@across(
    severity=Severity.WARNING,
    fix="Export the series all the time, with 0 where there is nothing.",
    bad=Record(watched=(Watched(told(_ALL, _LESS, _ALL)),)),
    good=Record(watched=(Watched(told(_ALL, _ALL, _ALL)),)),
    explains=("series-vanish",),
)
def series_flap(watched: Watched, reading: Reading) -> Iterator[Remark]:
    """Alerts on it begin their `for` anew each time, and `rate()` loses what was counted in between.

    (OpenMetrics 1.0: a metric must not be dropped only because it did not change; prometheus.io/docs/practices/
    instrumentation: avoid missing metrics.)
    """
    missing: dict[int, Scrape] = {}
    back: dict[str, list[str]] = {}
    whole = [scrape for scrape in watched.scrapes if scrape.whole]
    for earlier, later in steps(whole):
        before, now = reading.of(earlier), reading.of(later)
        if restarted(before, now):
            missing.clear()
            continue
        returned = {key for key in now.shape.keys if key in missing} if missing else set()
        for series in reading.spelled(later, {*list(returned)[:MOST_SPELLED]}).values():
            back.setdefault(series.name, []).append(series.selector)
        for key in returned:
            del missing[key]
        missing.update(dict.fromkeys(gone(before, now), earlier))
    for name, selectors in back.items():
        others = len({*selectors}) - 1
        more = f", and {others} more series of it," if others else ""
        yield Remark(name, f"{selectors[0]}{more} was gone for a while, and came back, within {len(whole)} scrapes")
