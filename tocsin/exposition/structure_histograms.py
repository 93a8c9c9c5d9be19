"""Classic histograms: bounds, buckets, count and sum of each series, within one scrape.

(prometheus.io/docs/instrumenting/exposition_formats, "Histograms and summaries"; OpenMetrics 1.0, "Histogram".)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.numbers import number_of
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.exposition.structure_keys import Keys
from tocsin.finding import Severity

MOST_OPEN = 100_000
"""Series of one histogram of which something is still to come; further ones are not checked for what they lack."""


@dataclass(slots=True)
class _Series:
    """What is known of one series of a histogram."""

    series: str
    line: int
    infinite: float | None = None
    """The count in its bucket without an upper bound."""
    count: float | None = None
    sum: float | None = None
    buckets: bool = False
    negative: bool = False
    """It has a bound below 0, so that its sum may fall and is left out."""


class Histogram:
    """The samples of one family of type histogram (or gaugehistogram)."""

    def __init__(self, name: str, type_: str, syntax: Syntax, complaints: Complaints, keys: Keys) -> None:
        self.name = name
        self.syntax = syntax
        self.complaints = complaints
        self.keys = keys
        self.gauge = gauge = type_ == "gaugehistogram" and syntax is Syntax.OPENMETRICS
        self.parts = {
            f"{name}_bucket": "bucket",
            f"{name}_gcount" if gauge else f"{name}_count": "count",
            f"{name}_gsum" if gauge else f"{name}_sum": "sum",
        }
        self.broken = False
        """Something is there that the format forbids."""
        self.bounds: tuple[float, ...] | None = None
        self.bounds_line = 0
        self.open: dict[object, _Series] = {}
        self.run: tuple[object, list[float], list[float], list[int], str] | None = None

    def take(self, batch: Batch) -> None:
        """Look at some samples of the family."""
        part = self.parts.get(batch.name)
        if part == "bucket":
            self._buckets(batch)
        elif part is not None:
            # The last run of buckets stays open: a block may end within it.
            self._totals(batch, part)
        elif batch.name == self.name:
            self._bare(batch)

    def finish(self) -> None:
        """Look at what every series lacks, once all are read."""
        self._end_run()
        for one in self.open.values():
            self._close(one)
        self.open.clear()

    def _complain(self, check: str, severity: Severity, line: int, series: str, message: str, **more: str) -> None:
        self.broken = True
        self.complaints.add(check, severity, line, series, message, why=more["why"], fix=more["fix"])

    def _bare(self, batch: Batch) -> None:
        self._complain(
            "bare-sample-in-histogram",
            Severity.WARNING,
            batch.line_of(0),
            batch.series_of(0),
            f"{batch.name} is a histogram, and this sample is none of its _bucket, _sum and _count",
            why="Nobody who reads the type looks for it, and histogram functions pass over it.",
            fix="Leave it out, or give it a name and a TYPE of its own.",
        )
        if self.syntax is Syntax.TEXT:
            self.broken = False

    def _key_of(self, batch: Batch, without: tuple[str, ...] = ()) -> Sequence[object]:
        keys = self.keys.of(batch, salt=self.name, without=without)
        if batch.timestamps is None:
            return keys
        return list(zip(keys, batch.timestamps, strict=True))

    def _buckets(self, batch: Batch) -> None:
        if "le" not in batch.labels:
            self._no_bound(batch, 0, "no le")
            return
        column = batch.columns[batch.labels.index("le")]
        known = {text: _number(text) for text in set(column)}
        bounds = list(map(known.__getitem__, column))
        if None in bounds:
            self._no_bound(
                batch, bounds.index(None), f'le="{column[bounds.index(None)][:40].decode(errors="replace")}"'
            )
        keys = self._key_of(batch, ("le",))
        at = 0
        for key, group in groupby(keys):
            count = sum(1 for _ in group)
            numbers = [bound for bound in bounds[at : at + count] if bound is not None]
            values = list(batch.values[at : at + count])
            if self.run is None or self.run[0] != key:
                self._end_run()
                self.run = (key, [], [], [batch.line_of(at)], batch.series_of(at))
            if len(numbers) == count:
                self.run[1].extend(numbers)
                self.run[2].extend(values)
            at += count

    def _no_bound(self, batch: Batch, index: int, what: str) -> None:
        self._complain(
            "bucket-without-bound",
            Severity.ERROR,
            batch.line_of(index),
            batch.series_of(index),
            f"a bucket of {self.name} with {what}, which is no bound",
            why="histogram_quantile() passes over it, and is wrong or NaN.",
            fix='Give each bucket its upper bound as a number, le="0.5", and one le="+Inf".',
        )

    def _end_run(self) -> None:
        """Look at the buckets of one series that stand together."""
        if self.run is None:
            return
        key, bounds, values, (line,), series = self.run
        self.run = None
        if not bounds:
            return
        one = self._series(key, line, series)
        if line < one.line:  # its count or sum was taken first: buckets stay open until the next series begins
            one.line, one.series = line, series
        if tuple(bounds) != self.bounds:
            self._other_bounds(one, bounds, line)
        if values != sorted(values) or math.isnan(sum(values)):
            self._not_cumulative(one, bounds, values, line)
        if bounds[-1] == math.inf:
            one.infinite = values[-1]
        elif math.inf in bounds:
            one.infinite = values[bounds.index(math.inf)]
        one.buckets = True
        one.negative = one.negative or bounds[0] < 0
        self._close_if_whole(key, one)

    def _other_bounds(self, one: _Series, bounds: list[float], line: int) -> None:
        if any(a >= b for a, b in pairwise(bounds)):
            self._complain(
                "buckets-out-of-order",
                Severity.WARNING,
                line,
                one.series,
                f"the bounds of {self.name} do not rise: {_listed(bounds)}",
                why="Both formats want buckets in the order of their bounds; strict readers drop the scrape.",
                fix="Write the buckets by rising le, +Inf last, each once.",
            )
            return
        if self.bounds is None:
            self.bounds, self.bounds_line = tuple(bounds), line
            return
        if bounds != list(self.bounds):
            broken = self.broken
            self._complain(
                "bucket-bounds-differ",
                Severity.WARNING,
                line,
                one.series,
                f"bounds {_listed(bounds)}, and the series on line {self.bounds_line} has {_listed(self.bounds)}",
                why="A sum over both by le is no histogram: a bucket that one lacks counts as 0 there, and quantiles "
                "are wrong.",
                fix="Give all series of a histogram the same bounds.",
            )
            self.broken = broken

    def _not_cumulative(self, one: _Series, bounds: list[float], values: list[float], line: int) -> None:
        at = next((i for i in range(1, len(values)) if not values[i] >= values[i - 1]), 0)
        before = f'{values[at - 1]:g} of le="{_bound(bounds[at - 1])}"' if at else "a number"
        self._complain(
            "buckets-not-cumulative",
            Severity.ERROR,
            line + at,
            one.series,
            f'the bucket le="{_bound(bounds[at])}" of {self.name} has {values[at]:g}, less than {before}',
            why="Each bucket counts all that the one before it counts. Quantiles of this are nonsense.",
            fix="Count each observation in every bucket whose bound is not below it; a client library does.",
        )

    def _totals(self, batch: Batch, part: str) -> None:
        for index, key in enumerate(self._key_of(batch)):
            one = self.open.get(key)
            if one is None:
                if len(self.open) >= MOST_OPEN:
                    return
                one = self._series(key, batch.line_of(index), batch.series_of(index))
            setattr(one, part, batch.values[index])
            self._close_if_whole(key, one)

    def _series(self, key: object, line: int, series: str) -> _Series:
        found = self.open.get(key)
        if found is None:
            found = _Series(series, line)
            if len(self.open) < MOST_OPEN:
                self.open[key] = found
        return found

    def _close_if_whole(self, key: object, one: _Series) -> None:
        if one.infinite is not None and one.count is not None and one.sum is not None:
            self.open.pop(key, None)
            self._close(one)

    def _close(self, one: _Series) -> None:
        if not one.buckets and one.infinite is None:
            self._without_buckets(one)
            return
        if one.infinite is None:
            self._complain(
                "no-infinite-bucket",
                Severity.ERROR,
                one.line,
                one.series,
                f'{self.name} has no bucket le="+Inf"',
                why="histogram_quantile() is NaN without it, and alerts on it never ring.",
                fix='Add the bucket le="+Inf", which counts every observation.',
            )
        elif one.count is not None and one.count != one.infinite:
            self._complain(
                "count-differs-from-buckets",
                Severity.ERROR,
                one.line,
                one.series,
                f'{self.name}_count is {one.count:g}, and its bucket le="+Inf" has {one.infinite:g}',
                why="Both count every observation. They differ if a scrape reads while a thread writes, or if two "
                "processes answer: then every number here is in doubt.",
                fix="Take one consistent copy of the histogram for a scrape.",
            )
        self._sum(one)

    def _sum(self, one: _Series) -> None:
        if one.count is None:
            self._incomplete(one, "_count")
        elif one.sum is None and not one.negative:
            self._incomplete(one, "_sum")
        elif one.sum is not None and math.isnan(one.sum):
            self.complaints.add(
                "sum-not-a-number",
                Severity.WARNING,
                one.line,
                one.series,
                f"{self.name}_sum is NaN",
                why="One observation was NaN: the sum stays NaN until the process restarts, and so does every average.",
                fix="Do not observe NaN.",
            )
        elif one.sum is not None and self.syntax is Syntax.OPENMETRICS:
            self._sign_of_sum(one, one.sum)

    def _sign_of_sum(self, one: _Series, total: float) -> None:
        if self.gauge and total < 0 and not one.negative:
            self._complain(
                "not-to-the-letter",
                Severity.WARNING,
                one.line,
                one.series,
                f"{self.name}_gsum is negative, and no bound is",
                why="Only what is below 0 makes a sum negative, and no bucket tells of it. OpenMetrics forbids it.",
                fix="Add bounds below 0, or mend the sum.",
            )
        elif one.negative and not self.gauge:
            self._complain(
                "not-to-the-letter",
                Severity.WARNING,
                one.line,
                one.series,
                f"{self.name} has bounds below 0, and a sum",
                why="Such a sum can fall, which rate() takes for a restart. OpenMetrics forbids it.",
                fix="Leave _sum out, and _count with it.",
            )

    def _incomplete(self, one: _Series, part: str) -> None:
        if part == "_count" and one.sum is None and one.negative:
            return
        if part == "_count" and one.sum is None and self.syntax is Syntax.OPENMETRICS:
            return
        # The text format lists what a histogram has, and says of none but +Inf that it must.
        self.broken = self.broken or self.syntax is Syntax.OPENMETRICS
        self.complaints.add(
            "histogram-incomplete",
            Severity.WARNING,
            one.line,
            one.series,
            f"{self.name} has no {part} here",
            why="Rates and averages are computed from _count and _sum.",
            fix=f"Expose {self.name}{part} with the same labels.",
        )

    def _without_buckets(self, one: _Series) -> None:
        self._complain(
            "no-infinite-bucket",
            Severity.ERROR,
            one.line,
            one.series,
            f"{self.name} is a histogram without a bucket here",
            why="histogram_quantile() has nothing to compute from, and alerts on it never ring.",
            fix='Expose its buckets, le="+Inf" at least, or call it a summary.',
        )


@lru_cache(maxsize=10_000)
def _number(text: bytes) -> float | None:
    value = number_of(text)
    return None if value is None or math.isnan(value) else value


def _bound(bound: float) -> str:
    return "+Inf" if bound == math.inf else f"{bound:g}"


def _listed(bounds: Sequence[float]) -> str:
    shown = ", ".join(_bound(bound) for bound in bounds[:12])
    return f"{shown}, ..." if len(bounds) > 12 else shown
