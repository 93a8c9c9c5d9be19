"""Bodies whose Content-Encoding is not what they are."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.exposition.scraped import Ending
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Compress whole, once, and say `Content-Encoding: gzip` exactly then; look at proxies that compress again.",
    bad=Exchange(lambda _: Reply(headers=(("Content-Encoding", "gzip"),))),
    good=Exchange(),
)
def encoding_broken(asked: Asked) -> Iterator[Note]:
    """Prometheus drops the scrape, and `up` is 0.

    It unpacks what says `gzip` in small letters, and nothing else (prometheus/prometheus, scrape/scrape.go).
    """
    first = asked.first
    if first is None:
        return
    if first.scraped.ending is Ending.BAD_ENCODING:
        yield Note(first.scraped.problem)
    elif first.scraped.kept and first.body:
        begin = next(asked.chunks(first), b"")[:2]
        said = first.scraped.header("Content-Encoding")
        if begin == b"\x1f\x8b":
            told = f"its Content-Encoding is {said!r}" if said else "nothing says so"
            yield Note(f"it is gzip, and {told}")
        elif said and said not in ("gzip", "identity"):
            yield Note(f"its Content-Encoding is {said!r}; Prometheus takes the body as it is", severity=Severity.INFO)
