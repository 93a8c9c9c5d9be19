"""Credentials that are sent as everybody on the way can read them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour, healthy
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Ask through TLS: `scheme: https`.",
    bad=Exchange(job={"authorization": "Bearer t0ps3cret", "shown": "http://shop.example/metrics"}),
    good=Exchange(
        lambda visit: healthy(visit) if "Authorization" in visit.headers else Reply(b"", status=401),
        job={"authorization": "Bearer t0ps3cret"},
    ),
)
def credentials_in_clear(asked: Asked) -> Iterator[Note]:
    """Every scrape sends them again, and whoever sees one can ask for the rest."""
    if not asked.facts.authorized or not asked.facts.url.startswith("http:"):
        return
    host = urlsplit(asked.facts.url).hostname or ""
    try:
        inside = ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside:
        yield Note(f"the job asks {asked.facts.url} with credentials, and without TLS")
