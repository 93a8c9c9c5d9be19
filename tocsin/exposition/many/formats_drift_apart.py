"""Formats and encodings that tell different things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import restarted
from tocsin.exposition.many.record.reading import Reading, Series, key_of
from tocsin.exposition.many.record.scrapes import Compared, Record, Scrape, told
from tocsin.exposition.many.record.snapshot import Snapshot
from tocsin.finding import Severity

MOST_SPELLED = 1_000
"""So many series are looked at by name."""

_TEXT = "# TYPE shop_orders_total counter\nshop_orders_total 3\n# TYPE shop_carts gauge\nshop_carts 3\n"
_SAME = "# TYPE shop_orders counter\nshop_orders_total 3\n# TYPE shop_carts gauge\nshop_carts 3\n# EOF\n"
_LESS = "# TYPE shop_orders counter\nshop_orders_total 3\n# EOF\n"
_BEFORE, _BETWEEN, _AFTER = told(_TEXT, _SAME, _TEXT)
_GOOD = Compared("OpenMetrics", _BEFORE, replace(_BETWEEN, syntax=Syntax.OPENMETRICS), _AFTER)


@across(
    severity=Severity.ERROR,
    fix="Print both from one registry, by one library; let nothing cache the answer of one format for another.",
    bad=Record(compared=(replace(_GOOD, between=replace(_GOOD.between, text=_LESS.encode())),)),
    good=Record(compared=(_GOOD,)),
    explains=("formats-disagree", "encodings-disagree"),
)
def formats_drift_apart(compared: Compared, reading: Reading) -> Iterator[Remark]:
    """What a rule sees depends on what its Prometheus asks for, which changes with its version.

    Only what is the same before and after is looked at; `_created` may be in one alone. (prometheus.io/docs/
    instrumenting/content_negotiation.)
    """
    if not all(scrape.whole for scrape in (compared.before, compared.between, compared.after)):
        return
    before, between, after = map(reading.of, (compared.before, compared.between, compared.after))
    if restarted(before, after) or between.problem or before.problem:
        return
    steady = {
        key: value for key, value in zip(before.shape.keys, before.values, strict=True) if after.value(key) == value
    }
    missing = {*list(steady.keys() - between.shape.index().keys())[:MOST_SPELLED]}
    lost = [one for one in reading.spelled(compared.before, missing).values() if not _elsewhere(one, between)]
    added = _added(compared.between, between, {*before.shape.keys} | {*after.shape.keys}, before, reading)
    places = between.shape.index()
    differs = [key for key, value in steady.items() if key in places and between.values[places[key]] != value]
    asked = compared.asked
    yield from _told(lost, f"{{}} is missing when {asked} is asked for")
    yield from _told(added, f"{{}} is there only when {asked} is asked for")
    other = reading.spelled(compared.between, {*differs[:MOST_SPELLED]})
    yield from _told([one for one in other.values() if not one.name.endswith("_created")], f"{{}} differs by {asked}")


def _told(found: list[Series], sentence: str) -> Iterator[Remark]:
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield Remark(found[0].name, sentence.format(found[0].selector + more))


def _elsewhere(series: Series, taken: Snapshot) -> bool:
    """Tell whether a series is there under the name that the other format gives it, or need not be."""
    if series.name.endswith("_created"):
        return True
    others = (f"{series.name}_total", series.name.removesuffix("_total"), f"{series.name}_info")
    return any(taken.value(key_of(name, series.labels)) is not None for name in others)


def _added(scrape: Scrape, taken: Snapshot, known: set[int], other: Snapshot, reading: Reading) -> list[Series]:
    new = {*list({*taken.shape.keys} - known)[:MOST_SPELLED]}
    return [one for one in reading.spelled(scrape, new).values() if not _elsewhere(one, other)]
