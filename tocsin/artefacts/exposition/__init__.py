"""Exposition: a `/metrics` body, in the text format or OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.reading import MOST_VALUES, Exposition, Series, is_exposition, read_exposition
from tocsin.artefacts.exposition.samples import Exemplar, Sample, Unreadable, samples
from tocsin.artefacts.exposition.syntax import Generation, Ingest, Syntax

__all__ = [
    "MOST_VALUES",
    "Exemplar",
    "Exposition",
    "Generation",
    "Ingest",
    "Sample",
    "Series",
    "Syntax",
    "Unreadable",
    "is_exposition",
    "read_exposition",
    "samples",
    "samples_of",
]


def samples_of(text: str) -> Iterator[tuple[dict[str, str], float]]:
    """Yield each sample's labels (its name as `__name__`) and value of a body in the text format.

    Raises ValueError (`Unreadable`) where the newest server drops the scrape.
    """
    for sample in samples(text.encode(), Syntax.TEXT):
        yield {"__name__": sample.name, **dict(sample.labels)}, sample.value
