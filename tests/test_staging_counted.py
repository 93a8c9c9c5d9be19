"""Without a sink, Alertmanager's own counter tells whom it told of what, where that can be told at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tocsin.artefacts.alertmanager import Routing, read_routing
from tocsin.deadline import Unmet, wait_until
from tocsin.drill.counted import CountedNotifications, told_apart
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings
from tocsin.sinks.capture import CaptureSink
from tocsin.source import read_document
from tocsin.supervisor import Supervisor

ROUTES = """
route:
  receiver: logbook
  group_by: [alertname]
  group_wait: 200ms
  group_interval: 500ms
  repeat_interval: 1h
  routes:
    - {matchers: ['severity="critical"'], receiver: pager}
receivers:
  - name: pager
    webhook_configs: [{url: 'http://127.0.0.1:9/', send_resolved: true}]
  - name: logbook
"""


def routing(text: str = ROUTES) -> Routing:
    """Return a routing."""
    return read_routing(read_document(text, "alertmanager.yml", raw=True))


@dataclass(frozen=True, slots=True)
class Bench:
    """A real Alertmanager whose pager is a sink, and the counter that knows nothing of the sink."""

    alertmanager: Alertmanager
    sink: CaptureSink
    counted: CountedNotifications

    def send(self, name: str, *, over: bool = False) -> None:
        """Send an alert that fires, or its end, as Prometheus does."""
        now = time.time()
        alert = {"labels": {"alertname": name, "severity": "critical"}, "startsAt": _written(now - 10)}
        alert["endsAt"] = _written(now if over else now + 600)
        answer = requests.post(f"{self.alertmanager.url}/api/v2/alerts", json=[alert], timeout=5)
        assert answer.ok, answer.text

    def await_told(self, status: str) -> dict[str, Any]:
        """Look until a notification of that status was counted, and return it."""

        def look() -> dict[str, Any] | Unmet:
            found = [dict(n) for n in self.counted.look() if n["payload"]["status"] == status]
            return found[-1] if found else Unmet("none was counted")

        return wait_until(look, seconds=10, what=f"a notification that is {status}", every=0.05)


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Start both."""
    with Supervisor("counted", tmp_path / "logs") as supervisor:
        sink = CaptureSink.start(supervisor, tmp_path / "notifications.jsonl")
        config = tmp_path / "alertmanager.yml"
        config.write_text(ROUTES.replace("http://127.0.0.1:9/", sink.webhook_url("pager", "webhook", 0)))
        alertmanager = Alertmanager.start(
            supervisor, AlertmanagerSettings(config=config, data=tmp_path / "alertmanager")
        )
        counted = CountedNotifications(alertmanager.api, told_apart(routing()), time.time)
        counted.look()
        yield Bench(alertmanager, sink, counted)
        alertmanager.api.close()


def test_an_alert_and_its_end_are_counted(bench: Bench) -> None:
    """Each is seen once, of the right receiver and alert, at most one look away from when the sink got it."""
    bench.send("Down")
    fired = bench.await_told("firing")
    bench.send("Down", over=True)
    ended = bench.await_told("resolved")

    assert [n["payload"]["status"] for n in bench.counted.look()] == ["firing", "resolved"]
    assert {n["receiver"] for n in (fired, ended)} == {"pager"}
    assert fired["payload"]["alerts"][0]["labels"]["alertname"] == "Down"
    for counted, took in zip((fired, ended), bench.sink.notifications(), strict=True):
        assert abs(counted["time"] - took.time) < 0.5
    assert fired["time"] <= bench.sink.notifications()[0].time, "a budget is not missed by the looks' own distance"
    assert bench.counted.undecided == ""


def test_two_groups_of_one_receiver_cannot_be_told_apart(bench: Bench) -> None:
    """What either of two groups could have caused is not guessed."""
    bench.send("Down")
    bench.send("Slow")
    bench.counted.look()
    wait_until(lambda: bench.counted.look() is not None and bench.counted.undecided, seconds=10, what="an increment")
    assert "pager had several groups" in bench.counted.undecided
    assert bench.counted.look() == []


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (ROUTES, {"pager"}),
        (ROUTES + "    webhook_configs: [{url: 'http://127.0.0.1:9/'}]\n", set()),
        (ROUTES + "    slack_configs: [{channel: '#log'}]\n", {"pager", "logbook"}),
        (ROUTES + "    slack_configs: [{channel: '#a'}, {channel: '#b'}]\n", {"pager"}),
    ],
)
def test_a_kind_names_a_receiver_only_where_no_other_has_it(text: str, known: set[str]) -> None:
    """The counter has no receiver's name, so a kind that two integrations share tells nothing."""
    assert told_apart(routing(text)).keys() == known
