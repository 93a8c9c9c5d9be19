"""What packages export of an application by themselves, against what their sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.artefacts.instrumentators import switched_on
from tocsin.checks import checks
from tocsin.model import Model

FASTAPI = "from prometheus_fastapi_instrumentator import Instrumentator\n"
FLASK = "from prometheus_flask_exporter import PrometheusMetrics\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            FASTAPI + "Instrumentator().instrument(app).expose(app)\n",
            {"http_requests_total", "http_request_size_bytes_sum"},
        ),
        (FLASK + "metrics = PrometheusMetrics(app)\n", {"flask_http_request_total"}),
        (FASTAPI, set()),
        (FASTAPI + "Instrumentator().add(latency()).instrument(app)\n", set()),
        (FASTAPI + "Instrumentator().instrument(app, metric_namespace='shop')\n", set()),
        (FLASK + "metrics = PrometheusMetrics(app, group_by='endpoint')\n", set()),
        ("Instrumentator().instrument(app)\n", set()),
    ],
)
def test_only_what_is_switched_on_and_not_changed(text: str, expected: set[str]) -> None:
    """Nothing is told of a package that is not used, or that is told to say something else."""
    names = {one.name for one in switched_on({"app.py": text})}

    assert expected <= names
    assert bool(names) == bool(expected)


def test_the_place_is_that_of_the_switch() -> None:
    """A finding leads to the call."""
    place = next(switched_on({"app.py": FASTAPI + "\n  Instrumentator()\n"})).place

    assert (place.file, place.line, place.column) == ("app.py", 3, 3)


RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}\n"


@pytest.mark.parametrize(
    ("expression", "check"),
    [
        ("histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 1",
         "quantile-threshold-above-top-bucket"),
        ('rate(http_requests_total{code="500"}[5m]) > 1', "label-not-exported"),
        ('rate(http_requests_total{status="500"}[5m]) > 1', "label-not-exported"),
        ('rate(http_requests_total{status=~"5.."}[5m]) > 1', None),
        ("histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 0.5", None),
    ],
)  # fmt: skip
def test_rules_are_held_against_them(expression: str, check: str | None, tmp_path: Path) -> None:
    """The top bucket of prometheus-fastapi-instrumentator is 1 s, and it groups status codes."""
    (tmp_path / "rules.yml").write_text(RULES.format(expression))
    (tmp_path / "app.py").write_text(FASTAPI + "Instrumentator().instrument(app).expose(app)\n")
    model = Model.of(tmp_path)
    found = {c.id for c in checks().values() for f in c.findings(model) if c.id.startswith(("quantile", "label-not"))}

    assert found == ({check} if check else set())
