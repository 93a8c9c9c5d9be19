"""What the reference system logs is one JSON object a line, whoever logs it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from tests.observed import await_events, correlation, events, logs, scrape, start_part
from tocsin.engines.service import PRINTED_URL
from tocsin.supervisor import Supervisor

RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
STARTED = {"timestamp": "2026-11-25T21:04:05.123456Z", "level": "info"}
COUNTED = "dharmamind_logs_total"


@pytest.fixture(autouse=True)
def logging_put_back() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a fresh registry."""
    return CollectorRegistry()


@pytest.fixture
def installed(registry: CollectorRegistry) -> Any:
    """Return logs that have taken over this process."""
    made = logs.Logs("tested", registry)
    made.install()
    return made


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the events on stdout."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(), st.dictionaries(st.text(), VALUES, max_size=4))
def test_whatever_is_logged_is_one_line_of_json(event: str, fields: dict[str, Any]) -> None:
    """A line has no end in its midst, is strict JSON, begins with its time, and no field hides one of ours."""
    render = logs.Render("tested", CollectorRegistry(), None)
    line = render(None, "info", {"event": event, "logger": "l", **fields, **STARTED})
    assert len(line.splitlines()) == 1
    assert line.startswith('{"timestamp":')
    read = json.loads(line, parse_constant=pytest.fail)
    assert read["service"] == "tested"
    assert read["level"] == "info"


