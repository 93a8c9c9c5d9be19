"""Metrics on an address that the whole world can ask."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Listen on an address of your own network, or ask for credentials (exporter-toolkit: `basic_auth_users`), "
    "through TLS.",
    bad=Exchange(job={"shown": "http://8.8.8.8/metrics"}),
    good=Exchange(),
)
def exposed_to_everybody(asked: Asked) -> Iterator[Note]:
    """Names of customers, versions and load are read by whoever looks for them."""
    first = asked.first
    if first is None or not first.scraped.kept or asked.facts.authorized:
        return
    try:
        address = ip_address(urlsplit(asked.facts.url).hostname or "")
    except ValueError:
        return  # a name may be known in one network only
    if address.is_global:
        yield Note(f"{address} is a public address, and it answers without credentials")
