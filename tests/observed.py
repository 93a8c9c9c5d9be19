"""The reference system's logs, traces and stand-ins, as tests of them need them."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import requests

from tocsin.deadline import wait_until
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.supervisor import Supervisor

SYSTEM = Path(__file__).parents[1] / "fixtures/systems/dharmamind"
if str(SYSTEM) not in sys.path:  # at the end: nothing of ours is found before what is installed
    sys.path.append(str(SYSTEM))

correlation: Any = importlib.import_module("observability.correlation")
log_shipping: Any = importlib.import_module("observability.log_shipping")
logs: Any = importlib.import_module("observability.logs")
tracing: Any = importlib.import_module("observability.tracing")
wiring: Any = importlib.import_module("observability.wiring")


def start_standin(supervisor: Supervisor, name: str) -> Service:
    """Start a stand-in, "elasticsearch" or "otlp"."""
    script = SYSTEM / "standins" / f"{name}.py"
    command = ServiceCommand(
        name=name, argv=(sys.executable, str(script), "--port", "0"), cwd=SYSTEM, ready="/standin/mode"
    )
    return start_service(supervisor, command)


def start_part(supervisor: Supervisor, name: str, *options: str, **environment: str) -> Service:
    """Start the backend or the frontend as a drill does."""
    command = ServiceCommand(
        name=name,
        argv=(sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "0", *options),
        cwd=SYSTEM / name,
        env={**os.environ, **environment},
        ready="/health/ready",
    )
    return start_service(supervisor, command)


def switch(standin: Service, mode: str, seconds: float = 10.0) -> None:
    """Put a stand-in into a mode."""
    answer = requests.post(f"{standin.url}/standin/mode", json={"mode": mode, "seconds": seconds}, timeout=5)
    assert answer.status_code == 200, answer.text


def counted(standin: Service) -> dict[str, Any]:
    """Return what a stand-in counted."""
    shown: dict[str, Any] = requests.get(f"{standin.url}/standin/mode", timeout=5).json()
    return shown


def scrape(service: Service) -> dict[str, float]:
    """Return the value of each series, by its text."""
    text = requests.get(f"{service.url}/metrics", timeout=5).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def events(service: Service, **wanted: object) -> list[dict[str, Any]]:
    """Return the events in a process's log that have these fields; every line has to be an event."""
    found = [json.loads(line) for line in service.process.log.read_text().splitlines()]
    return [event for event in found if wanted.items() <= event.items()]


def await_events(service: Service, number: int, **wanted: object) -> list[dict[str, Any]]:
    """Return the events with these fields when there are as many as that."""
    wait_until(lambda: len(events(service, **wanted)) >= number, seconds=20, what=f"{number} events {wanted}")
    return events(service, **wanted)
