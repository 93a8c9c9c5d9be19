"""Values and timestamps against what the type promises, within one scrape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.numbers import number_of
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.finding import Severity

EXACT = 2.0**53
"""Up to here a float tells whole numbers apart."""
NEAR_SECONDS = 600.0
"""A sample that is further from the scrape is refused by the server, or soon stale (head_append.go: out of bounds)."""
_LOST = "Prometheus keeps the scrape, up is 1, and drops these samples as out of bounds: nothing alerts."
_NO_TIME = "Leave the timestamp out: the server takes the time of the scrape."


class Values:
    """Looks at values and timestamps."""

    def __init__(self, syntax: Syntax, complaints: Complaints, now: float) -> None:
        self.syntax = syntax
        self.complaints = complaints
        self.now = now
        self.timed = 0
        """Samples with a timestamp."""
        self.first_timed: tuple[int, str] | None = None
        self.broken = False
        """Something is there that the format forbids."""

    def take(self, type_: str, family: str, batch: Batch) -> None:
        """Look at some samples of a family."""
        part = batch.name.removeprefix(family)
        counts = part != "_created" if type_ == "counter" else part in {"_bucket", "_count"}
        if counts and type_ in {"counter", "histogram", "summary"}:
            self._counter(batch)
        if type_ == "summary" and not part:
            self._quantiles(batch)
        elif type_ == "stateset":
            self._stateset(family, batch)
        if batch.timestamps is not None:
            self._times(batch, batch.timestamps)

    def _first(self, batch: Batch, wrong: Callable[[float], bool]) -> int | None:
        return next((index for index, value in enumerate(batch.values) if wrong(value)), None)

    def _counter(self, batch: Batch) -> None:
        least, most = min(batch.values), max(batch.values)
        if least >= 0 and most <= EXACT and sum(batch.values) >= 0:
            return
        at = self._first(batch, lambda value: value < 0)
        if at is not None:
            self._broken_counter(
                "counter-negative",
                batch,
                at,
                "A counter starts at 0 and rises; rate() takes each fall for a restart, and invents what it adds.",
                "Only add to a counter, or call it a gauge.",
            )
        at = self._first(batch, math.isnan)
        if at is not None:
            self._broken_counter(
                "counter-not-a-number",
                batch,
                at,
                "Every rate over it is NaN, and no alert on it rings.",
                "Do not add NaN to a counter; it stays NaN until the process restarts.",
            )
        at = self._first(batch, lambda value: value > EXACT)
        if at is not None:
            self.complaints.add(
                "counter-beyond-exact",
                Severity.WARNING,
                batch.line_of(at),
                batch.series_of(at),
                f"{batch.name} is {batch.values[at]:g}, more than 2^53",
                why="From there on a float does not tell a number from the next one: small additions are lost.",
                fix="Count in a larger unit, or look for a number that is no count: a time in nanoseconds, an id.",
            )

    def _broken_counter(self, check: str, batch: Batch, at: int, why: str, fix: str) -> None:
        self.broken = self.broken or self.syntax is Syntax.OPENMETRICS
        message = f"{batch.name} counts, and is {batch.values[at]:g}"
        self.complaints.add(check, Severity.ERROR, batch.line_of(at), batch.series_of(at), message, why=why, fix=fix)

    def _quantiles(self, batch: Batch) -> None:
        at, what = self._bad_quantile(batch)
        if at is None:
            return
        self.broken = True
        self.complaints.add(
            "quantile-out-of-range",
            Severity.ERROR,
            batch.line_of(at),
            batch.series_of(at),
            f"a sample of the summary {batch.name} with {what}",
            why="A quantile is a share between 0 and 1 of the observations: 0.99, not 99. Queries for it find nothing.",
            fix='Write quantile="0.99"; only _sum and _count of a summary have no quantile.',
        )

    @staticmethod
    def _bad_quantile(batch: Batch) -> tuple[int | None, str]:
        if "quantile" not in batch.labels:
            return 0, "no quantile"
        column = batch.columns[batch.labels.index("quantile")]
        for text in set(column):
            value = number_of(text)
            if value is None or not 0 <= value <= 1:
                return list(column).index(text), f'quantile="{text[:40].decode(errors="replace")}"'
        return None, ""

    def _stateset(self, family: str, batch: Batch) -> None:
        if set(batch.values) <= {0, 1} and family in batch.labels:
            return
        self.broken = True
        at = self._first(batch, lambda value: value not in (0, 1)) or 0
        message = f"{family} is a stateset: each sample is 0 or 1 and has its state in the label {family}"
        self.complaints.add(
            "stateset-broken",
            Severity.ERROR,
            batch.line_of(at),
            batch.series_of(at),
            message,
            why="Queries for a state compare with 1, and find none.",
            fix="Expose 1 for the states that hold, and 0 for others.",
        )

    def _times(self, batch: Batch, times: Sequence[float | None]) -> None:
        unit = "milliseconds" if self.syntax is Syntax.TEXT else "seconds"
        for index, time in enumerate(times):
            if time is None:
                continue
            self.timed += 1
            if self.first_timed is None:
                self.first_timed = (batch.line_of(index), batch.series_of(index))
            if abs(time - self.now) <= NEAR_SECONDS:
                continue
            written = time * 1000 if self.syntax is Syntax.TEXT else time
            check, what, fix = self._wrong_time(written, time, unit)
            if self.complaints.full(check):
                self.complaints.counts[check] += 1
                continue
            self.complaints.add(
                check, Severity.ERROR, batch.line_of(index), batch.series_of(index), what, why=_LOST, fix=fix
            )

    def _wrong_time(self, written: float, time: float, unit: str) -> tuple[str, str, str]:
        if time == 0:
            return "timestamp-zero", "the timestamp is 0: the year 1970", _NO_TIME
        for other, scale in (("seconds", 1.0), ("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)):
            if other != unit and abs(written / scale - self.now) < 10 * 365 * 86_400:
                return (
                    "timestamp-in-other-unit",
                    f"the timestamp {written:.15g} is in {other}, and the format has {unit}",
                    f"Write {unit}, or better: l{_NO_TIME[1:]}",
                )
        far = f"{abs(time - self.now):,.0f} s {'before' if time < self.now else 'after'} the scrape"
        return "timestamp-far-away", f"the timestamp {written:.15g} is {far}", _NO_TIME

    def finish(self, samples: int) -> None:
        """Tell of timestamps as such, once the body is read."""
        if self.first_timed is None:
            return
        line, series = self.first_timed
        how = "every sample has" if self.timed == samples else f"{self.timed:,} of {samples:,} samples have"
        self.complaints.add(
            "explicit-timestamps",
            Severity.WARNING,
            line,
            series,
            f"{how} a timestamp of its own",
            why="Staleness is off for such series: once the target is gone they live on for 5 minutes, and alerts with "
            "them. A clock that goes wrong, or a cache that stands still, loses samples without a word.",
            fix=_NO_TIME,
        )
