"""What a lexer makes of one entry of a body: most often a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tocsin.artefacts.exposition.syntax import Generation

EVERY = frozenset(Generation)
NOBODY: frozenset[Generation] = frozenset()
BEFORE_QUOTES = frozenset({Generation.V2_42})
"""Servers that know no quoted names."""
BEFORE_UTF8 = frozenset({Generation.V2_42, Generation.V2_53})
"""Servers to which names are letters, digits, `_` and `:`."""
WITH_QUOTES = EVERY - BEFORE_QUOTES


class Kind(StrEnum):
    """What an entry is."""

    BLANK = "blank"
    COMMENT = "comment"
    HELP = "HELP"
    TYPE = "TYPE"
    UNIT = "UNIT"
    SAMPLE = "sample"
    EOF = "# EOF"
    CUT = "cut"
    """The server takes what follows for the end of the body, and says nothing."""
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why servers drop the scrape, or where the entry leaves the format's letter."""

    position: int
    """In the buffer, of the byte that is wrong."""
    message: str
    fix: str
    refused: frozenset[Generation] = EVERY
    """By whom the scrape is dropped."""
    crashed: frozenset[Generation] = NOBODY
    """Whose process ends."""
    letter: bool = True
    """The specification forbids it too."""
    harms: bool = False
    """Servers that keep the scrape keep something else than was meant."""


@dataclass(slots=True)
class Entry:
    """One entry."""

    kind: Kind
    start: int
    end: int = 0
    """Of the entry, its line feed included."""
    problems: list[Problem] = field(default_factory=list)
    name: str = ""
    text: str = ""
    """Of HELP, TYPE, UNIT."""
    labels: list[tuple[str, str]] = field(default_factory=list)
    value: float = 0.0
    timestamp: float | None = None
    """In seconds."""
    exemplar: tuple[list[tuple[str, str]], float, float | None] | None = None
    """Labels, value, seconds."""

    def refuse(self, problem: Problem) -> Entry:
        """Note why it cannot be read at all."""
        self.kind = Kind.BAD
        self.problems.append(problem)
        return self


class Unfinished(Exception):
    """An entry that goes on behind the end of the buffer."""
