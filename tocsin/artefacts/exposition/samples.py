"""The samples of a body, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.stream import read
from tocsin.artefacts.exposition.syntax import Generation, Syntax


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation that a sample points to."""

    labels: tuple[tuple[str, str], ...]
    value: float
    timestamp: float | None
    """In seconds."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a body."""

    name: str
    labels: tuple[tuple[str, str], ...]
    """In the order of the body, unescaped, without the name."""
    value: float
    timestamp: float | None
    """In seconds."""
    line: int
    exemplar: Exemplar | None = None


class Unreadable(ValueError):
    """A line that makes the newest server drop the whole scrape."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column
        self.message = message


def samples(body: bytes, syntax: Syntax) -> Iterator[Sample]:
    """Yield the samples that the newest server takes; raises `Unreadable` at the first line that drops the scrape."""
    for step in read((body,), syntax):
        for problem in step.problems:
            if Generation.V3_5 in problem.refused | problem.crashed:
                raise Unreadable(problem.line, problem.column, problem.message)
        if step.stretch is not None:
            yield from sorted(
                (one for batch in step.stretch.batches for one in _samples(batch)), key=lambda sample: sample.line
            )


def _samples(batch: Batch) -> Iterator[Sample]:
    told = batch.exemplar
    exemplar = None if told is None else Exemplar(tuple(told.labels), told.value, told.timestamp)
    lines = (line + index for line, count in batch.runs for index in range(count))
    rows = zip(*batch.columns, strict=True) if batch.columns else repeat(())
    times = batch.timestamps or repeat(None)
    for line, row, value, time in zip(lines, rows, batch.values, times, strict=False):
        texts = (text.decode(errors="replace") for text in row)
        yield Sample(batch.name, tuple(zip(batch.labels, texts, strict=True)), value, time, line, exemplar)
