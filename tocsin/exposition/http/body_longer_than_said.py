"""Bodies that go on behind the length that they tell."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import BODY, Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Let Content-Length be the number of bytes that are sent (bytes of UTF-8, not characters), or send in chunks.",
    bad=Exchange(lambda _: Reply(length=len(BODY) - 1)),
    good=Exchange(),
)
def body_longer_than_said(asked: Asked) -> Iterator[Note]:
    """Prometheus takes the beginning for the whole: series are missing, or a number loses its last digits."""
    first = asked.first
    if first and first.scraped.kept and first.scraped.more:
        said = first.scraped.header("Content-Length")
        yield Note(f"Content-Length says {said}, and more bytes than that are sent")
