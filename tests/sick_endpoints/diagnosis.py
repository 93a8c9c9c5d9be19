"""Ask an endpoint everything, by all judges, as its owner would."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.sick_endpoints.disease import Questions
from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.asking import ask
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.limits import Limits
from tocsin.exposition.many import complaints, without_consequences
from tocsin.exposition.many.asking.asking import Amount, Asking, Scraper
from tocsin.exposition.many.asking.requests import requests_to
from tocsin.exposition.many.asking.visiting import Visiting, visit
from tocsin.exposition.many.record.scrapes import Record
from tocsin.exposition.many.record.stored import read_record, write_record
from tocsin.exposition.scrape import scrape, scrape_headers
from tocsin.exposition.scraped import Request
from tocsin.exposition.targets import endpoint_of_url
from tocsin.exposition.verdicts import said_of
from tocsin.finding import Severity

FEW = Amount(alone=2, together=4, rounds=1)
"""Of an endpoint that never answers well."""
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"


def asking(url: str, folder: Path, questions: Questions, amount: Amount | None = None) -> Asking:
    """Return what asks the endpoint of an address; its bodies go into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    target = Request(f"{url}/metrics", scrape_headers(Generation.V3_5, questions.timeout, accept=TEXT))
    limits = Limits(seconds=questions.timeout)
    requests = requests_to(url, questions.asked)
    return Asking(partial(scrape, target, limits=limits), folder, requests, amount or questions.amount)


def openmetrics(url: str, questions: Questions) -> Scraper:
    """Return what scrapes in OpenMetrics."""
    target = Request(f"{url}/metrics", scrape_headers(Generation.V3_5, questions.timeout, accept=OPENMETRICS))
    return partial(scrape, target, limits=Limits(seconds=questions.timeout))


def record(url: str, folder: Path, questions: Questions, application: Any, amount: Amount | None = None) -> Record:
    """Ask what one scrape cannot tell, and return what is read back from the folder."""
    asker = asking(url, folder, questions, amount)
    load = replace(asker.amount, alone=2, together=4, rounds=1) if questions.loaded else None
    others = {"OpenMetrics": openmetrics(url, questions)} if questions.compares else {}
    how = Visiting(timeout=questions.timeout, budgets=questions.budgets, others=others, under_load=load)
    found = visit(asker, how)
    if questions.dependency:
        bereft = asker.bereave(questions.dependency, application.stop, application.start, questions.up)
        found = replace(found, bereft=(bereft,))
    if questions.counters:
        found = replace(found, restarted=(asker.restart(application.restart, questions.counters),))
    write_record(found, folder)
    assert read_record(folder) == found
    return read_record(folder)


def diagnosed(url: str, folder: Path, questions: Questions, application: Any = None) -> tuple[Complaint, ...]:
    """Return what all judges say of an endpoint, errors and warnings alone."""
    asked = ask(endpoint_of_url(f"{url}/metrics", questions.timeout), folder / "once", now=time.time())
    said = said_of(asked)
    amount = None if said.judgement is not None else FEW
    found = complaints(record(url, folder / "often", questions, application, amount))
    return serious([*said.all, *found])


def serious(found: list[Complaint]) -> tuple[Complaint, ...]:
    """Return the errors and the warnings, without those that follow from others."""
    return tuple(one for one in without_consequences(found) if one.severity is not Severity.INFO)
