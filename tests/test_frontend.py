"""The frontend shows its pages, whatever becomes of the rest, and says of itself what its monitoring needs."""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.observed import SYSTEM, await_events, scrape, start_part
from tocsin.deadline import wait_until
from tocsin.engines.service import Service
from tocsin.supervisor import Supervisor

NOBODY = "http://127.0.0.1:9"
PAGES = ("/", "/meditations", "/sit")


def load_settings() -> Any:
    """Import the frontend's settings; as `app` they would clash with the backend's."""
    spec = importlib.util.spec_from_file_location("frontend_settings", SYSTEM / "frontend/app/settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["frontend_settings"] = module
    spec.loader.exec_module(module)
    return module


settings: Any = load_settings()


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("frontend", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="module")
def plain(supervisor: Supervisor) -> Service:
    """Return a frontend as in production, without a backend."""
    return start_part(supervisor, "frontend", BACKEND_URL=NOBODY, DHARMAMIND_DRILL="")


@pytest.fixture(scope="module")
def drilled(supervisor: Supervisor) -> Service:
    """Return a frontend whose fault switches exist."""
    return start_part(supervisor, "frontend", BACKEND_URL=NOBODY, DHARMAMIND_DRILL="1")


def get(service: Service, path: str, fault: str | None = None) -> requests.Response:
    """Ask the service."""
    return requests.get(service.url + path, headers={"X-Drill-Fault": fault} if fault else {}, timeout=10)


def answered(service: Service, route: str, status: int) -> float:
    """Return the requests counted; KeyError if the series is not there."""
    return scrape(service)[f'dharmamind_http_requests_total{{method="GET",route="{route}",status="{status}"}}']


def test_the_series_exist_before_the_first_request(supervisor: Supervisor) -> None:
    """Every counter that an alert takes the rate of is there at 0, and nothing is shipped or traced unasked."""
    fresh = start_part(supervisor, "frontend", BACKEND_URL=NOBODY)
    series = scrape(fresh)
    fresh.stop()
    for route in PAGES:
        for status in (200, 500):
            assert series[f'dharmamind_http_requests_total{{method="GET",route="{route}",status="{status}"}}'] == 0
    for outcome in ("answered", "refused", "unreachable"):
        assert series[f'dharmamind_frontend_backend_calls_total{{outcome="{outcome}"}}'] == 0
    for level in ("warning", "error", "critical"):
        assert series[f'dharmamind_logs_total{{level="{level}"}}'] == 0
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"):
        assert series[f"process_{name}"] > 0
    assert series["dharmamind_http_requests_in_flight"] == 0
    assert series["dharmamind_drill_faults_enabled"] == 0
    assert not [name for name in series if "shipping" in name or "spans" in name or "_created" in name]


@pytest.mark.parametrize("question", ["live", "ready", "startup"])
def test_health_is_ours_alone(question: str, plain: Service) -> None:
    """Without a backend pages are shown too, so each answer is 200, and none of them is counted as a page."""
    before = {name: value for name, value in scrape(plain).items() if name.startswith("dharmamind_http_requests_total")}
    assert get(plain, f"/health/{question}").status_code == 200
    assert before.items() <= scrape(plain).items()


def test_a_page_without_a_backend_is_a_page(plain: Service) -> None:
    """It is counted as answered, and the call as unreachable."""
    unreachable = 'dharmamind_frontend_backend_calls_total{outcome="unreachable"}'
    before = scrape(plain)[unreachable]
    assert "try again" in get(plain, "/meditations").text
    assert scrape(plain)[unreachable] == before + 1
    assert answered(plain, "/meditations", 200) >= 1


def test_requests_in_flight_are_seen(drilled: Service) -> None:
    """As many as are being answered, and none afterwards."""
    in_flight = "dharmamind_http_requests_in_flight"
    with ThreadPoolExecutor(3) as asking:
        waiting = [asking.submit(get, drilled, "/", "latency=1") for _ in range(3)]
        wait_until(lambda: scrape(drilled)[in_flight] == 3, seconds=20, what="three in flight")
    assert [answer.result().status_code for answer in waiting] == [200] * 3
    assert scrape(drilled)[in_flight] == 0


def test_a_fault_is_unknown_outside_of_drills(plain: Service) -> None:
    """Nothing reads the header, and the series is not there."""
    began = time.monotonic()
    assert get(plain, "/", "error").status_code == 200
    assert get(plain, "/", "latency=5").status_code == 200
    assert time.monotonic() - began < 3
    assert not [name for name in scrape(plain) if name.startswith("dharmamind_drill_faults_total")]


def test_an_error_is_a_page_a_count_and_a_traceback(drilled: Service) -> None:
    """The answer is 500 with words, is counted, and the event of the request holds the traceback."""
    before = answered(drilled, "/sit", 500)
    answer = get(drilled, "/sit", "error")
    assert answer.status_code == 500
    assert "try again" in answer.text
    assert answered(drilled, "/sit", 500) == before + 1
    assert scrape(drilled)['dharmamind_drill_faults_total{fault="error"}'] >= 1
    event = await_events(drilled, 1, status=500, route="/sit")[-1]
    assert event["level"] == "error"
    assert "DrillFault" in event["traceback"]


def test_latency_makes_one_page_late(drilled: Service) -> None:
    """It takes as long as was asked for, and lies in the bucket that it belongs to."""
    bucket = 'dharmamind_http_request_duration_seconds_bucket{{le="{}",method="GET",route="/meditations"}}'
    before = scrape(drilled)
    assert get(drilled, "/meditations", "latency=0.6").status_code == 200
    after = scrape(drilled)
    assert after[bucket.format("1.0")] == before[bucket.format("1.0")] + 1
    assert after[bucket.format("0.5")] == before[bucket.format("0.5")]


@pytest.mark.parametrize("fault", ["", "latency", "latency=-1", "latency=31", "latency=nan", "latency=x", "memory=1"])
def test_a_fault_that_makes_no_sense_is_refused(fault: str, drilled: Service) -> None:
    """The answer is 400 and says what is wrong."""
    answer = requests.get(drilled.url + "/", headers={"X-Drill-Fault": fault}, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("X-Drill-Fault: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TRACE_SAMPLING_RATIO", "1.1"),
        ("TRACE_SAMPLING_RATIO", "nan"),
        ("LOG_BUFFER", "0"),
        ("LOG_BUFFER", "many"),
        ("BACKEND_URL", "backend:8000"),
        ("ELASTICSEARCH_URL", "elastic.example"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://x"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, text: str) -> None:
    """The process ends with a message that names the variable, before it listens."""
    with pytest.raises(settings.BadSetting, match=re.escape(name)):
        settings.Settings.from_environment({name: text})


def test_the_defaults_are_the_contracts() -> None:
    """Without any variable nothing is shipped, nothing is traced, and a tenth would be recorded."""
    default = settings.Settings.from_environment({})
    assert (default.elasticsearch_url, default.otlp_endpoint, default.drill) == ("", "", False)
    assert (default.log_index, default.log_buffer, default.trace_sampling_ratio) == ("dharmamind-logs", 2000, 0.1)


def test_each_visitor_has_a_throttle_of_his_own(supervisor: Supervisor) -> None:
    """The backend is told for whom the frontend asks, so one who asks too much takes nothing from the others."""
    backend = start_part(supervisor, "backend", REQUESTS_PER_SECOND_PER_CLIENT="0.5")
    frontend = start_part(supervisor, "frontend", BACKEND_URL=backend.url)

    def seen(visitor: str) -> str:
        return requests.get(frontend.url + "/sit", headers={"X-Forwarded-For": visitor}, timeout=10).text

    assert "100 seats are free" in seen("192.0.2.1")
    assert "cannot show this" in seen("192.0.2.1"), "a second request within two seconds is one too many"
    assert "100 seats are free" in seen("192.0.2.2")
    frontend.stop()
    backend.stop()
