"""What is kept of one scrape among many: for each series a number that stands for it, and its value."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf, isnan, nan

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.entries import Entry, Kind
from tocsin.artefacts.exposition.numbers import number_of
from tocsin.artefacts.exposition.stream import read
from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.many.record.scrapes import Scrape
from tocsin.exposition.structure_keys import Keys

MOST_SERIES = 1_000_000
"""So many series of one scrape are kept; at 17 bytes each, and 8 for every further scrape that has the same."""
MOST_TORN = 20
"""So many torn histograms of one scrape are kept."""
START = "process_start_time_seconds"
_OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


class Meaning(IntEnum):
    """What a fall of a series' value means."""

    VALUE = 0
    """Nothing: it goes up and down."""
    COUNTER = 1
    """A reset."""
    CREATED = 2
    """A moment of creation."""


@dataclass(slots=True)
class Metadata:
    """What a family's TYPE, HELP and UNIT say; None where there is none."""

    type: str | None = None
    help: str | None = None
    unit: str | None = None


@dataclass(slots=True)
class Shape:
    """The series of a scrape, in the order of the body."""

    keys: array[int] = field(default_factory=lambda: array("q"))
    meanings: bytearray = field(default_factory=bytearray)
    names: dict[str, int] = field(default_factory=dict)
    """How many series each name has."""


@dataclass(slots=True)
class Snapshot:
    """What is kept of a scrape."""

    shape: Shape = field(default_factory=Shape)
    values: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] | None = None
    """Timestamps of the samples in seconds, NaN where one has none; None if no sample has one."""
    families: dict[str, Metadata] = field(default_factory=dict)
    start: float | None = None
    """When the process says that it started, in seconds since 1970."""
    torn: list[tuple[str, str]] = field(default_factory=list)
    """Histograms whose parts contradict each other: a selector, and how."""
    whole_histograms: int = 0
    more: bool = False
    """There were more than MOST_SERIES."""
    problem: str = ""
    """Why the newest server drops the scrape."""

    def by_key(self) -> dict[int, float]:
        """Return the value of each series; made anew each time, for it takes ten times what is kept."""
        return dict(zip(self.shape.keys, self.values, strict=True))


def meaning_of(name: str, types: Mapping[str, Metadata], negative: Iterable[str] = ()) -> Meaning:
    """Return what a fall of the samples of a name means; `negative` are histograms with bounds below 0."""
    own = types.get(name)
    if name.endswith("_created"):
        return Meaning.CREATED
    if own is not None and own.type == "counter":
        return Meaning.COUNTER
    for suffix in _OF_HISTOGRAMS:
        stem = name.removesuffix(suffix)
        kind = types[stem].type if stem != name and stem in types else None
        if kind == "histogram" or (kind == "summary" and suffix != "_bucket"):
            return Meaning.VALUE if suffix == "_sum" and stem in negative else Meaning.COUNTER
    if name.endswith("_total"):
        said = types.get(name.removesuffix("_total"), own)
        return Meaning.COUNTER if said is None or said.type in {None, "counter"} else Meaning.VALUE
    return Meaning.VALUE


def snapshot(scrape: Scrape, *, like: Snapshot | None = None) -> Snapshot:
    """Read a scrape; a shape that is that of `like` is shared with it. Raises OSError if its file cannot be read."""
    taking = _Taking()
    for step in read(scrape.chunks(), scrape.syntax):
        if not taking.found.problem:
            refused = [p for p in step.problems if Generation.V3_5 in p.refused | p.crashed]
            taking.found.problem = f"line {refused[0].line}: {refused[0].message}" if refused else ""
        if step.entry is not None:
            taking.describe(step.entry)
        if step.stretch is not None:
            for batch in step.stretch.batches:
                taking.take(batch)
    found = taking.done()
    if like is not None and like.shape.keys == found.shape.keys and like.shape.meanings == found.shape.meanings:
        found.shape = like.shape
    return found


