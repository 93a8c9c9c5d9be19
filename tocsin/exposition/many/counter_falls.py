"""Counters that fall."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import fallen, moments, restarted, steps
from tocsin.exposition.many.record.reading import Reading, Series, key_of
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.finding import Severity

MOST_SPELLED = 1_000
"""So many counters that fell in one step are looked at by name."""

_HEAD = "# TYPE shop_orders_total counter\nshop_orders_total "


@across(
    severity=Severity.ERROR,
    fix="Make it a gauge if it can fall; else find out who takes away from it, or sets it anew.",
    bad=Record(watched=(Watched(told(f"{_HEAD}10\n", f"{_HEAD}7\n", f"{_HEAD}9\n")),)),
    good=Record(watched=(Watched(told(f"{_HEAD}7\n", f"{_HEAD}9\n", f"{_HEAD}10\n")),)),
    explains=("series-flap", "requests-miscounted"),
)
def counter_falls(watched: Watched, reading: Reading) -> Iterator[Remark]:
    """`rate()` and `increase()` take each fall for a restart, and add the whole value to what was counted.

    It is none where `process_start_time_seconds`, or the series' `_created`, moved forward with it.
    (prometheus.io/docs/concepts/metric_types: counter; prometheus.io/docs/prometheus: querying, functions, rate.)
    """
    whole = [scrape for scrape in watched.scrapes if scrape.whole]
    falls: dict[str, list[tuple[Series, float, float]]] = {}
    for earlier, later in steps(whole):
        before, now = reading.of(earlier), reading.of(later)
        if restarted(before, now):
            continue
        found = {key: (old, new) for key, old, new in fallen(before, now)}
        names = reading.spelled(later, {*list(found)[:MOST_SPELLED]})
        created = (moments(before), moments(now)) if names else ({}, {})
        for key, series in names.items():
            if not _created_anew(series, *created):
                falls.setdefault(series.name, []).append((series, *found[key]))
    for name, found_of_name in falls.items():
        series, old, new = found_of_name[0]
        different = len({one.selector for one, _, _ in found_of_name})
        others = f", and {different - 1} more of its series" if different > 1 else ""
        times = f"{len(found_of_name)} times in {len(whole)} scrapes" if len(found_of_name) > 1 else "once"
        yield Remark(name, f"{series.selector} fell from {old:g} to {new:g}{others}; falls: {times}")


def _created_anew(series: Series, earlier: Mapping[int, float], later: Mapping[int, float]) -> bool:
    """Tell whether the series says that it began anew, by the moments of creation that two scrapes tell."""
    labels = {label: text for label, text in series.labels.items() if label != "le"}
    for suffix in ("_total", "_bucket", "_count", "_sum"):
        key = key_of(series.name.removesuffix(suffix) + "_created", labels)
        if key in earlier and key in later:
            return later[key] > earlier[key]
    return False
