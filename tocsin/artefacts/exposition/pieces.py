"""The pieces that both grammars have: quoted strings, labels, and what servers make of names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tocsin.artefacts.exposition.entries import (
    BEFORE_QUOTES,
    BEFORE_UTF8,
    EVERY,
    NOBODY,
    WITH_QUOTES,
    Entry,
    Kind,
    Problem,
    Unfinished,
)

METRIC_NAME = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(rb"[a-zA-Z_][a-zA-Z0-9_]*")
QUOTED_NAME = re.compile(rb'"[^"\\\0]*+(?:\\[^\n\0][^"\\\0]*+)*"')
_ESCAPE = re.compile(rb'\\(["\\n])')
_UNKNOWN_ESCAPE = re.compile(rb'(?:[^\\]|\\["\\n])*?(\\[^"\\n])', re.DOTALL)
ONLY_WHERE_ASKED = "offer it only where the request's Accept has escaping=allow-utf-8"
_TARGET_LABELS = ("job", "instance")


def unescaped(text: bytes) -> bytes:
    """Return a quoted text as the server keeps it: an escape that it does not know stays as it is."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: b"\n" if found[1] == b"n" else found[1], text)


def said(text: bytes) -> str:
    """Return text for a message."""
    return text[:60].decode(errors="backslashreplace")


