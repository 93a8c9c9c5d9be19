"""Scrapes of healthy programs raise no warning, and neither does what only looks like a sickness."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client import (
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from tests.observed import start_part
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings
from tocsin.engines.node_exporter import start_node_exporter
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.exporters import Exported, Snapshot, snapshots
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.judging import judge
from tocsin.exposition.sense import complaints
from tocsin.finding import Severity
from tocsin.supervisor import Supervisor

NOW = 1_795_000_000.0


def told(text: str, *, syntax: Syntax = Syntax.TEXT, now: float = NOW) -> list[Complaint]:
    """Return the errors and warnings on a scrape."""
    digest = judge([text.encode()], syntax, now=now).digest
    return [one for one in complaints(digest, now=now) if one.severity is not Severity.INFO]


def family(name: str, kind: str, *series: str) -> str:
    """Return a family with its HELP."""
    return f"# HELP {name} Something.\n# TYPE {name} {kind}\n" + "".join(f"{name}{one}\n" for one in series)


UUIDS = [f"0b6cf1a4-8f5e-4d0a-9f0e-0d9a3f1b7c{n:02x}" for n in range(30)]
NEAR = {
    "a build info": family("shop_build_info", "gauge", '{version="1.2",revision="0f3c"} 1'),
    "an info metric with identifiers": family("shop_disk_info", "gauge", *[f'{{uuid="{one}"}} 1' for one in UUIDS]),
    "one identifier": family("shop_orders_total", "counter", f'{{cluster="{UUIDS[0]}"}} 1'),
    "a few accounts of programs": family("shop_connections", "gauge", '{user="shop"} 1', '{user="backup"} 2'),
    "paths of versions": family("r_total", "counter", *[f'{{path="/api/v{n}/orders"}} 1' for n in range(5)]),
    "templates": family("r_total", "counter", *[f'{{path="/{n}s/{{id}}"}} 1' for n in ("order", "cart", "user")]),
    "regions that are measured": family("shop_buckets", "gauge", '{region="a"} 1', '{region="b"} 1'),
    "a stage of work": family("etl_duration_seconds", "gauge", '{stage="extract"} 1'),
    "a zone of memory": family("mem_blocks", "gauge", '{zone="DMA"} 1'),
    "a single total": family("shop_cpu_seconds_total", "counter", '{cpu="total"} 1'),
    "a ratio of compression": family("shop_compression_ratio", "gauge", " 7.5"),
    "a ratio a little over one": family("shop_cpu_used_ratio", "gauge", " 1.02"),
    "a rate per second": family("shop_visits_per_second", "gauge", " 12"),
    "the time to the first byte": family("shop_time_to_first_byte", "gauge", " 1"),
    "a moment that never was": family("shop_backup_timestamp_seconds", "gauge", " 0"),
    "the lowest timestamp of nothing": family("shop_lowest_timestamp_seconds", "gauge", " 9.223372036854776e+15"),
    "a time to live for ever": family("shop_lease_seconds", "gauge", " 9.223372036854776e+18"),
    "seconds of many years": family("shop_cpu_seconds_total", "counter", " 5e+09"),
    "errors on their own": family("shop_errors_total", "counter", '{kind="timeout"} 1'),
    "errors with other labels": family("a_requests_total", "counter", '{path="/"} 1', '{path="/x"} 1')
    + family("a_errors_total", "counter", '{kind="timeout"} 1'),
    "errors of everything": family("a_requests_total", "counter", '{path="/"} 1')
    + family("a_request_errors_total", "counter", '{path="/"} 0'),
    "what is passed on": family("push_time_seconds", "gauge", '{job="a",instance=""} 1.7e+09')
    + "# TYPE x untyped\n"
    + 'x{job="a",instance=""} 1\n',
    "addresses that are measured": family("probe_ok", "gauge", *[f'{{ip="10.0.0.{n}"}} 1' for n in range(2)]),
    "attributes of OpenTelemetry": family(
        "x_total", "counter", '{otel_scope_name="a",http_route="/"} 1', '{otel_scope_name="a"} 1'
    ),
    "words with capitals": family("HTTP_requests_total", "counter", " 1"),
    "the label of another": family("shop_imports_total", "counter", '{job_name="nightly"} 1'),
    "a histogram of long work": family("shop_backup_seconds", "histogram")
    + "".join(f'shop_backup_seconds_bucket{{le="{le}"}} 1\n' for le in ("60", "600", "3600", "+Inf"))
    + "shop_backup_seconds_sum 30\nshop_backup_seconds_count 1\n",
}


@pytest.mark.parametrize("text", NEAR.values(), ids=NEAR)
def test_what_only_looks_like_a_sickness_raises_no_warning(text: str) -> None:
    """A near miss of each check that judges by the look of something."""
    assert told(text) == []


SICK = {
    "identifiers of events": ("identifier-in-label", family("x_total", "counter", '{request_id="a"} 1')),
    "many users": ("identifier-in-label", family("x", "gauge", *[f'{{user="u{n}"}} 1' for n in range(20)])),
    "customers by number": ("identifier-in-label", family("x", "gauge", *[f'{{customer_id="{n}"}} 1' for n in "123"])),
    "gauges of very many": ("identifier-in-label", family("x", "gauge", *[f'{{a="{one}"}} 1' for one in UUIDS])),
    "moments": ("identifier-in-label", family("x_total", "counter", *[f'{{at="179500000{n}"}} 1' for n in "123"])),
    "the place of all": ("place-label-exposed", family("x", "gauge", '{environment="prod"} 1')),
    "another target": ("target-label-exposed", family("x", "gauge", '{instance="a:80"} 1')),
    "nanoseconds": ("timestamp-in-milliseconds", family("x_timestamp_seconds", "gauge", " 1.7e+18")),
    "milliseconds since 1970": ("timestamp-in-milliseconds", family("x_seen_seconds", "gauge", " 1.7e+12")),
    "a start in the future": ("process-start-time-wrong", family("process_start_time_seconds", "gauge", " 1.8e+09")),
    "a browser": ("client-in-label", family("x_total", "counter", '{ua="curl/8.1"} 1')),
    "a trace of Java": ("stack-trace-in-label", family("x_total", "counter", '{e="at a.b.C.run(C.java:12)"} 1')),
    "an insertion": ("statement-in-label", family("x_total", "counter", '{q="insert into a values (1)"} 1')),
}


@pytest.mark.parametrize(("check", "text"), SICK.values(), ids=SICK)
def test_other_shapes_of_a_sickness_are_found(check: str, text: str) -> None:
    """Beside the one of each check's example."""
    assert check in {one.check for one in told(text)}


