"""What was asked of one endpoint and what it answered: a folder that is whole before a judge looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tocsin.artefacts.exposition.syntax import Generation, Syntax
from tocsin.atomic import write_json
from tocsin.exposition.content_type import reading
from tocsin.exposition.digest import Digest
from tocsin.exposition.judgement import Judgement
from tocsin.exposition.limits import PIECE_BYTES
from tocsin.exposition.patience import judge_patiently
from tocsin.exposition.scraped import Ending, Hop, Scraped
from tocsin.exposition.targets import Endpoint, JobLimits
from tocsin.source import Place

FILE = "asked.json"
NEWEST = Generation.V3_5
"""The generation whose scrape is judged in full."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question was, and what came of it."""

    name: str
    """`prometheus-3.5`, `identity`, `accept-text`, ..."""
    accept: str
    method: str
    scraped: Scraped
    body: str
    """The file of the body, beside asked.json; empty if none was kept."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the endpoint, without anything secret."""

    name: str
    url: str
    """As it can be shown."""
    job: str
    labels: Mapping[str, str]
    authorized: bool
    """Whether its job asks with credentials."""
    follows: bool
    compression: bool
    fallback: str
    timeout_seconds: float
    limits: JobLimits
    place: Place | None = None
    version: str = ""


@dataclass(frozen=True)
class Asked:
    """All that one endpoint answered."""

    folder: Path
    facts: Facts
    now: float
    """When it was asked, in Unix time."""
    answers: Mapping[str, Answer]
    lacking: str = ""
    """Why it was not asked; then there are no answers."""
    _judged: dict[tuple[str, Syntax], Judgement] = field(default_factory=dict, compare=False, repr=False)

    def of(self, generation: Generation) -> Answer | None:
        """Return what a generation of Prometheus was answered."""
        return self.answers.get(str(generation))

    @cached_property
    def first(self) -> Answer | None:
        """What the newest generation was answered."""
        return self.of(NEWEST)

    def chunks(self, answer: Answer) -> Iterator[bytes]:
        """Yield the body of an answer."""
        if answer.body:
            with (self.folder / answer.body).open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece

    def syntax(self, answer: Answer, generation: Generation = NEWEST) -> Syntax | None:
        """Return the grammar in which a generation reads an answer; None if it drops it, or if it is no text."""
        parser = reading(answer.scraped.header("Content-Type"), generation, fallback=self.facts.fallback).parser
        return parser.syntax if parser else None

    def judgement(self, answer: Answer, syntax: Syntax) -> Judgement:
        """Return what the judge of bodies says of one, read in a grammar; it is judged once."""
        key = (answer.name, syntax)
        if key not in self._judged:
            self._judged[key] = judge_patiently(self.chunks(answer), syntax, now=self.now)
        return self._judged[key]

    def digest(self, name: str) -> Digest | None:
        """Return what is kept of the body of an answer, if there is a body that its Content-Type lets read."""
        answer = self.answers.get(name)
        if answer is None or not answer.body or not answer.scraped.kept:
            return None
        syntax = self.syntax(answer)
        return self.judgement(answer, syntax).digest if syntax else None


def guessed(last: bytes) -> Syntax:
    """Return the grammar of a body whose Content-Type nobody knows, by its last bytes: OpenMetrics ends in `# EOF`."""
    return Syntax.OPENMETRICS if last.rstrip(b"\r\n").endswith(b"# EOF") else Syntax.TEXT


def last_bytes(path: Path, count: int = 16) -> bytes:
    """Return the last bytes of a file."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - count))
        return file.read(count)


def facts_of(endpoint: Endpoint, shown: str) -> Facts:
    """Return what may be told of an endpoint; `shown` is its address as it can be shown."""
    settings = endpoint.settings
    return Facts(
        name=endpoint.name,
        url=shown,
        job=endpoint.job,
        labels=dict(endpoint.labels),
        authorized=bool(settings.authorization),
        follows=settings.follows,
        compression=settings.compression,
        fallback=settings.fallback,
        timeout_seconds=settings.timeout_seconds,
        limits=settings.limits,
        place=endpoint.place,
        version=endpoint.version,
    )


def write_asked(asked: Asked) -> None:
    """Write asked.json, the last of the folder's files, in one rename."""
    known = {
        "facts": asdict(asked.facts),
        "now": asked.now,
        "lacking": asked.lacking,
        "answers": {name: asdict(answer) for name, answer in asked.answers.items()},
    }
    write_json(asked.folder / FILE, known)


def read_asked(folder: Path) -> Asked:
    """Read a folder that was asked into. Raises OSError, ValueError, KeyError or TypeError if it is none."""
    known = json.loads((folder / FILE).read_text(encoding="utf-8"))
    facts = known["facts"]
    place = Place(**facts["place"]) if facts["place"] else None
    return Asked(
        folder,
        Facts(**{**facts, "limits": JobLimits(**facts["limits"]), "place": place}),
        float(known["now"]),
        {name: _answer(answer) for name, answer in known["answers"].items()},
        str(known["lacking"]),
    )


def _answer(known: Mapping[str, Any]) -> Answer:
    told = known["scraped"]
    scraped = Scraped(
        **{
            **told,
            "ending": Ending(told["ending"]),
            "headers": tuple((str(name), str(value)) for name, value in told["headers"]),
            "hops": tuple(Hop(**hop) for hop in told["hops"]),
        }
    )
    return Answer(**{**known, "scraped": scraped})
