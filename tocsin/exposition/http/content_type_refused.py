"""Content-Types that a server cannot choose a parser by."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.asked import Asked
from tocsin.exposition.content_type import reading
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Send `Content-Type: text/plain; version=0.0.4; charset=utf-8`. Until then, "
    "`fallback_scrape_protocol: PrometheusText0.0.4` in the scrape job rescues the scrape.",
    bad=Exchange(lambda _: Reply(type="text/html; charset=utf-8")),
    good=Exchange(),
)
def content_type_refused(asked: Asked) -> Iterator[Note]:
    """Prometheus 3 drops the scrape, and `up` is 0; Prometheus 2 took the same answer for text.

    So a target that was well for years is lost on the day of the upgrade. An empty body is not looked at.
    (prometheus.io/docs/prometheus/latest/migration, Scrape protocols.)
    """
    first = asked.first
    if first is None or not first.scraped.kept or not first.scraped.body_bytes:
        return
    written = first.scraped.header("Content-Type")
    read = reading(written, Generation.V3_5, fallback=asked.facts.fallback)
    said = f"Content-Type {written!r}: {read.reason}" if written else "there is no Content-Type"
    if read.parser is None:
        yield Note(said)
    elif read.reason:
        fallback = f"the job's `fallback_scrape_protocol: {asked.facts.fallback}` rescues the scrape"
        yield Note(f"{said}; {fallback}", severity=Severity.WARNING)
