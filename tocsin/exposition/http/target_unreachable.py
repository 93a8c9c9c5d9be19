"""Targets to which there is no connection."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Start it, or correct the address, the port or the scheme that the job asks.",
    bad=Exchange(job={"port": 1}),
    good=Exchange(),
)
def target_unreachable(asked: Asked) -> Iterator[Note]:
    """Nothing is scraped, and `up` is 0: whatever its alerts watch for, they will not see it."""
    first = asked.first
    if first and first.scraped.ending is Ending.UNREACHABLE:
        yield Note(f"{first.scraped.url}: {first.scraped.problem}")
