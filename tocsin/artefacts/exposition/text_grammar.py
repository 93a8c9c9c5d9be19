"""The text format 0.0.4, entry by entry, as Prometheus servers read it.

The rules are those of the server's own lexer (model/textparse/promlex.l and promparse.go), its oddities included:
blanks are skipped nearly everywhere, a label's value may hold a line feed, and a NUL is skipped in some places, is an
error in others, and ends the body without a word at the start of a line.
"""

from __future__ import annotations

import re

from tocsin.artefacts.exposition.diagnosis import (
    CARRIAGE_RETURN,
    LINE_FEEDS,
    no_equal,
    no_label,
    no_number,
    no_start,
    no_value,
)
from tocsin.artefacts.exposition.entries import BEFORE_UTF8, NOBODY, Entry, Kind, Problem
from tocsin.artefacts.exposition.numbers import number_of
from tocsin.artefacts.exposition.pieces import (
    LABEL_NAME,
    METRIC_NAME,
    QUOTED_NAME,
    Names,
    Reader,
    Refused,
    entry_at,
    is_utf8,
    judge_labels,
    judge_names,
    name_of_metadata,
    name_within_braces,
    said,
    unescaped,
    unknown_escape,
)

_BLANKS = re.compile(rb"[ \t]*")
_BLANKS_BEFORE_VALUE = re.compile(rb"(?:[ \t]+\0*)*")
_COMMENT_MARK = re.compile(rb"#[ \t]+")
_BARE_COMMENT = re.compile(rb"[^\n\0]*")
_LINE = re.compile(rb"[^\n]*")
_KEYWORD = re.compile(rb"(H\0*E\0*L\0*P|T\0*Y\0*P\0*E)\0*[ \t][ \t\0]*")
_LABEL_VALUE = re.compile(rb'"[^"\\]*+(?:\\\0*[^\n\0][^"\\]*+)*"\0*')
_VALUE = re.compile(rb"[^{ \t\n\0]+")
_HELP_ESCAPE = re.compile(rb"\\([\\n])")
_DIGITS = re.compile(rb"[0-9]+")
_TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
_TYPES_OF_OPENMETRICS = ("unknown", "info", "stateset", "gaugehistogram")
_GREATEST_TIMESTAMP = (1 << 63) - 1


def text_entry(buffer: bytes, start: int, *, final: bool) -> Entry:
    """Read the entry at `start`; raises `Unfinished` if it may go on behind a buffer that is not the last.

    The last buffer has to end in a line feed: a server adds one.
    """
    return entry_at(buffer, start, Kind.BLANK, _entry, final=final)


def _entry(entry: Entry, reader: Reader) -> None:
    blanks = reader.take(_BLANKS) or b""
    start = reader.at()
    if start == b"\n":
        reader.position += 1
    elif start in {b"", b"\0"}:
        _cut(entry, reader)
    elif start == b"#":
        _commented(entry, reader)
    else:
        _sample(entry, reader, blanks)


def _cut(entry: Entry, reader: Reader) -> None:
    """Take a NUL where an entry could start: the server thinks that the body ends there."""
    entry.kind = Kind.CUT
    problem = Problem(
        reader.position,
        "a NUL byte: the server takes it for the end of the body, and says nothing",
        "find out what writes a NUL byte into the body",
        NOBODY,
        harms=True,
    )
    entry.problems.append(problem)
    reader.take(_LINE)
    reader.position = min(reader.position + 1, len(reader.buffer))


def _commented(entry: Entry, reader: Reader) -> None:
    if reader.take(_COMMENT_MARK) is None:
        start = reader.position
        text = reader.take(_BARE_COMMENT)
        if reader.at() == b"\0":
            _cut(entry, reader)
            return
        _comment(entry, reader, text or b"", start)
        return
    if reader.at() == b"\0":
        _cut(entry, reader)
        return
    start = reader.position
    keyword = reader.take(_KEYWORD)
    if keyword is None:
        _comment(entry, reader, reader.take(_LINE) or b"", start)
        return
    entry.kind = Kind.HELP if keyword.startswith(b"H") else Kind.TYPE
    _metadata(entry, reader)


def _comment(entry: Entry, reader: Reader, text: bytes, start: int) -> None:
    entry.kind = Kind.COMMENT
    entry.text = text.decode(errors="replace")
    if not is_utf8(text):
        entry.problems.append(Problem(start, "the comment is not valid UTF-8", "write UTF-8", NOBODY))
    reader.position += 1


