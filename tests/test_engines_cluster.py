"""A cluster of real Alertmanagers: it tells once, survives a loss, and tells twice when it is cut in two."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.compression.flags import compress_cluster_flags
from tocsin.deadline import wait_until
from tocsin.engines.alertmanager import AlertmanagerSettings
from tocsin.engines.cluster import Cluster
from tocsin.engines.trouble import EngineTrouble
from tocsin.sinks.capture import CaptureSink, Notification
from tocsin.supervisor import Supervisor

CONFIG = """
route: {receiver: pager, group_by: [alertname], group_wait: 200ms, group_interval: 2s, repeat_interval: 4h}
receivers: [{name: pager, webhook_configs: [{url: '%s', send_resolved: true}]}]
"""
NAMES = ("alertmanager-1", "alertmanager-2")
AGAIN = 3.0
"""Seconds in which each Alertmanager flushes its groups once more, its wait for its peers included."""


class Told:
    """A cluster of two and the sink that it tells."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        self.sink = CaptureSink.start(supervisor, folder / "notifications.jsonl")
        self.cluster = Cluster(supervisor, compress_cluster_flags(60), folder)
        config = folder / "alertmanager.yml"
        config.write_text(CONFIG % self.sink.webhook_url("pager", "webhook", 0))
        self.settings = [AlertmanagerSettings(config=config, data=folder / name, name=name) for name in NAMES]

    def start(self, *, relayed: bool) -> Cluster:
        """Start both."""
        self.cluster.start(self.settings, {}, relayed=relayed)
        return self.cluster

    def send(self, alert: str) -> None:
        """Send an alert that fires to all that run, as a Prometheus does."""
        until = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        alerts = [{"labels": {"alertname": alert}, "endsAt": until}]
        for member in self.cluster.alive:
            member.api.text("/api/v2/alerts", method="POST", json=alerts)

    def notified(self, alert: str) -> list[Notification]:
        """Return what the sink got of an alert, when every Alertmanager has had the time to tell it again."""
        self.sink.wait_for(lambda each: _tells(each, alert), 10, what=alert)
        over = time.monotonic() + AGAIN
        wait_until(lambda: time.monotonic() >= over, seconds=AGAIN + 1, what="who tells again")
        return [each for each in self.sink.notifications() if _tells(each, alert)]


def _tells(notification: Notification, alert: str) -> bool:
    return alert in [each["labels"]["alertname"] for each in notification.payload["alerts"]]


def members(cluster: Cluster) -> list[int]:
    """Return how many members each of those that run sees."""
    return [len(member.api.members()) for member in cluster.alive]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """Give a cluster that does not run yet, and end what came of it."""
    with Supervisor("cluster", tmp_path / "logs") as supervisor:
        yield Told(supervisor, tmp_path)


def test_a_cluster_tells_once_and_so_does_what_is_left_of_it(told: Told) -> None:
    """Two tell an alert once, one alone too; it comes back to the cluster by its old address and repeats nothing."""
    cluster = told.start(relayed=False)
    assert members(cluster) == [2, 2]
    told.send("First")
    assert len(told.notified("First")) == 1

    first = cluster.members[NAMES[0]]
    before = first.api.address()
    first.service.kill()
    told.send("Second")
    assert len(told.notified("Second")) == 1

    cluster.revive(NAMES[0])
    revived = cluster.members[NAMES[0]]
    assert (revived.api.address(), revived.url) == (before, first.url)
    assert members(cluster) == [2, 2]
    told.send("Third")
    assert len(told.notified("Third")) == 1
    assert len(told.notified("First")) == 1


def test_a_cluster_that_is_cut_tells_twice_until_it_is_joined(told: Told) -> None:
    """Without the relay none sees another and each tells; with it again, they are one cluster that tells once."""
    cluster = told.start(relayed=True)
    told.send("Whole")
    assert len(told.notified("Whole")) == 1

    cluster.part()
    assert members(cluster) == [1, 1]
    told.send("Apart")
    assert len(told.notified("Apart")) == 2

    assert cluster.rejoin() <= cluster.rejoin()
    assert members(cluster) == [2, 2]
    told.send("Joined")
    assert len(told.notified("Joined")) == 1


def test_a_cluster_without_a_relay_cannot_be_cut(told: Told) -> None:
    """What was started without a relay says so when it is to be cut, and is left as it was."""
    cluster = told.start(relayed=False)
    with pytest.raises(EngineTrouble, match="started without a relay"):
        cluster.part()
    assert members(cluster) == [2, 2]
