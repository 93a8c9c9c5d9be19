"""Bodies that are not of the type that is said."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.syntax import Ingest, Syntax
from tocsin.exposition.asked import NEWEST, Asked
from tocsin.exposition.content_type import Parser, reading
from tocsin.exposition.http import OPENMETRICS, Exchange, Note, Reply, behaviour
from tocsin.exposition.protobuf import looks_like_protobuf
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Let the Content-Type name the format that is written.",
    bad=Exchange(lambda _: Reply(type=OPENMETRICS)),
    good=Exchange(),
)
def body_of_another_type(asked: Asked) -> Iterator[Note]:
    """Prometheus reads the body by the type that is said, stumbles, and drops the scrape: `up` is 0."""
    first = asked.first
    if first is None or not first.scraped.kept or not first.body:
        return
    parser = reading(first.scraped.header("Content-Type"), NEWEST, fallback=asked.facts.fallback).parser
    if parser is Parser.PROTOBUF:
        if not looks_like_protobuf(next(asked.chunks(first), b"")):
            yield Note("it says protobuf, and is text")
        return
    if parser is None or parser.syntax is None or asked.judgement(first, parser.syntax).ingest[NEWEST] is Ingest.ACCEPT:
        return
    other = Syntax.TEXT if parser.syntax is Syntax.OPENMETRICS else Syntax.OPENMETRICS
    if asked.judgement(first, other).ingest[NEWEST] is Ingest.ACCEPT:
        yield Note(f"it says {parser}, and can only be read as {other}")
