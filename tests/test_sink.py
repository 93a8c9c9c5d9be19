"""The capture sink writes every notification down before it answers."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tocsin.sinks.capture import CaptureSink
from tocsin.supervisor import Kind, Supervisor, Trouble


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[CaptureSink]:
    """Start a sink."""
    with Supervisor("test", tmp_path / "logs") as supervisor:
        yield CaptureSink.start(supervisor, tmp_path / "notifications.jsonl")


def post(url: str, payload: object) -> requests.Response:
    """Send a notification as Alertmanager does."""
    return requests.post(url, json=payload, timeout=5)


def test_a_notification_is_written_before_the_answer(sink: CaptureSink) -> None:
    """Receiver, integration and index come back as they were given, names with any character included."""
    before = time.time()
    url = sink.webhook_url("on call / nights", "webhook", 2)
    assert post(url, {"status": "firing", "alerts": []}).status_code == 200
    (found,) = sink.notifications()
    assert (found.receiver, found.integration, found.index) == ("on call / nights", "webhook", 2)
    assert found.payload == {"status": "firing", "alerts": []}
    assert before <= found.time <= time.time()


def test_notifications_are_served_from_a_number_on(sink: CaptureSink) -> None:
    """GET /notifications?since=N leaves out the first N."""
    for number in range(3):
        post(sink.webhook_url("pager", "webhook", number), {"number": number})
    for since, expected in ((0, [0, 1, 2]), (2, [2]), (3, []), (99, [])):
        found = requests.get(f"{sink.url}/notifications", params={"since": since}, timeout=5).json()
        assert [each["index"] for each in found] == expected
    assert requests.get(f"{sink.url}/-/ready", timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/pager/webhook/0", "no JSON", 400),
        ("/pager/webhook/first", "{}", 400),
        ("/pager", "{}", 400),
        ("/pager/webhook/0", "{}", 200),
    ],
)
def test_what_is_no_notification_is_refused(path: str, body: str, status: int, sink: CaptureSink) -> None:
    """A wrong path or body is answered 400 with the reason, and not written down."""
    answer = requests.post(sink.url + path, data=body, timeout=5)
    assert answer.status_code == status
    assert len(sink.notifications()) == (status == 200)
    assert ("error" in answer.json()) == (status == 400)


@pytest.mark.parametrize(("path", "status"), [("/notifications?since=x", 400), ("/else", 404)])
def test_what_cannot_be_got_is_told(path: str, status: int, sink: CaptureSink) -> None:
    """A question that has no answer gets an error, not an empty list."""
    answer = requests.get(sink.url + path, timeout=5)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_concurrent_notifications_are_all_whole(sink: CaptureSink) -> None:
    """A hundred at a time from ten threads: none is lost, and no two lines mix."""

    def send(which: int) -> None:
        for number in range(10):
            post(sink.webhook_url("pager", "webhook", which * 10 + number), {"text": "x" * 5000})

    threads = [threading.Thread(target=send, args=(which,)) for which in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.index for each in sink.notifications()) == list(range(100))


def test_half_a_line_waits_for_its_end(sink: CaptureSink) -> None:
    """A line that is being written is not read; when it is complete it is."""
    line = json.dumps({"time": 1.0, "receiver": "r", "integration": "i", "index": 0, "payload": {}}).encode() + b"\n"
    with sink.file.open("ab", buffering=0) as file:
        file.write(line[:20])
        assert sink.notifications() == []
        file.write(line[20:])
    assert [each.receiver for each in sink.notifications()] == ["r"]


def test_waiting_for_a_notification(sink: CaptureSink) -> None:
    """The one that is waited for is returned; in its absence the message says what came instead."""
    timer = threading.Timer(0.2, post, (sink.webhook_url("pager", "webhook", 0), {"status": "firing"}))
    timer.start()
    assert sink.wait_for(lambda each: each.receiver == "pager", 10).payload["status"] == "firing"
    timer.join()
    with pytest.raises(Trouble, match="1 other notifications came: pager got firing") as caught:
        sink.wait_for(lambda each: each.receiver == "mail", 0.1, what="a mail")
    assert caught.value.kind is Kind.TIMED_OUT


def test_a_sink_that_died_is_told_from_silence(sink: CaptureSink) -> None:
    """Waiting on a sink that was killed ends at once, and says so; what it had taken is kept."""
    post(sink.webhook_url("pager", "webhook", 0), {})
    os.kill(sink.process.pid, signal.SIGKILL)
    with pytest.raises(Trouble, match="SIGKILL") as caught:
        sink.wait_for(lambda each: each.receiver == "mail", 30)
    assert caught.value.kind is Kind.EXITED
    assert len(sink.notifications()) == 1
    assert sink.process.exited is not None
    assert not sink.process.exited.expected


def test_a_sink_stops_and_starts_again_on_its_file(sink: CaptureSink) -> None:
    """SIGTERM ends it with code 0; a new one appends, and its port is its own although the log is used again."""
    post(sink.webhook_url("pager", "webhook", 0), {})
    assert sink.stop().code == 0
    again = CaptureSink.start(sink.supervisor, sink.file)
    assert post(again.webhook_url("pager", "webhook", 1), {}).status_code == 200
    assert [each.index for each in again.notifications()] == [0, 1]


def test_a_sink_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A file that cannot be written is named, with the sink's own words."""
    (tmp_path / "taken").mkdir()
    with Supervisor("test", tmp_path / "logs") as supervisor, pytest.raises(Trouble, match="Is a directory"):
        CaptureSink.start(supervisor, tmp_path / "taken")
