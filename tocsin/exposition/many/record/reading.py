"""The scrapes of a record as snapshots, each read once, and their series by name where a finding needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import fsum

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.stream import read
from tocsin.exposition.many.record.scrapes import Counter, Scrape
from tocsin.exposition.many.record.snapshot import Snapshot, snapshot
from tocsin.exposition.sense.vocabulary.quoting import value_of
from tocsin.exposition.structure_keys import Keys

MOST_VALUES = 10_000
"""Distinct values of one label that are told apart."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series by its name and labels, as a body spells them."""

    name: str
    labels: Mapping[str, str]
    value: float

    @property
    def selector(self) -> str:
        """As it can be shown: values that are secrets are not told."""
        pairs = ",".join(f'{label}="{_escaped(value_of(label, text))}"' for label, text in self.labels.items())
        return f"{self.name}{{{pairs}}}" if pairs else self.name


@dataclass(slots=True)
class Values:
    """The distinct values of each label of some names."""

    labels: dict[str, set[bytes]] = field(default_factory=dict)
    series: int = 0

    @property
    def product(self) -> int:
        """How many series there are once every value has met every other."""
        made = 1
        for values in self.labels.values():
            made *= max(1, len(values))
        return made


class Reading:
    """What is known of a record's scrapes; a body is read again where a number has to be given its name back."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Scrape, Snapshot]] = {}
        self._last: Snapshot | None = None

    def of(self, scrape: Scrape) -> Snapshot:
        """Return what is kept of a scrape."""
        if id(scrape) not in self._known:
            self._last = snapshot(scrape, like=self._last)
            self._known[id(scrape)] = (scrape, self._last)
        return self._known[id(scrape)][1]

    def spelled(self, scrape: Scrape, keys: Collection[int]) -> dict[int, Series]:
        """Return the series of a scrape that some keys stand for."""
        found: dict[int, Series] = {}
        made = Keys()
        for batch in _batches(scrape) if keys else ():
            for place, key in enumerate(made.of(batch, salt=batch.name)):
                if key in keys and key not in found:
                    found[key] = _series(batch, place)
                    if len(found) == len(keys):
                        return found
        return found

    def values(self, scrape: Scrape, names: Collection[str], family: str = "") -> Values:
        """Return the distinct values of the labels of some names, or of all names that `family` stands for."""
        found = Values()
        for batch in _batches(scrape):
            if batch.name in names or (family and stem(batch.name, self.of(scrape)) == family):
                found.series += len(batch.values)
                for label, column in zip(batch.labels, batch.columns, strict=True):
                    known = found.labels.setdefault(label, set())
                    if len(known) < MOST_VALUES:
                        known.update(text for text in column if text)
        return found

    def sum(self, scrape: Scrape, counter: Counter) -> float | None:
        """Return the sum of a counter's series; None if there is none."""
        names = {counter.metric, f"{counter.metric}_total"}
        wanted = {label: text.encode() for label, text in counter.labels.items()}
        found: dict[str, list[float]] = {}
        for batch in _batches(scrape):
            if batch.name in names and (wanted.keys() <= {*batch.labels}):
                columns = [(batch.columns[batch.labels.index(label)], text) for label, text in wanted.items()]
                found.setdefault(batch.name, []).extend(
                    value
                    for place, value in enumerate(batch.values)
                    if all(column[place] == text for column, text in columns)
                )
        values = found.get(counter.metric) or found.get(f"{counter.metric}_total")
        return fsum(values) if values else None


def key_of(name: str, labels: Mapping[str, str]) -> int:
    """Return the key of a series."""
    columns = tuple((text.encode(errors="surrogatepass"),) for text in labels.values())
    return Keys().of(Batch(name, tuple(labels), columns, (0.0,), [(0, 1)]), salt=name)[0]


def stem(name: str, taken: Snapshot) -> str:
    """Return the family that a sample's name belongs to."""
    if name in taken.families:
        return name
    for suffix in ("_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum"):
        if name.endswith(suffix) and name.removesuffix(suffix) in taken.families:
            return name.removesuffix(suffix)
    return name


def _batches(scrape: Scrape) -> Iterator[Batch]:
    for step in read(scrape.chunks(), scrape.syntax):
        if step.stretch is not None:
            yield from step.stretch.batches


def _series(batch: Batch, place: int) -> Series:
    labels = {
        label: column[place].decode(errors="replace")
        for label, column in zip(batch.labels, batch.columns, strict=True)
        if column[place]
    }
    return Series(batch.name, labels, batch.values[place])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
