"""The reference system is what its monitoring says it is, and its fault switches do what a drill takes them for."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import requests
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin.deadline import wait_until
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.supervisor import Supervisor

SYSTEM = Path(__file__).parents[1] / "fixtures/systems/dharmamind"
SCRAPE_TIMEOUT_SECONDS = 0.25
"""Of a drill at sixty times production's pace."""
MIB = 2**20


def load(path: str) -> ModuleType:
    """Import one file of the backend that needs no other; as `app` it would clash with the frontend's."""
    name = f"dharmamind_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, SYSTEM / "backend/app" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


sittings = load("sittings.py")
store = load("store.py")
settings = load("settings.py")
monitor = load("monitoring/performance_monitor.py")


def rules() -> list[dict[str, Any]]:
    """Return every alerting rule."""
    groups = yaml.safe_load((SYSTEM / "monitoring/alert_rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def start(supervisor: Supervisor, name: str, **environment: str) -> Service:
    """Start the backend or the frontend as a drill does."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log", "--log-level", "info")
    command = ServiceCommand(
        name=name,
        argv=(sys.executable, "-m", "uvicorn", "app.main:app", *options),
        cwd=SYSTEM / name,
        env={**os.environ, **environment},
        ready="/health/ready",
    )
    return start_service(supervisor, command)


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("reference-system", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="module")
def drilled(supervisor: Supervisor) -> Service:
    """Return a backend whose fault switches exist."""
    return start(supervisor, "backend", DHARMAMIND_DRILL="1")


@pytest.fixture
def backend(supervisor: Supervisor) -> Iterator[Service]:
    """Return a backend as in production, for one test."""
    service = start(supervisor, "backend", DHARMAMIND_DRILL="")
    yield service
    service.stop()


def get(service: Service, path: str, fault: str | None = None) -> requests.Response:
    """Ask the service."""
    return requests.get(service.url + path, headers={"X-Drill-Fault": fault} if fault else {}, timeout=10)


def scrape(service: Service) -> dict[str, float]:
    """Return the value of each series, by its text."""
    lines = [line.rsplit(" ", 1) for line in get(service, "/metrics").text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def answered(metrics: dict[str, float], method: str, route: str, status: int) -> float:
    """Return the requests counted; KeyError if the series is not there."""
    return metrics[f'dharmamind_http_requests_total{{method="{method}",route="{route}",status="{status}"}}']


# --- the files ---


def test_the_limits_are_declared_alike() -> None:
    """What the backend takes for its limits is what Kubernetes grants it."""
    documents = yaml.safe_load_all((SYSTEM / "k8s/production/deployment.yaml").read_text())
    workloads = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Deployment"}
    container = workloads["backend"]["spec"]["template"]["spec"]["containers"][0]
    limits = container["resources"]["limits"]
    assert (limits["cpu"], limits["memory"]) == ("1", "256Mi")
    assert (settings.CPU_LIMIT_CORES, settings.MEMORY_LIMIT_BYTES) == (1, 256 * MIB)
    given = {e["name"]: e["valueFrom"]["resourceFieldRef"]["resource"] for e in container["env"]}
    assert given == {"CPU_LIMIT_CORES": "limits.cpu", "MEMORY_LIMIT_BYTES": "limits.memory"}


@pytest.mark.parametrize(
    ("alert", "signal"),
    [
        ("HighResponseTime", monitor.RESPONSE_TIME),
        ("HighErrorRate", monitor.ERROR_RATE),
        ("HighCPU", monitor.CPU),
        ("HighMemory", monitor.MEMORY),
    ],
)
def test_the_application_and_the_alerts_have_the_same_thresholds(alert: str, signal: Any) -> None:
    """The level `error` begins where the alert does."""
    (expression,) = [rule["expr"].strip() for rule in rules() if rule["alert"] == alert]
    assert float(expression.rsplit("> ", 1)[1]) == signal.limit


# --- the parts ---


@given(st.sampled_from(list(monitor.Level)), st.floats(0, 10), st.sampled_from(monitor.THRESHOLDS))
def test_a_level_moves_once_and_then_stays(current: Any, value: float, threshold: Any) -> None:
    """Seeing the same value again changes nothing, and from the threshold on it is an error at least."""
    level = monitor.next_level(current, value, threshold)
    assert monitor.next_level(level, value, threshold) == level
    assert value < threshold.limit or level >= monitor.Level.ERROR
    assert value >= 0.66 * threshold.limit or level == monitor.Level.OK


@pytest.mark.parametrize(
    ("current", "value", "level"),
    [("OK", 0.79, "WARNING"), ("OK", 0.80, "ERROR"), ("ERROR", 0.77, "ERROR"), ("ERROR", 0.75, "WARNING")],
)
def test_a_level_is_left_only_well_under_its_line(current: str, value: float, level: str) -> None:
    """Hysteresis: 5 % under the line of a level it is left, not before."""
    assert monitor.next_level(monitor.Level[current], value, monitor.CPU) == monitor.Level[level]


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 5)), max_size=20))
def test_seats_are_taken_whole_and_never_twice(groups: list[tuple[int, float]]) -> None:
    """At no time are more seats taken than there are; who is refused takes none; leases end by themselves."""
    room = sittings.Sittings(store.Store(), capacity=100, lease_seconds=3.0)
    now = 0.0
    for participants, pause in groups:
        now += pause
        before = room.occupied(now)
        try:
            room.open(participants, now)
            assert room.occupied(now) == before + participants <= 100
        except sittings.SittingsFull:
            assert room.occupied(now) == before > 100 - participants
    assert room.occupied(now + 3.0) == 0


def test_a_renewed_sitting_lasts_from_then_on() -> None:
    """A lease counts from the last renewal; a sitting that ended is not renewed."""
    room = sittings.Sittings(store.Store(), capacity=10, lease_seconds=3.0)
    sitting = room.open(10, 0.0)
    room.renew(sitting.id, 2.5)
    assert room.occupied(5.4) == 10
    assert room.occupied(5.5) == 0
    with pytest.raises(sittings.NoSuchSitting):
        room.renew(sitting.id, 5.5)


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan", "inf"])
def test_a_bad_limit_ends_the_start_with_a_message(text: str) -> None:
    """A limit that is no positive number is named, not traced back."""
    with pytest.raises(SystemExit, match=r"CPU_LIMIT_CORES='.*' is not a positive number; unset it to use 1"):
        settings.Settings.from_environment({"CPU_LIMIT_CORES": text})


# --- the running backend ---


def test_every_metric_that_a_rule_reads_is_exported(supervisor: Supervisor) -> None:
    """No rule reads a metric that the backend does not have from its first scrape on."""
    text = "\n".join(rule["expr"] for rule in rules())
    read = set(re.findall(r'(?<![\w:])(\w+)\{job="backend"', text)) - {"up"}
    fresh = start(supervisor, "backend", DHARMAMIND_DRILL="1")
    exported = {series.split("{")[0] for series in scrape(fresh)}
    fresh.stop()
    assert len(read) >= 6
    assert read <= exported


def test_the_declared_limits_are_exported(drilled: Service) -> None:
    """The gauges that the alerts divide by are the limits that were declared."""
    metrics = scrape(drilled)
    assert metrics["dharmamind_cpu_limit_cores"] == 1
    assert metrics["dharmamind_memory_limit_bytes"] == 256 * MIB
    assert metrics["dharmamind_seats_capacity"] == 100


def test_in_production_the_header_does_nothing(backend: Service) -> None:
    """Without DHARMAMIND_DRILL=1 there are no faults, and the metric says so."""
    assert get(backend, "/api/meditations", "error").status_code == 200
    metrics = scrape(backend)
    assert metrics["dharmamind_drill_faults_enabled"] == 0
    assert not [series for series in metrics if series.startswith("dharmamind_drill_faults_total")]


def test_memory_at_rest_is_far_from_the_threshold(backend: Service) -> None:
    """The alert's way up is the drill's doing: at rest the backend uses less than 40 % of its limit."""
    assert scrape(backend)["process_resident_memory_bytes"] < 0.4 * 256 * MIB


@pytest.mark.parametrize("probe", ["live", "ready", "startup"])
def test_the_probes_answer_and_are_not_counted(probe: str, drilled: Service) -> None:
    """A running backend is well, and its probes do not thin the error ratio."""
    assert get(drilled, f"/health/{probe}").status_code == 200
    assert not [series for series in scrape(drilled) if "/health/" in series or "/metrics" in series]


def test_a_request_is_counted_by_its_route_not_its_path(drilled: Service) -> None:
    """Labels have the template of the route, and one value for all that no route matches."""
    get(drilled, "/api/meditations/breath")
    get(drilled, "/api/meditations/nowhere")
    get(drilled, "/api/elsewhere")
    metrics = scrape(drilled)
    assert answered(metrics, "GET", "/api/meditations/{meditation_id}", 200) == 1
    assert answered(metrics, "GET", "/api/meditations/{meditation_id}", 404) == 1
    assert answered(metrics, "GET", "unmatched", 404) == 1


def test_the_first_error_has_a_series_to_be_counted_in(drilled: Service) -> None:
    """rate() sees an error only if its series was there before; then it is one more, answered as 500."""
    before = answered(scrape(drilled), "GET", "/api/meditations", 500)
    assert get(drilled, "/api/meditations", "error").status_code == 500
    assert before == 0
    assert answered(scrape(drilled), "GET", "/api/meditations", 500) == 1


NO_FAULTS = (";", "nonsense", "latency", "latency=x", "latency=nan", "latency=-1", "cpu=9", "error=1", "hold=2",
             "memory=1;cpu=1")  # fmt: skip


@pytest.mark.parametrize("fault", NO_FAULTS)
def test_a_fault_that_makes_no_sense_is_refused(fault: str, drilled: Service) -> None:
    """The answer is 400 and says what is wrong, and nothing takes effect."""
    applied = {k: v for k, v in scrape(drilled).items() if k.startswith("dharmamind_drill_faults_total")}
    answer = get(drilled, "/api/meditations", fault)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("X-Drill-Fault: ")
    assert applied.items() <= scrape(drilled).items()


def test_latency_makes_one_answer_late(drilled: Service) -> None:
    """The answer takes as long as asked, is 200, and lies in the bucket that it belongs to."""
    began = time.monotonic()
    assert get(drilled, "/api/sittings", "latency=0.6").status_code == 200
    assert time.monotonic() - began >= 0.6
    bucket = 'dharmamind_http_request_duration_seconds_bucket{{le="{}",method="GET",route="/api/sittings"}}'
    metrics = scrape(drilled)
    assert metrics[bucket.format("1.0")] == metrics[bucket.format("0.5")] + 1


def test_burning_uses_the_cpu_and_leaves_the_metrics_fast(drilled: Service) -> None:
    """CPU time goes up by what was asked for, while every scrape is answered within its timeout."""
    before = scrape(drilled)["process_cpu_seconds_total"]
    slowest = 0.0
    with ThreadPoolExecutor(1) as asking:
        burning = asking.submit(get, drilled, "/api/sittings", "cpu=1")
        while wait([burning], timeout=0.05).not_done:
            began = time.monotonic()
            scrape(drilled)
            slowest = max(slowest, time.monotonic() - began)
    assert burning.result().status_code == 200
    assert 0 < slowest < SCRAPE_TIMEOUT_SECONDS
    assert scrape(drilled)["process_cpu_seconds_total"] - before >= 1


def test_memory_is_held_to_the_ceiling_and_given_back(drilled: Service) -> None:
    """It is over the alert's 85 % while it is held, never over 94 %, and back where it was soon after."""
    process = psutil.Process(drilled.process.pid)
    for _ in range(30):
        assert get(drilled, "/api/sittings", "memory=8388608;hold=1").status_code == 200
    held = process.memory_info().rss
    assert 0.85 * 256 * MIB < held < 0.95 * 256 * MIB
    wait_until(lambda: process.memory_info().rss < 0.5 * 256 * MIB, seconds=20, what="memory is given back")
    applied = scrape(drilled)['dharmamind_drill_faults_total{fault="memory"}']
    assert applied == 30


def test_a_sitting_is_seen_in_the_gauge(drilled: Service) -> None:
    """Seats are occupied from the answer on, a group that does not fit is refused whole, and closing frees them."""
    opened = requests.post(drilled.url + "/api/sittings", json={"participants": 70}, timeout=10)
    assert opened.status_code == 201
    assert scrape(drilled)["dharmamind_seats_occupied"] == 70
    assert requests.post(drilled.url + "/api/sittings", json={"participants": 31}, timeout=10).status_code == 409
    place = f"{drilled.url}/api/sittings/{opened.json()['id']}"
    assert requests.put(place, timeout=10).status_code == 200
    assert requests.delete(place, timeout=10).status_code == 204
    assert scrape(drilled)["dharmamind_seats_occupied"] == 0
    assert requests.put(place, timeout=10).status_code == 404


def test_the_status_page_shows_the_thresholds(drilled: Service) -> None:
    """Every signal is there with its threshold and a level."""
    shown = {signal["signal"]: signal for signal in get(drilled, "/health/performance").json()}
    assert {name: signal["threshold"] for name, signal in shown.items()} == {
        "response_time": 2.0,
        "error_rate": 0.05,
        "cpu": 0.8,
        "memory": 0.85,
    }
    assert {signal["level"] for signal in shown.values()} <= {"ok", "info", "warning", "error", "critical"}


# --- the running frontend ---


def test_the_pages_do_without_the_backend(supervisor: Supervisor, backend: Service) -> None:
    """With the backend its answers are shown; without it every page still opens, and the failure is counted."""
    frontend = start(supervisor, "frontend", BACKEND_URL=backend.url)
    assert "Loving-kindness" in get(frontend, "/meditations").text
    assert "100 seats are free" in get(frontend, "/sit").text
    backend.kill()
    assert [get(frontend, path).status_code for path in ("/", "/meditations", "/sit", "/health/ready")] == [200] * 4
    metrics = scrape(frontend)
    frontend.stop()
    assert metrics['dharmamind_frontend_backend_calls_total{outcome="answered"}'] == 2
    assert metrics['dharmamind_frontend_backend_calls_total{outcome="unreachable"}'] == 2
    assert answered(metrics, "GET", "/sit", 200) == 2
