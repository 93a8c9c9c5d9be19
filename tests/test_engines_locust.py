"""A load runs as a child, ends as it should, and what it did is to be read."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tocsin.deadline import wait_until
from tocsin.engines.locust import Load, LoadSettings
from tocsin.engines.trouble import EngineTrouble
from tocsin.sinks.capture import CaptureSink
from tocsin.supervisor import Supervisor

PROFILE = """
import json, os, time
from locust import FastHttpUser, constant, events, task
log = open(os.environ["TOCSIN_LOAD_LOG"], "a", buffering=1)
@events.request.add_listener
def on_request(request_type, name, exception, **_):
    log.write(json.dumps({"time": time.time(), "name": name, "failed": exception is not None}) + "\\n")
class Visitor(FastHttpUser):
    wait_time = constant(0.05)
    @task
    def look(self):
        self.client.get("/-/ready")
        self.client.get("/absent")
"""
SHAPE = """
from locust import LoadTestShape
class Shape(LoadTestShape):
    def tick(self):
        return (2, 2) if self.get_run_time() < 4 else None
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Give a supervisor that ends what a test started."""
    with Supervisor("test", tmp_path / "logs") as running:
        yield running


def load(supervisor: Supervisor, place: Path, text: str, **others: object) -> Load:
    """Start a load on a sink, which serves as a server."""
    sink = CaptureSink.start(supervisor, place / "notifications.jsonl")
    (place / "profile.py").write_text(text)
    settings = LoadSettings(
        profile=place / "profile.py",
        host=sink.url,
        load_log=place / "load.jsonl",
        **{"users": 2, "spawn_rate": 2} | others,
    )
    return Load.start(supervisor, settings)


def test_a_load_ends_by_itself_with_code_0(supervisor: Supervisor, tmp_path: Path) -> None:
    """At the end of its time it ends as expected, failed requests or not, and its lines tell both kinds."""
    running = load(supervisor, tmp_path, PROFILE, seconds=4)
    exited = running.wait(20)
    assert exited is not None
    assert (exited.code, exited.expected) == (0, True)
    running.check_running()
    failed = {line["name"]: line["failed"] for line in running.lines()}
    assert failed == {"/-/ready": False, "/absent": True}
    assert running.lines() == running.lines()


def test_a_load_with_a_shape_needs_no_numbers(supervisor: Supervisor, tmp_path: Path) -> None:
    """The shape of the profile decides on users and end."""
    running = load(supervisor, tmp_path, PROFILE + SHAPE, users=None, spawn_rate=None)
    exited = running.wait(20)
    assert exited is not None
    assert (exited.code, exited.expected) == (0, True)
    assert running.lines()


def test_a_load_stops_when_told(supervisor: Supervisor, tmp_path: Path) -> None:
    """SIGTERM ends a load without an end, workers included, as expected."""
    running = load(supervisor, tmp_path, PROFILE, flags=("--processes", "2"))
    wait_until(running.lines, seconds=20, what="the first request")
    processes = psutil.Process(running.process.pid).children()
    assert len(processes) == 2
    exited = running.stop()
    assert (exited.code, exited.expected) == (0, True)
    assert [p for p in processes if p.is_running()] == []


def test_a_load_that_ends_early_shows_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    """A profile that cannot be run, one that was killed, and one that is not there are each told as such."""
    broken = load(supervisor, tmp_path, "import absent_module")
    assert broken.wait(20)
    with pytest.raises(EngineTrouble, match=r"code 1(.|\n)*absent_module"):
        broken.check_running()
    killed = load(supervisor, tmp_path, PROFILE)
    killed.check_running()
    psutil.Process(killed.process.pid).send_signal(signal.SIGKILL)
    assert killed.wait(10)
    with pytest.raises(EngineTrouble, match="SIGKILL"):
        killed.check_running()
    (tmp_path / "profile.py").unlink()
    with pytest.raises(EngineTrouble, match="no such load profile"):
        Load.start(supervisor, killed.settings)
