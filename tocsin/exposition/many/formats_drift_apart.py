"""Formats and encodings that tell different things."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import replace
from itertools import islice
from math import inf, nan

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import restarted
from tocsin.exposition.many.record.reading import Reading, Series, key_of
from tocsin.exposition.many.record.scrapes import Compared, Record, Scrape, told
from tocsin.exposition.many.record.snapshot import Meaning
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

    Three scrapes in a row: a counter must lie between what it was before and after; `_created` may be in one alone.
    (prometheus.io/docs/instrumenting/content_negotiation.)
    """
    if not all(scrape.whole for scrape in (compared.before, compared.between, compared.after)):
        return
    before, between, after = map(reading.of, (compared.before, compared.between, compared.after))
    if restarted(before, after) or between.problem or before.problem:
        return
    first, other, last = before.by_key(), between.by_key(), after.by_key()
    lost = _only_in(compared.before, (first.keys() & last.keys()) - other.keys(), other, reading)
    added = _only_in(compared.between, other.keys() - first.keys() - last.keys(), first, reading)
    differs = [
        key
        for key, meaning in zip(before.shape.keys, before.shape.meanings, strict=True)
        if meaning == Meaning.COUNTER and key in other and first[key] <= last.get(key, nan) < inf
        if not first[key] <= other[key] <= last[key]
    ]
    asked = compared.asked
    yield from _told(lost, f"{{}} is missing when {asked} is asked for")
    yield from _told(added, f"{{}} is there only when {asked} is asked for")
    spelled = reading.spelled(compared.between, {*differs[:MOST_SPELLED]})
    yield from _told(list(spelled.values()), f"{{}} has another value when {asked} is asked for")


def _told(found: list[Series], sentence: str) -> Iterator[Remark]:
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield Remark(found[0].name, sentence.format(found[0].selector + more))


def _only_in(scrape: Scrape, keys: Collection[int], other: Container[int], reading: Reading) -> list[Series]:
    """Return the series that some keys stand for, but those that the other format has under another name."""
    spelled = reading.spelled(scrape, {*islice(keys, MOST_SPELLED)})
    return [one for one in spelled.values() if not _elsewhere(one, other)]


def _elsewhere(series: Series, other: Container[int]) -> bool:
    """Tell whether a series is there under the name that the other format gives it, or need not be."""
    if series.name.endswith("_created"):
        return True
    names = (f"{series.name}_total", series.name.removesuffix("_total"), f"{series.name}_info")
    return any(key_of(name, series.labels) in other for name in names)
