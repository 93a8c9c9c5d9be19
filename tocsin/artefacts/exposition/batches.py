"""Samples by the batch: lines of one name with the same labels, as columns."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from typing import Any

from tocsin.artefacts.exposition.entries import Entry
from tocsin.artefacts.exposition.syntax import Syntax

_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_NUMBER = rb"[-+]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][-+]?[0-9]{1,2})?|Inf)|NaN"
_SECONDS = rb"[0-9]{1,18}(?:\.[0-9]{1,18})?"
_LABEL_NAMES = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*+)="[^"]*+"')
_LABELS = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*+)="([^"]*+)"')
_WORTH_A_TEMPLATE = 8
"""Lines with the same labels; a pattern made for fewer costs more than it saves."""


def _ordinary(syntax: Syntax, characters: bytes, *, groups: bool) -> bytes:
    """Return the pattern of a line that every server reads alike and whose escapes need no care.

    No group is repeated possessively: before Python 3.11.5 such a repeat can match too little (python/cpython#106052).
    """
    begin = b"(" if groups else b"(?:"
    pair = rb'[a-zA-Z_][a-zA-Z0-9_]*+="[^"\\\n\0%b]*+"' % characters
    last = rb"(?:%b,?)?" % pair
    labels = rb"(?:%b,)*%b" % (pair, last) if syntax is Syntax.TEXT else rb"(?:%b(?:,%b)*)?" % (pair, pair)
    time = rb"[0-9]{1,18}" if syntax is Syntax.TEXT else _SECONDS
    return (
        begin
        + _NAME
        + rb")(?:\{"
        + begin
        + labels
        + rb")\})? "
        + begin
        + _NUMBER
        + rb")(?: "
        + begin
        + time
        + rb"))?\n"
    )


@dataclass(frozen=True, slots=True)
class Ordinary:
    """How ordinary lines of a grammar are found, and taken apart."""

    run: re.Pattern[bytes]
    line: re.Pattern[bytes]

    @classmethod
    def of(cls, syntax: Syntax, *, utf8: bool) -> Ordinary:
        """Return the patterns; in a buffer that is not `utf8` as a whole, a line is ordinary only in ASCII."""
        characters = b"" if utf8 else rb"\x80-\xff"
        return cls(
            re.compile(rb"(?:%b)*" % _ordinary(syntax, characters, groups=False)),
            re.compile(_ordinary(syntax, characters, groups=True)),
        )


ORDINARY = {(syntax, utf8): Ordinary.of(syntax, utf8=utf8) for syntax in Syntax for utf8 in (True, False)}


class Odd(Exception):
    """Lines that look ordinary and are not: a label twice, or `__name__` as a label."""


@dataclass(slots=True)
class Exemplars:
    """The exemplar of one sample: labels, value, seconds."""

    labels: list[tuple[str, str]]
    value: float
    timestamp: float | None


@dataclass(slots=True)
class Batch:
    """Samples of one name with the same label names, in the order of the body."""

    name: str
    labels: tuple[str, ...]
    """Names, in the order of the body."""
    columns: Sequence[Sequence[bytes]]
    """For each label the values of all samples, unescaped."""
    values: Sequence[float]
    runs: list[tuple[int, int]]
    """Where they stand: first line and number of lines, for each stretch of lines."""
    timestamps: Sequence[float | None] | None = None
    """In seconds; None if no sample has one."""
    exemplar: Exemplars | None = None
    """Of the only sample."""
    first: bytes = b""
    """The first sample's line."""
    starts: list[int] | None = None
    """How many samples stand before each run; made when it is asked for."""

    def line_of(self, index: int) -> int:
        """Return the line of a sample."""
        if self.starts is None:
            self.starts = [0, *accumulate(count for _, count in self.runs)]
        run = bisect_right(self.starts, index) - 1
        return self.runs[run][0] + index - self.starts[run]

    def series_of(self, index: int) -> str:
        """Return a sample's series as a selector, shortened if it is very long."""
        pairs = (
            f'{name}="{column[index][:200].decode(errors="replace")}"'.replace("\n", "\\n")
            for name, column in zip(self.labels, self.columns, strict=True)
        )
        inner = ",".join(pairs)
        return f"{self.name}{{{inner}}}" if inner else self.name


@dataclass(slots=True)
class Stretch:
    """Samples between two lines of another kind."""

    batches: list[Batch]
    names: list[tuple[str, int, int]]
    """The names as they follow each other, each with its first line and how many samples."""


def batch_of(entry: Entry, line: int, text: bytes) -> Batch:
    """Return the batch of one sample that was read on its own."""
    return Batch(
        entry.name,
        tuple(name for name, _ in entry.labels),
        tuple((value.encode(errors="surrogatepass"),) for _, value in entry.labels),
        (entry.value,),
        [(line, 1)],
        None if entry.timestamp is None else (entry.timestamp,),
        None if entry.exemplar is None else Exemplars(*entry.exemplar),
        text,
    )


@lru_cache(maxsize=4096)
def _template(labels: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(b"(?m)^" + b",".join(rb'%b="([^"]*+)"' % name for name in labels) + b",?$")


def stretch_of(rows: Sequence[tuple[bytes, bytes, bytes, bytes]], line: int, syntax: Syntax) -> Stretch:
    """Return what ordinary lines hold, the first of them on `line`; raises `Odd`.

    In the text format lines of one name come together even if others stand between; in OpenMetrics, where order is
    part of the format, they do not.
    """
    names, labels, raw, stamps = zip(*rows, strict=True)
    values = tuple(map(float, raw))
    timed = any(stamps)
    order: list[tuple[str, int, int]] = []
    places: dict[object, list[tuple[int, int]]] = {}
    at = 0
    for name, group in groupby(names):
        count = len(tuple(group))
        order.append((name.decode(), line + at, count))
        places.setdefault(name if syntax is Syntax.TEXT else at, []).append((at, count))
        at += count
    batches = []
    scale = 1000 if syntax is Syntax.TEXT else 1
    for runs in places.values():
        start, count = runs[0]
        if len(runs) == 1:
            parts = slice(start, start + count)
            texts, numbers, times = labels[parts], values[parts], stamps[parts]
        else:
            texts, numbers = tuple(_joined(labels, runs)), tuple(_joined(values, runs))
            times = tuple(_joined(stamps, runs))
        seconds = tuple(float(text) / scale if text else None for text in times) if timed and any(times) else None
        first = names[start] + (b"{" + texts[0] + b"}" if texts[0] else b"") + b" " + raw[start]
        placed = [(line + begin, length) for begin, length in runs]
        whole = Batch(names[start].decode(), (), (), numbers, placed, seconds, None, first)
        batches.extend(_by_shape(whole, texts))
    return Stretch(batches, order)


def _joined(whole: Sequence[Any], runs: Sequence[tuple[int, int]]) -> list[Any]:
    """Return the pieces of a column that are meant, one behind the other."""
    joined: list[Any] = []
    for start, length in runs:
        joined += whole[start : start + length]
    return joined


def _by_shape(whole: Batch, texts: Sequence[bytes]) -> list[Batch]:
    """Return the samples of one name with their labels, apart where label names differ."""
    shape = tuple(_LABEL_NAMES.findall(texts[0]))
    columns = _columns(shape, texts)
    if columns is not None:
        whole.labels = tuple(name.decode() for name in shape)
        whole.columns = columns
        return [whole]
    shapes: dict[tuple[bytes, ...], list[int]] = {}
    for index, text in enumerate(texts):
        shapes.setdefault(tuple(_LABEL_NAMES.findall(text)), []).append(index)
    lines = [line + index for line, count in whole.runs for index in range(count)]
    return [_part(whole, texts, lines, one, indices) for one, indices in shapes.items()]


def _columns(shape: tuple[bytes, ...], texts: Sequence[bytes]) -> Sequence[Sequence[bytes]] | None:
    """Return the values of each label of a shape; None if not all texts have it. Raises `Odd`."""
    if b"__name__" in shape or len(set(shape)) < len(shape):
        raise Odd
    if not shape:
        return None if any(texts) else ()
    if len(texts) < _WORTH_A_TEMPLATE:
        rows = [_LABELS.findall(text) for text in texts]
        if any(tuple(name for name, _ in row) != shape for row in rows):
            return None
        return tuple(tuple(row[index][1] for row in rows) for index in range(len(shape)))
    found = _template(shape).findall(b"\n".join(texts))
    if len(found) < len(texts):
        return None
    return (found,) if len(shape) == 1 else tuple(zip(*found, strict=True))


def _part(
    whole: Batch, texts: Sequence[bytes], lines: Sequence[int], shape: tuple[bytes, ...], indices: Sequence[int]
) -> Batch:
    """Return the samples of a batch that have the same label names."""
    columns = _columns(shape, [texts[index] for index in indices])
    times = None if whole.timestamps is None else tuple(whole.timestamps[index] for index in indices)
    first = whole.first if indices[0] == 0 else whole.name.encode() + b"{" + texts[indices[0]] + b"}"
    return Batch(
        whole.name,
        tuple(name.decode() for name in shape),
        columns or (),
        tuple(whole.values[index] for index in indices),
        [(lines[index], 1) for index in indices],
        times if times and any(time is not None for time in times) else None,
        None,
        first,
    )