def _metadata(entry: Entry, reader: Reader) -> None:
    token = name_of_metadata(entry, reader, "or leave it out")
    entry.name = token.decode(errors="replace")
    text_start = reader.position
    if reader.at() == b"\0":
        raise Refused(Problem(text_start, "a NUL byte behind the metric's name", "write a blank there"))
    raw = reader.take(_LINE) or b""
    text = raw[1:] if raw.strip(b" \t\0") else b""
    if entry.kind is Kind.TYPE:
        _type(entry, text, raw, text_start)
    elif not is_utf8(text):
        raise Refused(Problem(text_start, "the help text is not valid UTF-8", "write UTF-8"))
    else:
        entry.text = _HELP_ESCAPE.sub(_meant, text).decode(errors="replace").removesuffix("\r")
        _help_letter(entry, raw, text_start)
    reader.position += 1


def _meant(escape: re.Match[bytes]) -> bytes:
    return b"\n" if escape[1] == b"n" else escape[1]


def _help_letter(entry: Entry, raw: bytes, start: int) -> None:
    if raw.endswith(b"\r"):
        entry.problems.append(
            Problem(
                start + len(raw) - 1,
                CARRIAGE_RETURN,
                LINE_FEEDS,
                NOBODY,
            )
        )
    bad = re.search(rb"(?:^|[^\\])(?:\\\\)*(\\[^\\n]|\\$)", raw)
    if bad:
        entry.problems.append(
            Problem(
                start + bad.start(1),
                f"{said(bad[1])} is no escape of a help text",
                "write \\\\ for a backslash and \\n for a line feed",
                NOBODY,
            )
        )


def _type(entry: Entry, text: bytes, raw: bytes, start: int) -> None:
    entry.text = text.decode(errors="replace")
    if entry.text in _TYPES:
        return
    meant = entry.text.strip()
    shown = said(text)
    if not meant:
        problem = Problem(start, f"{entry.name} has a TYPE line without a type", "name the type, or leave the line out")
    elif text.endswith(b"\r"):
        problem = Problem(start + len(raw) - 1, CARRIAGE_RETURN, LINE_FEEDS)
    elif meant in _TYPES:
        entry.text = meant
        where = "behind" if text.startswith(meant.encode()) else "before"
        problem = Problem(
            start,
            f"blanks {where} the type {meant!r}: the server reads them as part of it",
            f"write exactly `# TYPE {entry.name} {meant}`",
            letter=False,
        )
    elif meant in _TYPES_OF_OPENMETRICS:
        problem = Problem(
            start + 1,
            f"the text format has no type {meant!r}; OpenMetrics has",
            "say untyped or gauge, or serve the body as application/openmetrics-text",
        )
    else:
        problem = Problem(start + 1, f"{shown!r} is no type", f"choose one of {', '.join(_TYPES)}; in lower case")
    raise Refused(problem)


def _sample(entry: Entry, reader: Reader, blanks: bytes) -> None:
    entry.kind = Kind.SAMPLE
    names = Names()
    labels: list[tuple[bytes, bytes, int]] = []
    start = reader.position
    if reader.at() != b"{":
        name = reader.take(METRIC_NAME)
        if name is None:
            raise Refused(no_start(reader))
        names.metric = blanks + name
        if blanks:
            entry.problems.append(
                Problem(
                    entry.start,
                    "a blank before the name: servers before 3.0 drop the scrape, later ones make it "
                    "part of the metric's name",
                    "start the line with the name",
                    BEFORE_UTF8,
                    letter=False,
                    harms=True,
                )
            )
    before = reader.position
    reader.take(_BLANKS)
    if reader.at() == b"{":
        reader.position += 1
        _labels(entry, reader, names, labels)
    if names.metric is None:
        raise Refused(Problem(start, "the metric has no name", "put a name before the brace"))
    _suffix(entry, reader, touching=reader.position == before and not labels)
    entry.name = names.metric.decode(errors="replace")
    entry.labels = [(name.decode(errors="replace"), value.decode(errors="replace")) for name, value, _ in labels]
    if names.quoted or not blanks:
        judge_names(entry, names, start)
    judge_labels(entry, labels)


