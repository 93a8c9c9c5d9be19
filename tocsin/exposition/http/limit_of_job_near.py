"""Scrapes that nearly reach a limit of their job."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, behaviour
from tocsin.exposition.usage import used
from tocsin.finding import Severity

SHARE = 0.8
"""Of a limit: one more replica, one more path, and it is reached."""


@behaviour(
    severity=Severity.WARNING,
    fix="Raise the limit while there is time, or expose less.",
    bad=Exchange(limits={"body_size_limit": 110}),
    good=Exchange(limits={"body_size_limit": 20_000}),
)
def limit_of_job_near(asked: Asked) -> Iterator[Note]:
    """At the limit Prometheus drops the whole scrape, not the part that is too much."""
    for use in used(asked):
        if not use.exceeded and use.amount > SHARE * use.limit:
            yield Note(f"{use.key} is {use.limit:,}; the scrape has {use.said}", series=use.series)
