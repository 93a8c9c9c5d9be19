"""What a Grafana reads from files, and where its data sources' addresses lead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.dashboard_texts import dashboard, model, panel, target
from tocsin.artefacts.provisioning import DataSource
from tocsin.checks import checks
from tocsin.part import Part
from tocsin.source import read_document

COMPOSE = """\
services:
  prometheus: {image: prom/prometheus}
  grafana:
    image: grafana/grafana:12.0.0
    environment: {PROMETHEUS_URL: "http://prometheus:9090"}
    volumes: ["./provisioning:/etc/grafana/provisioning", "./boards:/boards"]
"""
SOURCES = "datasources:\n- name: Prometheus\n  uid: prometheus\n  type: prometheus\n  url: ${PROMETHEUS_URL}\n"
PROVIDERS = "providers: [{name: a, type: file, options: {path: /boards}}]\n"
FILES = {
    "docker-compose.yml": COMPOSE,
    "provisioning/datasources/a.yml": SOURCES,
    "provisioning/dashboards/a.yml": PROVIDERS,
    "boards/a.json": dashboard(panel(1, target("up"))),
}


def told(directory: Path, check: str, files: Mapping[str, str]) -> list[str]:
    """Return the lines that a check points at."""
    found = model(directory, files)
    places = [finding.place for finding in checks()[check].findings(found)]
    return [found.text(place.file).split("\n")[place.line - 1].strip() for place in places]


def test_a_grafana_sees_what_is_mounted(tmp_path: Path) -> None:
    (grafana,) = model(tmp_path, FILES).grafanas

    assert [source.uid for source in grafana.data_sources] == ["prometheus"]
    assert grafana.sources_known
    assert [provider.path.text for provider in grafana.providers] == ["/boards"]
    assert [each.uid for each in grafana.dashboards] == ["a"]
    text, unset, said = grafana.expanded(grafana.data_sources[0].url)
    assert (text, unset) == ("http://prometheus:9090", ())
    assert said.place.file == "docker-compose.yml"


def test_a_uid_that_is_not_said_is_made_of_the_name() -> None:
    """The uid that dashboards of Grafana's own library of examples have for a data source named Prometheus."""
    assert DataSource(Part.whole(read_document("name: Prometheus", "a.yml"))).uid == "PBFA97CFB590B2093"


URL = 'PROMETHEUS_URL: "http://prometheus:9090"'


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("docker-compose.yml", "", "", []),
        ("docker-compose.yml", URL, 'PROMETHEUS_URI: "x"', ["url: ${PROMETHEUS_URL}"]),
        ("docker-compose.yml", URL, 'PROMETHEUS_URL: "http://promethius:9090"', ["environment:"]),
        ("docker-compose.yml", URL, 'PROMETHEUS_URL: "http://prometheus:9091"', ["environment:"]),
        ("docker-compose.yml", URL, 'PROMETHEUS_URL: "http://localhost:9090"', ["environment:"]),
        ("docker-compose.yml", URL, 'PROMETHEUS_URL: "https://prometheus.example.com"', []),
        ("docker-compose.yml", URL, 'PROMETHEUS_URL: "http://host.docker.internal:9090"', []),
        ("docker-compose.yml", "grafana/grafana:12.0.0\n", "grafana/grafana\n    env_file: x\n", []),
        ("provisioning/datasources/a.yml", "type: prometheus", "type: loki", ["type: loki"]),
        ("provisioning/datasources/a.yml", "uid: prometheus", "uid: other", ['"uid": "prometheus"']),
        ("provisioning/datasources/a.yml", "uid: prometheus", "uid: other # prometheus", ['"uid": "prometheus"']),
        ("boards/a.json", '"uid": "prometheus"', '"uid": "Prometheus"', []),
        ("boards/a.json", '"uid": "prometheus"', '"uid": "-- Mixed --"', []),
        ("boards/a.json", '"uid": "prometheus"', '"uid": "${DS_PROMETHEUS}"', []),
    ],
)
def test_a_data_source_that_answers_nobody(name: str, old: str, new: str, expected: list[str], tmp_path: Path) -> None:
    files = FILES | {name: FILES[name].replace(old, new) if old else FILES[name]}
    lines = told(tmp_path, "datasource-unresolved", files)

    assert len(lines) == len(expected)
    assert all(line.startswith(part) for line, part in zip(lines, expected, strict=True))


def test_an_input_of_an_import_is_never_filled_in(tmp_path: Path) -> None:
    inputs = [{"name": "DS_P", "type": "datasource", "pluginId": "prometheus"}]
    query = target("up", datasource={"type": "prometheus", "uid": "${DS_P}"})
    files = FILES | {"boards/a.json": dashboard(panel(1, query), panel(2, query), __inputs=inputs)}

    assert told(tmp_path, "datasource-unresolved", files) == ['"uid": "${DS_P}"']


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("/boards}", "/board}", [PROVIDERS.strip().replace("/boards}", "/board}")]),
        ("/boards}", "/}", []),
        ("/boards}", "$BOARDS}", []),
    ],
)
def test_a_provider_of_an_empty_folder(old: str, new: str, expected: list[str], tmp_path: Path) -> None:
    providers = PROVIDERS.replace(old, new) if old else PROVIDERS

    assert told(tmp_path, "dashboard-not-provisioned", FILES | {"provisioning/dashboards/a.yml": providers}) == expected


def config_map(name: str, labels: str) -> str:
    """Return a ConfigMap with a dashboard."""
    text = dashboard(uid=name).replace("\n", "\n    ")
    head = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels: {{{labels}}}\n"
    return f"{head}data:\n  {name}.json: |\n    {text}\n"


def test_a_config_map_without_the_label_of_all_others(tmp_path: Path) -> None:
    labels = dict.fromkeys(("a", "b", "c"), 'grafana_dashboard: "1"') | {"d": 'app: "x"'}
    files = {f"{name}.yaml": config_map(name, label) for name, label in labels.items()}

    assert told(tmp_path, "dashboard-not-provisioned", files) == ["name: d"]
