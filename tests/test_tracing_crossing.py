"""A trace crosses from the pages to the API, and the logs of both tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.observed import await_events, events, scrape, start_part, start_standin, switch
from tocsin.deadline import wait_until
from tocsin.engines.service import Service
from tocsin.supervisor import Supervisor

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVICES = ("dharmamind-frontend", "dharmamind-backend")


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("crossing", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="module")
def traces(supervisor: Supervisor) -> Service:
    """Return the stand-in for a trace backend."""
    return start_standin(supervisor, "otlp")


@pytest.fixture(scope="module")
def backend(supervisor: Supervisor, traces: Service) -> Service:
    """Return a backend whose traces are recorded if the caller says so."""
    return start_part(supervisor, "backend", OTEL_EXPORTER_OTLP_ENDPOINT=traces.url, TRACE_SAMPLING_RATIO="0")


@pytest.fixture(scope="module")
def frontend(supervisor: Supervisor, traces: Service, backend: Service) -> Service:
    """Return a frontend all of whose traces are recorded."""
    return start_part(
        supervisor,
        "frontend",
        BACKEND_URL=backend.url,
        OTEL_EXPORTER_OTLP_ENDPOINT=traces.url,
        TRACE_SAMPLING_RATIO="1",
    )


def spans_of(traces: Service) -> list[tuple[str, Any]]:
    """Return each span with its service."""
    request = ExportTraceServiceRequest.FromString(requests.get(f"{traces.url}/standin/spans", timeout=5).content)
    return [
        (next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_trace_crosses_both(frontend: Service, backend: Service, traces: Service) -> None:
    """One page is three spans in one trace, each the child of the one before, and both logs name them."""
    before = len(spans_of(traces))
    assert "Loving-kindness" in requests.get(frontend.url + "/meditations", timeout=5).text
    wait_until(lambda: len(spans_of(traces)) >= before + 3, seconds=10, what="three spans")
    found = {(service, span.kind): span for service, span in spans_of(traces)[before:]}
    page, call, answer = (found[SERVICES[0], 2], found[SERVICES[0], 3], found[SERVICES[1], 2])
    assert page.trace_id == call.trace_id == answer.trace_id
    assert page.parent_span_id == b""
    assert call.parent_span_id == page.span_id
    assert answer.parent_span_id == call.span_id
    assert (page.name, answer.name) == ("GET /meditations", "GET /api/meditations")
    for service, span in ((frontend, page), (backend, answer)):
        (event,) = await_events(service, 1, trace_id=span.trace_id.hex())
        assert event["span_id"] == span.span_id.hex()
        assert event["event"] == "request"


def test_what_the_caller_does_not_record_is_not_recorded(frontend: Service, backend: Service, traces: Service) -> None:
    """The flag crosses too; the ids are in the logs all the same."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    assert requests.get(frontend.url + "/sit", headers=headers, timeout=5).status_code == 200
    await_events(frontend, 1, trace_id=TRACE)
    await_events(backend, 1, trace_id=TRACE)
    later = "a" * 32
    headers = {"traceparent": f"00-{later}-{PARENT}-01"}
    requests.get(frontend.url + "/", headers=headers, timeout=5)

    def traces_known() -> set[str]:
        return {span.trace_id.hex() for _, span in spans_of(traces)}

    wait_until(lambda: later in traces_known(), seconds=10, what="a later trace")
    assert TRACE not in traces_known()


def test_a_dead_trace_backend_costs_spans_and_no_page(frontend: Service, traces: Service) -> None:
    """Pages are shown, spans are counted as failed, and the log says so."""
    switch(traces, "error")
    for _ in range(5):
        assert requests.get(frontend.url + "/", timeout=5).status_code == 200
    failed = "dharmamind_trace_spans_failed_total"
    wait_until(lambda: scrape(frontend)[failed] >= 5, seconds=10, what="failed spans")
    switch(traces, "ok")
    assert any("Failed to export" in event["event"] for event in events(frontend, level="error"))
