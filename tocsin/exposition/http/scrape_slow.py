"""Targets that take much of the time that a scrape may take."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity

SHARE = 0.5
"""Of the timeout: an answer that takes longer when nobody else asks will take too long when everybody does."""


@behaviour(
    severity=Severity.WARNING,
    fix="Make the scrape cheaper (fewer series, no work that waits for others), or give the job a longer "
    "`scrape_timeout`.",
    bad=Exchange(
        lambda visit: Reply(waits=0.8 if visit.gzip and visit.path == "/metrics" and visit.accepts("0.0.1") else 0.0),
        job={"timeout_seconds": 1.5},
    ),
    good=Exchange(),
)
def scrape_slow(asked: Asked) -> Iterator[Note]:
    """A little load more, and scrapes time out: `up` flaps when the target is busiest."""
    taken = [
        answer.scraped.seconds
        for name, answer in asked.answers.items()
        if name.startswith("prometheus-") and answer.scraped.kept
    ]
    if taken and min(taken) > SHARE * asked.facts.timeout_seconds:
        fastest = f"the fastest of {len(taken)} scrapes takes {min(taken):.2f} s"
        yield Note(f"{fastest}; the job gives up after {asked.facts.timeout_seconds:g} s")
