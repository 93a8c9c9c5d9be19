"""Redirects that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Answer on the path that the job asks, or have the job ask the last address.",
    bad=Exchange(lambda visit: Reply(status=302, headers=(("Location", visit.path),))),
    good=Exchange(),
)
def redirects_without_end(asked: Asked) -> Iterator[Note]:
    """Prometheus gives up after 10 redirects, the scrape is lost, and `up` is 0.

    (Go, net/http, client.go, defaultCheckRedirect.)
    """
    first = asked.first
    if first and first.scraped.ending is Ending.REDIRECTS:
        yield Note(first.scraped.problem)
