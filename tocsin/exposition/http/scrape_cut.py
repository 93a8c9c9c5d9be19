"""Bodies that end before their end."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import BODY, Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Let Content-Length be the number of bytes that are sent, or send in chunks; look at proxies between.",
    bad=Exchange(lambda _: Reply(length=len(BODY) + 100)),
    good=Exchange(),
)
def scrape_cut(asked: Asked) -> Iterator[Note]:
    """Prometheus drops what had come of it, and `up` is 0."""
    first = asked.first
    if first and first.scraped.ending is Ending.CUT:
        yield Note(f"the body is cut off after {first.scraped.body_bytes:,} bytes: {first.scraped.problem}")