def _labels(entry: Entry, reader: Reader, names: Names, labels: list[tuple[bytes, bytes, int]]) -> None:
    while True:
        reader.take(_BLANKS)
        if reader.at() == b"}":
            reader.position += 1
            return
        start = reader.position
        token = reader.take(LABEL_NAME) or reader.take_quoted(QUOTED_NAME)
        if token is None:
            raise Refused(no_label(reader))
        reader.take(_BLANKS)
        if reader.at() in {b",", b"}"}:
            closed = reader.at() == b"}"
            name_within_braces(entry, names, token, start)
            reader.position += 1
            if closed:
                return
            continue
        value = _label_value(entry, reader, token)
        name = unescaped(token[1:-1] if token.startswith(b'"') else token)
        if token.startswith(b'"'):
            names.quoted = True
        labels.append((name, value, start))
        reader.take(_BLANKS)
        if reader.at() == b",":
            reader.position += 1
        elif reader.at() != b"}":
            entry.problems.append(Problem(reader.position, "no comma between two labels", "put one there", NOBODY))


def _label_value(entry: Entry, reader: Reader, token: bytes) -> bytes:
    if reader.at() != b"=":
        raise Refused(no_equal(reader, said(token)))
    reader.position += 1
    reader.take(_BLANKS_BEFORE_VALUE)
    start = reader.position
    quoted = reader.take_quoted(_LABEL_VALUE)
    if quoted is None:
        raise Refused(no_value(reader, said(token)))
    if not is_utf8(quoted):
        raise Refused(Problem(start, f"the value of {said(token)} is not valid UTF-8", "write UTF-8"))
    value = quoted[1:-1]
    if b"\n" in value:
        entry.problems.append(
            Problem(start + 1 + value.index(b"\n"), "a line feed within a label's value", "write it as \\n", NOBODY)
        )
    escape = unknown_escape(value)
    if escape:
        entry.problems.append(
            Problem(
                start + 1 + escape[0],
                f"{escape[1]} is no escape, and the backslash stays in the value",
                'write \\\\ for a backslash, \\" for a quote and \\n for a line feed',
                NOBODY,
            )
        )
    return unescaped(value)


def _suffix(entry: Entry, reader: Reader, *, touching: bool) -> None:
    """Read value and timestamp."""
    blanks = reader.take(_BLANKS)
    start = reader.position
    token = reader.take(_VALUE)
    if token is None:
        what = "a second brace" if reader.at() == b"{" else "no value"
        raise Refused(Problem(start, f"{what} behind the series", "write the value behind the name and its labels"))
    value = number_of(token)
    if value is None:
        raise Refused(no_number(token, start))
    if touching and not blanks and token:
        entry.problems.append(Problem(start, "no blank between name and value", "put one there", NOBODY))
    entry.value = value
    reader.take(_BLANKS)
    start = reader.position
    digits = reader.take(_DIGITS)
    reader.take(_BLANKS)
    if reader.at() != b"\n":
        reader.position = start
        raise Refused(_no_timestamp(reader))
    if digits is not None:
        if (len(digits) > 19 and digits.lstrip(b"0") == digits) or int(digits[-4000:]) > _GREATEST_TIMESTAMP:
            raise Refused(Problem(start, "the timestamp does not fit 64 bits", "write milliseconds, or none at all"))
        entry.timestamp = int(digits) / 1000
    reader.position += 1


def _no_timestamp(reader: Reader) -> Problem:
    start = reader.position
    rest = reader.take(_LINE) or b""
    words = rest.split()
    if rest.startswith(b"#"):
        what = "an exemplar" if rest.lstrip(b"# \t").startswith(b"{") else "a comment"
        fix = "serve the body as application/openmetrics-text, or leave it out" if "ex" in what else "give it a line"
        return Problem(start, f"{what} behind a sample: the text format has none", fix)
    if rest.startswith(b"\r") or rest.rstrip(b" \t").endswith(b"\r"):
        return Problem(
            start + len(rest) - 1,
            CARRIAGE_RETURN,
            LINE_FEEDS,
        )
    if len(words) > 1 and words[0].isdigit():
        return Problem(start, f"{said(rest)!r} behind the timestamp", "end the line behind the timestamp")
    if words and re.fullmatch(rb"[-+][0-9]{1,18}", words[0]):
        return Problem(
            start,
            f"the timestamp {said(words[0])} has a sign, which the server does not read",
            "leave timestamps out",
            letter=False,
        )
    if words and number_of(words[0]) is not None:
        return Problem(
            start,
            f"the timestamp {said(words[0])} is no whole number: seconds with a fraction, as in OpenMetrics?",
            "write milliseconds since the epoch, or better none",
        )
    return Problem(start, f"{said(rest)!r} behind the value", "end the line behind the value")
