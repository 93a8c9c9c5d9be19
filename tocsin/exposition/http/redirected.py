"""Scrapes that are answered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Have the job ask the last address: `metrics_path`, `scheme`, or the target itself.",
    bad=Exchange(
        lambda visit: Reply(status=308, headers=(("Location", "/metrics/"),)) if visit.path == "/metrics" else Reply()
    ),
    good=Exchange(),
)
def redirected(asked: Asked) -> Iterator[Note]:
    """Every scrape asks twice, and the label `instance` names one that did not answer.

    With `follow_redirects: false` nothing is scraped at all. A redirect to another host sends the scrape, and in some
    versions its credentials, to whoever the answer names.
    """
    first = asked.first
    if first is None or not first.scraped.kept or not first.scraped.hops:
        return
    last = first.scraped.hops[-1]
    away = any(hop.elsewhere for hop in first.scraped.hops)
    times = "" if len(first.scraped.hops) == 1 else f", after {len(first.scraped.hops)} redirects"
    said = ", which is another host or port" if away else ""
    yield Note(f"it redirects ({last.status}) to {last.location}{times}{said}")
