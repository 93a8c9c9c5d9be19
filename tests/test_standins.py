"""The stand-ins do what the official clients expect of the real servers, and are in trouble when told to be."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import requests
from elasticsearch import ApiError, ConflictError, ConnectionError, ConnectionTimeout, Elasticsearch  # noqa: A004
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.observed import SYSTEM, counted, start_standin, switch
from tocsin.engines.service import Service
from tocsin.supervisor import Supervisor

STAMPED: dict[str, Any] = {"@timestamp": "2026-11-25T21:04:05Z", "event": "x"}
CREATE: dict[str, Any] = {"create": {}}
NDJSON = {"Content-Type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9"}
MOST_MEMORY = 20 * 2**20


def load(name: str) -> ModuleType:
    """Import a stand-in without starting it; its own folder is on the path only meanwhile."""
    folder = SYSTEM / "standins"
    spec = importlib.util.spec_from_file_location(f"standin_{name}", folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


otlp: Any = load("otlp")


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("standins", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def elastic(supervisor: Supervisor) -> Iterator[Service]:
    """Return a fresh stand-in for Elasticsearch."""
    service = start_standin(supervisor, "elasticsearch")
    yield service
    service.stop()


@pytest.fixture
def client(elastic: Service) -> Iterator[Elasticsearch]:
    """Return the official client, without retries."""
    with Elasticsearch(elastic.url, max_retries=0, request_timeout=0.5) as official:
        yield official


@pytest.fixture
def traces(supervisor: Supervisor) -> Iterator[Service]:
    """Return a fresh stand-in for a trace backend."""
    service = start_standin(supervisor, "otlp")
    yield service
    service.stop()


# --- Elasticsearch ---


def test_the_official_client_takes_it_for_elasticsearch(client: Elasticsearch) -> None:
    """The client checks the product header on its first answer, and reads the version."""
    assert client.info()["version"]["number"].startswith("9.")


def test_documents_are_counted_by_index(client: Elasticsearch) -> None:
    """What a bulk request creates is counted under its index, and an index that nobody wrote to is not found."""
    answer = client.bulk(index="logs", operations=[CREATE, STAMPED, {"create": {"_index": "other"}}, STAMPED])
    assert answer["errors"] is False
    assert [item["create"]["status"] for item in answer["items"]] == [201, 201]
    assert client.count(index="logs")["count"] == client.count(index="other")["count"] == 1
    assert client.count()["count"] == 2
    with pytest.raises(ApiError, match="index_not_found"):
        client.count(index="nobody")


def test_an_id_is_taken_once(client: Elasticsearch) -> None:
    """The second create of an id is a conflict and is not counted; an index replaces."""
    create = [{"create": {"_id": "1"}}, STAMPED]
    client.bulk(index="logs", operations=create)
    again = client.bulk(index="logs", operations=create)
    assert again["errors"] is True
    assert again["items"][0]["create"]["status"] == 409
    replaced = client.bulk(index="logs", operations=[{"index": {"_id": "1"}}, STAMPED])
    assert replaced["items"][0]["index"]["status"] == 200
    assert client.count(index="logs")["count"] == 1


def test_one_bad_document_does_not_spoil_the_request(client: Elasticsearch) -> None:
    """A document without @timestamp is refused by itself, as a data stream refuses it."""
    answer = client.bulk(index="logs", operations=[CREATE, {"event": "x"}, CREATE, STAMPED])
    assert [item["create"]["status"] for item in answer["items"]] == [400, 201]
    assert answer["items"][0]["create"]["error"]["type"] == "document_parsing_exception"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (NDJSON, b'{"create":{}}\n{"@timestamp":"x"}', 400),  # not ended by a newline
        (NDJSON, b'{"create":{}}\n', 400),  # no document
        (NDJSON, b'{"update":{}}\n{}\n', 400),  # another operation
        (NDJSON, b"nonsense\n{}\n", 400),
        ({"Content-Type": "application/vnd.elasticsearch+x-ndjson; compatible-with=7"}, b"{}\n", 400),
        ({"Content-Type": "text/plain"}, b"{}\n", 406),
    ],
)
def test_a_request_that_elasticsearch_refuses_is_refused(
    headers: dict[str, str], body: bytes, status: int, elastic: Service
) -> None:
    """It answers with the status and the shape of an error that Elasticsearch has."""
    answer = requests.post(f"{elastic.url}/logs/_bulk", data=body, headers=headers, timeout=5)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.headers["X-Elastic-Product"] == "Elasticsearch"


@pytest.mark.parametrize(
    ("mode", "trouble"), [("down", ConnectionError), ("slow", ConnectionTimeout), ("error", ApiError)]
)
def test_it_is_in_trouble_when_told_to_be(
    mode: str, trouble: type[Exception], elastic: Service, client: Elasticsearch
) -> None:
    """The official client sees the trouble; afterwards it is served again, and nothing was counted meanwhile."""
    operations = [CREATE, STAMPED]
    switch(elastic, mode)
    with pytest.raises(trouble):
        client.bulk(index="logs", operations=operations)
    assert counted(elastic)["mode"] == mode
    switch(elastic, "ok")
    client.bulk(index="logs", operations=operations)


def test_half_of_a_request_fails_when_told_to(elastic: Service, client: Elasticsearch) -> None:
    """Every second event is refused, the others are taken."""
    switch(elastic, "partial")
    answer = client.bulk(index="logs", operations=[CREATE, STAMPED] * 4)
    assert [item["create"]["status"] for item in answer["items"]] == [201, 400, 201, 400]
    assert counted(elastic)["documents"] == 2


def test_a_mode_that_does_not_exist_is_refused(elastic: Service) -> None:
    """It says which there are, and stays as it is."""
    answer = requests.post(f"{elastic.url}/standin/mode", json={"mode": "tired"}, timeout=5)
    assert answer.status_code == 400
    assert "partial" in answer.json()["error"]
    assert counted(elastic)["mode"] == "ok"


def test_conflict_is_the_clients_word_for_409() -> None:
    """The status by which the shipper knows what was stored already is the official one."""
    assert issubclass(ConflictError, ApiError)


# --- traces ---

SPANS = st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=3)
"""For each resource, for each scope, how many spans."""


def request_of(resources: list[list[int]]) -> ExportTraceServiceRequest:
    """Return a request with so many spans."""
    request = ExportTraceServiceRequest()
    for scopes in resources:
        resource = request.resource_spans.add(schema_url="https://example")
        resource.resource.attributes.add(key="service.name").value.string_value = "x"
        for spans in scopes:
            scope = resource.scope_spans.add()
            for number in range(spans):
                span = scope.spans.add(name=f"GET {number}", kind=2, start_time_unix_nano=2**63 + number)
                span.attributes.add(key="http.response.status_code").value.int_value = -number
                span.attributes.add(key="share").value.double_value = 0.5
    return request


@given(SPANS)
def test_spans_are_counted_as_protobuf_has_them(resources: list[list[int]]) -> None:
    """Whatever the nesting, as many spans are counted as OpenTelemetry's own classes put in."""
    taken = otlp.Traces()
    taken.take(request_of(resources).SerializeToString())
    assert taken.spans == sum(map(sum, resources))