class _Taking:
    """The state of reading one scrape."""

    def __init__(self) -> None:
        self.found = Snapshot()
        self.keys = Keys()
        self.negative: set[str] = set()
        self.histograms = _Histograms()

    def describe(self, entry: Entry) -> None:
        if entry.kind not in {Kind.TYPE, Kind.HELP, Kind.UNIT}:
            return
        known = self.found.families.setdefault(entry.name, Metadata())
        setattr(known, entry.kind.value.lower(), entry.text)

    def take(self, batch: Batch) -> None:
        found, shape = self.found, self.found.shape
        room = MOST_SERIES - len(shape.keys)
        found.more = found.more or len(batch.values) > room
        if room <= 0:
            return
        count = min(room, len(batch.values))
        self._histogram(batch)
        before = len(shape.keys)
        shape.keys.extend(self.keys.of(batch, salt=batch.name)[:count])
        shape.meanings.extend(bytes([meaning_of(batch.name, found.families, self.negative)]) * count)
        shape.names[batch.name] = shape.names.get(batch.name, 0) + count
        found.values.extend(batch.values[:count])
        if batch.timestamps is not None and found.times is None:
            found.times = array("d", [nan]) * before
        if found.times is not None:
            times = batch.timestamps or (None,) * count
            found.times.extend(nan if time is None else time for time in times[:count])
        if not batch.labels and batch.name.endswith(START):
            found.start = batch.values[0]

    def _histogram(self, batch: Batch) -> None:
        for suffix in ("_bucket", "_count"):
            stem = batch.name.removesuffix(suffix)
            known = self.found.families.get(stem)
            if stem == batch.name or known is None or known.type != "histogram":
                continue
            if suffix == "_count":
                self.histograms.count(batch, self.keys.of(batch, salt=stem))
            elif "le" in batch.labels:
                bounds = [nan if (bound := number_of(text)) is None else bound for text in _column(batch, "le")]
                if any(bound < 0 for bound in bounds):
                    self.negative.add(stem)
                self.histograms.buckets(batch, self.keys.of(batch, salt=stem, without=("le",)), bounds)

    def done(self) -> Snapshot:
        self.found.torn, self.found.whole_histograms = self.histograms.done()
        return self.found


def _column(batch: Batch, label: str) -> Sequence[bytes]:
    return batch.columns[batch.labels.index(label)]


class _Histograms:
    """The histograms of one scrape, by what their labels but `le` are."""

    def __init__(self) -> None:
        self.last: dict[int, tuple[float, float]] = {}
        """The last bucket of each: bound and value."""
        self.all: dict[int, float] = {}
        """The bucket of everything."""
        self.torn: dict[int, tuple[str, str]] = {}

    def buckets(self, batch: Batch, keys: list[int], bounds: list[float]) -> None:
        """Take buckets; one that is less than a smaller bucket of its histogram was read at another moment."""
        for place, (key, bound, value) in enumerate(zip(keys, bounds, batch.values, strict=True)):
            below, less = self.last.get(key, (-inf, -inf))
            if bound > below:
                if value < less:
                    self._tear(key, batch, place, f"the bucket is {value:g}, and the one below it {less:g}")
                self.last[key] = (bound, value)
            if bound == inf:
                self.all[key] = value

    def count(self, batch: Batch, keys: list[int]) -> None:
        """Take counts, each of which must be the bucket of everything."""
        for place, (key, value) in enumerate(zip(keys, batch.values, strict=True)):
            whole = self.all.get(key)
            if whole is not None and whole != value and not isnan(value):
                self._tear(key, batch, place, f"_count is {value:g}, and the bucket of +Inf {whole:g}")

    def _tear(self, key: int, batch: Batch, place: int, how: str) -> None:
        if len(self.torn) < MOST_TORN:
            self.torn.setdefault(key, (batch.series_of(place), how))

    def done(self) -> tuple[list[tuple[str, str]], int]:
        """Return those that are torn, and how many there are in all."""
        return list(self.torn.values()), len(self.all)
