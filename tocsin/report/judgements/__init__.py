"""Judgements of `/metrics` as reports: for a reader, and for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.exposition.judgement import Complaint
from tocsin.exposition.sense.vocabulary.credentials import credential
from tocsin.exposition.sense.vocabulary.quoting import discreet, value_of
from tocsin.exposition.verdicts import Said

MOST_LINE = 1 << 14
"""Bytes of a line that are kept to be shown."""
MOST_LINES = 500
_LABEL = re.compile(r'(?<![a-zA-Z0-9_])([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """What is told of one target or one body."""

    source: str
    """Where it came from, as it can be shown."""
    ingest: Mapping[str, str]
    specification: str
    sense: str
    samples: int
    complaints: tuple[Complaint, ...]
    lines: Mapping[int, str] = field(default_factory=dict)
    """Those that complaints are about, without what is secret."""
    unjudged: str = ""
    """Why the body was not judged."""


def shown_of(said: Said) -> Shown:
    """Return what is told of a target, without the lines of its body."""
    name, judgement = said.asked.facts.name, said.judgement
    return Shown(
        source=name if name.startswith("http") else f"{name} ({said.asked.facts.url})",
        ingest={str(generation): str(verdict) for generation, verdict in said.ingest.items()},
        specification="accept" if judgement and judgement.specification else "reject",
        sense=said.sense,
        samples=judgement.samples if judgement else 0,
        complaints=said.all,
        unjudged=said.unjudged,
    )


def lines_of(chunks: Iterable[bytes], complaints: Iterable[Complaint]) -> dict[int, str]:
    """Return the lines of a body that complaints are about, so many of them, cut, and without what is secret."""
    wanted = sorted({each.line for each in complaints if each.line})[:MOST_LINES]
    found: dict[int, str] = {}
    if not wanted:
        return found
    last, wanted_set = wanted[-1], frozenset(wanted)
    for number, line in enumerate(_lines(chunks), 1):
        if number in wanted_set:
            found[number] = harmless(line.decode("utf-8", "replace"))
        if number >= last:
            break
    return found


def harmless(line: str) -> str:
    """Return a line with every secret that can be told as such replaced by a hint."""

    def shown(match: re.Match[str]) -> str:
        label, value = match[1], match[2]
        return f'{label}="{value_of(label, value)}"' if credential(label, value) is not None else match[0]

    return discreet(_LABEL.sub(shown, line))


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines, each cut to a bound, however long it is."""
    pending = bytearray()
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            yield bytes(pending + piece[: MOST_LINE - len(pending)])
            pending.clear()
        pending += rest[: MOST_LINE - len(pending)]
    if pending:
        yield bytes(pending)