def sample_of(metric: Exported, name: str) -> str:
    """Return a scrape's family as an exporter's snapshot has it."""
    labels = [
        f'{label}="{min(metric.values.get(label, ["x"]))}"' for label in sorted(metric.labels - {"le", "quantile"})
    ]
    of: Callable[..., str] = lambda *more: "{" + ",".join((*labels, *more)) + "}" if labels or more else ""  # noqa: E731
    value = 1.7e9 if name.endswith("_seconds") else 1
    lines = [f"# HELP {name} Something.", f"# TYPE {name} {metric.type}"]
    if metric.type == "histogram":
        lines += [f"{name}_bucket{of(f'le={bound}')} 1" for bound in ('"1"', '"+Inf"')]
    elif metric.type == "summary":
        quantile = 'quantile="0.5"'
        lines += [f"{name}{of(quantile)} 1"]
    if metric.type in ("histogram", "summary"):
        return "\n".join((*lines, f"{name}_sum{of()} 1", f"{name}_count{of()} 1", ""))
    return "\n".join((*lines, f"{name}{of()} {value}", ""))


@pytest.mark.parametrize("snapshot", snapshots(), ids=lambda one: f"{one.exporter}-{one.source[:3]}")
def test_known_exporters_raise_no_warning(snapshot: Snapshot) -> None:
    """What only their authors can change is a note."""
    assert told("".join(sample_of(metric, name) for name, metric in snapshot.metrics.items())) == []


@pytest.mark.parametrize("syntax", Syntax)
def test_the_official_client_raises_no_warning(syntax: Syntax) -> None:
    """Each of its types, with the process and the platform, in both formats."""
    registry = CollectorRegistry()
    registry.register(PROCESS_COLLECTOR)
    registry.register(PLATFORM_COLLECTOR)
    requests_ = Counter("shop_requests", "Requests.", ["method", "code"], registry=registry)
    requests_.labels("GET", "200").inc()
    requests_.labels("POST", "500").inc()
    Histogram("shop_request_duration_seconds", "Time.", ["path"], registry=registry).labels("/").observe(0.3)
    Summary("shop_size_bytes", "Size.", registry=registry).observe(3)
    Gauge("shop_in_flight", "In flight.", registry=registry).set(2)
    Info("shop_build", "The program.", registry=registry).info({"version": "1"})
    Enum("shop_state", "State.", states=["up", "down"], registry=registry)
    write = generate_openmetrics if syntax is Syntax.OPENMETRICS else generate_latest

    assert told(write(registry).decode(), syntax=syntax, now=time.time()) == []


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("healthy", tmp_path_factory.mktemp("logs")) as running:
        yield running


def prometheus(supervisor: Supervisor, place: Path) -> str:
    """Start a Prometheus, and return where it is."""
    config = place / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\n")
    return Prometheus.start(supervisor, PrometheusSettings(config=config, data=place / "tsdb")).url


def alertmanager(supervisor: Supervisor, place: Path) -> str:
    """Start an Alertmanager, and return where it is."""
    config = place / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    return Alertmanager.start(supervisor, AlertmanagerSettings(config=config, data=place / "am")).url


def node_exporter(supervisor: Supervisor, place: Path) -> str:
    """Start a node exporter, and return where it is."""
    return start_node_exporter(supervisor, cwd=place, collectors=("cpu", "meminfo", "netstat", "uname")).url


def backend(supervisor: Supervisor, place: Path) -> str:
    """Start the reference system's backend, and return where it is."""
    del place
    return start_part(supervisor, "backend").url


def frontend(supervisor: Supervisor, place: Path) -> str:
    """Start the reference system's frontend, and return where it is."""
    del place
    return start_part(supervisor, "frontend", BACKEND_URL="http://127.0.0.1:9").url


@pytest.mark.parametrize("start", [prometheus, alertmanager, node_exporter, backend, frontend])
def test_running_programs_raise_no_warning(
    start: Callable[[Supervisor, Path], str], supervisor: Supervisor, tmp_path: Path
) -> None:
    """As they are scraped, in the format that each answers with."""
    url = start(supervisor, tmp_path)
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    for headers in ({"Accept": accept}, {"Accept": "text/plain"}):
        answer = requests.get(f"{url}/metrics", headers=headers, timeout=10)
        syntax = Syntax.OPENMETRICS if "openmetrics" in answer.headers["Content-Type"] else Syntax.TEXT
        assert told(answer.text, syntax=syntax, now=time.time()) == []
