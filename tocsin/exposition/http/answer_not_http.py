"""Answers that are no HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Look at what listens on the port of the job, and at what stands between; correct the answer's head.",
    bad=Exchange(lambda _: Reply(headers=(("Content-Length", "many"),))),
    good=Exchange(),
)
def answer_not_http(asked: Asked) -> Iterator[Note]:
    """Prometheus cannot read the answer, so the scrape is lost, and `up` is 0."""
    first = asked.first
    if first and first.scraped.ending is Ending.MALFORMED:
        yield Note(first.scraped.problem)
