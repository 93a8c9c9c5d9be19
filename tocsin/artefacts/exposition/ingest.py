"""What each generation of Prometheus servers does with a body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tocsin.artefacts.exposition.stream import Located, read
from tocsin.artefacts.exposition.syntax import Generation, Ingest, Syntax


@dataclass(slots=True)
class Ingestion:
    """What servers do, as far as a body is read: the first problem that stops one decides."""

    verdicts: dict[Generation, Ingest] = field(default_factory=dict)

    def note(self, problem: Located) -> frozenset[Generation]:
        """Take one more problem, and return the servers that it is the first one to stop."""
        first = (problem.refused | problem.crashed) - self.verdicts.keys()
        for generation in first:
            self.verdicts[generation] = Ingest.CRASH if generation in problem.crashed else Ingest.REJECT
        return first

    def whole(self) -> dict[Generation, Ingest]:
        """Return the verdicts on the whole body."""
        return {generation: self.verdicts.get(generation, Ingest.ACCEPT) for generation in Generation}


def ingest(chunks: Iterable[bytes], syntax: Syntax) -> tuple[dict[Generation, Ingest], int]:
    """Return what servers do with a body, and how many samples those take that keep the scrape."""
    ingestion, samples = Ingestion(), 0
    for step in read(chunks, syntax):
        for problem in step.problems:
            ingestion.note(problem)
        if step.stretch is not None:
            samples += sum(len(batch.values) for batch in step.stretch.batches)
    return ingestion.whole(), samples
