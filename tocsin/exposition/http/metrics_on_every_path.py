"""Targets that answer every path with their metrics."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import OTHER_PATH
from tocsin.exposition.http import Exchange, Note, Reply, behaviour, healthy
from tocsin.finding import Severity


@behaviour(
    severity=Severity.INFO,
    fix="Route `/metrics` to them alone.",
    bad=Exchange(),
    good=Exchange(lambda visit: Reply(b"", status=404) if "no-such" in visit.path else healthy(visit)),
)
def metrics_on_every_path(asked: Asked) -> Iterator[Note]:
    """A proxy that hides `/metrics` hides nothing then. The official Python client's own server does it too."""
    answer = asked.answers.get(OTHER_PATH)
    if answer and answer.scraped.kept and answer.body:
        digest = asked.digest(OTHER_PATH)
        if digest is not None and digest.samples:
            yield Note("a path that does not exist is answered with metrics")
