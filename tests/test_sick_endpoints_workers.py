"""Real processes that answer in turn, and processes that follow each other: each diagnosed, its healthy twin not."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
import requests

from tests.sick_endpoints.diagnosis import TEXT, diagnosed, serious
from tests.sick_endpoints.disease import Questions
from tocsin.artefacts.exposition.syntax import Generation
from tocsin.deadline import wait_until
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.many import complaints
from tocsin.exposition.many.asking.asking import Asking
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Counter, Record
from tocsin.exposition.many.record.workers import workers
from tocsin.exposition.scrape import scrape, scrape_headers
from tocsin.exposition.scraped import Request, Scraped
from tocsin.supervisor import Supervisor
from tocsin.system import AskedOf, KnownRequests

ROOT = Path(__file__).parents[1]
ORDERS = KnownRequests(path="/orders", counter="http_requests_total", labels={"path": "/orders"})
QUESTIONS = Questions(AskedOf(traffic=("/orders",), known=(ORDERS,)))


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Own the processes of a test."""
    with Supervisor("workers", tmp_path / "logs") as running:
        yield running


def uvicorn(supervisor: Supervisor, count: int, **environment: str) -> Service:
    """Start the application with so many workers, and wait until each was met."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log", "--workers", str(count))
    argv = (sys.executable, "-m", "uvicorn", "tests.sick_endpoints.workers:app", "--lifespan", "off", *options)
    known = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    command = ServiceCommand(name="shop", argv=argv, cwd=ROOT, env={**known, **environment}, ready="/pid")
    return met(start_service(supervisor, command), count)


def forking(supervisor: Supervisor, count: int) -> Service:
    """Start the server that forks, and wait until each child was met."""
    argv = (sys.executable, "-m", "tests.sick_endpoints.forking", str(count))
    listens = re.compile(r"listening on http://127\.0\.0\.1:(?P<port>\d+)")
    command = ServiceCommand(name="shop", argv=argv, cwd=ROOT, env=dict(os.environ), ready="/pid", listens=listens)
    return met(start_service(supervisor, command), count)


def met(service: Service, count: int) -> Service:
    """Wait until so many processes have answered, several being asked at a time."""
    seen: set[str] = set()

    def every() -> bool:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: requests.get(f"{service.url}/pid", timeout=10).text, range(8))
            seen.update(answers)
        return len(seen) == count

    wait_until(every, seconds=30, what=f"each of {count} workers answers")
    return service


def test_workers_of_uvicorn_answer_in_turn(supervisor: Supervisor, tmp_path: Path) -> None:
    """Two workers with counters of their own: the sawtooth is told, with its cause alone.

    They may have started within one tick of the clock, and then their counters tell them apart.
    """
    service = uvicorn(supervisor, 2)

    found = diagnosed(service.url, tmp_path, QUESTIONS)

    assert [one.check for one in found] == ["workers-answer-in-turn"], found
    # The count is exact where processes say who they are; counters alone give about as many.
    assert found[0].message.startswith(("2 processes answered", "about 2 processes answered")), found[0].message
    # Two that were forked within a tick of the clock say the same of their start.
    assert any(by in found[0].message for by in ("process_start_time_seconds", "_created", "the values of counters"))


def test_workers_that_share_their_metrics_do_not(supervisor: Supervisor, tmp_path: Path) -> None:
    """The same two with a directory of metrics: nothing is found."""
    (tmp_path / "metrics").mkdir()
    service = uvicorn(supervisor, 2, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "metrics"))

    assert diagnosed(service.url, tmp_path, QUESTIONS) == ()


@pytest.mark.parametrize("count", [3, 1])
def test_workers_that_say_nothing_of_themselves(supervisor: Supervisor, tmp_path: Path, count: int) -> None:
    """Told apart by their counters, if there are several."""
    service = forking(supervisor, count)

    found = diagnosed(service.url, tmp_path, Questions(AskedOf(traffic=("/orders",))))

    assert [one.check for one in found] == (["workers-answer-in-turn"] if count > 1 else []), found
    assert all("the values of counters" in one.message for one in found)


@pytest.mark.parametrize("wiped", [False, True])
def test_a_directory_of_metrics_that_outlives_the_workers(supervisor: Supervisor, tmp_path: Path, wiped: bool) -> None:
    """Counters go on where they were, unless it is wiped."""
    found = restarted(supervisor, tmp_path, wiped, [Counter("http_requests_total", {"path": "/orders"})])

    assert [one.check for one in found] == ([] if wiped else ["restart-keeps-values"])


@pytest.mark.parametrize(("mode", "wiped"), [("all", False), ("livesum", True)])
def test_gauges_of_the_dead(supervisor: Supervisor, tmp_path: Path, mode: str, wiped: bool) -> None:
    """Series of each process that there ever was, unless the gauge counts the living."""
    found = restarted(supervisor, tmp_path, wiped, [], GAUGE=mode)

    assert [one.check for one in found] == ([] if wiped else ["processes-pile-up"])


def restarted(
    supervisor: Supervisor, folder: Path, wiped: bool, counters: list[Counter], **environment: str
) -> tuple[Complaint, ...]:
    """Return what is found when the application is ended and started again."""
    metrics, bodies = folder / "metrics", folder / "bodies"
    metrics.mkdir()
    bodies.mkdir()
    environment |= {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    running = [uvicorn(supervisor, 1, **environment)]
    for _ in range(10):
        requests.get(f"{running[0].url}/orders", timeout=10)

    def restart() -> None:
        running[0].stop()
        if wiped:
            shutil.rmtree(metrics)
            metrics.mkdir()
        running[0] = uvicorn(supervisor, 1, **environment)

    def scraper(into: BinaryIO) -> Scraped:
        request = Request(f"{running[0].url}/metrics", scrape_headers(Generation.V3_5, 5, accept=TEXT))
        return scrape(request, into)

    found = Asking(scraper, bodies).restart(restart, counters)
    return serious(list(complaints(Record(restarted=(found,)))))


def test_one_worker_is_one(supervisor: Supervisor, tmp_path: Path) -> None:
    """And the chance is told that there is another one, which was not seen."""
    service = forking(supervisor, 1)
    request = Request(f"{service.url}/metrics", scrape_headers(Generation.V3_5, 5))

    found = workers(Asking(lambda into: scrape(request, into), tmp_path).watch().scrapes, Reading())

    assert (found.seen, found.alternate, found.scrapes) == (1, False, 42)
    assert found.chance_missed == 2.0**-41
