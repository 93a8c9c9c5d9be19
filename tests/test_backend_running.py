"""The reference system's backend, one process of it, as its users, its platform and its Prometheus see it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from tocsin.deadline import wait_until
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Supervisor

BACKEND = Path(__file__).parents[1] / "fixtures/systems/dharmamind/backend"
ACCOUNT = {
    "ananda": "scrypt$1024$8$1$MDEyMzQ1Njc4OWFiY2RlZg==$D4ZvrITxrogjOpccpTNKnyD3ppKS3Vtos5qzpsM38OU="
}  # "four noble"
Start = Callable[..., Service]


def command(**environment: str) -> ServiceCommand:
    """Return how the backend is started, at its production settings save those given."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log", "--log-level", "info")
    return ServiceCommand(
        name="backend",
        argv=(sys.executable, "-m", "uvicorn", "app.main:app", *options),
        cwd=BACKEND,
        env={**os.environ, **environment},
        ready="/health/ready",
    )


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("backend", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def start(supervisor: Supervisor) -> Iterator[Start]:
    """Start backends that end with the test."""
    started: list[Service] = []

    def begin(**environment: str) -> Service:
        started.append(start_service(supervisor, command(**environment)))
        return started[-1]

    yield begin
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def backend(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a backend with one member and fault switches, which throttles nobody."""
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    accounts.write_text(json.dumps(ACCOUNT))
    service = start_service(
        supervisor,
        command(ACCOUNTS_FILE=str(accounts), DHARMAMIND_DRILL="1", REQUESTS_PER_SECOND_PER_CLIENT="1000"),
    )
    yield service
    service.stop()


def ask(service: Service, method: str, path: str, **more: Any) -> requests.Response:
    """Ask the service."""
    return requests.request(method, service.url + path, timeout=10, **more)


def fault(service: Service, header: str) -> requests.Response:
    """Ask for a fault."""
    return ask(service, "GET", "/api/meditations", headers={"X-Drill-Fault": header})


def scrape(service: Service) -> dict[str, float]:
    """Return the value of each series, by its text."""
    text = ask(service, "GET", "/metrics").text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def moved(before: dict[str, float], after: dict[str, float], name: str) -> dict[str, float]:
    """Return by how much each series of `name` moved, of those that did."""
    of = {series for series in after if series.split("{")[0] == name}
    return {
        series.removeprefix(name): after[series] - before[series] for series in of if after[series] != before[series]
    }


# --- /metrics ---

TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text;version=nonsense", TEXT),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(accept: str, format_: str, backend: Service) -> None:
    """The content type says which it is, and the strict parser of that format reads it."""
    answer = ask(backend, "GET", "/metrics", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith(format_)
    read = openmetrics if "openmetrics" in format_ else parser
    families = {family.name: family for family in read.text_string_to_metric_families(answer.text)}
    assert {"counter", "gauge", "histogram"} <= {family.type for family in families.values()}
    assert answer.text.endswith("# EOF\n") == ("openmetrics" in format_)
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize(("accepted", "sent"), [("gzip, br", "gzip"), ("identity", None), ("br", None)])
def test_metrics_are_compressed_if_asked(accepted: str, sent: str | None, backend: Service) -> None:
    """Prometheus asks for gzip; who does not gets none."""
    answer = ask(backend, "GET", "/metrics", headers={"Accept-Encoding": accepted}, stream=True)
    body = answer.raw.read(decode_content=False)
    assert answer.headers.get("Content-Encoding") == sent
    text = gzip.decompress(body) if sent else body
    assert b"\ndharmamind_http_requests_total{" in text
    assert len(body) < 10_000 or not sent


EXPECTED = {
    "dharmamind_http_requests_in_flight",
    "dharmamind_workers",
    "dharmamind_disk_free_bytes",
    "dharmamind_disk_size_bytes",
    "dharmamind_network_receive_bytes_total",
    "dharmamind_network_transmit_bytes_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "dharmamind_seats_occupied",
    'dharmamind_sessions_open{kind="guest"}',
    'dharmamind_sessions_open{kind="member"}',
    'dharmamind_drill_faults_total{fault="descriptors"}',
    'dharmamind_drill_faults_total{fault="scrape_latency"}',
    'dharmamind_interactions_total{kind="chat",outcome="failed"}',
    'dharmamind_interactions_total{kind="sitting",outcome="refused"}',
    'dharmamind_sessions_started_total{kind="member",outcome="refused"}',
    'dharmamind_security_events_total{kind="login_failed"}',
    'dharmamind_security_events_total{kind="forbidden"}',
    'dharmamind_security_events_total{kind="malformed"}',
    'dharmamind_security_events_total{kind="throttled"}',
    'dharmamind_performance_level{signal="response_time"}',
    'dharmamind_logs_total{level="critical"}',
    'dharmamind_http_requests_total{method="POST",route="/api/sessions",status="500"}',
    'dharmamind_http_requests_total{method="GET",route="/api/admin/accounts",status="200"}',
}


def test_every_series_that_is_known_beforehand_is_there_from_the_start(start: Start) -> None:
    """rate() sees the first step of each; and nothing is exported about shipping and traces that are off."""
    fresh = scrape(start(DHARMAMIND_DRILL="1"))
    assert fresh.keys() >= EXPECTED
    assert not [series for series in fresh if "log_shipping" in series or "trace_spans" in series]
    assert not [series for series in fresh if "_created" in series]


def test_a_measurement_points_at_its_trace(start: Start) -> None:
    """With tracing, a sampled request leaves its trace's id beside its bucket, in OpenMetrics, and only there."""
    service = start(METRICS_EXEMPLARS="1", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", TRACE_SAMPLING_RATIO="0")
    sampled, other = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
    for trace, flag in ((sampled, "01"), (other, "00")):
        ask(service, "GET", "/api/meditations", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-{flag}"})
    plain = ask(service, "GET", "/metrics").text
    rich = ask(service, "GET", "/metrics", headers={"Accept": "application/openmetrics-text"}).text
    families = openmetrics.text_string_to_metric_families(rich)  # type: ignore[no-untyped-call]
    exemplars = [sample.exemplar.labels for family in families for sample in family.samples if sample.exemplar]
    assert [labels["trace_id"] for labels in exemplars] == [sampled]
    assert sampled not in plain
    assert other not in rich


# --- what people do ---


def test_a_guest_comes_and_goes(backend: Service) -> None:
    """A session is counted when it begins and open until it ends."""
    before = scrape(backend)
    opened = ask(backend, "POST", "/api/sessions", json={"kind": "guest"})
    during = scrape(backend)
    assert opened.status_code == 201
    assert moved(before, during, "dharmamind_sessions_started_total") == {'{kind="guest",outcome="opened"}': 1}
    assert moved(before, during, "dharmamind_sessions_open") == {'{kind="guest"}': 1}
    assert ask(backend, "DELETE", f"/api/sessions/{opened.json()['id']}").status_code == 204
    assert moved(before, scrape(backend), "dharmamind_sessions_open") == {}


def test_only_a_member_sees_the_accounts(backend: Service) -> None:
    """The right passphrase opens a session, and its id the door; a guest's does not, and no longer when it is over."""

    def accounts(session_id: str) -> requests.Response:
        return ask(backend, "GET", "/api/admin/accounts", headers={"Authorization": f"Bearer {session_id}"})

    member = ask(
        backend, "POST", "/api/sessions", json={"kind": "member", "name": "ananda", "passphrase": "four noble"}
    )
    guest = ask(backend, "POST", "/api/sessions", json={"kind": "guest"})
    assert member.status_code == 201
    assert accounts(member.json()["id"]).json() == ["ananda"]
    assert accounts(guest.json()["id"]).status_code == 403
    ask(backend, "DELETE", f"/api/sessions/{member.json()['id']}")
    assert accounts(member.json()["id"]).status_code == 403


ABUSE: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "a guessed passphrase": (
        "POST",
        "/api/sessions",
        {"json": {"kind": "member", "name": "ananda", "passphrase": "guessed"}},
        401,
        "login_failed",
    ),
    "a name that is none": (
        "POST",
        "/api/sessions",
        {"json": {"kind": "member", "name": "mara", "passphrase": "four noble"}},
        401,
        "login_failed",
    ),
    "a forbidden page": ("GET", "/api/admin/accounts", {}, 403, "forbidden"),
    "not JSON": (
        "POST",
        "/api/chat",
        {"data": '{"message": ', "headers": {"Content-Type": "application/json"}},
        422,
        "malformed",
    ),
    "the wrong fields": ("POST", "/api/sessions", {"json": {"kind": "buddha"}}, 422, "malformed"),
}


@pytest.mark.parametrize("abuse", ABUSE.values(), ids=ABUSE)
def test_abuse_is_refused_and_counted(abuse: tuple[str, str, dict[str, Any], int, str], backend: Service) -> None:
    """Each attempt is one event of its kind, and of no other."""
    method, path, more, status, kind = abuse
    before = scrape(backend)
    assert ask(backend, method, path, **more).status_code == status
    assert moved(before, scrape(backend), "dharmamind_security_events_total") == {f'{{kind="{kind}"}}': 1}


def test_a_failed_login_is_a_session_refused(backend: Service) -> None:
    """The business sees it too; a body that cannot be read is nobody's session."""
    before = scrape(backend)
    ask(backend, "POST", "/api/sessions", json={"kind": "member", "name": "ananda", "passphrase": "guessed"})
    ask(backend, "POST", "/api/sessions", json={"kind": "member"})
    after = scrape(backend)
    assert moved(before, after, "dharmamind_sessions_started_total") == {'{kind="member",outcome="refused"}': 1}


def test_sessions_are_refused_when_there_is_no_room(start: Start) -> None:
    """The session that is one too many is refused, and counted so; one that ends makes room."""
    service = start(SESSIONS_CAPACITY="1")
    first = ask(service, "POST", "/api/sessions", json={"kind": "guest"})
    assert ask(service, "POST", "/api/sessions", json={"kind": "guest"}).status_code == 409
    assert scrape(service)['dharmamind_sessions_started_total{kind="guest",outcome="refused"}'] == 1
    ask(service, "DELETE", f"/api/sessions/{first.json()['id']}")
    assert ask(service, "POST", "/api/sessions", json={"kind": "guest"}).status_code == 201


def test_interactions_are_told_apart_by_how_they_ended(backend: Service) -> None:
    """Answered, refused (it was not for us to answer), failed (it was)."""
    before = scrape(backend)
    ask(backend, "POST", "/api/chat", json={"message": "begin"})
    ask(backend, "GET", "/api/meditations/nowhere")
    ask(backend, "GET", "/api/sittings", headers={"X-Drill-Fault": "error"})
    ask(backend, "GET", "/api/elsewhere")
    assert moved(before, scrape(backend), "dharmamind_interactions_total") == {
        '{kind="chat",outcome="answered"}': 1,
        '{kind="meditation",outcome="refused"}': 1,
        '{kind="sitting",outcome="failed"}': 1,
    }


def test_who_asks_too_often_is_asked_to_wait(start: Start) -> None:
    """After the burst 429, with when to come back; counted, and neither probes nor scrapes are ever throttled."""
    service = start(REQUESTS_PER_SECOND_PER_CLIENT="2")
    answers = [ask(service, "GET", "/api/meditations") for _ in range(10)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert [answer.status_code for answer in answers[:4]] == [200] * 4
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert {ask(service, "GET", path).status_code for path in ("/health/live", "/health/ready") * 5} == {200}
    assert scrape(service)['dharmamind_security_events_total{kind="throttled"}'] == len(refused)
    wait_until(
        lambda: ask(service, "GET", "/api/meditations").status_code == 200, seconds=20, what="tokens have come back"
    )


def test_a_request_is_in_flight_until_it_is_answered(backend: Service) -> None:
    """The gauge holds those that wait, and nothing afterwards."""
    with ThreadPoolExecutor(3) as asking:
        waiting = [asking.submit(fault, backend, "latency=1") for _ in range(3)]
        wait_until(lambda: scrape(backend)["dharmamind_http_requests_in_flight"] == 3, seconds=20, what="three wait")
    assert [answer.result().status_code for answer in waiting] == [200] * 3
    assert scrape(backend)["dharmamind_http_requests_in_flight"] == 0


# --- faults ---


def test_descriptors_are_held_to_the_ceiling_and_given_back(start: Start) -> None:
    """Over the alert's 80 % while they are held, never so many that nobody gets in, and as before afterwards."""
    service = start(DHARMAMIND_DRILL="1", MAX_OPEN_FILES="128")
    rest = scrape(service)
    assert rest["process_max_fds"] == 128
    assert rest["process_open_fds"] < 0.5 * 128
    for _ in range(4):
        assert fault(service, "descriptors=100;hold=1.5").status_code == 200
    held = scrape(service)["process_open_fds"]
    assert 0.8 * 128 < held <= 0.97 * 128
    wait_until(lambda: scrape(service)["process_open_fds"] < 0.5 * 128, seconds=20, what="descriptors are given back")
    assert scrape(service)['dharmamind_drill_faults_total{fault="descriptors"}'] == 4


def test_a_scrape_is_late_for_a_while(backend: Service) -> None:
    """Each scrape takes as long as was asked for; requests do not, and later scrapes neither."""

    def seconds(path: str) -> float:
        began = time.monotonic()
        ask(backend, "GET", path)
        return time.monotonic() - began

    assert fault(backend, "scrape_latency=0.5;hold=2").status_code == 200
    assert seconds("/metrics") >= 0.5
    assert seconds("/api/meditations") < 0.5
    wait_until(lambda: seconds("/metrics") < 0.5, seconds=20, what="scrapes are quick again")


def test_bounds_keep_faults_from_breaking_the_process(backend: Service) -> None:
    """More than the bound is refused, whole."""
    for header in ("descriptors=70000", "descriptors=1;hold=31", "scrape_latency=31", "scrape_latency=1;hold=301"):
        assert fault(backend, header).status_code == 400


# --- the platform ---


def test_readiness_looks_at_the_state_and_liveness_does_not(start: Start, tmp_path: Path) -> None:
    """Without its state the pod gets no requests, but is neither restarted nor blind."""
    service = start(STATE_DIRECTORY=str(tmp_path))
    (state,) = tmp_path.glob("state-*.sqlite3")
    state.rename(tmp_path / "elsewhere")
    assert ask(service, "GET", "/health/ready").status_code == 503
    assert [ask(service, "GET", f"/health/{probe}").status_code for probe in ("live", "startup")] == [200, 200]
    assert scrape(service)["dharmamind_workers"] == 1
    (tmp_path / "elsewhere").rename(state)
    assert ask(service, "GET", "/health/ready").status_code == 200


def test_sittings_and_sessions_outlive_the_process(start: Start, tmp_path: Path) -> None:
    """After a kill and a new start on the same machine, seats and sessions are still taken."""
    first = start(STATE_DIRECTORY=str(tmp_path), SITTING_LEASE_SECONDS="60")
    ask(first, "POST", "/api/sittings", json={"participants": 40})
    ask(first, "POST", "/api/sessions", json={"kind": "guest"})
    first.kill()
    again = scrape(start(STATE_DIRECTORY=str(tmp_path), SITTING_LEASE_SECONDS="60"))
    assert again["dharmamind_seats_occupied"] == 40
    assert again['dharmamind_sessions_open{kind="guest"}'] == 1


def test_who_leaves_says_so_first(start: Start) -> None:
    """After SIGTERM readiness fails at once, while requests are answered until the drain is over."""
    service = start(SHUTDOWN_DRAIN_SECONDS="2")
    began = time.monotonic()
    os.kill(service.process.pid, signal.SIGTERM)
    wait_until(lambda: ask(service, "GET", "/health/ready").status_code == 503, seconds=20, what="it says so")
    assert ask(service, "GET", "/api/meditations").status_code == 200
    assert ask(service, "GET", "/health/live").status_code == 200
    wait_until(lambda: not psutil.pid_exists(service.process.pid), seconds=10, what="it ends")
    assert time.monotonic() - began >= 2


def test_a_second_signal_ends_the_drain(start: Start) -> None:
    """Who says it twice does not want to wait."""
    service = start(SHUTDOWN_DRAIN_SECONDS="60")
    os.kill(service.process.pid, signal.SIGTERM)
    wait_until(lambda: ask(service, "GET", "/health/ready").status_code == 503, seconds=20, what="it says so")
    os.kill(service.process.pid, signal.SIGTERM)
    wait_until(lambda: not psutil.pid_exists(service.process.pid), seconds=10, what="it ends")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ACCOUNTS_FILE": "/nowhere/accounts.json"}, "ACCOUNTS_FILE: /nowhere/accounts.json is not a readable"),
        ({"STATE_DIRECTORY": "/dev/null/state"}, "STATE_DIRECTORY='/dev/null/state' cannot be used"),
        ({"MAX_OPEN_FILES": "999999999"}, "MAX_OPEN_FILES=999999999 is more than the"),
    ],
)
def test_what_cannot_be_used_ends_the_start_with_a_message(
    environment: dict[str, str], said: str, supervisor: Supervisor
) -> None:
    """No traceback, and no backend that runs without what it was told to use."""
    with pytest.raises(EngineTrouble) as raised:
        start_service(supervisor, command(**environment))
    assert said in str(raised.value)
    assert "Traceback" not in str(raised.value)
