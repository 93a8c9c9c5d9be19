"""Scrape one endpoint often, as far as its system lets us; the record stands beside what one visit was answered."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from tocsin.atomic import write_json
from tocsin.deadline import DeadlineExceeded
from tocsin.engines.trouble import EngineTrouble
from tocsin.exposition.asked import NEWEST, Asked
from tocsin.exposition.asking import ACCEPTS
from tocsin.exposition.limits import MOST_REPEATED_BYTES, Limits
from tocsin.exposition.many.asking.asking import Amount, Asking, Scraper
from tocsin.exposition.many.asking.requests import Refused, requests_to
from tocsin.exposition.many.asking.visiting import Outages, Visiting, visit
from tocsin.exposition.many.record.scrapes import Record
from tocsin.exposition.many.record.stored import FILE, read_record
from tocsin.exposition.scrape import scrape, scrape_headers
from tocsin.exposition.scraped import Request
from tocsin.exposition.targets import Endpoint
from tocsin.system import AskedOf, Endpoints, Environment

FOLDER = "many"
LACKING = "lacking.json"
_ONE_BY_ONE = Amount(rounds=0)
"""Where no load may be put on a target: as a few Prometheus would scrape it, one after another."""
_OTHERS = {"text": "accept-text", "OpenMetrics": "accept-openmetrics"}


def scrape_often(
    endpoint: Endpoint,
    asked: Asked,
    declared: Endpoints,
    *,
    at: str = "",
    environment: Environment | None = None,
    outages: Outages | None = None,
) -> None:
    """Scrape an endpoint often, and write the record beside `asked`; where that cannot be, write why.

    `at` is its name under `targets` of what is declared. It is scraped at the same time only where load may be put on
    it: on this machine, and where an environment allows it. Raises OSError if the folder cannot be written.
    """
    folder = asked.folder / FOLDER
    folder.mkdir(exist_ok=True)
    if lacking := _unfit(asked):
        write_json(folder / LACKING, {"lacking": lacking})
        return
    said = declared.targets.get(at, AskedOf())
    asking = Asking(_scraper(endpoint), folder)
    bears = True
    try:
        asking = replace(asking, requests=requests_to(endpoint.url, said, environment))
    except Refused:
        bears = False
        asking = replace(asking, amount=_ONE_BY_ONE)
    how = Visiting(
        timeout=endpoint.settings.timeout_seconds,
        budgets=declared.budgets,
        others={asked: _scraper(endpoint, accept=ACCEPTS[name]) for asked, name in _OTHERS.items()}
        | {"no compression": _scraper(endpoint, gzip=False)},
        alone=environment is not None and environment.ours,
        outages=outages if bears else None,
    )
    try:
        visit(asking, how)
    except (DeadlineExceeded, EngineTrouble) as trouble:
        write_json(folder / LACKING, {"lacking": str(trouble)})


def scraped_often(asked: Asked) -> Record | str | None:
    """Return the record of an endpoint, or why there is none; None if it was not to be scraped often.

    Raises OSError or ValueError if what is there cannot be read.
    """
    folder = asked.folder / FOLDER
    if (folder / LACKING).is_file():
        return str(json.loads((folder / LACKING).read_text())["lacking"])
    return read_record(folder) if (folder / FILE).is_file() else None


def _unfit(asked: Asked) -> str:
    """Say why an endpoint is not worth being scraped often; nothing if it is."""
    first = asked.first
    if first is None or not first.scraped.kept:
        return asked.lacking or "the first scrape failed"
    if first.scraped.body_bytes > MOST_REPEATED_BYTES:
        size = f"{first.scraped.body_bytes / 1e6:.0f} MB"
        return f"its body has {size}; only those of up to {MOST_REPEATED_BYTES / 1e6:.0f} MB are scraped often"
    return ""


def _scraper(endpoint: Endpoint, *, accept: str | None = None, gzip: bool = True) -> Scraper:
    settings = endpoint.settings
    headers = scrape_headers(NEWEST, settings.timeout_seconds, accept=accept, gzip=gzip and settings.compression)
    request = Request(endpoint.url, headers, settings.authorization, settings.tls, settings.follows)
    return partial(scrape, request, limits=Limits(2 * MOST_REPEATED_BYTES, settings.timeout_seconds))
