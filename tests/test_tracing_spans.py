"""A request is a span of the trace that it belongs to, as W3C Trace Context and OpenTelemetry have it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult
from prometheus_client import CollectorRegistry, Counter

from tests.observed import correlation, counted, start_standin, switch, tracing
from tocsin.deadline import wait_until
from tocsin.engines.service import Service
from tocsin.supervisor import Supervisor

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
NAMES = ("exported", "failed", "dropped")


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("tracing", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def backend(supervisor: Supervisor) -> Iterator[Service]:
    """Return a fresh stand-in for a trace backend."""
    service = start_standin(supervisor, "otlp")
    yield service
    service.stop()


class Traced:
    """The traces of a process, and its figures."""

    def __init__(self, endpoint: str, ratio: float = 1.0) -> None:
        self.registry = CollectorRegistry()
        self.tracing = tracing.Tracing("tested", endpoint=endpoint, ratio=ratio, registry=self.registry)

    def figures(self) -> dict[str, float]:
        """Return what became of spans."""
        values = {name: self.registry.get_sample_value(f"dharmamind_trace_spans_{name}_total") for name in NAMES}
        assert None not in values.values()
        return {name: value for name, value in values.items() if value is not None}

    def request(self, *traceparent: str, app: Any = None, path: str = "/api/x") -> Any:
        """Send a request through the middleware; return the ids that were current in it."""
        seen: list[Any] = []

        async def looks(scope: Any, receive: Any, send: Any) -> None:
            seen.append(correlation.current.get())
            await (app or answers)(scope, receive, send)

        headers = [(b"traceparent", header.encode()) for header in traceparent]
        asyncio.run(self.tracing(looks)(scope_of(path, headers), None, ignore))
        return seen[0]

    def many(self, requests: int) -> None:
        """Send so many requests, one after another."""

        async def all_of_them() -> None:
            app = self.tracing(answers)
            for _ in range(requests):
                await app(scope_of(), None, ignore)

        asyncio.run(all_of_them())


class Route:
    """What FastAPI leaves in the scope."""

    path = "/api/{x}"


def scope_of(path: str = "/api/x", headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    """Return a request as a server passes it on."""
    return {"type": "http", "method": "GET", "path": path, "headers": headers or [], "route": Route()}


async def ignore(_: Any) -> None:
    """Send nothing anywhere."""


async def answers(_: Any, __: Any, send: Any) -> None:
    """Answer 200."""
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.fixture
def traced(backend: Service) -> Iterator[Traced]:
    """Return traces of which every one is recorded."""
    made = Traced(backend.url)
    yield made
    made.tracing.close()


def arrived(backend: Service) -> list[Any]:
    """Return the spans that the trace backend has."""
    request = ExportTraceServiceRequest.FromString(requests.get(f"{backend.url}/standin/spans", timeout=5).content)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def attributes(span: Any) -> dict[str, Any]:
    """Return a span's attributes as Python has them."""
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_a_request_is_a_span_of_the_callers_trace(traced: Traced, backend: Service) -> None:
    """Trace and parent are the caller's; name, kind, route and status are OpenTelemetry's conventions."""
    ids = traced.request(SAMPLED)
    traced.tracing.close()
    (span,) = arrived(backend)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert (ids.trace_id, ids.span_id, ids.sampled) == (TRACE, span.span_id.hex(), True)
    assert (span.name, span.kind) == ("GET /api/{x}", 2)
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/api/{x}",
        "http.response.status_code": 200,
    }
    assert traced.figures() == {"exported": 1, "failed": 0, "dropped": 0}


@pytest.mark.parametrize(("ratio", "header", "recorded"), [(0.0, SAMPLED, 1), (1.0, UNSAMPLED, 0)])
def test_the_caller_decides(ratio: float, header: str, recorded: int, backend: Service) -> None:
    """A trace that the caller records is recorded, and another is not, whatever our own share; its id is kept."""
    made = Traced(backend.url, ratio)
    ids = made.request(header)
    made.tracing.close()
    assert len(arrived(backend)) == recorded
    assert (ids.trace_id, ids.sampled) == (TRACE, bool(recorded))
    assert ids.span_id != PARENT


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("nonsense",),
        (f"00-{'0' * 32}-{PARENT}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"ff-{TRACE}-{PARENT}-01",),
        (f"00-{TRACE}-{PARENT}-01-more",),
        (f"00-{TRACE.upper()}-{PARENT}-01",),
        (SAMPLED, SAMPLED),
        ("x" * 10_000,),
    ],
)
def test_without_a_usable_traceparent_a_trace_begins(headers: tuple[str, ...], traced: Traced) -> None:
    """A header that W3C calls invalid is as none: the request gets an id of its own."""
    ids = traced.request(*headers)
    assert int(ids.trace_id, 16) != 0
    assert ids.trace_id != TRACE


def test_the_shipped_share_is_recorded(backend: Service) -> None:
    """Of 2000 traces begun here a tenth is recorded, give or take five standard deviations."""
    made = Traced(backend.url, 0.1)
    sampled = sum(made.request().sampled for _ in range(2000))
    made.tracing.close()
    assert 133 < sampled < 267
    assert made.figures() == {"exported": sampled, "failed": 0, "dropped": 0}


