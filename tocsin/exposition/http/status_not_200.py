"""Answers with another status than 200."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity

OK = 200
_REDIRECTS = (301, 302, 303, 307, 308)


@behaviour(
    severity=Severity.ERROR,
    fix="Answer 200 on the path that the job asks, or correct `metrics_path` of the job.",
    bad=Exchange(lambda _: Reply(status=204, body=b"")),
    good=Exchange(),
)
def status_not_200(asked: Asked) -> Iterator[Note]:
    """Prometheus drops the scrape, and `up` is 0: 200 is the only status that it takes.

    (prometheus/prometheus, scrape/scrape.go, readResponse: 201, 204, 206 and 299 were tried on 2.53 and 3.5.)
    """
    first = asked.first
    if first is None or first.scraped.ending in (Ending.UNREACHABLE, Ending.MALFORMED, Ending.REDIRECTS):
        return
    scraped = first.scraped
    if scraped.status and scraped.status != OK:
        fix = ""
        if scraped.status in _REDIRECTS and not asked.facts.follows:
            fix = "The job says `follow_redirects: false`: have it ask the last address, or let it follow."
        elif scraped.status in (401, 403):
            fix = "Give the job the credentials that the target asks for: `basic_auth` or `authorization`."
        yield Note(f"it answers {scraped.status} {scraped.reason}".rstrip(), fix=fix)
