"""Scrapes beyond a limit of their job."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, behaviour
from tocsin.exposition.usage import used
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Expose less, or raise the limit of the job.",
    bad=Exchange(limits={"sample_limit": 2, "body_size_limit": 20}),
    good=Exchange(limits={"sample_limit": 200, "body_size_limit": 20_000}),
)
def limit_of_job_exceeded(asked: Asked) -> Iterator[Note]:
    """Prometheus drops the whole scrape, and `up` is 0.

    (prometheus.io/docs/prometheus/latest/configuration, scrape_config: body_size_limit, sample_limit, label_limit.)
    """
    for use in used(asked):
        if use.exceeded:
            yield Note(f"{use.key} is {use.limit:,}; the scrape has {use.said}", series=use.series)
