"""What is kept of one body: its families, names and labels, bounded whatever the body is."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.syntax import Syntax

MOST_VALUES = 1_000
"""Distinct values kept of one label of one name."""
MOST_FIRST = 400
"""Characters kept of a name's first sample."""
MOST_FAMILIES = 5_000
"""Kept of a body; a real one has some hundreds, and a few thousand at most."""
MOST_NAMES = 3 * MOST_FAMILIES
MOST_LABELS = 30_000
"""Kept of all names together."""
MOST_LABELS_OF_A_NAME = 300
"""Kept of one name; labels that are made from data grow without end."""
MOST_CHARACTERS = 4_000_000
"""Of all label values and help texts together."""
MOST_VALUES_OF_ALL = 100_000
"""Label values kept of a body; beyond that, the first value of each label."""
MOST_OF_A_TEXT = 1_000
"""Characters kept of one label value or help text."""


@dataclass(slots=True)
class LabelDigest:
    """What one name's samples have in one label."""

    values: dict[str, int] = field(default_factory=dict)
    """Distinct values, each with the line that it first stands on; at most MOST_VALUES, and fewer in a huge body."""
    more: bool = False
    """There were more than are kept."""
    series: int = 0
    """How many samples carry the label."""


@dataclass(slots=True)
class NameDigest:
    """The samples of one name, as `http_request_duration_seconds_bucket`."""

    name: str
    line: int
    """Of the first sample."""
    count: int = 0
    labels: dict[str, LabelDigest] = field(default_factory=dict)
    minimum: float = math.inf
    """NaN is not looked at."""
    maximum: float = -math.inf
    first: str = ""
    """The first sample's line."""
    exemplars: int = 0
    """Samples with an exemplar."""
    timestamps: int = 0
    """Samples with a timestamp of their own."""


@dataclass(slots=True)
class FamilyDigest:
    """A metric family: what its HELP, TYPE and UNIT say, and the names of its samples."""

    name: str
    type: str = "unknown"
    declared: bool = False
    """It has a TYPE."""
    help: str | None = None
    unit: str | None = None
    help_line: int = 0
    type_line: int = 0
    line: int = 0
    """Where it is first mentioned."""
    names: dict[str, NameDigest] = field(default_factory=dict)


@dataclass(slots=True)
class Digest:
    """What is kept of a body."""

    syntax: Syntax
    families: dict[str, FamilyDigest] = field(default_factory=dict)
    """At most MOST_FAMILIES."""
    samples: int = 0
    bytes: int = 0
    more: bool = False
    """There were more families, or names, than are kept."""


class Digesting:
    """Makes a digest, batch by batch, within its bounds."""

    def __init__(self, digest: Digest) -> None:
        self.digest = digest
        self.names = 0
        self.labels = 0
        self.values = 0
        self.characters = 0

    def family(self, name: str, line: int) -> FamilyDigest | None:
        """Return the digest of a family; None if there are too many."""
        found = self.digest.families.get(name)
        if found is None:
            if len(self.digest.families) >= MOST_FAMILIES:
                self.digest.more = True
                return None
            found = self.digest.families[name] = FamilyDigest(name, line=line)
        return found

    def text(self, text: str) -> str:
        """Return a text as it is kept."""
        kept = text if self.characters < MOST_CHARACTERS else ""
        kept = kept[:MOST_OF_A_TEXT]
        self.characters += len(kept)
        return kept

    def take(self, family: FamilyDigest | None, batch: Batch) -> None:
        """Keep what matters of some samples."""
        self.digest.samples += len(batch.values)
        if family is None:
            return
        name = family.names.get(batch.name)
        if name is None:
            if self.names >= MOST_NAMES:
                self.digest.more = True
                return
            self.names += 1
            first = batch.first.decode(errors="replace")[:MOST_FIRST]
            name = family.names[batch.name] = NameDigest(batch.name, batch.line_of(0), first=first)
        name.count += len(batch.values)
        self._values(name, batch)
        if batch.timestamps is not None:
            name.timestamps += sum(1 for time in batch.timestamps if time is not None)
        if batch.exemplar is not None:
            name.exemplars += 1
        for label, column in zip(batch.labels, batch.columns, strict=True):
            self._label(name, label, column, batch)

    @staticmethod
    def _values(name: NameDigest, batch: Batch) -> None:
        least, most = min(batch.values), max(batch.values)
        if least != least or most != most:  # noqa: PLR0124 NaN alone is not itself
            numbers = [value for value in batch.values if not math.isnan(value)]
            least, most = min(numbers, default=math.inf), max(numbers, default=-math.inf)
        name.minimum, name.maximum = min(name.minimum, least), max(name.maximum, most)

    def _label(self, name: NameDigest, label: str, column: Sequence[bytes], batch: Batch) -> None:
        kept = name.labels.get(label)
        if kept is None:
            if self.labels >= MOST_LABELS or len(name.labels) >= MOST_LABELS_OF_A_NAME:
                self.digest.more = True
                return
            self.labels += 1
            kept = name.labels[label] = LabelDigest()
        distinct = set(column)
        kept.series += len(column)
        if b"" in distinct:
            kept.series -= column.count(b"")
            distinct.discard(b"")
        if kept.more:
            return
        new = {value: value.decode(errors="replace")[:MOST_OF_A_TEXT] for value in distinct}
        new = {value: text for value, text in new.items() if text not in kept.values}
        if not new:
            return
        room = min(MOST_VALUES - len(kept.values), MOST_VALUES_OF_ALL - self.values)
        if self.characters > MOST_CHARACTERS:
            room = 0
        room = max(room, 0 if kept.values else 1)
        kept.more = len(new) > room
        for value, line in self._in_order(column, new, room, batch):
            kept.values.setdefault(new[value], line)
            self.values += 1
            self.characters += len(new[value])

    @staticmethod
    def _in_order(
        column: Sequence[bytes], new: Collection[bytes], room: int, batch: Batch
    ) -> Iterator[tuple[bytes, int]]:
        """Yield the first of the new values, each with the line that it first stands on."""
        left = min(room, len(new))
        seen: set[bytes] = set()
        for index, value in enumerate(column):
            if not left:
                return
            if value in new and value not in seen:
                seen.add(value)
                left -= 1
                yield value, batch.line_of(index)
