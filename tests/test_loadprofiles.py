"""Load profiles put on the load that they say, record it, and end in order when they are told to."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tocsin.deadline import wait_until
from tocsin.engines.locust import Load, LoadSettings
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.supervisor import Supervisor, run_once

ROOT = Path(__file__).parents[1]
PROFILES = ROOT / "loadprofiles"
SHARED = {"shapes", "recording", "steady", "groups", "bound"}
LIMIT = 268_435_456


def load(name: str) -> ModuleType:
    """Import a module of the profiles that does not import locust, which would patch this process."""
    spec = importlib.util.spec_from_file_location(f"loadprofiles_{name}", PROFILES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert "locust" not in sys.modules
    return module


shapes = load("shapes")
recording = load("recording")


# --- shapes ---


@given(st.integers(1, 1000), st.floats(0.1, 1000), st.floats(0, 2000))
def test_a_steady_shape_is_the_same_until_it_is_over(users: int, seconds: float, moment: float) -> None:
    """All users come at once, stay, and leave at the end."""
    tick = shapes.Steady(users=users, seconds=seconds).tick(moment)
    assert tick == ((users, users) if moment < seconds else None)


def test_a_shape_without_an_end_does_not_end() -> None:
    """Without LOAD_SECONDS only a signal ends it."""
    assert shapes.Steady.from_environment({}, users=7).tick(1e9) == (7, 7)


def test_a_shape_is_read_from_the_environment() -> None:
    """LOAD_USERS and LOAD_SECONDS take the place of the profile's own numbers."""
    given_shape = shapes.Steady.from_environment({"LOAD_USERS": "3", "LOAD_SECONDS": "2.5"}, users=7)
    assert given_shape == shapes.Steady(users=3, seconds=2.5)


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan", "1e9"])
def test_a_bad_parameter_ends_the_start_with_a_message(text: str) -> None:
    """A number out of its range is named with its range and its default, and not traced back."""
    with pytest.raises(SystemExit, match=r"LOAD_USERS='.*' is not a number from 1 to 10000; unset it to use 7"):
        shapes.Steady.from_environment({"LOAD_USERS": text}, users=7)


@given(st.floats(0, 1), st.integers(0, 300), st.booleans())
def test_a_share_is_exact_in_every_stretch(share: float, passed: int, at_once: bool) -> None:
    """Of any first n, the share is picked to within one; a share of 0 picks none."""
    picker = shapes.Share(share, at_once=at_once)
    picked = sum(picker.pick() for _ in range(passed))
    assert math.floor(share * passed - 1e-6) <= picked <= math.ceil(share * passed + 1e-6)


@pytest.mark.parametrize(("at_once", "picks"), [(True, [True, False, True]), (False, [False, True, False])])
def test_a_share_begins_at_once_or_in_its_turn(at_once: bool, picks: list[bool]) -> None:
    """Every other one, from the first on, or from the second on."""
    picker = shapes.Share(0.5, at_once=at_once)
    assert [picker.pick() for _ in picks] == picks


# --- recording ---


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_recording_tells_the_first_request_the_intervals_and_the_end(tmp_path: Path) -> None:
    """Every request is in exactly one interval; the first request is told by when it was sent."""
    path = tmp_path / "load.jsonl"
    recorder = recording.Recorder(path, 10.0)
    recorder.request_ended(9.9, 0.25, 200, failed=False)
    recorder.request_ended(10.0, 0.75, 500, failed=True)
    recorder.interval_ended(10.5, 2)
    recorder.request_ended(10.4, 0.5, 0, failed=True)
    recorder.stopped(10.75)
    interval = {"event": "interval"}
    assert read(path) == [
        {"time": 9.9, "event": "first_request"},
        interval
        | {"time": 10.5, "seconds": 0.5, "users": 2, "requests": 2, "failures": 1}
        | {"status": {"200": 1, "500": 1}, "p50": 0.75, "p95": 0.75},
        interval
        | {"time": 10.75, "seconds": 0.25, "users": 0, "requests": 1, "failures": 1}
        | {"status": {"0": 1}, "p50": 0.5, "p95": 0.5},
        {"time": 10.75, "event": "stopped"},
    ]


def test_an_interval_without_a_request_has_no_quantiles() -> None:
    """Nothing ended: the quantiles are null, not zero."""
    line = recording.Interval(1.0).line(1.5, 3)
    assert (line["requests"], line["status"], line["p50"], line["p95"]) == (0, {}, None, None)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 1))
def test_a_quantile_is_one_of_the_values(values: list[float], q: float) -> None:
    """At least that share of the values is not over it."""
    found = recording.quantile(sorted(values), q)
    assert found in values
    assert sum(value <= found for value in values) >= q * len(values)


