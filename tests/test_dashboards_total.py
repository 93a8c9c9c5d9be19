"""Whatever stands in dashboards, provisioning files, rules and runbooks, the checks of them never stumble."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dashboard_texts import dashboard, model, panel, target
from tests.test_model_grafana import COMPOSE, FILES
from tocsin.checks import checks

CHECKS = (
    "dashboard-link-broken", "dashboard-not-provisioned", "dashboard-uid-twice", "dashboard-variable-undefined",
    "datasource-unresolved", "legend-label-lost", "number-differs", "panel-window-too-short", "promql-invalid",
    "runbook-missing", "runbook-names-no-alert", "unit-mismatch",
)  # fmt: skip
BOARD = json.loads(
    dashboard(
        panel(
            1,
            target("rate(x_bytes_total[$__interval]) / y", legendFormat="{{a}}"),
            fieldConfig={
                "defaults": {"unit": "s", "thresholds": {"steps": [{"value": None}, {"value": 3}]}},
                "overrides": [{"matcher": {"id": "byName"}, "properties": [{"id": "unit", "value": "s"}]}],
            },
            description="High: more than 5 % for 5m",
            links=[{"url": "https://g.example/d/a?viewPanel=1"}],
        ),
        templating={"list": [{"name": "a", "type": "query", "query": {"query": "label_values(x, a)"}}]},
        annotations={"list": [{"name": "b", "expr": "ALERTS", "datasource": "$a"}]},
        __inputs=[{"name": "DS", "pluginId": "prometheus"}],
        rows=[{"panels": [{"id": 2}]}],
    )
)
RULES = {
    "groups": [
        {
            "name": "g",
            "rules": [
                {
                    "alert": "High",
                    "expr": "rate(x_bytes_total[5m]) / y > 0.05",
                    "for": "5m",
                    "annotations": {"summary": "more than 6 % for 6m", "runbook_url": "https://r.example/High.md#x"},
                }
            ],
        }
    ]
}
PARTS = {
    "boards/a.json": BOARD,
    "rules.json": RULES,
    "sources.json": {
        "datasources": [{"name": "P", "type": "prometheus", "url": "$A", "jsonData": {"timeInterval": 1}}]
    },
    "providers.json": {"providers": [{"name": "p", "options": {"path": "/boards"}}]},
}
VALUES = st.sampled_from([None, True, -1, 1e300, "", "$a", "${", "[[a]]", "{{", [], {}, [[]], {"": {}}, [None], "5m"])


def routes(value: Any, route: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the routes of all values in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [route, *(inner for key, each in items for inner in routes(each, (*route, key)))]


def put(value: Any, route: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a value with another one at a route."""
    if not route:
        return new
    changed = copy.copy(value)
    changed[route[0]] = put(value[route[0]], route[1:], new)
    return changed


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_value_may_stand_anywhere(data: st.DataObject) -> None:
    parts = dict(PARTS)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(parts)))
        route = data.draw(st.sampled_from(routes(parts[name])))
        parts[name] = put(parts[name], route, data.draw(VALUES))
    files = {name: json.dumps(value) for name, value in parts.items()}
    files |= {"docker-compose.yml": COMPOSE, "docs/runbooks/High.md": "# High\nmore than 7 % for 7m [x](y.md#z)\n"}
    files |= {name: FILES[name] for name in FILES if name.startswith("provisioning/")}
    with tempfile.TemporaryDirectory() as directory:
        found = model(Path(directory), files)
        for name in CHECKS:
            for finding in checks()[name].findings(found):
                assert finding.message
                assert finding.place.line >= 1