def is_utf8(text: bytes) -> bool:
    """Tell whether a text is valid UTF-8."""
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(slots=True)
class Reader:
    """A place in a buffer; `final` if nothing follows the buffer."""

    buffer: bytes
    position: int
    final: bool

    def at(self) -> bytes:
        """Return the byte here; empty at the end."""
        return self.buffer[self.position : self.position + 1]

    def take(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """Step over what matches here, and return it."""
        found = pattern.match(self.buffer, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found[0]

    def take_quoted(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """Step over a quoted string; raises `Unfinished` if it may close behind the buffer's end."""
        found = self.take(pattern)
        if found is None and not self.final and self.at() == b'"':
            raise Unfinished
        return found


class Refused(Exception):
    """An entry that no server reads."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def entry_at(buffer: bytes, start: int, kind: Kind, read: Callable[[Entry, Reader], None], *, final: bool) -> Entry:
    """Read the entry at `start` by a grammar; raises `Unfinished` if it may go on behind a buffer that is not the last.

    What is behind a line that is refused is read again: one bad line must not hide the others.
    """
    entry = Entry(kind, start)
    reader = Reader(buffer, start, final)
    try:
        read(entry, reader)
    except Refused as refused:
        if not final and reader.position >= len(buffer):
            raise Unfinished from refused
        entry.problems = [problem for problem in entry.problems if not problem.crashed]
        entry.refuse(refused.problem)
        line_end = buffer.find(b"\n", start)
        reader.position = len(buffer) if line_end < 0 else line_end + 1
    entry.end = reader.position
    return entry


def name_of_metadata(entry: Entry, reader: Reader, fix: str) -> bytes:
    """Step over the metric's name in HELP, TYPE or UNIT, and return it without quotes; `fix` is what to do without."""
    word, start = entry.kind.value, reader.position
    token = reader.take(METRIC_NAME)
    if token is not None:
        return token
    token = reader.take_quoted(QUOTED_NAME)
    if token is None:
        raise Refused(Problem(start, f"no metric name after {word}", f"write # {word} NAME ..., {fix}"))
    entry.problems.append(
        Problem(
            start,
            f"a quoted name after {word}: servers before 2.53 drop the scrape",
            ONLY_WHERE_ASKED,
            BEFORE_QUOTES,
        )
    )
    return token[1:-1]


@dataclass(slots=True)
class Names:
    """The names in one sample, as they are found."""

    metric: bytes | None = None
    quoted: bool = False
    """The metric's name stands within the braces."""
    panics: bool = False


def name_within_braces(entry: Entry, names: Names, token: bytes, position: int) -> None:
    """Take a token without a value within braces for the metric's name, as servers do since 2.53.

    They cut one byte off each end of it, quotes or not: of a bare name of one letter the end then lies before the
    start, and the process ends with a panic (fixed in 3.11).
    """
    if names.metric is not None:
        if token.startswith(b'"'):
            message, fix = f"{said(token)} has no value, and the metric has its name", 'write a label as name="value"'
        else:
            message, fix = f"the label {said(token)} has no value", f'write {said(token)}="value"'
        raise Refused(Problem(position, message, fix))
    names.quoted = True
    names.metric = unescaped(token[1:-1])
    if token.startswith(b'"'):
        return
    letters = said(token)
    fix = f'write {letters} before the brace, as `{letters}{{}}`, or quote it: {{"{letters}"}}'
    if len(token) == 1:
        names.panics = True
        problem = Problem(
            position,
            f"{{{letters}}}: a bare name of one letter within braces ends the server's process",
            fix,
            refused=BEFORE_QUOTES,
            crashed=WITH_QUOTES,
        )
    else:
        kept = said(token[1:-1])
        message = f"{{{letters}}}: a bare name within braces loses its first and last letter, and becomes {kept!r}"
        problem = Problem(position, message, fix, refused=BEFORE_QUOTES, harms=True)
    entry.problems.append(problem)


def judge_names(entry: Entry, names: Names, position: int) -> None:
    """Add what servers say of a sample's names once the line is read."""
    metric = names.metric or b""
    if names.panics:
        return
    if names.quoted and not any(problem.refused == BEFORE_QUOTES for problem in entry.problems):
        entry.problems.append(
            Problem(
                position,
                "a name within braces: servers before 2.53 drop the scrape",
                ONLY_WHERE_ASKED,
                BEFORE_QUOTES,
            )
        )
    if not metric:
        entry.problems.append(Problem(position, "the metric has no name", "put a name before the brace"))
    elif not is_utf8(metric):
        entry.problems.append(Problem(position, "the metric's name is not valid UTF-8", "write names in UTF-8"))
    elif not METRIC_NAME.fullmatch(metric):
        entry.problems.append(
            Problem(
                position,
                f"{said(metric)!r} is a name to servers from 3.0 on only",
                "use letters, digits and _, or offer it only where Accept has escaping=allow-utf-8",
                BEFORE_UTF8,
                letter=names.quoted,
            )
        )


def judge_labels(entry: Entry, labels: list[tuple[bytes, bytes, int]]) -> None:
    """Add what servers say of a sample's labels once the line is read; each label has its position."""
    kept: dict[bytes, int] = {}
    gone = {name for name, value, _ in labels if not value}
    for name, _, position in labels:
        if not name or not is_utf8(name):
            entry.problems.append(Problem(position, "a label's name is empty or not valid UTF-8", "name the label"))
        elif not LABEL_NAME.fullmatch(name):
            entry.problems.append(
                Problem(
                    position,
                    f"{said(name)!r} is a label's name to servers from 3.0 on only",
                    "use letters, digits and _",
                    BEFORE_UTF8,
                )
            )
        if name == b"__name__":
            entry.problems.append(
                Problem(position, "__name__ is given as a label beside the metric's name", "leave the label out")
            )
        elif name in kept:
            # What the target sets replaces all that are exposed under its name; an empty value takes all of them away.
            harmless = name in gone or name.decode(errors="replace") in _TARGET_LABELS
            entry.problems.append(
                Problem(
                    position,
                    f"the label {said(name)} is given twice",
                    "give each label once",
                    NOBODY if harmless else EVERY,
                )
            )
        kept[name] = position


def unknown_escape(value: bytes) -> tuple[int, str] | None:
    r"""Return where in a quoted value there is an escape other than \\, \" and \n, and the escape."""
    if b"\\" not in value:
        return None
    found = _UNKNOWN_ESCAPE.match(value)
    return None if found is None else (found.start(1), said(found[1]))
