"""Prometheus as an agent, the limits of its jobs, and its replicas: what is refused, and what is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tocsin.artefacts.prometheus import bytes_of
from tocsin.checks import checks
from tocsin.engines.binaries import Engine, find_engine
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.prometheus_refusals import agent_refusals
from tocsin.part import Part
from tocsin.source import read_document
from tocsin.supervisor.once import run_once

WRITE = 'remote_write: [{url: "http://x/"}]\n'
ALERTING = "alerting: {%s}\n"
COMPOSE = """services:
  prometheus:
    image: prom/prometheus:v2.53.0
    command: [--config.file=/etc/prometheus/prometheus.yml%s]
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml"]
"""


def told(place: Path, check: str, **files: str) -> list[str]:
    """Return the messages of a check about some files, `_` in their names standing for a dot."""
    for name, text in files.items():
        (place / name.replace("_", ".")).write_text(text)
    return [finding.message for finding in checks()[check].findings(Model.of(place))]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("", False),
        ("rule_files: [a.yml]\n", True),
        (ALERTING % 'alertmanagers: [{static_configs: [{targets: ["a:1"]}]}]', True),
        (ALERTING % "alert_relabel_configs: [{regex: a, action: labeldrop}]", True),
        (ALERTING % "", False),
        ('remote_read: [{url: "http://x/"}]\n', True),
    ],
)
def test_an_agent_refuses_what_promtool_says(tmp_path: Path, text: str, refused: bool) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(WRITE + text)
    argv = [find_engine(Engine.PROMTOOL), "check", "config", "--agent", "--syntax-only", file]
    done = run_once(argv, cwd=tmp_path, env=None, seconds=30)
    assert (done.code != 0) == refused
    assert bool(list(agent_refusals(Part.whole(read_document(file.read_text(), file.name))))) == refused


@pytest.mark.parametrize(("flags", "count"), [("", 0), (", --agent", 1), (", --enable-feature=agent", 1)])
def test_rules_of_an_agent(tmp_path: Path, flags: str, count: int) -> None:
    config = f"global: {{}}\n{WRITE}rule_files: [a.yml]\nscrape_configs: []\n"
    found = told(tmp_path, "prometheus-config-invalid", compose_yml=COMPOSE % flags, prometheus_yml=config)
    assert len(found) == count


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (", --storage.tsdb.retention.time=1d", 0),
        (", --agent, --storage.tsdb.retention.time=1d", 1),
        (", --agent, --storage.agent.path=/d", 0),
        (", --storage.agent.path=/d", 1),
    ],
)
def test_flags_of_the_other_mode(tmp_path: Path, flags: str, count: int) -> None:
    compose = (COMPOSE % flags).replace("v2.53.0", "v3.5.0")
    assert len(told(tmp_path, "engine-flag-unknown", compose_yml=compose, prometheus_yml=WRITE)) == count


BODY = '# TYPE a gauge\na{x="1"} 1\na{x="2"} 1\n# TYPE b_long gauge\nb_long{some_label="value"} 1\n'
JOB = "global: {%s}\nscrape_configs: [{job_name: shop, static_configs: [{targets: ['a:1']}]%s}]\n"
DROP = ", metric_relabel_configs: [{source_labels: [__name__], regex: a, action: drop}]"


@pytest.mark.parametrize(
    ("globally", "limits", "count"),
    [
        ("", "", 0),
        ("", ", sample_limit: 3", 0),
        ("", ", sample_limit: 2", 1),
        ("", ", sample_limit: 0", 0),
        ("sample_limit: 2", "", 1),
        ("", f", sample_limit: 2{DROP}", 0),
        ("", f", sample_limit: 1{DROP}", 0),
        ("", ", body_size_limit: 10B", 1),
        ("", ", body_size_limit: 1KB", 0),
        ("", ", label_limit: 3", 1),
        ("", ", label_limit: 4", 0),
        ("", ", label_name_length_limit: 9", 1),
        ("", ", label_name_length_limit: 10", 0),
        ("", ", label_value_length_limit: 4", 1),
        ("", ", label_value_length_limit: 5", 0),
        ("", ", sample_limit: many", 0),
    ],
)
def test_limits(tmp_path: Path, globally: str, limits: str, count: int) -> None:
    found = told(tmp_path, "scrape-limit-exceeded", prometheus_yml=JOB % (globally, limits), shop_prom=BODY)
    assert len(found) == count


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("10B", 10), ("1KB", 1024), ("1.5MiB", 1572864), ("1KB1B", 1025), ("x", None), ("", None)],
)
def test_sizes(text: str, size: float | None) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({}, 0),
        ({"replicaExternalLabelName": ""}, 1),
        ({"replicaExternalLabelName": "", "replicas": 1}, 0),
        ({"replicaExternalLabelName": "", "externalLabels": {"a": "$(POD_NAME)"}}, 0),
    ],
)
def test_replicas_that_write_as_one(tmp_path: Path, spec: dict[str, object], count: int) -> None:
    server = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "main", "namespace": "m"},
        "spec": {"replicas": 2, "remoteWrite": [{"url": "http://store/"}], **spec},
    }
    assert len(told(tmp_path, "replicas-written-as-one", all_yaml=yaml.safe_dump(server))) == count
    assert checks()["replicas-written-as-one"].severity is Severity.WARNING
