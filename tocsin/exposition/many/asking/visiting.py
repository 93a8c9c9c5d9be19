"""Ask one target all that is declared for it, and keep it as a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tocsin.exposition.many.asking.asking import Amount, Asking, Scraper
from tocsin.exposition.many.record.scrapes import Record
from tocsin.exposition.many.record.stored import write_record
from tocsin.system import Budget

UNDER_LOAD = Amount(alone=5, rounds=1)
"""How often is asked under load: enough to see that it is slow, for each scrape may take its whole timeout."""


def visit(
    asking: Asking,
    *,
    timeout: float,
    budgets: Mapping[str, Budget] | None = None,
    others: Mapping[str, Scraper] | None = None,
    alone: bool = True,
    under_load: Amount | None = UNDER_LOAD,
) -> Record:
    """Scrape a target often, idle and under load, send it what is declared, and write the record beside the bodies.

    `timeout` is that of its scrape job in seconds; `others` are scrapers that ask for another format or encoding, by
    what they ask for; `alone` says that nobody else sends requests; `under_load` is None where no load may be put on
    it. Nothing is judged. Raises DeadlineExceeded if load does not begin, and OSError if the folder cannot be written.
    """
    declared = asking.declared
    watched = [asking.watch()]
    counted = tuple(asking.count(known, alone=alone) for known in declared.known)
    grown = tuple(asking.grow(growth) for growth in declared.growth)
    compared = tuple(asking.compare(asked, scraper) for asked, scraper in (others or {}).items())
    if under_load is not None and declared.traffic:
        watched.append(replace(asking, amount=under_load).watch_under_load())
    found = Record(
        watched=tuple(watched),
        counted=counted,
        grown=grown,
        compared=compared,
        timeout=timeout,
        budgets=dict(budgets or {}),
    )
    write_record(found, asking.folder)
    return found
