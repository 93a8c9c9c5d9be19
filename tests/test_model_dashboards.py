"""Dashboards of every schema and wherever they are kept, and what of them is asked of a Prometheus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard_texts import PROMETHEUS, dashboard, model, panel, target
from tocsin.model.dashboards import queries
from tocsin.promql import selectors

LOKI = {"type": "loki", "uid": "loki"}


def expressions(directory: Path, files: dict[str, str]) -> list[tuple[str, str]]:
    """Return origin and expression of every query."""
    return [(query.origin, query.expression) for query in queries(model(directory, files))]


def test_panels_are_found_in_rows_of_either_age(tmp_path: Path) -> None:
    collapsed = {"id": 9, "type": "row", "title": "R", "collapsed": True, "panels": [panel(2, target("b"))]}
    old = {"title": "Old", "schemaVersion": 14, "rows": [{"title": "R", "panels": [panel(3, target("c"))]}]}
    files = {"new.json": dashboard(panel(1, target("a")), collapsed), "old.json": json.dumps(old)}

    assert expressions(tmp_path, files) == [("panel", "a"), ("panel", "b"), ("panel", "c")]


def test_variables_and_annotations_are_asked_too(tmp_path: Path) -> None:
    variables = [
        {"name": "job", "type": "query", "datasource": PROMETHEUS, "query": 'label_values(up{a="b"}, job)'},
        {"name": "label", "type": "query", "datasource": PROMETHEUS, "query": {"query": "label_values(job)"}},
        {"name": "top", "type": "query", "datasource": PROMETHEUS, "query": {"query": "query_result(topk(3, x))"}},
        {"name": "log", "type": "query", "datasource": LOKI, "query": 'label_values({a="b"}, job)'},
    ]  # fmt: skip
    annotations = [{"name": "Alerts", "datasource": PROMETHEUS, "expr": "ALERTS"}]
    text = dashboard(templating={"list": variables}, annotations={"list": annotations})

    assert expressions(tmp_path, {"a.json": text}) == [
        ("variable", 'up{a="b"}'),
        ("variable", "topk(3, x)"),
        ("annotation", "ALERTS"),
    ]


def version_2(kind: str, group: dict[str, Any]) -> str:
    """Return the text of a dashboard of version 2."""
    query = {"kind": "PanelQuery", "spec": {"refId": "A", "query": group}}
    data = {"kind": "QueryGroup", "spec": {"queries": [query]}}
    view = {"kind": "VizConfig", "group": "stat", "spec": {"fieldConfig": {"defaults": {"unit": "s"}}}}
    element = {"kind": "Panel", "spec": {"id": 7, "title": "P", "data": data, "vizConfig": view}}
    spec = {"title": "T", "elements": {"panel-7": element}, "variables": []}
    return json.dumps({"apiVersion": kind, "kind": "Dashboard", "metadata": {"name": "two"}, "spec": spec})


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("dashboard.grafana.app/v2alpha1", {"kind": "prometheus", "spec": {"expr": "up"}}),
        (
            "dashboard.grafana.app/v2beta1",
            {"kind": "DataQuery", "group": "prometheus", "datasource": {"name": "p"}, "spec": {"expr": "up"}},
        ),
    ],
)
def test_version_2_is_read(kind: str, group: dict[str, Any], tmp_path: Path) -> None:
    found = model(tmp_path, {"a.json": version_2(kind, group)})
    only = found.dashboards[0].panels[0]

    assert found.dashboards[0].uid == "two"
    assert (only.id, only.title, only.type) == ("7", "P", "stat")
    assert only.field_config.string("defaults", "unit") == "s"
    assert [query.expression for query in found.queries] == ["up"]


def test_dashboards_are_found_in_other_files(tmp_path: Path) -> None:
    text = dashboard(panel(1, target('up{job="a"}')))
    indented = "".join(f"    {line}\n" for line in text.split("\n"))
    config_map = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  a.json: |\n{indented}"
    custom = {"apiVersion": "grafana.integreatly.org/v1beta1", "kind": "GrafanaDashboard", "spec": {"json": text}}
    files = {
        "map.yaml": config_map,
        "custom.yaml": json.dumps(custom),
        "wrapped.json": json.dumps({"dashboard": json.loads(text), "overwrite": True}),
    }
    found = model(tmp_path, files)

    assert [d.part.file for d in found.dashboards] == ["map.yaml", "wrapped.json", "custom.yaml"]
    assert [query.expression for query in found.queries] == ['up{job="a"}'] * 3
    inside = found.queries[0]
    assert inside.tree is not None
    place = inside.place_of(selectors(inside.tree)[0].matchers[0].span)
    assert config_map.split("\n")[place.line - 1][place.column - 1 :].startswith('job=\\"a\\"')


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (PROMETHEUS, True),
        (LOKI, None),
        ("Metrics", True),
        ("Logs", None),
        ("$ds", True),
        ("${DS_LOGS}", None),
        ("nobody", False),
        (None, False),
    ],
)
def test_what_is_no_prometheus_is_left_alone(source: Any, expected: bool | None, tmp_path: Path) -> None:
    sources = "datasources: [{name: Metrics, type: prometheus, url: x}, {name: Logs, type: loki, url: x}]\n"
    variable = {"name": "ds", "type": "datasource", "query": "prometheus"}
    inputs = [{"name": "DS_LOGS", "type": "datasource", "pluginId": "loki"}]
    text = dashboard(panel(1, target("up", datasource=source)), templating={"list": [variable]}, __inputs=inputs)
    found = model(tmp_path, {"a.json": text, "sources.yml": sources}).queries

    assert [query.certain for query in found] == ([] if expected is None else [expected])


def test_what_is_not_known_to_be_promql_and_does_not_parse_is_nothing(tmp_path: Path) -> None:
    text = dashboard(panel(1, target('{app="a"} |= "error"', datasource=None)))

    assert expressions(tmp_path, {"a.json": text}) == []


def test_a_victoriametrics_may_understand_more(tmp_path: Path) -> None:
    compose = "services: {db: {image: 'victoriametrics/victoria-metrics:v1.1'}}\n"
    text = dashboard(panel(1, target("median_over_time(x[5m]) default 0")))

    assert [q.certain for q in model(tmp_path, {"a.json": text, "docker-compose.yml": compose}).queries] == [False]


def test_queries_of_runbooks_are_asked(tmp_path: Path) -> None:
    page = "# A\n\n```promql\nup\n\nsum(rate(x[5m]))\n```\n"

    assert expressions(tmp_path, {"docs/a.md": page}) == [("runbook", "up"), ("runbook", "sum(rate(x[5m]))")]
