"""OpenMetrics 1.0, entry by entry, as Prometheus servers read it (model/textparse/openmetricslex.l)."""

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
    rest_of_sample,
)
from tocsin.artefacts.exposition.entries import (
    BEFORE_QUOTES,
    Entry,
    Kind,
    Problem,
    Unfinished,
)
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
)

_KEYWORD = re.compile(rb"# (H\0*E\0*L\0*P|T\0*Y\0*P\0*E|U\0*N\0*I\0*T)\0* \0*")
_END = re.compile(rb"# E\0*O\0*F\0*(?:\n\0*)?")
_LINE = re.compile(rb"[^\n]*")
_LABEL_VALUE = re.compile(rb'"[^"\\\n]*+(?:\\\0*[^\n\0][^"\\\n]*+)*"\0*')
_EXEMPLAR_VALUE = re.compile(rb'"[^"\\\n\0]*+(?:\\[^\n\0][^"\\\n\0]*+)*"')
_EXEMPLAR_NAME = _EXEMPLAR_VALUE
_WORD = re.compile(rb" [^ \n\0]+")
_EXEMPLAR = b" # {"
_TYPES = ("counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown")
NO_END = Problem(
    0,
    "the body does not end in `# EOF`: it was cut, or is no OpenMetrics",
    "write `# EOF` as the last line, or serve the body as text/plain; version=0.0.4",
)


def openmetrics_entry(buffer: bytes, start: int, *, final: bool) -> Entry:
    """Read the entry at `start`; raises `Unfinished` if it may go on behind a buffer that is not the last."""
    return entry_at(buffer, start, Kind.BAD, _entry, final=final)


def _entry(entry: Entry, reader: Reader) -> None:
    here = reader.at()
    if here == b"#":
        _commented(entry, reader)
    elif here == b"\n":
        raise Refused(Problem(reader.position, "an empty line: OpenMetrics has none", "leave the line out"))
    else:
        _sample(entry, reader)


def _commented(entry: Entry, reader: Reader) -> None:
    start = reader.position
    if reader.take(_END) is not None:
        entry.kind = Kind.EOF
        if reader.position == len(reader.buffer) and not reader.final:
            raise Unfinished
        if reader.position < len(reader.buffer):
            entry.problems.append(
                Problem(reader.position, "data after `# EOF`", "end the body there: `# EOF` comes once")
            )
        return
    keyword = reader.take(_KEYWORD)
    if keyword is None:
        shown = said(reader.take(_LINE) or b"")
        if shown.endswith("\r"):
            raise Refused(Problem(reader.position - 1, CARRIAGE_RETURN, LINE_FEEDS))
        raise Refused(
            Problem(
                start,
                f"{shown!r}: OpenMetrics has no comments but # TYPE, # HELP, # UNIT and # EOF, with single blanks",
                "leave the line out",
            )
        )
    entry.kind = next(
        kind for kind in (Kind.HELP, Kind.TYPE, Kind.UNIT) if kind.value == keyword.replace(b"\0", b"").decode()[2:6]
    )
    _metadata(entry, reader)


def _metadata(entry: Entry, reader: Reader) -> None:
    word, token = entry.kind.value, name_of_metadata(entry, reader, "with single blanks")
    entry.name = unescaped(token).decode(errors="replace")
    text_start = reader.position
    line = reader.take(_LINE) or b""
    if not line.startswith(b" ") or reader.at() != b"\n":
        raise Refused(
            Problem(
                text_start, f"no text after # {word} {entry.name}", "write a blank and the text, if it is empty too"
            )
        )
    reader.position += 1
    text = line[1:]
    if entry.kind is Kind.TYPE:
        _type(entry, text, text_start)
    elif entry.kind is Kind.UNIT:
        _unit(entry, token, text, text_start)
    elif not is_utf8(text):
        raise Refused(Problem(text_start, "the help text is not valid UTF-8", "write UTF-8"))
    entry.text = unescaped(text).decode(errors="replace")


def _type(entry: Entry, text: bytes, start: int) -> None:
    meant = text.decode(errors="replace")
    if meant in _TYPES:
        return
    entry.text = meant.strip()
    if text.endswith(b"\r"):
        raise Refused(Problem(start + len(text), CARRIAGE_RETURN, LINE_FEEDS))
    if entry.text in _TYPES:
        raise Refused(
            Problem(
                start,
                f"blanks around the type {entry.text!r}: the server reads them as part of it",
                f"write exactly `# TYPE {entry.name} {entry.text}`",
            )
        )
    if entry.text == "untyped":
        raise Refused(Problem(start + 1, "OpenMetrics has no type 'untyped'; the text format has", "say unknown"))
    raise Refused(Problem(start + 1, f"{said(text)!r} is no type", f"choose one of {', '.join(_TYPES)}; in lower case"))


def _unit(entry: Entry, name: bytes, unit: bytes, start: int) -> None:
    if unit and not name.endswith(b"_" + unit):
        raise Refused(
            Problem(
                start + 1,
                f"the unit {said(unit)!r} is no suffix of the name {entry.name}",
                f"call the metric {entry.name}_{said(unit)}, or leave # UNIT out",
            )
        )


def _sample(entry: Entry, reader: Reader) -> None:
    entry.kind = Kind.SAMPLE
    names = Names()
    labels: list[tuple[bytes, bytes, int]] = []
    start = reader.position
    if reader.at() != b"{":
        names.metric = reader.take(METRIC_NAME)
        if names.metric is None:
            raise Refused(no_start(reader))
    if reader.at() == b"{":
        reader.position += 1
        _labels(entry, reader, names, labels)
    if names.metric is None:
        raise Refused(Problem(start, "the metric has no name", "put a name before the brace"))
    _suffix(entry, reader, names)
    entry.name = names.metric.decode(errors="replace")
    entry.labels = [(name.decode(errors="replace"), value.decode(errors="replace")) for name, value, _ in labels]
    judge_names(entry, names, start)
    judge_labels(entry, labels)


