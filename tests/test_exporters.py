"""The snapshots of exporters: whole lines, known places, and no name that is both old and new."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.artefacts.exposition import read_exposition
from tocsin.engines.node_exporter import COLLECTORS, start_node_exporter
from tocsin.exporters import exported, owner, renamed, snapshots
from tocsin.supervisor import Supervisor


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Give a supervisor that ends what a test started."""
    with Supervisor("test", tmp_path / "logs") as running:
        yield running


TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}


def test_every_snapshot_says_what_it_is() -> None:
    """Versions, a source, a date, and names that begin as it says they do."""
    for snapshot in snapshots():
        assert snapshot.versions
        assert snapshot.source == "run" or snapshot.source.startswith("documented, ")
        assert snapshot.date.count("-") == 2
        assert all(name.startswith(snapshot.prefixes) for name in snapshot.metrics)
        assert {metric.type for metric in snapshot.metrics.values()} <= TYPES


@pytest.mark.parametrize(
    ("name", "exporter"),
    [
        ("node_load1", "node_exporter"),
        ("kube_pod_info", "kube-state-metrics"),
        ("probe_success", "blackbox_exporter"),
        ("container_memory_rss", "cadvisor"),
        ("prometheus_tsdb_head_series", "prometheus"),
        ("alertmanager_alerts", "alertmanager"),
        ("go_goroutines", "go"),
        ("python_info", "python"),
    ],
)
def test_well_known_metrics_are_known(name: str, exporter: str) -> None:
    """By name, and by whose names begin so."""
    assert exporter in {metric.exporter for metric in exported()[name]}
    found = owner(name)
    assert found is not None
    assert found.exporter == exporter


def test_values_that_are_documented_are_known() -> None:
    """All phases of a pod."""
    (metric,) = exported()["kube_pod_status_phase"]

    assert metric.values == {"phase": {"Pending", "Running", "Succeeded", "Failed", "Unknown"}}
    assert {"namespace", "pod", "phase"} <= metric.labels


def test_what_is_renamed_is_gone() -> None:
    """No old name is exported by any version looked at, and what took its place is, where there is a snapshot of it."""
    products = {snapshot.exporter for snapshot in snapshots()}
    old = {name: metrics for name, metrics in exported().items() if name in renamed()}
    new = {renaming.name for renaming in renamed().values() if renaming.product in products}

    assert not old
    assert {name for name in new - exported().keys() if not name.startswith(("node_infiniband_", "node_nfs_"))} <= {
        "kube_horizontalpodautoscaler_spec_target_metric",
        "node_memory_HardwareCorrupted_bytes",
        "node_memory_DirectMap2M_bytes",
        "node_memory_DirectMap4k_bytes",
        "node_memory_NFS_Unstable_bytes",
        "node_memory_ShmemHugePages_bytes",
        "node_memory_ShmemPmdMapped_bytes",
        "node_memory_Hugepagesize_bytes",
        "node_network_transmit_frame_total",
        "node_network_transmit_multicast_total",
        "node_buddyinfo_blocks",
        "node_textfile_mtime_seconds",
    }


def test_a_real_node_exporter_exports_nothing_else(supervisor: Supervisor, tmp_path: Path) -> None:
    """Whatever the one that is installed here shows is in the snapshot, with its type and labels."""
    node = start_node_exporter(supervisor, cwd=tmp_path, collectors=COLLECTORS)
    with urllib.request.urlopen(f"{node.url}/metrics", timeout=10) as answer:
        body = read_exposition(answer.read().decode())
    series = {name: each for name, each in body.series.items() if name.startswith("node_")}

    assert len(series) > 50
    for name, each in series.items():
        (metric,) = exported()[name]
        assert metric.type == each.type
        assert set(each.labels) <= metric.labels
