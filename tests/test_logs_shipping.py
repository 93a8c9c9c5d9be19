"""Log events reach Elasticsearch, and nothing suffers when they cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests
from elasticsearch import Elasticsearch
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from tests.observed import counted, log_shipping, logs, scrape, start_part, start_standin, switch
from tocsin.deadline import wait_until
from tocsin.engines.service import Service
from tocsin.supervisor import Supervisor

BulkFailed = log_shipping.BulkFailed
SOON = 0.01


class Scripted:
    """A client that answers by a script, and with 201 when that is over."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.batches: list[list[str]] = []
        self.times: list[float] = []
        self.taken: list[str] = []
        self.closed = False

    def bulk(self, events: Sequence[Any]) -> Sequence[int]:
        """Answer a request."""
        self.batches.append([event.line for event in events])
        self.times.append(time.monotonic())
        step = self.script.pop(0) if self.script else 201
        if isinstance(step, Exception):
            raise step
        statuses = [step(event.line) if callable(step) else step for event in events]
        self.taken += [event.line for event, status in zip(events, statuses, strict=True) if status < 300]
        return statuses

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class Stuck(Scripted):
    """A client whose request does not return until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def bulk(self, events: Sequence[Any]) -> Sequence[int]:
        """Wait, then take everything."""
        self.asked.set()
        assert self.let_go.wait(20)
        return super().bulk(events)


class Shipped:
    """A shipper and its figures."""

    def __init__(self, client: Scripted, capacity: int = 100) -> None:
        self.registry = CollectorRegistry()
        self.shipper = log_shipping.LogShipper(client, capacity=capacity, registry=self.registry, flush_seconds=SOON)

    def figure(self, name: str) -> float:
        """Return a metric's value."""
        value = self.registry.get_sample_value(f"dharmamind_log_shipping_{name}")
        assert value is not None
        return value

    def put(self, lines: int) -> None:
        """Put as many lines, each of its own text."""
        for number in range(lines):
            self.shipper.put(str(number))


def test_what_is_put_is_sent() -> None:
    """Everything arrives in its order, is counted, and the figures are there from the start."""
    client = Scripted()
    shipped = Shipped(client)
    assert [shipped.figure(f"{name}_total") for name in ("sent", "dropped", "failures")] == [0, 0, 0]
    assert shipped.figure("capacity") == 100
    shipped.put(30)
    shipped.shipper.close()
    assert client.taken == [str(number) for number in range(30)]
    assert shipped.figure("sent_total") == 30
    assert shipped.figure("buffered") == 0
    assert client.closed


def test_a_full_buffer_drops_the_oldest_and_counts_it() -> None:
    """While a request hangs no more is held than may be, what goes is what waited longest, and no put waits."""
    client = Stuck()
    shipped = Shipped(client, capacity=10)
    shipped.shipper.put("first")
    assert client.asked.wait(5)
    began = time.monotonic()
    shipped.put(5000)
    assert time.monotonic() - began < 1
    client.let_go.set()
    shipped.shipper.close()
    assert client.taken == ["first", *map(str, range(4991, 5000))]
    assert shipped.figure("dropped_total") == 4991
    assert shipped.figure("sent_total") == 10


OUTCOMES = st.sampled_from([201, 409, 400, 429, 503, BulkFailed("x"), BulkFailed("x", 500), BulkFailed("x", 413)])


@settings(max_examples=40, deadline=None)
@given(st.lists(OUTCOMES, max_size=6), st.integers(0, 30), st.integers(1, 20))
def test_no_event_is_forgotten(script: list[object], lines: int, capacity: int) -> None:
    """Whatever Elasticsearch does, each event put is in the end counted as sent or as dropped, once."""
    client = Scripted(*script)
    shipped = Shipped(client, capacity)
    shipped.put(lines)
    shipped.shipper.close()
    assert shipped.figure("sent_total") + shipped.figure("dropped_total") == lines
    assert all(len(batch) <= capacity for batch in client.batches)


def test_a_request_that_failed_in_part_loses_only_what_was_refused() -> None:
    """What was taken is not sent again, what came too fast is, what is bad is dropped; the request counts as failed."""
    client = Scripted(lambda line: {"0": 201, "1": 400, "2": 429, "3": 409}[line])
    shipped = Shipped(client)
    shipped.put(4)
    wait_until(lambda: shipped.figure("sent_total") == 3, seconds=20, what="the third event is sent")
    shipped.shipper.close()
    assert client.batches == [["0", "1", "2", "3"], ["2"]]
    assert shipped.figure("dropped_total") == 1
    assert shipped.figure("failures_total") == 1


class Choking(Scripted):
    """A client that refuses whole every request with one certain event in it."""

    def bulk(self, events: Sequence[Any]) -> Sequence[int]:
        """Refuse or take."""
        if "13" in [event.line for event in events]:
            raise BulkFailed("too large", 413)
        return super().bulk(events)


def test_an_event_that_cannot_be_swallowed_takes_no_other_with_it() -> None:
    """A request that is refused as malformed or too large is halved until the culprit is alone; only that is lost."""
    client = Choking()
    shipped = Shipped(client)
    shipped.put(40)
    shipped.shipper.close()
    assert client.taken == [str(number) for number in range(40) if number != 13]
    assert shipped.figure("dropped_total") == 1


