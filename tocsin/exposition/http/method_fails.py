"""Targets that stumble over another method than GET."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import METHODS
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Answer 405 to methods that are not meant.",
    bad=Exchange(lambda visit: Reply() if visit.method == "GET" else Reply(b"", status=500), methods=True),
    good=Exchange(methods=True),
)
def method_fails(asked: Asked) -> Iterator[Note]:
    """Whoever sends one sees an error of the server's; some load balancers probe with HEAD.

    That HEAD is answered 405 is a note: the official Python client does it.
    """
    for method in METHODS:
        answer = asked.answers.get(method)
        if answer is None:
            continue
        scraped = answer.scraped
        if scraped.status >= 500 or not scraped.status:
            yield Note(f"{method} is answered: {scraped.problem or scraped.status}")
        elif method == "HEAD" and scraped.status == 405:
            yield Note("HEAD is answered 405", severity=Severity.INFO)
