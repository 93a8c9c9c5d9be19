"""Ask one target all that is declared for it, and keep it as a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from tocsin.exposition.many.asking.asking import Amount, Asking, Scraper
from tocsin.exposition.many.record.scrapes import Counter, Record
from tocsin.exposition.many.record.stored import write_record
from tocsin.system import Budget

UNDER_LOAD = Amount(alone=5, rounds=1)
"""How often is asked under load: enough to see that it is slow, for each scrape may take its whole timeout."""


@dataclass(frozen=True, slots=True)
class Outages:
    """What can be done to the processes around a target, and to the target; all of it returns when it is done."""

    names: frozenset[str]
    """The processes that there are."""
    stop: Callable[[str], object]
    """End a process that the target depends on ..."""
    start: Callable[[str], object]
    """... and start it again."""
    restart: Callable[[], object]
    """End the target and start it again."""


@dataclass(frozen=True, slots=True)
class Visiting:
    """How a target is visited."""

    timeout: float = 10.0
    """Seconds: `scrape_timeout` of its job."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    others: Mapping[str, Scraper] = field(default_factory=dict)
    """Scrapers that ask for another format or encoding, by what they ask for."""
    alone: bool = True
    """Whether nobody else sends requests."""
    under_load: Amount | None = UNDER_LOAD
    """None where no load may be put on it."""
    outages: Outages | None = None
    """None where nothing may be ended."""


def visit(asking: Asking, how: Visiting) -> Record:
    """Scrape a target often, idle and under load, send it what is declared, and write the record beside the bodies.

    What is declared to be ended is ended last, the target itself after all else. Nothing is judged. Raises
    DeadlineExceeded if load does not begin, OSError if the folder cannot be written, and what `outages` raises.
    """
    declared = asking.declared
    watched = [asking.watch()]
    counted = tuple(asking.count(known, alone=how.alone) for known in declared.known)
    grown = tuple(asking.grow(growth) for growth in declared.growth)
    compared = tuple(asking.compare(asked, scraper) for asked, scraper in how.others.items())
    if how.under_load is not None and declared.traffic:
        watched.append(replace(asking, amount=how.under_load).watch_under_load())
    bereft, restarted = [], []
    if how.outages is not None:
        ends = how.outages
        for name, outage in declared.outages.items():
            if name not in ends.names:
                continue
            bereft.append(asking.bereave(name, partial(ends.stop, name), partial(ends.start, name), outage.up or ""))
        if declared.restart:
            counters = [Counter(known.counter, dict(known.labels)) for known in declared.known]
            restarted.append(asking.restart(ends.restart, counters))
    found = Record(
        watched=tuple(watched),
        counted=counted,
        grown=grown,
        compared=compared,
        bereft=tuple(bereft),
        restarted=tuple(restarted),
        timeout=how.timeout,
        budgets=dict(how.budgets),
    )
    write_record(found, asking.folder)
    return found