def test_it_waits_longer_each_time() -> None:
    """Between attempts that fail lies a pause that grows; nothing is lost meanwhile, and in the end all arrives."""
    client = Scripted(*[BulkFailed("down")] * 4)
    shipped = Shipped(client)
    shipped.put(5)
    wait_until(lambda: shipped.figure("sent_total") == 5, seconds=10, what="everything is sent")
    shipped.shipper.close()
    pauses = [later - earlier for earlier, later in zip(client.times, client.times[1:], strict=False)]
    least = [0.5 * pause for pause in (0.25, 0.5, 1.0, 2.0)]
    assert all(pause >= floor for pause, floor in zip(pauses, least, strict=True)), pauses
    assert shipped.figure("failures_total") == 4
    assert shipped.figure("dropped_total") == 0


def test_closing_takes_as_long_as_it_may_and_no_longer() -> None:
    """If Elasticsearch hangs, what is left is counted as dropped, and the process can end."""
    client = Stuck()
    shipped = Shipped(client)
    shipped.put(7)
    assert client.asked.wait(5)
    began = time.monotonic()
    shipped.shipper.close(0.2)
    assert time.monotonic() - began < 1
    assert shipped.figure("dropped_total") == 7
    client.let_go.set()


def test_a_url_that_cannot_be_used_ends_the_process_with_words() -> None:
    """The message names the variable, and not what may be a password in it."""
    with pytest.raises(SystemExit, match="ELASTICSEARCH_URL cannot be used") as ended:
        log_shipping.OfficialClient("ftp://me:hush@example", "logs")
    assert "hush" not in str(ended.value)


# --- with the official client, and a process ---


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("shipping", tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def elastic(supervisor: Supervisor) -> Iterator[Service]:
    """Return a fresh stand-in for Elasticsearch."""
    service = start_standin(supervisor, "elasticsearch")
    yield service
    service.stop()


def test_a_line_is_stored_as_a_data_stream_wants_it(elastic: Service) -> None:
    """The time is under @timestamp, all else as it was written; sent twice, it is stored once."""
    line = logs.Render("tested", CollectorRegistry(), None)(
        None, "info", {"event": "x", "level": "info", "timestamp": "2026-11-25T21:04:05.123456Z"}
    )
    client = log_shipping.OfficialClient(elastic.url, "logs")
    event = log_shipping.Event("id-1", line)
    assert client.bulk([event]) == [201]
    assert client.bulk([event]) == [409]
    client.close()
    (stored,) = requests.get(f"{elastic.url}/standin/documents", timeout=5).json()
    assert stored == {
        "@timestamp": "2026-11-25T21:04:05.123456Z",
        "level": "info",
        "logger": "tested",
        "service": "tested",
        "event": "x",
    }


@pytest.mark.parametrize(("mode", "status"), [("down", None), ("error", 500)])
def test_trouble_is_told_by_its_status(mode: str, status: int | None, elastic: Service) -> None:
    """No answer and an answer of 500 are failures that a later attempt may mend."""
    client = log_shipping.OfficialClient(elastic.url, "logs")
    switch(elastic, mode)
    with pytest.raises(BulkFailed) as failed:
        client.bulk([log_shipping.Event("1", "{}")])
    client.close()
    assert failed.value.status == status


def test_a_process_ships_everything_before_it_ends(supervisor: Supervisor, elastic: Service) -> None:
    """Every line on stdout before the end is in the index that was named, and nothing twice."""
    frontend = start_part(supervisor, "frontend", ELASTICSEARCH_URL=elastic.url, LOG_INDEX="pages")
    for _ in range(50):
        assert requests.get(frontend.url + "/", timeout=5).status_code == 200
    frontend.stop()
    lines = frontend.process.log.read_text().splitlines()
    before_the_end = [line for line in lines if "Application shutdown" not in line and "Finished server" not in line]
    with Elasticsearch(elastic.url) as client:
        assert client.count(index="pages")["count"] == len(before_the_end)


def test_a_process_outlives_elasticsearch(supervisor: Supervisor, elastic: Service) -> None:
    """While it is down pages are shown, failures are counted, said once and not once each; then all is made up for."""
    frontend = start_part(supervisor, "frontend", ELASTICSEARCH_URL=elastic.url, LOG_BUFFER="50")
    switch(elastic, "down")
    for _ in range(100):
        assert requests.get(frontend.url + "/", timeout=5).status_code == 200
    failures = "dharmamind_log_shipping_failures_total"
    wait_until(lambda: scrape(frontend)[failures] >= 2, seconds=10, what="two failures")
    figures = scrape(frontend)
    assert figures["dharmamind_log_shipping_capacity"] == 50
    assert 0 < figures["dharmamind_log_shipping_buffered"] <= 50
    assert figures["dharmamind_log_shipping_dropped_total"] >= 50
    assert frontend.process.log.read_text().count("log shipping fails") == 1
    switch(elastic, "ok")
    wait_until(
        lambda: scrape(frontend)["dharmamind_log_shipping_buffered"] == 0, seconds=10, what="the buffer is empty"
    )
    wait_until(lambda: "log shipping works again" in frontend.process.log.read_text(), seconds=10, what="it says so")
    frontend.stop()
    assert counted(elastic)["documents"] >= 50
