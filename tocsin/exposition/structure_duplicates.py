"""The same series twice in one scrape."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.exposition.digest import MOST_NAMES
from tocsin.exposition.structure_keys import Keys
from tocsin.finding import Severity

AT_ONCE = 1 << 18
"""Keys that are kept in sets, some 70 bytes each; of names that have more, they are compared once the body is read."""
CHECK = "duplicate-series"


class _Name:
    """The keys of one name's samples, 8 bytes each, and where they stand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.keys = array("q")
        self.seen: set[int] | None = None
        """The keys as a set, once the name has come back."""
        self.deferred: int | None = None
        """From this index on they are too many for that, and are looked at when the body is read."""
        self.starts, self.lines = array("I"), array("I")
        """For each run of lines, its index in `keys` and its first line."""

    def add(self, batch: Batch, keys: list[int]) -> None:
        """Keep the keys of a batch."""
        index = len(self.keys)
        for line, count in batch.runs:
            if not self.starts or line - self.lines[-1] != index - self.starts[-1]:
                self.starts.append(index)
                self.lines.append(line)
            index += count
        self.keys.extend(keys)

    def line_of(self, index: int) -> int:
        """Return the line of a sample by its index."""
        run = bisect_right(self.starts, index) - 1
        return self.lines[run] + index - self.starts[run]


class Duplicates:
    """Finds series that are there twice, in about 8 bytes a sample."""

    def __init__(self, syntax: Syntax, complaints: Complaints, keys: Keys) -> None:
        self.syntax = syntax
        self.complaints = complaints
        self.keys = keys
        self.found = False
        self.names: dict[str, _Name] = {}
        self.others = _Name("")
        """Of all names that are too many to keep apart."""
        self.in_sets = 0

    def take(self, batch: Batch) -> None:
        """Look at the samples of a batch."""
        keys = self.keys.of(batch, salt=batch.name)
        if batch.timestamps is not None:
            # The same series at another time is another sample, which the server keeps.
            keys = [hash((key, time)) for key, time in zip(keys, batch.timestamps, strict=True)]
        name = self._name(batch.name)
        new = set(keys)
        before = self._before(name, len(new))
        if name.deferred is None and (len(new) < len(keys) or not new.isdisjoint(before)):
            self._tell(name, batch, keys, before)
        if name.seen is not None:
            self.in_sets += len(new)
            name.seen |= new
        name.add(batch, keys)

    def _name(self, name: str) -> _Name:
        found = self.names.get(name)
        if found is None:
            if len(self.names) >= MOST_NAMES:
                return self.others
            found = self.names[name] = _Name(name)
        return found

    def _before(self, name: _Name, more: int) -> set[int]:
        """Return the keys that a name has so far; none if they are looked at later."""
        if name.deferred is not None or not name.keys:
            return set()
        held = 0 if name.seen is None else len(name.seen)
        if self.in_sets - held + len(name.keys) + more > AT_ONCE:
            name.deferred = len(name.keys)
            name.seen = None
            self.in_sets -= held
            return set()
        if name.seen is None:
            name.seen = set(name.keys)
            self.in_sets += len(name.seen)
        return name.seen

    def _tell(self, name: _Name, batch: Batch, keys: list[int], before: set[int]) -> None:
        # In OpenMetrics points of one time may have been apart before their time was rounded.
        self.found = self.found or batch.timestamps is None or self.syntax is Syntax.TEXT
        here: dict[int, int] = {}
        for index, key in enumerate(keys):
            first = here.setdefault(key, index)
            if first == index and key not in before:
                continue
            if self.complaints.full(CHECK):
                self.complaints.counts[CHECK] += 1
                continue
            line = batch.line_of(first) if first != index else name.line_of(name.keys.index(key))
            self._complain(batch.line_of(index), batch.series_of(index), line)

    def _complain(self, line: int, series: str, first: int) -> None:
        self.complaints.add(
            CHECK,
            Severity.ERROR,
            line,
            series,
            f"{series or 'this series'} is already there on line {first}",
            why="Prometheus keeps the first, and drops the others without failing the scrape: which value that is "
            "depends on the order in the body. Labels may stand in any order, and an empty one is none.",
            fix="Expose each series once: two collectors, or a registry that is served twice, tell the same.",
        )

    def finish(self) -> None:
        """Compare what was too much to compare at once, when the body is read."""
        for name in (*self.names.values(), self.others):
            if name.deferred is None:
                continue
            for first, later in _twice(name.keys):
                if later < name.deferred:
                    continue
                self.found = True
                if self.complaints.full(CHECK):
                    self.complaints.counts[CHECK] += 1
                else:
                    self._complain(name.line_of(later), name.name, name.line_of(first))


def _twice(keys: array[int]) -> Iterator[tuple[int, int]]:
    """Yield where a key stands for the first time and where again; a part of the keys is held at a time."""
    parts = len(keys) // AT_ONCE + 1
    for part in range(parts):
        mine = [key for key in keys if key % parts == part]
        if len(set(mine)) == len(mine):
            continue
        first: dict[int, int] = {}
        for index, key in enumerate(keys):
            if key % parts == part and first.setdefault(key, index) != index:
                yield first[key], index
