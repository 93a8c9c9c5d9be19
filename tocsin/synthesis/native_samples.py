"""Native histograms written in promtool's notation, from the series of numbers that stood for them in a search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.synthesis.replaying import NAME, Row, Value, input_series
from tocsin.synthesis.solution import InputSeries

FINEST = 8
"""The schema with the narrowest buckets, of which 256 are between a number and its double."""
BUCKET = "bucket"
CELL = "cell"
"""The parts of a histogram that have several series: buckets by `le`, and what is between bounds, by their number."""


class NotTakenApartError(Exception):
    """An expression does with a native histogram what has no counterpart here; the message says what."""


@dataclass
class Family:
    """The series that stand for one native histogram."""

    histogram: str
    labels: Mapping[str, str]
    rows: dict[str, Sequence[Value]] = field(default_factory=dict)
    """By part; a bucket's part is its bound."""
    comment: str = ""

    def add(self, part: str, row: Row, comment: str) -> None:
        """Take one of its series."""
        self.rows[row.labels.get("le", "") if part == BUCKET else part] = row.values
        self.comment = self.comment or comment

    def written(self, cuts: Sequence[float]) -> InputSeries:
        """Return the histogram in promtool's notation. Raises NotTakenApartError where no histogram is like this."""
        name = input_series(Row({**self.labels, NAME: self.histogram}, ())).selector
        texts = [_text(value) for value in self._samples(cuts)]
        return InputSeries(selector=name, values=" ".join(_folded(texts)), comment=self.comment)

    def _samples(self, cuts: Sequence[float]) -> Iterator[_Sample | str]:
        schema, cells = self._cells(cuts)
        counted = _Counted(len(cells))
        for number in range(max(len(values) for values in self.rows.values())):
            now = {part: values[number] if number < len(values) else "_" for part, values in self.rows.items()}
            if any(value is None for value in now.values()):
                yield "stale"
            elif any(isinstance(value, str) for value in now.values()):
                yield "_"
            else:
                numbers = {part: value for part, value in now.items() if isinstance(value, float | int)}
                counts = counted.after(self._apart(cells, numbers), numbers.get("count"))
                tops = [2.0 ** (cell.index / 2**schema) for cell in cells]
                middle = sum(count * 0.75 * top for count, top in zip(counts, tops, strict=True))
                buckets = {cell.index: count for cell, count in zip(cells, counts, strict=True)}
                yield _Sample(schema, buckets, numbers.get("sum", middle))

    def _apart(self, cells: Sequence[_Cell], numbers: Mapping[str, float]) -> list[float]:
        """Return how many observations there are in each bucket, by its own series."""
        if len(cells) == 1:  # of a histogram whose sum alone is read, some that come to it
            return [numbers.get(cells[0].part, max(0.0, numbers.get("sum", 0.0)))]
        own = [numbers.get(cell.part, 0.0) for cell in cells]
        if _is_bound(cells[0].part):
            return [max(0.0, upto - under) for upto, under in zip(own, [0.0, *own], strict=False)]
        return own

    def _cells(self, cuts: Sequence[float]) -> tuple[int, list[_Cell]]:
        """Return the schema and the buckets that hold the family's observations, in order."""
        bounds = sorted(float(part.replace("Inf", "inf")) for part in self.rows if _is_bound(part))
        if bounds:
            finite = [bound for bound in bounds if math.isfinite(bound)]
            cells = [_Cell(_part_of(self.rows, bound), round(math.log2(bound))) for bound in finite]
            return 0, [*cells, _Cell(_part_of(self.rows, math.inf), cells[-1].index + 1)]
        if not any(part.startswith(CELL) for part in self.rows):
            return 0, [_Cell("count", 1)]
        for schema in range(FINEST + 1):
            found = _between(cuts, schema)
            if found is not None:
                return schema, found
        raise NotTakenApartError(f"no bucket is between {' and '.join(f'{cut:g}' for cut in cuts)}")