def _labels(entry: Entry, reader: Reader, names: Names, labels: list[tuple[bytes, bytes, int]]) -> None:
    while True:
        if reader.at() == b"}":
            if labels or names.quoted:
                entry.problems.append(
                    Problem(
                        reader.position,
                        "a comma behind the last label: servers before 2.53 drop the scrape",
                        "leave the comma out",
                        BEFORE_QUOTES,
                    )
                )
            reader.position += 1
            return
        start = reader.position
        token = reader.take(LABEL_NAME) or reader.take_quoted(QUOTED_NAME)
        if token is None:
            raise Refused(no_label(reader))
        if reader.at() in {b",", b"}"}:
            closed = reader.at() == b"}"
            name_within_braces(entry, names, token, start)
            reader.position += 1
            if closed:
                return
            continue
        value = _label_value(reader, token, _LABEL_VALUE)
        if token.startswith(b'"'):
            names.quoted = True
            token = token[1:-1]
        labels.append((unescaped(token), value, start))
        if reader.at() == b"}":
            reader.position += 1
            return
        if reader.at() != b",":
            raise Refused(
                Problem(reader.position, "neither comma nor brace behind a label's value", "write a comma, no blank")
            )
        reader.position += 1


def _label_value(reader: Reader, token: bytes, pattern: re.Pattern[bytes]) -> bytes:
    label = said(token)
    if reader.at() != b"=":
        raise Refused(no_equal(reader, label))
    reader.position += 1
    start = reader.position
    quoted = reader.take(pattern)
    if quoted is None:
        raise Refused(no_value(reader, label))
    if not is_utf8(quoted):
        raise Refused(Problem(start, f"the value of {label} is not valid UTF-8", "write UTF-8"))
    return unescaped(quoted[1:-1])


def _suffix(entry: Entry, reader: Reader, names: Names) -> None:
    """Read value, timestamp and exemplar."""
    entry.value = _number(reader, "value")
    if reader.at() == b" " and not reader.buffer.startswith(_EXEMPLAR, reader.position):
        entry.timestamp = _timestamp(reader)
    if reader.buffer.startswith(_EXEMPLAR, reader.position):
        reader.position += len(_EXEMPLAR)
        if not (names.metric or b"").endswith((b"_total", b"_bucket")):
            entry.problems.append(
                Problem(
                    reader.position,
                    "an exemplar at a sample that is neither a counter's _total nor a "
                    "_bucket: servers before 2.53 drop the scrape",
                    "leave it out there",
                    BEFORE_QUOTES,
                )
            )
        _exemplar(entry, reader)
    if reader.at() == b"\n":
        reader.position += 1
        return
    if not reader.at():
        raise Refused(NO_END)
    raise Refused(rest_of_sample(reader))


def _number(reader: Reader, what: str) -> float:
    start = reader.position
    word = reader.take(_WORD)
    if word is None:
        if reader.buffer.startswith(b"  ", start) or reader.at() == b"\t":
            raise Refused(Problem(start, f"not one single blank before the {what}", "write exactly one blank"))
        raise Refused(Problem(start, f"no {what} behind the series", "write a blank and the value behind the series"))
    value = number_of(word[1:])
    if value is not None:
        return value
    if word.startswith(b" {"):
        cure = "offer it by protobuf, or leave it out"
        raise Refused(Problem(start + 1, "a native histogram as text, which OpenMetrics 1.0 has not", cure))
    raise Refused(no_number(word[1:], start + 1))


def _timestamp(reader: Reader) -> float:
    start = reader.position
    word = reader.take(_WORD)
    if word is None:
        raise Refused(rest_of_sample(reader))
    value = number_of(word[1:])
    if value is None or value - value != 0:
        if word == b" #":
            raise Refused(
                Problem(start + 1, "a comment or a broken exemplar behind the sample", "write ` # {labels} value`")
            )
        if word.endswith(b"\r"):
            raise Refused(Problem(reader.position - 1, CARRIAGE_RETURN, LINE_FEEDS))
        raise Refused(
            Problem(start + 1, f"{said(word[1:])!r} is no timestamp", "write seconds since the epoch, or none")
        )
    return value


def _exemplar(entry: Entry, reader: Reader) -> None:
    labels: list[tuple[str, str]] = []
    while reader.at() != b"}":
        token = reader.take(LABEL_NAME) or reader.take(_EXEMPLAR_NAME)
        if token is None:
            raise Refused(no_label(reader))
        if token.startswith(b'"'):
            entry.problems.append(
                Problem(reader.position, "a quoted label name in an exemplar", "use a plain name", BEFORE_QUOTES)
            )
            token = token[1:-1]
        value = _label_value(reader, token, _EXEMPLAR_VALUE)
        labels.append((token.decode(errors="replace"), value.decode(errors="replace")))
        if reader.at() == b",":
            reader.position += 1
            if reader.at() == b"}":
                entry.problems.append(
                    Problem(
                        reader.position,
                        "a comma behind the last label of an exemplar: servers before 2.53 drop the scrape",
                        "leave the comma out",
                        BEFORE_QUOTES,
                    )
                )
        elif reader.at() != b"}":
            raise Refused(
                Problem(reader.position, "neither comma nor brace behind a label's value", "write a comma, no blank")
            )
    reader.position += 1
    value_of_exemplar = _number(reader, "value of the exemplar")
    timestamp = _timestamp(reader) if reader.at() == b" " else None
    entry.exemplar = (labels, value_of_exemplar, timestamp)