# --- the profiles, run ---


def profiles() -> list[str]:
    """Return the name of every profile."""
    return sorted({path.stem for path in PROFILES.glob("*.py")} - SHARED)


def start(supervisor: Supervisor, name: str, **environment: str) -> Service:
    """Start the reference system's backend or frontend."""
    argv = (sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "0", "--no-access-log")
    directory = ROOT / "fixtures/systems/dharmamind" / name
    env = {**os.environ, **environment}
    return start_service(
        supervisor, ServiceCommand(name=name, argv=argv, cwd=directory, env=env, ready="/health/ready")
    )


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("load-profiles", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def backend(supervisor: Supervisor) -> Iterator[Service]:
    """Return a fresh backend with its fault switches."""
    service = start(supervisor, "backend", DHARMAMIND_DRILL="1")
    yield service
    service.stop()


@pytest.fixture
def run(supervisor: Supervisor, tmp_path: Path) -> Iterator[Any]:
    """Return a function that starts a profile; it is stopped at the end of the test."""
    started: list[Load] = []

    def begin(profile: str, host: str, **environment: str) -> Load:
        settings = LoadSettings(
            profile=PROFILES / f"{profile}.py",
            host=host,
            load_log=tmp_path / "load.jsonl",
            env={**os.environ, **environment},
        )
        started.append(Load.start(supervisor, settings))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


def totals(running: Load) -> Counter[str]:
    """Return the requests recorded so far, by status, and in all as `requests`."""
    counted: Counter[str] = Counter()
    for line in running.lines():
        counted.update(line.get("status", {}))
        counted["requests"] += line.get("requests", 0)
    return counted


def await_requests(running: Load, number: int) -> None:
    """Wait until so many requests have been recorded."""
    wait_until(lambda: totals(running)["requests"] >= number, seconds=20, what=f"{number} requests")


def metric(service: Service, series: str) -> float:
    """Return the value of one series."""
    text = requests.get(service.url + "/metrics", timeout=5).text
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series + " "))


@pytest.mark.parametrize("profile", sorted(set(profiles()) - {"pages"}))
def test_a_profile_records_its_run_and_ends_in_order(profile: str, backend: Service, run: Any) -> None:
    """It tells its first request, its intervals and its end; SIGTERM ends it with code 0 within two seconds."""
    running = run(profile, backend.url)
    await_requests(running, 2)
    exited = running.stop(seconds=2)
    assert (exited.code, exited.signal) == (0, None)
    lines = running.lines()
    assert [line["event"] for line in lines if line["event"] != "interval"] == ["first_request", "stopped"]
    assert lines[-1]["event"] == "stopped"
    assert lines[-1]["time"] >= max(line["time"] for line in lines)
    assert all(0 < line["seconds"] < 1.5 for line in lines if line["event"] == "interval")
    assert totals(running)["0"] == 0, "a request got no answer"


def test_pages_are_read_at_the_frontend(supervisor: Supervisor, backend: Service, run: Any) -> None:
    """Every page that the profile asks for exists, and the frontend asks the backend for them."""
    frontend = start(supervisor, "frontend", BACKEND_URL=backend.url)
    running = run("pages", frontend.url)
    await_requests(running, 30)
    assert running.stop(seconds=2).code == 0
    assert set(totals(running)) == {"200", "requests"}
    assert metric(frontend, 'dharmamind_frontend_backend_calls_total{outcome="answered"}') > 0
    frontend.stop()


def test_errors_are_half_of_the_requests(backend: Service, run: Any) -> None:
    """The share of 500 is the one asked for, far over the threshold, and the first request is one."""
    running = run("errors", backend.url, LOAD_USERS="5")
    await_requests(running, 40)
    running.stop()
    counted = totals(running)
    assert abs(counted["500"] - counted["requests"] / 2) <= 5
    assert metric(backend, 'dharmamind_drill_faults_total{fault="error"}') >= counted["500"]


def test_slow_answers_come_without_a_gap(backend: Service, run: Any) -> None:
    """Users are out of step: once the first answer is there, every second has one, and all are over 2 s."""
    running = run("slow", backend.url)
    await_requests(running, 30)
    running.stop()
    assert min(line["p50"] for line in running.lines() if line.get("requests")) > 2.0
    ended = [line["time"] for line in running.lines() if line.get("requests")]
    assert max(after - before for before, after in pairwise(ended)) < 1.6


def test_cpu_is_burnt_and_answers_stay_under_the_other_thresholds(backend: Service, run: Any) -> None:
    """Somebody is always burning, and nobody waits for two seconds."""
    running = run("cpu", backend.url)
    await_requests(running, 15)
    running.stop()
    assert metric(backend, 'dharmamind_drill_faults_total{fault="cpu"}') >= 15
    assert max(line["p95"] for line in running.lines() if line.get("requests")) < 2.0
    assert set(totals(running)) == {"200", "requests"}


