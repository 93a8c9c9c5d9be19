"""Targets that tell everybody what only some are asked to know."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import WITHOUT_CREDENTIALS
from tocsin.exposition.http import Exchange, Note, Reply, behaviour, healthy
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Have the target refuse who brings no credentials, or take them out of the job.",
    bad=Exchange(job={"authorization": "Bearer t0ps3cret"}),
    good=Exchange(
        lambda visit: healthy(visit) if "Authorization" in visit.headers else Reply(b"", status=401),
        job={"authorization": "Bearer t0ps3cret"},
    ),
)
def exposed_without_credentials(asked: Asked) -> Iterator[Note]:
    """The job asks with credentials, and the target answers without them too: they protect nothing."""
    answer = asked.answers.get(WITHOUT_CREDENTIALS)
    if answer and answer.scraped.kept and answer.scraped.body_bytes:
        yield Note(f"asked without credentials, it answers {answer.scraped.status} with all of its metrics")
