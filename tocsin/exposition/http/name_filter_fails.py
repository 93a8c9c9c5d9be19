"""Targets that stumble over a parameter."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import NAME_FILTER
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Pass over parameters that are not known.",
    bad=Exchange(lambda visit: Reply(b"", status=500) if "?" in visit.path else Reply()),
    good=Exchange(),
)
def name_filter_fails(asked: Asked) -> Iterator[Note]:
    """A parameter in the request is an error of the server's: it will be for `params` of a job, and for a probe."""
    answer = asked.answers.get(NAME_FILTER)
    if answer and answer.scraped.status >= 500:
        yield Note(f"asked with `name[]=up`, it answers {answer.scraped.status}")