def test_an_event_has_time_level_logger_and_service(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Our own and a library's event have the same fields, and the time is RFC 3339 in UTC."""
    installed.logger("ours").info("one", seats=3)
    logging.getLogger("theirs").warning("two of %d", 3)
    structlog.get_logger().error("three")
    ours, theirs, plain = written(capsys)
    assert (ours["event"], ours["level"], ours["logger"], ours["seats"]) == ("one", "info", "ours", 3)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("two of 3", "warning", "theirs")
    assert (plain["event"], plain["level"]) == ("three", "error")
    for event in (ours, theirs, plain):
        assert RFC_3339_UTC.fullmatch(event["timestamp"])
        assert event["service"] == "tested"


def test_an_event_is_tied_to_its_span(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Within a span an event carries both ids as W3C writes them; without one it carries neither."""
    log = installed.logger("ours")
    token = correlation.current.set(correlation.SpanIds(0xABC, 0xDEF, sampled=True))
    log.info("within")
    correlation.current.reset(token)
    log.info("without")
    within, without = written(capsys)
    assert within["trace_id"] == f"{0xABC:032x}"
    assert within["span_id"] == f"{0xDEF:016x}"
    assert not {"trace_id", "span_id"} & without.keys()


@pytest.mark.usefixtures("installed")
def test_a_traceback_is_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    """It keeps its end, which names the error, however deep it went."""

    def deeper(left: int) -> None:
        if not left:
            raise ValueError("x" * 9000 + "the end")
        deeper(left - 1)

    try:
        deeper(50)
    except ValueError:
        logging.getLogger("theirs").exception("failed")
    (event,) = written(capsys)
    assert event["event"] == "failed"
    assert event["traceback"].endswith("the end")
    assert len(event["traceback"]) == logs.TRACEBACK_CHARACTERS


def test_events_are_counted_by_level(installed: Any, registry: CollectorRegistry) -> None:
    """Every level is there from the start, and goes up by each event of it."""
    levels = ("info", "warning", "error", "critical")
    assert [registry.get_sample_value(COUNTED, {"level": level}) for level in levels] == [0, 0, 0, 0]
    log = installed.logger("ours")
    log.info("x")
    log.error("x")
    logging.getLogger("theirs").error("x")
    logging.getLogger("theirs").debug("not logged, not counted")
    assert [registry.get_sample_value(COUNTED, {"level": level}) for level in levels] == [1, 0, 2, 0]


def test_to_configure_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is written once, however often a process configures its logs."""
    logs.Logs("first", CollectorRegistry()).install()
    logs.Logs("second", CollectorRegistry()).install()
    logging.getLogger("theirs").warning("once")
    assert [event["service"] for event in written(capsys)] == ["second"]


class BrokenPipe:
    """A stdout whose reader has gone."""

    def write(self, _: bytes) -> int:
        """Do what a broken pipe does."""
        raise BrokenPipeError

    def flush(self) -> None:
        """Do nothing."""

    @property
    def buffer(self) -> BrokenPipe:
        """Return the bytes under the text."""
        return self


def test_nobody_who_reads_is_no_error(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request must not fail because its log line could not be written."""
    monkeypatch.setattr(sys, "stdout", BrokenPipe())
    assert installed.logger("ours").info("x") is None


# --- requests ---


def ask(app: Any, path: str = "/api/sessions/s3cret", route: str = "/api/sessions/{session_id}") -> list[Any]:
    """Send one request through a middleware; return what it sent."""
    sent: list[Any] = []

    class Route:
        """What FastAPI leaves in the scope."""

        def __init__(self) -> None:
            self.path = route

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "route": Route()}
    asyncio.run(app(scope, None, send))
    return sent


async def teapot(_: Any, __: Any, send: Any) -> None:
    """Answer 418."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fails(_: Any, __: Any, ___: Any) -> None:
    """Raise."""
    raise RuntimeError("no tea")


def test_a_request_is_one_event(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It has method, route, status and duration, and the answer is passed on untouched."""
    assert [message["type"] for message in ask(installed(teapot))] == ["http.response.start", "http.response.body"]
    (event,) = written(capsys)
    assert (event["event"], event["logger"], event["level"]) == ("request", "dharmamind.access", "info")
    assert (event["method"], event["route"], event["status"]) == ("GET", "/api/sessions/{session_id}", 418)
    assert 0 <= event["duration_seconds"] < 1


def test_what_people_typed_is_not_logged(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A session's id in a path opens doors; only the route is written."""
    ask(installed(teapot))
    assert "s3cret" not in capsys.readouterr().out


def test_an_error_that_nobody_caught_is_in_the_requests_event(
    installed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an error with its traceback, and goes on to who answers for it."""
    with pytest.raises(RuntimeError, match="no tea"):
        ask(installed(fails))
    (event,) = written(capsys)
    assert (event["level"], event["status"], event["error"]) == ("error", 500, "RuntimeError: no tea")
    assert "in fails" in event["traceback"]


@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready"])
def test_a_machine_that_asks_is_not_logged(path: str, installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Probes and scrapes come every few seconds, and say nothing."""
    ask(installed(teapot), path)
    assert written(capsys) == []


# --- a process ---


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("logs", tmp_path_factory.mktemp("logs")) as running:
        yield running


def test_uvicorn_logs_the_same_way(supervisor: Supervisor) -> None:
    """From its first line to its last a process logs JSON; the harness finds the port in it; a request is one event."""
    frontend = start_part(supervisor, "frontend")  # with uvicorn's own access log on
    assert requests.get(frontend.url + "/", timeout=5).status_code == 200
    (request,) = await_events(frontend, 1, event="request")
    assert (request["route"], request["status"]) == ("/", 200)
    assert scrape(frontend)[f'{COUNTED}{{level="info"}}'] == len(events(frontend, level="info"))
    frontend.stop()
    log = frontend.process.log.read_text()
    assert [int(found["port"]) for found in PRINTED_URL.finditer(log)] == [frontend.port]
    assert "Finished server process" in events(frontend)[-1]["event"]
    assert len(events(frontend, logger="dharmamind.access")) == 1
    assert events(frontend, logger="uvicorn.access") == []


def test_several_workers_log_the_same_way(supervisor: Supervisor, tmp_path: Path) -> None:
    """With the configuration beside the backend the process over the workers logs JSON too."""
    folders = {"PROMETHEUS_MULTIPROC_DIR": tmp_path / "metrics", "STATE_DIRECTORY": tmp_path / "state"}
    for folder in folders.values():
        folder.mkdir()
    options = ("--workers", "2", "--log-config", "logging.json")
    backend = start_part(supervisor, "backend", *options, **{name: str(folder) for name, folder in folders.items()})
    for _ in range(20):
        assert requests.get(backend.url + "/api/meditations", timeout=5).status_code == 200
    await_events(backend, 20, event="request")
    backend.stop()
    assert {event["service"] for event in events(backend)} == {"dharmamind-backend"}
    assert len(PRINTED_URL.findall(backend.process.log.read_text())) == 1
    assert "Started parent process" in " ".join(event["event"] for event in events(backend))
