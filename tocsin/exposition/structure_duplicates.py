"""The same series twice in one scrape."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.exposition.structure_keys import Keys
from tocsin.finding import Severity

AT_ONCE = 1 << 18
"""Keys that are kept in a set, about 70 bytes each; beyond that they are put away at 8 bytes each."""


class Duplicates:
    """Finds series that are there twice, in about 8 bytes a sample."""

    def __init__(self, syntax: Syntax, complaints: Complaints, keys: Keys) -> None:
        self.syntax = syntax
        self.complaints = complaints
        self.keys = keys
        self.found = False
        self.seen: set[int] = set()
        self.order = array("q")
        """The keys in `seen`, in the order of the body."""
        self.starts: list[tuple[int, Batch]] = []
        self.put_away: list[tuple[array[int], list[tuple[int, str, int]]]] = []
        self.places: list[tuple[int, str, int]] = []
        """For each run of samples: its index in `order`, name and first line."""

    def take(self, batch: Batch) -> None:
        """Look at the samples of a batch."""
        keys = self.keys.of(batch, salt=batch.name)
        if batch.timestamps is not None:
            # The same series at another time is another sample, which the server keeps.
            keys = [hash((key, time)) for key, time in zip(keys, batch.timestamps, strict=True)]
        new = set(keys)
        if len(new) < len(keys) or not new.isdisjoint(self.seen):
            self._tell(batch, keys)
        self.seen |= new
        index = len(self.order)
        for line, count in batch.runs:
            self.places.append((index, batch.name, line))
            index += count
        self.order.extend(keys)
        if len(self.seen) >= AT_ONCE:
            self._put_away()

    def _put_away(self) -> None:
        self.put_away.append((self.order, self.places))
        self.seen, self.order, self.places = set(), array("q"), []

    def _tell(self, batch: Batch, keys: list[int]) -> None:
        # In OpenMetrics points of one time may have been apart before their time was rounded.
        self.found = self.found or batch.timestamps is None or self.syntax is Syntax.TEXT
        here: dict[int, int] = {}
        for index, key in enumerate(keys):
            first = here.get(key)
            if self.complaints.full("duplicate-series"):
                if first is not None or key in self.seen:
                    self.complaints.counts["duplicate-series"] += 1
            elif first is not None or key in self.seen:
                line = batch.line_of(first) if first is not None else self._line_of(key)
                self._complain(batch.line_of(index), batch.series_of(index), line)
            here.setdefault(key, index)

    def _line_of(self, key: int) -> int:
        index = self.order.index(key)
        return _place(self.places, index)[1]

    def _complain(self, line: int, series: str, first: int) -> None:
        self.complaints.add(
            "duplicate-series",
            Severity.ERROR,
            line,
            series,
            f"{series} is already there on line {first}",
            why="Prometheus keeps the first, and drops the others without failing the scrape: which value that is "
            "depends on the order in the body. Labels may stand in any order, and an empty one is none.",
            fix="Expose each series once: two collectors, or a registry that is served twice, tell the same.",
        )

    def finish(self) -> None:
        """Compare what was put away, once the body is read."""
        if not self.put_away:
            return
        self._put_away()
        for later in range(1, len(self.put_away)):
            keys, places = self.put_away[later]
            known = set(keys)
            for earlier in range(later):
                before, before_places = self.put_away[earlier]
                if known.isdisjoint(before):
                    continue
                for index, key in enumerate(before):
                    if key in known:
                        self.found = True
                        name, line = _place(places, keys.index(key))
                        self._complain(line, name, _place(before_places, index)[1])
                        if self.complaints.full("duplicate-series"):
                            return


def _place(places: list[tuple[int, str, int]], index: int) -> tuple[str, int]:
    """Return name and line of a sample by its index."""
    start, name, line = places[bisect_right(places, index, key=lambda place: place[0]) - 1]
    return name, line + index - start
