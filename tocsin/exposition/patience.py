"""A bound on how long a body is judged, whatever it is made of."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tocsin.artefacts.exposition.syntax import Generation, Ingest, Syntax
from tocsin.exposition.judgement import Complaint, Judgement
from tocsin.exposition.judging import judge
from tocsin.exposition.limits import MOST_JUDGING_SECONDS
from tocsin.finding import Severity


def judge_patiently(
    chunks: Iterable[bytes], syntax: Syntax, *, now: float, seconds: float = MOST_JUDGING_SECONDS
) -> Judgement:
    """Judge a body for so many seconds at most; what is not read by then counts as dropped. `now` is its Unix time."""
    given = _Given(chunks, seconds)
    judgement = judge(given.chunks(), syntax, now=now)
    if not given.stopped:
        return judgement
    said = f"judging it was given up after {seconds:g} s and {given.bytes:,} bytes"
    return cut_short(judgement, "body-too-slow", said)


def cut_short(judgement: Judgement, check: str, message: str) -> Judgement:
    """Return the judgement of a body of which only the beginning was read: it counts as dropped."""
    complaint = Complaint(
        check=check,
        severity=Severity.ERROR,
        line=0,
        column=0,
        series="",
        message=f"{message}; what is beyond was not read, so it counts as dropped",
        why="Prometheus holds a scrape in memory whole; such a target can end the server that watches it.",
        fix="Expose less: look for a label with a value for each request, user or path.",
    )
    rejected = dict.fromkeys(Generation, Ingest.REJECT)
    return replace(judgement, ingest=rejected, samples=0, complaints=(complaint, *judgement.complaints))


class _Given:
    """Gives pieces of a body until the time is up."""

    def __init__(self, chunks: Iterable[bytes], seconds: float) -> None:
        self._chunks = chunks
        self._until = time.monotonic() + seconds
        self.bytes = 0
        self.stopped = False

    def chunks(self) -> Iterator[bytes]:
        """Yield the pieces."""
        for chunk in self._chunks:
            if time.monotonic() >= self._until:
                self.stopped = True
                return
            self.bytes += len(chunk)
            yield chunk