@given(st.binary(min_size=1, max_size=64))
def test_what_is_not_protobuf_is_no_crash(body: bytes) -> None:
    """Bytes are either a message or refused with ValueError; nothing else happens."""
    taken = otlp.Traces()
    try:
        taken.take(body)
    except ValueError:
        assert taken.requests == 0


def post(traces: Service, body: bytes, **headers: str) -> requests.Response:
    """Send a request as an exporter does."""
    sent = {"Content-Type": "application/x-protobuf", **headers}
    return requests.post(f"{traces.url}/v1/traces", data=body, headers=sent, timeout=5)


def test_the_requests_can_be_read_back(traces: Service) -> None:
    """All of them together are one request of OpenTelemetry's, with every span."""
    for _ in range(3):
        answer = post(traces, request_of([[2], [1]]).SerializeToString())
        assert (answer.status_code, answer.content) == (200, b"")
    assert counted(traces)["spans"] == 9
    whole = ExportTraceServiceRequest.FromString(requests.get(f"{traces.url}/standin/spans", timeout=5).content)
    assert sum(len(scope.spans) for resource in whole.resource_spans for scope in resource.scope_spans) == 9


def test_a_request_that_a_collector_refuses_is_refused(traces: Service) -> None:
    """Broken protobuf, another media type and another path are refused, and nothing is counted."""
    assert post(traces, b"\x0a\xff").status_code == 400
    assert post(traces, b"{}", **{"Content-Type": "application/json"}).status_code == 415
    assert requests.post(f"{traces.url}/v1/metrics", timeout=5).status_code == 404
    assert counted(traces)["requests"] == 0


# --- both ---


@pytest.mark.parametrize("name", ["elasticsearch", "otlp"])
def test_a_standin_is_small(name: str, supervisor: Supervisor) -> None:
    """After thousands of events it takes less memory of its own than 20 MB: one stands beside each drill."""
    service = start_standin(supervisor, name)
    bulk = b'{"create":{}}\n{"@timestamp":"x","event":"%s"}\n' % (b"x" * 200) * 500
    for number in range(20):
        if name == "otlp":
            assert post(service, request_of([[500]]).SerializeToString()).status_code == 200
        else:
            lines = bulk.replace(b'"create":{}', b'"create":{"_id":"%d"}' % number)
            answer = requests.post(f"{service.url}/logs/_bulk", data=lines, headers=NDJSON, timeout=5)
            assert answer.status_code == 200
    memory = psutil.Process(service.process.pid).memory_full_info()
    service.stop()
    # Of its own: what it shares is as little of it as others there are to share it with.
    assert memory.uss < MOST_MEMORY, f"{memory.uss / 2**20:.1f} MB"


@pytest.mark.parametrize("name", ["elasticsearch", "otlp"])
def test_a_standin_needs_nothing_installed(name: str) -> None:
    """It imports the standard library and its neighbour, and nothing else."""
    text = (Path(SYSTEM) / "standins" / f"{name}.py").read_text() + (SYSTEM / "standins/server.py").read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported <= sys.stdlib_module_names | {"server", "__future__"}