def _between(cuts: Sequence[float], schema: int) -> list[_Cell] | None:
    """Return a bucket of a schema between each two bounds; None if there is none between some."""
    cells, low = [], -math.inf
    for number, cut in enumerate(cuts):
        index = math.floor(math.log2(cut) * 2**schema)
        if index - 1 < low:
            return None
        cells.append(_Cell(f"{CELL}{number}", index))
        low = math.log2(cut) * 2**schema
    return [*cells, _Cell(f"{CELL}{len(cuts)}", math.ceil(low) + 1)]


@dataclass(frozen=True, slots=True)
class _Cell:
    """A bucket: what is over 2^((index - 1) / 2^schema), and not over 2^(index / 2^schema)."""

    part: str
    """The series that counts it: of a bound, with all that is under it."""
    index: int


@dataclass(frozen=True, slots=True)
class _Sample:
    """A histogram."""

    schema: int
    buckets: Mapping[int, float]
    total: float


class _Counted:
    """Counts of buckets, sample by sample: they grow as the histogram's own count does, each by its part of it."""

    def __init__(self, cells: int) -> None:
        self._counts = [0.0] * cells
        self._before = [0.0] * cells
        self._count_before = 0.0
        self._shares = [1.0, *([0.0] * (cells - 1))]

    def after(self, apart: Sequence[float], count: float | None) -> list[float]:
        """Return the counts after a sample, of which the buckets' own series tell these, and that of all another."""
        if count is None or math.isclose(sum(apart), count, rel_tol=1e-12):
            self._counts = [_not_less(now, then) for now, then in zip(apart, self._counts, strict=True)]
            return list(self._counts)
        return self._grown(apart, count)

    def _grown(self, apart: Sequence[float], count: float) -> list[float]:
        steps = [max(0.0, now - then) for now, then in zip(apart, self._before, strict=True)]
        if sum(steps) > 0:
            self._shares = [step / sum(steps) for step in steps]
        fell = count < self._count_before
        base = [0.0] * len(apart) if fell else self._counts
        more = count if fell else count - self._count_before
        self._counts = [one + more * share for one, share in zip(base, self._shares, strict=True)]
        self._before, self._count_before = [*apart], count
        return list(self._counts)


def _not_less(now: float, then: float) -> float:
    """Return a count that rounding does not let fall: an engine takes the least fall for a reset."""
    return then if now < then and math.isclose(now, then, rel_tol=1e-9, abs_tol=1e-9) else now


def _is_bound(part: str) -> bool:
    return part[:1].isdigit() or part in ("+Inf", "Inf")


def _part_of(rows: Mapping[str, object], bound: float) -> str:
    return next(part for part in rows if _is_bound(part) and float(part.replace("Inf", "inf")) == bound)


def _text(sample: _Sample | str) -> str:
    if isinstance(sample, str):
        return sample
    first, last = min(sample.buckets), max(sample.buckets)
    counts = [sample.buckets.get(number, 0.0) for number in range(first, last + 1)]
    listed = " ".join(_number(count) for count in counts)
    start = f" offset:{first}" if first else ""
    count = _number(sum(counts))
    return f"{{{{schema:{sample.schema} sum:{_number(sample.total)} count:{count}{start} buckets:[{listed}]}}}}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == math.floor(value) and abs(value) < 1e15 else repr(value)


def _folded(texts: Sequence[str]) -> Iterator[str]:
    """Yield samples, those that are the same in a row as one piece.

    Of histograms only the last run: the promtool of 2.53 reads no further histogram after one that is repeated.
    """
    at = 0
    while at < len(texts):
        end = at
        while end < len(texts) and texts[end] == texts[at]:
            end += 1
        if texts[at] == "_":
            yield f"_x{end - at}" if end - at > 1 else "_"
        elif end == len(texts) and end - at > 1 and texts[at] != "stale":
            yield f"{texts[at]}x{end - at - 1}"
        else:
            yield from texts[at:end]
        at = end
