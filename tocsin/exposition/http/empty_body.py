"""Scrapes without a sample."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.syntax import Ingest
from tocsin.exposition.asked import NEWEST, Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Expose the metrics on the path that is asked; a registry that is not the default one has to be named.",
    bad=Exchange(lambda _: Reply(b"")),
    good=Exchange(),
)
def empty_body(asked: Asked) -> Iterator[Note]:
    """`up` is 1 and there is nothing: alerts on a metric's value stay silent, and so does the alert on `up`."""
    first = asked.first
    if first is None or not first.scraped.kept:
        return
    if not first.scraped.body_bytes:
        yield Note("the body is empty")
    elif (digest := asked.digest(first.name)) is not None and not digest.samples and not _refused(asked):
        yield Note(f"its {digest.bytes:,} bytes hold no sample")


def _refused(asked: Asked) -> bool:
    first = asked.first
    syntax = asked.syntax(first) if first else None
    if first is None or syntax is None:
        return True
    return asked.judgement(first, syntax).ingest[NEWEST] is not Ingest.ACCEPT
