"""Targets that answer too late."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Make the scrape cheaper (fewer series, no work that waits for others), or give the job a longer "
    "`scrape_timeout`.",
    bad=Exchange(lambda _: Reply(hangs=True), job={"timeout_seconds": 0.3}),
    good=Exchange(),
)
def scrape_timed_out(asked: Asked) -> Iterator[Note]:
    """Prometheus gives up at `scrape_timeout`, drops what had come, and `up` is 0."""
    first = asked.first
    if first and first.scraped.ending is Ending.TIMED_OUT:
        problem = f": {first.scraped.problem}" if first.scraped.problem else ""
        yield Note(f"it is not done after {asked.facts.timeout_seconds:g} s, the job's timeout{problem}")