def test_memory_stays_over_its_threshold_while_the_load_is_on(backend: Service, run: Any) -> None:
    """It reaches 85 % of the limit, is there in every sample from then on, and falls under 60 % when the load ends."""
    running = run("memory", backend.url)

    def share() -> float:
        return metric(backend, "process_resident_memory_bytes") / LIMIT

    wait_until(lambda: share() > 0.85, seconds=10, what="memory over its threshold")
    until = totals(running)["requests"] + 80  # more than two seconds, the time for which each is held
    seen = []

    def enough() -> bool:
        seen.append(share())
        return totals(running)["requests"] >= until

    wait_until(enough, seconds=20, what="80 requests")
    assert 0.85 < min(seen) <= max(seen) < 0.95
    running.stop()
    wait_until(lambda: share() < 0.6, seconds=20, what="memory is given back")


def test_seats_are_taken_at_once_and_given_back(backend: Service, run: Any) -> None:
    """The gauge steps from 0 to SEATS, outlives a lease, and is 0 again when the profile has ended."""
    running = run("seats", backend.url, SEATS="97")
    await_requests(running, 5)
    assert metric(backend, "dharmamind_seats_occupied") == 97
    running.stop()
    assert metric(backend, "dharmamind_seats_occupied") == 0
    assert totals(running)["201"] == 1


def test_seats_of_a_killed_profile_are_freed(backend: Service, run: Any, supervisor: Supervisor) -> None:
    """Nobody closes the sitting, and its lease ends."""
    running = run("seats", backend.url)
    await_requests(running, 1)
    supervisor.kill(running.process)
    assert metric(backend, "dharmamind_seats_occupied") == 75
    wait_until(lambda: metric(backend, "dharmamind_seats_occupied") == 0, seconds=6, what="the lease ends")


def test_the_control_profile_does_all_and_crosses_nothing(backend: Service, run: Any) -> None:
    """Each trouble takes effect, and each stays under its threshold."""
    running = run("control", backend.url)
    await_requests(running, 120)
    occupied = metric(backend, "dharmamind_seats_occupied")
    resident = metric(backend, "process_resident_memory_bytes")
    running.stop()
    counted = totals(running)
    assert 0 < counted["500"] < 0.05 * counted["requests"]
    assert 0 < occupied < 50
    assert resident < 0.7 * LIMIT
    for fault in ("error", "latency", "cpu", "memory"):
        assert metric(backend, f'dharmamind_drill_faults_total{{fault="{fault}"}}') > 0
    assert max(line["p95"] for line in running.lines() if line.get("requests")) < 2.0


@pytest.mark.parametrize(
    ("profile", "variable", "message"),
    [
        ("browse", {"LOAD_USERS": "no"}, "LOAD_USERS='no' is not a number from 1 to 10000"),
        ("abuse", {"ABUSE": "loud"}, "ABUSE='loud' is none of logins, flood, forbidden, malformed"),
        (
            "browse",
            {"TOCSIN_LOAD_LOG": "/nowhere/load.jsonl"},
            "TOCSIN_LOAD_LOG='/nowhere/load.jsonl' cannot be written",
        ),
    ],
)
def test_a_profile_refuses_what_it_cannot_use(
    profile: str, variable: dict[str, str], message: str, tmp_path: Path
) -> None:
    """The message names the variable, there is no traceback, and the status is not 0."""
    argv = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(PROFILES / f"{profile}.py"),
        "--headless",
        "--host",
        "http://127.0.0.1:1",
    ]
    done = run_once(argv, cwd=tmp_path, env={**os.environ, **variable}, seconds=30)
    assert done.code == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "status"), [("logins", "401"), ("forbidden", "403"), ("malformed", "422"), ("flood", "429")]
)
def test_abuse_is_turned_away(kind: str, status: str, supervisor: Supervisor, run: Any) -> None:
    """Each kind of abuse gets the answer that says so, and is counted as a security event."""
    service = start(supervisor, "backend", DHARMAMIND_DRILL="1", REQUESTS_PER_SECOND_PER_CLIENT="20")
    rate = "400" if kind == "flood" else "10"
    running = run("abuse", service.url, ABUSE=kind, ABUSE_PER_SECOND=rate)

    wait_until(lambda: totals(running)[status] >= 5, seconds=20, what=f"five answers {status}")

    event = {"logins": "login_failed", "flood": "throttled"}.get(kind, kind)
    assert metric(service, f'dharmamind_security_events_total{{kind="{event}"}}') >= 5
    service.stop()