def test_an_error_that_nobody_caught_is_on_the_span(traced: Traced, backend: Service) -> None:
    """The span has the exception and the status of an error, and the exception goes on."""

    async def fails(*_: Any) -> None:
        raise RuntimeError("no tea")

    with pytest.raises(RuntimeError, match="no tea"):
        traced.request(app=fails)
    traced.tracing.close()
    (span,) = arrived(backend)
    assert span.status.code == 2
    assert attributes(span)["http.response.status_code"] == 500
    assert [event.name for event in span.events] == ["exception"]


def test_what_machines_ask_is_no_span(traced: Traced, backend: Service) -> None:
    """Probes and scrapes come every few seconds, and belong to no trace."""
    assert traced.request(path="/metrics") is None
    assert traced.request(path="/health/live") is None
    traced.tracing.close()
    assert arrived(backend) == []


def test_requests_at_once_do_not_mix(traced: Traced) -> None:
    """Each sees its own ids throughout, and afterwards there are none."""

    async def one(number: int) -> bool:
        async def waits(_: Any, __: Any, ___: Any) -> None:
            mine = correlation.current.get()
            await asyncio.sleep(0.001 * (number % 3))
            seen.append(mine.trace_id)
            assert correlation.current.get() == mine
            assert trace.get_current_span().get_span_context().span_id == mine.span

        header = f"00-{number:032x}-{PARENT}-00".encode()
        await traced.tracing(waits)(scope_of(headers=[(b"traceparent", header)]), None, ignore)
        return correlation.current.get() is None

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(one(number) for number in range(1, 21)))

    seen: list[str] = []
    assert asyncio.run(all_at_once()) == [True] * 20
    assert sorted(seen) == [f"{number:032x}" for number in range(1, 21)]


def test_a_call_carries_the_trace_on(traced: Traced, backend: Service) -> None:
    """Its span is a child of the request's, and its traceparent names it."""
    sent: list[str] = []

    async def calls(_: Any, __: Any, ___: Any) -> None:
        with traced.tracing.call("GET", "backend") as call:
            sent.append(call.headers["traceparent"])
            call.status = 503

    traced.request(SAMPLED, app=calls)
    traced.tracing.close()
    client, server = sorted(arrived(backend), key=lambda span: -span.kind)
    assert (client.kind, server.kind) == (3, 2)
    assert client.trace_id == server.trace_id
    assert client.parent_span_id == server.span_id
    assert sent == [f"00-{TRACE}-{client.span_id.hex()}-01"]
    assert client.status.code == 2


# --- trouble ---


def test_spans_that_are_not_taken_are_counted(backend: Service) -> None:
    """A trace backend that answers 500 costs the spans, and a request nothing."""
    switch(backend, "error")
    made = Traced(backend.url)
    for _ in range(5):
        made.request()
    wait_until(lambda: made.figures()["failed"] == 5, seconds=20, what="the spans are counted as failed")
    switch(backend, "ok")
    made.request()
    made.tracing.close()
    assert made.figures() == {"exported": 1, "failed": 5, "dropped": 0}


def test_a_full_queue_is_counted(backend: Service) -> None:
    """While the trace backend is slow no more spans are held than may be; each one lost is counted."""
    switch(backend, "slow", 60)
    made = Traced(backend.url)
    asked = counted(backend)["requests"]
    spans = tracing.QUEUE + tracing.BATCH + 100
    began = time.monotonic()
    made.many(spans)
    assert time.monotonic() - began < 10
    figures = made.figures()
    assert asked == 0
    assert 0 < figures["dropped"] <= 100 + tracing.BATCH
    switch(backend, "ok")
    made.tracing.close(20)
    assert sum(made.figures().values()) == spans


def test_closing_takes_as_long_as_it_may_and_no_longer(backend: Service) -> None:
    """If the trace backend hangs, the process can end all the same."""
    switch(backend, "slow", 60)
    made = Traced(backend.url)
    made.request()
    began = time.monotonic()
    made.tracing.close(0.3)
    assert time.monotonic() - began < 2
    switch(backend, "ok")


class Takes:
    """An exporter that takes everything."""

    def export(self, _: Any) -> SpanExportResult:
        """Take it."""
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Do nothing."""


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 20))
def test_the_count_follows_the_queue(steps: list[int], capacity: int) -> None:
    """For any order of coming and going, as many are counted as dropped as a queue of that length drops."""
    dropped = Counter("dropped", "x", registry=CollectorRegistry())
    queue = tracing.Queue(capacity, dropped)
    held = lost = 0
    for number, step in enumerate(steps):
        if number % 2:
            out = min(step, held)
            queue.left(out)
            held -= out
        else:
            for _ in range(step):
                queue.entered()
            lost += max(0, held + step - capacity)
            held = min(capacity, held + step)
    assert dropped._value.get() == lost


def test_nothing_is_made_global(traced: Traced) -> None:
    """Libraries that ask OpenTelemetry's global provider for spans, the Elasticsearch client among them, get none."""
    assert traced.request() is not None
    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
