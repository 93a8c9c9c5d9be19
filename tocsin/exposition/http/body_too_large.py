"""Bodies beyond all bounds."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Expose less: look for a label with a value for each request, user or path. `body_size_limit` in the job "
    "protects the server.",
    bad=Exchange(lambda _: Reply(b"x 1\n" * 1000), job={"most_bytes": 2000}),
    good=Exchange(),
)
def body_too_large(asked: Asked) -> Iterator[Note]:
    """Prometheus holds a scrape in memory whole; such a target can end the server that watches it."""
    first = asked.first
    if first and first.scraped.ending is Ending.TOO_LARGE:
        yield Note(f"{first.scraped.problem}; it was not read to its end, and is not judged")
