"""Scrapes that fail now and then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Scrape, Watched, told
from tocsin.finding import Severity

_TEXT = "# TYPE shop_carts gauge\nshop_carts 3\n"
_GOOD = told(_TEXT, _TEXT, _TEXT)


@across(
    severity=Severity.ERROR,
    fix="Find out in the program's log why it failed; a scrape must bear others beside it, and requests too.",
    bad=Record(watched=(Watched((_GOOD[0], replace(_GOOD[1], status=500), _GOOD[2])),)),
    good=Record(watched=(Watched(_GOOD),)),
)
def scrape_lost(watched: Watched, reading: Reading) -> Iterator[Remark]:
    """Each lost scrape is a gap in every series and `up` at 0, and an alert's `for` begins anew after it.

    What fails every time is told by other checks. (OpenMetrics 1.0: exposers must support concurrent scrapes.)
    """
    lost = [(scrape, why) for scrape in watched.scrapes if (why := _why(scrape, reading))]
    if not lost or len(lost) == len(watched.scrapes):
        return
    reasons = ", ".join(dict.fromkeys(why for _, why in lost))
    load = " under load" if watched.loaded else ""
    yield Remark("", f"{len(lost)} of {len(watched.scrapes)} scrapes{load} were lost: {reasons[:300]}")


def _why(scrape: Scrape, reading: Reading) -> str:
    if scrape.whole:
        return reading.of(scrape).problem
    return scrape.problem or f"status {scrape.status}"
