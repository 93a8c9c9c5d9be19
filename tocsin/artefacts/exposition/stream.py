"""Read a body in pieces, in memory that does not grow with it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from tocsin.artefacts.exposition.batches import ORDINARY, Odd, Ordinary, Stretch, batch_of, stretch_of
from tocsin.artefacts.exposition.entries import (
    BEFORE_UTF8,
    EVERY,
    NOBODY,
    Entry,
    Kind,
    Problem,
    Unfinished,
)
from tocsin.artefacts.exposition.openmetrics_grammar import NO_END, openmetrics_entry
from tocsin.artefacts.exposition.pieces import is_utf8
from tocsin.artefacts.exposition.syntax import Generation, Syntax
from tocsin.artefacts.exposition.text_grammar import text_entry

BLOCK = 512 * 1024
"""Bytes that are looked at together."""
MOST_OF_A_LINE = 1024 * 1024
"""Bytes; no server has this limit, but a line of that length is an accident, and memory has to end somewhere."""
MOST_REFUSED = 10_000
"""Entries that drop the scrape; behind so many of them the body is not looked at, for it is no exposition."""
_MOST_LOCATED = 20
"""Problems of one entry that are told; of further ones only those that stop another server."""
_BLANK_LINES = re.compile(rb"(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Located:
    """A problem with its place in the body."""

    line: int
    column: int
    """In characters, from 1."""
    message: str
    fix: str
    refused: frozenset[Generation]
    crashed: frozenset[Generation]
    letter: bool
    harms: bool
    text: str
    """The line, shortened."""


@dataclass(slots=True)
class Read:
    """One step of reading: samples, or an entry of another kind, and what is wrong there."""

    line: int
    stretch: Stretch | None = None
    entry: Entry | None = None
    problems: list[Located] = field(default_factory=list)


def read(chunks: Iterable[bytes], syntax: Syntax) -> Iterator[Read]:
    """Read a body, cut anywhere into chunks. What is wrong is told, and reading goes on behind that line.

    Reading ends where the server's does without a word: at `# EOF`, and at a NUL byte that starts a line.
    """
    return _Reading(syntax).read(chunks)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks in pieces of about a block."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        for start in range(0, len(chunk), BLOCK):
            piece = chunk[start : start + BLOCK]
            held.append(piece)
            size += len(piece)
            if size >= BLOCK:
                yield b"".join(held)
                held, size = [], 0
    yield b"".join(held)


class _Reading:
    """The state of reading one body."""

    def __init__(self, syntax: Syntax) -> None:
        self.syntax = syntax
        self.grammar = text_entry if syntax is Syntax.TEXT else openmetrics_entry
        self.line = 1
        self.skipping = False
        """Within a line that is too long."""
        self.ended = False
        self.last_byte = b""
        self.refused = 0

    def read(self, chunks: Iterable[bytes]) -> Iterator[Read]:
        rest = b""
        for block in _blocks(chunks):
            self.last_byte = block[-1:] or self.last_byte
            buffer, rest = rest + block, b""
            position = 0
            if self.skipping:
                position = buffer.find(b"\n") + 1
                if not position:
                    continue
                self.skipping, self.line = False, self.line + 1
            position = yield from self._buffer(buffer, position, final=False)
            if self.ended:
                return
            rest = buffer[position:]
            if len(rest) > MOST_OF_A_LINE:
                rest = yield from self._too_long(rest)
        yield from self._end(rest)

    def _end(self, rest: bytes) -> Iterator[Read]:
        """Read what is left when nothing follows."""
        if self.syntax is Syntax.TEXT:
            if self.last_byte not in {b"", b"\n"} and not self.skipping:
                where = rest.rfind(b"\n") + 1
                line = self.line + rest.count(b"\n")
                text = rest[where:]
                problem = Problem(
                    len(text),
                    "the last line does not end in a line feed: the body may have been cut there",
                    "end the last line in a line feed",
                    NOBODY,
                )
                rest += b"\n"
                yield from self._buffer(rest, 0, final=True)
                yield Read(line, problems=[_located(problem, text, 0, line)])
            else:
                yield from self._buffer(rest, 0, final=True)
            return
        yield from self._buffer(rest, 0, final=True)
        if not self.ended:
            # An empty body is no body to servers from 3.0 on: they do not parse it.
            refused = EVERY if self.last_byte else BEFORE_UTF8
            problem = Problem(0, NO_END.message, NO_END.fix, refused)
            yield Read(self.line, problems=[_located(problem, b"", 0, self.line)])

    def _too_long(self, rest: bytes) -> Generator[Read, None, bytes]:
        """Give up the entry at the start of `rest`, and return what is behind its line."""
        problem = Problem(
            0,
            f"a line, or an open quote, of more than {MOST_OF_A_LINE:,} bytes: it is not read further",
            "find out what writes it",
        )
        yield Read(self.line, entry=Entry(Kind.BAD, 0), problems=[_located(problem, rest, 0, self.line)])
        end = rest.find(b"\n") + 1
        if not end:
            self.skipping = True
            return b""
        self.line += 1
        return rest[end:]

    def _buffer(self, buffer: bytes, position: int, *, final: bool) -> Generator[Read, None, int]:
        """Read all whole entries, and return where the first that is not whole starts."""
        end = len(buffer) if final else buffer.rfind(b"\n") + 1
        ordinary = ORDINARY[self.syntax, is_utf8(buffer[:end])]
        one_by_one = 0  # up to here no further look at many lines at once
        while position < end and not self.ended:
            run = ordinary.run.match(buffer, position, end) if position >= one_by_one else None
            if run is not None and run.end() > position:
                try:
                    yield self._ordinary(ordinary, buffer, position, run.end())
                except Odd:
                    one_by_one = run.end()
                else:
                    position = run.end()
                continue
            blank = _BLANK_LINES.match(buffer, position, end) if self.syntax is Syntax.TEXT else None
            if blank is not None:
                self.line += blank[0].count(b"\n")
                position = blank.end()
                continue
            try:
                entry = self.grammar(buffer, position, final=final)
            except Unfinished:
                return position
            yield self._entry(entry, buffer)
            self.line += buffer.count(b"\n", position, entry.end)
            position = entry.end
        return position

    def _ordinary(self, ordinary: Ordinary, buffer: bytes, start: int, end: int) -> Read:
        rows = ordinary.line.findall(buffer, start, end)
        step = Read(self.line, stretch=stretch_of(rows, self.line, self.syntax))
        self.line += len(rows)
        return step

    def _entry(self, entry: Entry, buffer: bytes) -> Read:
        problems: list[Located] = []
        stopped: frozenset[Generation] = NOBODY
        for problem in entry.problems:
            stops = problem.refused | problem.crashed
            if len(problems) < _MOST_LOCATED or stops - stopped:
                problems.append(_located(problem, buffer, entry.start, self.line))
            stopped |= stops
        self.refused += stopped == EVERY
        self.ended = entry.kind in {Kind.EOF, Kind.CUT} or self.refused > MOST_REFUSED
        if entry.kind is Kind.SAMPLE:
            line_end = buffer.find(b"\n", entry.start)
            batch = batch_of(entry, self.line, buffer[entry.start : line_end])
            return Read(self.line, Stretch([batch], [(entry.name, self.line, 1)]), entry, problems)
        return Read(self.line, None, entry, problems)


def _located(problem: Problem, buffer: bytes, start: int, line: int) -> Located:
    """Return a problem with its place; `start` is where its entry starts, on `line`."""
    position = min(max(problem.position, start), len(buffer))
    line += buffer.count(b"\n", start, position)
    line_start = max(buffer.rfind(b"\n", 0, position) + 1, 0)
    line_end = buffer.find(b"\n", line_start)
    shown = buffer[line_start : line_end if line_end >= 0 else len(buffer)][:400].decode(errors="replace")
    column = len(buffer[line_start:position].decode(errors="replace")) + 1
    return Located(
        line,
        column,
        problem.message,
        problem.fix,
        problem.refused,
        problem.crashed,
        problem.letter,
        problem.harms,
        shown,
    )
