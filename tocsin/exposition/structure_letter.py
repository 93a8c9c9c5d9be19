"""OpenMetrics 1.0 to the letter, where it is about more than one line: what may follow what, and names that clash.

(OpenMetrics 1.0, "Overall Structure", "MetricFamily", "Metric Types".)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.entries import Entry, Kind
from tocsin.artefacts.exposition.numbers import number_of
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.exposition.structure_families import SUFFIXES
from tocsin.exposition.structure_keys import Keys
from tocsin.finding import Severity

_COUNTING = ("_total", "_count", "_bucket", "_gcount", "_sum")
_MOST_REMEMBERED = 300_000
"""Names of a body, and metrics of a family, that are remembered; what comes back after more is not noticed."""
_MOST_OF_AN_EXEMPLAR = 128
"""Characters in the names and values of an exemplar's labels."""


@dataclass(slots=True)
class _Open:
    """The family that is being read."""

    name: str
    line: int
    type: str = "unknown"
    allowed: frozenset[str] = frozenset()
    given: set[Kind] = field(default_factory=set)
    unit: str = ""
    samples: int = 0
    seen: set[object] = field(default_factory=set)
    group: object = None
    time: float | None = None


class Letter:
    """Follows a body in OpenMetrics, entry by entry."""

    def __init__(self, complaints: Complaints, keys: Keys) -> None:
        self.complaints = complaints
        self.keys = keys
        self.open: _Open | None = None
        self.names: set[str] = set()
        self.broken = False

    def metadata(self, entry: Entry, line: int) -> None:
        """Take a line with HELP, TYPE or UNIT."""
        one = self.open
        if one is None or one.name != entry.name:
            one = self._next(entry.name, line)
        elif one.samples:
            self._complain(
                line, one.name, f"{entry.kind.value} of {one.name} behind its samples", "Write it before them."
            )
        if entry.kind in one.given:
            self.broken = True  # told as family-repeated
        one.given.add(entry.kind)
        if entry.kind is Kind.TYPE:
            one.type = entry.text
            endings = SUFFIXES[Syntax.OPENMETRICS].get(entry.text, ("",))
            one.allowed = frozenset(
                one.name + ending for ending in (*endings, *([""] if entry.text == "summary" else []))
            )
        elif entry.kind is Kind.UNIT:
            one.unit = entry.text

    def _next(self, name: str, line: int) -> _Open:
        self.finish()
        self.open = _Open(name, line, allowed=frozenset([name]))
        return self.open

    def finish(self) -> None:
        """Look at a family that is read, and at its name."""
        one, self.open = self.open, None
        if one is None:
            return
        names = {one.name, *(one.name + ending for ending in SUFFIXES[Syntax.OPENMETRICS].get(one.type, ()))}
        clash = names & self.names
        if clash:
            self._complain(
                one.line,
                one.name,
                f"the name {min(clash)} is taken by a metric further up",
                "Give each family a name that no other family's samples have, and write each family once.",
            )
        if len(self.names) < _MOST_REMEMBERED:
            self.names |= names
        if one.unit and one.type in {"info", "stateset"}:
            self._complain(
                one.line, one.name, f"{one.name} is of type {one.type}, which has no unit", "Leave # UNIT out."
            )

    def take(self, batch: Batch) -> None:
        """Take samples of one name that stand together."""
        one = self.open
        if one is None or batch.name not in one.allowed:
            one = self._next(batch.name, batch.line_of(0))
        one.samples += len(batch.values)
        part = batch.name[len(one.name) :]
        self._labels(one, part, batch)
        self._values(one, part, batch)
        self._groups(one, batch)
        if batch.exemplar is not None:
            self._exemplar(one, part, batch)

    def _complain(self, line: int, series: str, message: str, fix: str) -> None:
        self.broken = True
        self.complaints.add(
            "not-to-the-letter",
            Severity.WARNING,
            line,
            series,
            message,
            why="OpenMetrics 1.0 forbids it: a strict reader drops the whole scrape. Prometheus keeps it.",
            fix=fix,
        )

    def _labels(self, one: _Open, part: str, batch: Batch) -> None:
        label = "le" if part == "_bucket" else "quantile" if one.type == "summary" and not part else None
        if label is None or label not in batch.labels:
            return
        for text in set(batch.columns[batch.labels.index(label)]):
            if number_of(text) == math.inf and text != b"+Inf":
                self._complain(batch.line_of(0), batch.name, f'{label}="{text.decode()}"', 'Write "+Inf".')

    def _values(self, one: _Open, part: str, batch: Batch) -> None:
        values = batch.values
        wrong = ""
        if one.type == "info" and set(values) != {1}:
            wrong = "an info metric is 1"
        elif part in {*_COUNTING, "_gsum"} and math.isnan(sum(values)) and any(map(math.isnan, values)):
            wrong = f"{part} is no NaN"
        elif part in _COUNTING and min(values) < 0:
            wrong = f"{part} is not negative"
        elif part in {"_bucket", "_count", "_gcount"} and not all(float(value).is_integer() for value in values):
            wrong = f"{part} is a whole number"
        elif one.type == "summary" and not part and min(values) < 0:
            wrong = "a quantile is not negative"
        if wrong:
            self._complain(
                batch.line_of(0), batch.series_of(0), f"{batch.name}: {wrong}", "Expose what the type promises."
            )

    def _keys(self, one: _Open, batch: Batch) -> Sequence[object]:
        """Return which metric of the family each sample is of."""
        if one.type == "info":
            return [0] * len(batch.values)
        without = ""
        if one.type in {"histogram", "gaugehistogram"} and batch.name == f"{one.name}_bucket":
            without = "le"
        elif one.type == "summary" and batch.name == one.name:
            without = "quantile"
        elif one.type == "stateset":
            without = one.name
        return self.keys.of(batch, salt="", without=(without,))

    def _groups(self, one: _Open, batch: Batch) -> None:
        times: Sequence[float | None] = batch.timestamps or [None] * len(batch.values)
        for index, (key, time) in enumerate(zip(self._keys(one, batch), times, strict=True)):
            if key == one.group:
                if (time is None) != (one.time is None):
                    self.broken = True  # told as timestamps-mixed
                elif time is not None and one.time is not None and time < one.time and one.type != "info":
                    self._complain(
                        batch.line_of(index),
                        batch.series_of(index),
                        "its timestamp is before the one above",
                        "Write the points of a metric by rising time.",
                    )
            elif key in one.seen:
                self._complain(
                    batch.line_of(index),
                    batch.series_of(index),
                    f"{one.name}: samples of one metric are not together",
                    "Write all samples with the same labels one behind the other.",
                )
            elif len(one.seen) < _MOST_REMEMBERED:
                one.seen.add(key)
            one.group, one.time = key, time

    def _exemplar(self, one: _Open, part: str, batch: Batch) -> None:
        if batch.exemplar is None:
            return
        if not (one.type in {"histogram", "gaugehistogram"} and part == "_bucket") and not (
            one.type == "counter" and part == "_total"
        ):
            self._complain(
                batch.line_of(0),
                batch.series_of(0),
                "an exemplar at a sample that may have none",
                "Only a counter's _total and the buckets of a histogram have exemplars.",
            )
        length = sum(len(name) + len(value) for name, value in batch.exemplar.labels)
        if length > _MOST_OF_AN_EXEMPLAR:
            self._complain(
                batch.line_of(0),
                batch.series_of(0),
                f"an exemplar's labels have {length} characters, more than 128",
                "Keep to a trace_id and a span_id.",
            )
        if part == "_bucket" and "le" in batch.labels:
            bound = number_of(batch.columns[batch.labels.index("le")][0])
            if bound is not None and batch.exemplar.value > bound:
                self.complaints.add(
                    "exemplar-outside-bucket",
                    Severity.WARNING,
                    batch.line_of(0),
                    batch.series_of(0),
                    f"the exemplar is {batch.exemplar.value:g}, above the bucket's bound {bound:g}",
                    why="It leads to a trace that this bucket did not count.",
                    fix="Show an exemplar in the bucket it fell in.",
                )
