"""What is said of one endpoint: of its body, of how it answers, and whether each generation keeps the scrape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from tocsin.artefacts.exposition.syntax import Generation, Ingest, Syntax
from tocsin.exposition import http, many
from tocsin.exposition.asked import Answer, Asked, guessed, last_bytes
from tocsin.exposition.content_type import Parser, reading
from tocsin.exposition.judgement import CHECK_OF_SPECIFICATION, CHECKS_OF_INGEST, Complaint, Judgement
from tocsin.exposition.many.record.scrapes import Record
from tocsin.exposition.often import scraped_often
from tocsin.exposition.protobuf import looks_like_protobuf
from tocsin.exposition.usage import used
from tocsin.finding import Severity

QUESTIONS = ("ingest", "specification", "sense", "http", "many", "contract")
"""What is asked of every target, each a case of its own."""
_PROTOBUF_UNJUDGED = "it answers protobuf, which is not judged"


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one endpoint."""

    asked: Asked
    judgement: Judgement | None
    """Of the body that the newest generation was answered; None if there is none that can be read."""
    ingest: Mapping[Generation, Ingest]
    """Of the whole scrape, headers and all."""
    complaints: Mapping[str, tuple[Complaint, ...]]
    """By question."""
    unjudged: str = ""
    """Why the body could not be judged."""
    often: bool = False
    """Whether it was scraped often, and is judged by that too."""
    seldom: str = ""
    """Why it could not be scraped often."""

    @property
    def all(self) -> tuple[Complaint, ...]:
        """Every complaint."""
        return tuple(each for question in QUESTIONS for each in self.complaints.get(question, ()))

    def with_contract(self, complaints: Iterable[Complaint]) -> Said:
        """Return the same with what its contract says."""
        return replace(self, complaints={**self.complaints, "contract": tuple(complaints)})

    @property
    def sense(self) -> str:
        """`findings` if one of sense, of HTTP or of the contract is an error or a warning, else `clean`."""
        judged = (
            each for question in ("sense", "http", "many", "contract") for each in self.complaints.get(question, ())
        )
        return "findings" if any(each.severity is not Severity.INFO for each in judged) else "clean"


def said_of(asked: Asked) -> Said:
    """Judge what an endpoint answered; reads its folder, and touches nothing."""
    first = asked.first
    if first is None:
        return Said(asked, None, {}, {}, asked.lacking or "it was not asked")
    of_http = tuple(http.complaints(asked))
    if not first.scraped.kept:
        return Said(asked, None, dict.fromkeys(Generation, Ingest.REJECT), {"http": of_http}, "there is no whole body")
    parser = reading(first.scraped.header("Content-Type"), Generation.V3_5, fallback=asked.facts.fallback).parser
    if parser is Parser.PROTOBUF and looks_like_protobuf(next(asked.chunks(first), b"")):
        return Said(asked, None, {}, {"http": of_http}, _PROTOBUF_UNJUDGED)
    judgement = asked.judgement(first, _syntax(asked, first, parser))
    ingest = {generation: _ingested(asked, generation) for generation in Generation}
    record = scraped_often(asked)
    found = {**_by_question(judgement), "http": of_http}
    if isinstance(record, Record):
        found["many"] = many.complaints(record)
    return Said(
        asked,
        judgement,
        ingest,
        _causes_alone(found),
        often=record is not None,
        seldom=record if isinstance(record, str) else "",
    )


def _causes_alone(found: Mapping[str, tuple[Complaint, ...]]) -> dict[str, tuple[Complaint, ...]]:
    """Return complaints by question, with those that follow from others turned into notes."""
    every = iter(many.without_consequences(each for complaints in found.values() for each in complaints))
    return {question: tuple(islice(every, len(complaints))) for question, complaints in found.items()}


def _by_question(judgement: Judgement) -> dict[str, tuple[Complaint, ...]]:
    found: dict[str, list[Complaint]] = {"ingest": [], "specification": [], "sense": []}
    for each in judgement.complaints:
        found[question_of(each)].append(each)
    return {question: tuple(complaints) for question, complaints in found.items()}


def question_of(complaint: Complaint) -> str:
    """Return which question a complaint of the judge of bodies answers."""
    if complaint.check in CHECKS_OF_INGEST:
        return "ingest"
    return "specification" if complaint.check == CHECK_OF_SPECIFICATION else "sense"


def _syntax(asked: Asked, answer: Answer, parser: Parser | None) -> Syntax:
    """Return the grammar to judge a body in: what the server takes, and where it takes none, what the body is like."""
    known = parser.syntax if parser else None
    return known or guessed(last_bytes(asked.folder / answer.body) if answer.body else b"")


def _ingested(asked: Asked, generation: Generation) -> Ingest:
    """Return what a server of a generation does with what it was answered."""
    answer = asked.of(generation)
    if answer is None or not answer.scraped.kept:
        return Ingest.REJECT
    if not answer.scraped.body_bytes:
        return Ingest.ACCEPT  # whatever its type: nothing is read (measured on 2.53 and 3.5)
    parser = reading(answer.scraped.header("Content-Type"), generation, fallback=asked.facts.fallback).parser
    if parser is None or (parser is Parser.PROTOBUF and not looks_like_protobuf(next(asked.chunks(answer), b""))):
        return Ingest.REJECT
    if parser.syntax is None:
        return Ingest.ACCEPT
    if any(use.exceeded for use in used(asked)):
        return Ingest.REJECT
    return asked.judgement(_same(asked, answer), parser.syntax).ingest[generation]


def _same(asked: Asked, answer: Answer) -> Answer:
    """Return the first answer in place of one that has the same body, which is then judged once."""
    first = asked.first
    if first is None or first.name == answer.name or first.scraped.body_bytes != answer.scraped.body_bytes:
        return answer
    pairs = zip(asked.chunks(first), asked.chunks(answer), strict=False)
    return first if all(one == other for one, other in pairs) else answer
