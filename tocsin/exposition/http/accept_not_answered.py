"""Formats on whose asking there is no scrape."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Answer text where nothing that Accept names is known: that is what everybody can read.",
    bad=Exchange(lambda visit: Reply() if visit.accepts("text/plain") else Reply(b"", status=406)),
    good=Exchange(),
)
def accept_not_answered(asked: Asked) -> Iterator[Note]:
    """Tools that ask otherwise than this Prometheus (curl, a browser, an agent) get nothing."""
    first = asked.first
    if first is None or not first.scraped.kept:
        return
    for name, answer in asked.answers.items():
        if name.startswith(("accept-", "prometheus-")) and not answer.scraped.kept:
            scraped = answer.scraped
            why = scraped.problem or f"{scraped.status} {scraped.reason}".rstrip()
            severity = Severity.ERROR if name.startswith("prometheus-") else None
            yield Note(f"asked for {answer.accept or 'nothing in particular'!r}, it answers: {why}", severity=severity)
