"""A drill's targets stay where they were started, whatever a job's relabelling would make of their addresses."""

from __future__ import annotations

import pytest

from tocsin.compression.prometheus import compress_prometheus
from tocsin.source import read_document

TO_THE_PROBER = """
      - source_labels: [__address__]
        target_label: __param_target
      - source_labels: [__param_target]
        target_label: instance
      - target_label: __address__
        replacement: blackbox-exporter:9115
"""
A_PORT = """
      - source_labels: [__address__]
        regex: (.+)
        replacement: $1:9100
        target_label: __address__
"""
BY_TLS = """
      - target_label: __scheme__
        replacement: https
"""
NAMED = """
      - target_label: team
        replacement: platform
"""


@pytest.mark.parametrize(
    ("relabelling", "kept"),
    [(TO_THE_PROBER, ["__param_target", "instance"]), (A_PORT, []), (BY_TLS, []), (NAMED, ["team"])],
    ids=["through a prober", "a port", "by TLS", "no address"],
)
def test_relabelling_does_not_lead_a_target_elsewhere(relabelling: str, kept: list[str]) -> None:
    """What would change address or scheme is left out, and all else that reads no discovery is kept."""
    text = f"scrape_configs:\n  - job_name: probe\n    relabel_configs:{relabelling}"
    config = read_document(text, "prometheus.yml").value
    done = compress_prometheus(config, 60, target_files={"probe": "probe.json"}, alertmanagers=[], rule_files=[])
    (job,) = done.value["scrape_configs"]
    assert [rule["target_label"] for rule in job.get("relabel_configs", [])] == kept
