"""Answers in a format that was not asked for."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.asked import Asked
from tocsin.exposition.content_type import BY_TYPE, Parser, media_type
from tocsin.exposition.http import OPENMETRICS, OPENMETRICS_BODY, Exchange, Note, Reply, behaviour
from tocsin.finding import Severity

_TAKES = {
    Generation.V2_42: (Parser.TEXT, Parser.OPENMETRICS),
    Generation.V2_53: (Parser.TEXT, Parser.OPENMETRICS),
    Generation.V3_5: (Parser.TEXT, Parser.OPENMETRICS),
    "accept-nothing": (Parser.TEXT, Parser.OPENMETRICS),
    "accept-browser": (Parser.TEXT, Parser.OPENMETRICS),
    "accept-text": (Parser.TEXT,),
    "accept-openmetrics": (Parser.OPENMETRICS, Parser.TEXT),
    "accept-unknown": (Parser.TEXT,),
    "accept-not-openmetrics": (Parser.TEXT,),
    "accept-text-rather": (Parser.TEXT,),
}
"""What may be answered. Text is right everywhere; OpenMetrics in its place breaks who cannot read it."""
_NICETIES = ("accept-not-openmetrics", "accept-text-rather")
"""Weights (`q=`), which official clients do not look at."""


@behaviour(
    severity=Severity.ERROR,
    fix="Choose the format by the request's Accept, and answer text where there is nothing else that it names.",
    bad=Exchange(lambda _: Reply(OPENMETRICS_BODY, OPENMETRICS)),
    good=Exchange(),
)
def format_not_asked_for(asked: Asked) -> Iterator[Note]:
    """Who asked for something else cannot read it: an older Prometheus, an agent, a sidecar.

    What official clients do too is told as a note: they answer by the first format that they know, whatever its weight.
    """
    told: list[str] = []
    notes: list[str] = []
    for name, taken in _TAKES.items():
        answer = asked.answers.get(name)
        if answer is None or not answer.scraped.kept or not answer.scraped.body_bytes:
            continue
        parser = BY_TYPE.get(media_type(answer.scraped.header("Content-Type")).type)
        if parser is not None and parser not in taken:
            said = f"asked for {answer.accept or 'nothing in particular'!r}, it answers {parser}"
            (notes if name in _NICETIES or name == "accept-unknown" else told).append(said)
    yield from (Note(said) for said in told)
    if notes and not told:
        yield Note("; ".join(notes), severity=Severity.INFO)
