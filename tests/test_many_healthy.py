"""Real targets that are well: watched, under load and in both formats, nothing is found across their scrapes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.sick_endpoints.diagnosis import OPENMETRICS, serious
from tests.test_engines import ALERTS_CONFIG, prometheus_config, settings_of
from tocsin.artefacts.exposition.syntax import Generation
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings
from tocsin.engines.node_exporter import start_node_exporter
from tocsin.engines.prometheus import Prometheus
from tocsin.engines.service import ServiceCommand, start_service
from tocsin.exposition.many import complaints
from tocsin.exposition.many.asking.asking import Amount, Asking
from tocsin.exposition.many.asking.requests import requests_to
from tocsin.exposition.many.asking.visiting import Visiting, visit
from tocsin.exposition.scrape import scrape, scrape_headers
from tocsin.exposition.scraped import Request
from tocsin.supervisor import Supervisor
from tocsin.system import AskedOf, Growth

BACKEND = Path(__file__).parents[1] / "fixtures/systems/dharmamind/backend"
UNKNOWN = Growth(path="/no-such-page/{unique}", user_agent="visitor {unique}")
TEXT = "text/plain;version=0.0.4"
TIMEOUT = 10.0


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Own the processes of a test."""
    with Supervisor("healthy", tmp_path / "logs") as running:
        yield running


def prometheus(supervisor: Supervisor, folder: Path) -> str:
    """Start a Prometheus that has nothing to do but to evaluate its rules."""
    return Prometheus.start(supervisor, settings_of(folder, prometheus_config(folder, {}))).url


def alertmanager(supervisor: Supervisor, folder: Path) -> str:
    """Start an Alertmanager."""
    (folder / "alertmanager.yml").write_text(ALERTS_CONFIG % "http://127.0.0.1:1/")
    settings = AlertmanagerSettings(config=folder / "alertmanager.yml", data=folder / "data")
    return Alertmanager.start(supervisor, settings).url


def node_exporter(supervisor: Supervisor, folder: Path) -> str:
    """Start a node exporter."""
    return start_node_exporter(supervisor, cwd=folder).url


def backend(supervisor: Supervisor, folder: Path) -> str:
    """Start the reference system's backend."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log")
    environment = {**os.environ, "REQUESTS_PER_SECOND_PER_CLIENT": "10000", "STATE_DIRECTORY": str(folder / "state")}
    argv = (sys.executable, "-m", "uvicorn", "app.main:app", *options)
    command = ServiceCommand(name="backend", argv=argv, cwd=BACKEND, env=environment, ready="/health/ready")
    return start_service(supervisor, command).url


TARGETS: dict[str, tuple[Callable[[Supervisor, Path], str], AskedOf]] = {
    "prometheus": (prometheus, AskedOf(traffic=("/-/healthy", "/api/v1/status/buildinfo"), growth=(UNKNOWN,))),
    "alertmanager": (alertmanager, AskedOf(traffic=("/-/healthy", "/api/v2/status"), growth=(UNKNOWN,))),
    "node_exporter": (node_exporter, AskedOf(traffic=("/",), growth=(UNKNOWN,))),
    "backend": (backend, AskedOf(traffic=("/health/ready", "/health/live"), growth=(UNKNOWN,))),
}


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_where_all_is_well(name: str, supervisor: Supervisor, tmp_path: Path) -> None:
    """Counters rise, series stay, formats agree, and strangers cannot make series."""
    start, declared = TARGETS[name]
    url = start(supervisor, tmp_path)
    bodies = tmp_path / "bodies"
    bodies.mkdir()

    def scraper(accept: str) -> Callable[..., object]:
        return partial(scrape, Request(f"{url}/metrics", scrape_headers(Generation.V3_5, TIMEOUT, accept=accept)))

    asking = Asking(scraper(TEXT), bodies, requests_to(url, declared))
    record = visit(
        asking,
        Visiting(timeout=TIMEOUT, others={"OpenMetrics": scraper(OPENMETRICS)}, under_load=Amount(alone=3, rounds=1)),
    )

    assert all(scrape.whole for watched in record.watched for scrape in watched.scrapes)
    assert [f"{one.check}: {one.message}" for one in serious(list(complaints(record)))] == []
