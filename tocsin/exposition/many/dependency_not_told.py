"""Dependencies whose end no metric tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Bereft, Counter, Record, told
from tocsin.finding import Severity

_HEAD = "# TYPE shop_database_up gauge\nshop_database_up "
_GOOD = Bereft("database", told(f"{_HEAD}0\n"), "shop_database_up")


@across(
    severity=Severity.ERROR,
    fix="Set the metric to 0 in the scrape, or the question, that failed; never leave the value of before.",
    bad=Record(bereft=(replace(_GOOD, scrapes=told(f"{_HEAD}1\n")),)),
    good=Record(bereft=(_GOOD,)),
)
def dependency_not_told(bereft: Bereft, reading: Reading) -> Iterator[Remark]:
    """The alert on it looks at a 1 that is not so, or at nothing, and cannot ring.

    (prometheus.io/docs/instrumenting/writing_exporters: failed scrapes.)
    """
    whole = [scrape for scrape in bereft.scrapes if scrape.whole]
    if not bereft.up or not whole:
        return
    value = reading.sum(whole[-1], Counter(bereft.up))
    if value != 0:
        said = "is not there" if value is None else f"is {value:g}"
        yield Remark(bereft.up, f"without {bereft.dependency}, {bereft.up} {said}")
