"""The units of expressions, by the names of their metrics."""

from __future__ import annotations

import pytest

from tocsin.artefacts.grafana_units import UNITS
from tocsin.promql import parse
from tocsin.promql.units import Unit, unit_of


@pytest.mark.parametrize(
    ("expression", "kind", "scale"),
    [
        ("process_resident_memory_bytes", "bytes", 1),
        ("x_bytes / 1024 / 1024", "bytes", 2.0**-20),
        ("sum(rate(x_bytes_total[5m])) * 8", "bytes/s", 8),
        ("increase(x_bytes_total[1h])", "bytes", 1),
        ("rate(process_cpu_seconds_total[5m])", "seconds/s", 1),
        ("histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[5m])))", "seconds", 1),
        ("1000 * histogram_quantile(0.9, rate(x_seconds_bucket[5m]))", "seconds", 1000),
        ("rate(x_seconds_sum[5m]) / rate(x_seconds_count[5m])", "seconds", 1),
        ("sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", "ratio", 1),
        ("100 * (1 - a_bytes / b_bytes)", "ratio", 100),
        ("100 - 100 * a_bytes / b_bytes", "ratio", 100),
        ("time() - x_timestamp_seconds", "seconds", 1),
        ("process_start_time_seconds * 1000", "timestamp", 1000),
        ("max_over_time(x_seconds[1h]) > 3", "seconds", 1),
        ("3 < x_seconds", "seconds", 1),
        ("x_bytes or vector(0)", "bytes", 1),
        ("count(x_bytes)", "count", 1),
        ("job:errors:ratio", "ratio", 1),
    ],
)
def test_a_unit_that_is_certain(expression: str, kind: str, scale: float) -> None:
    recorded = {"job:errors:ratio": Unit("ratio")}
    unit = unit_of(parse(expression), recorded.get)

    assert unit is not None
    assert (unit.kind, unit.scale) == (kind, pytest.approx(scale))


@pytest.mark.parametrize(
    "expression",
    [
        "up",
        "push_time_seconds",
        "100 * (availability_ratio - 0.99)",
        "x_bytes + y_seconds",
        "x_bytes * y_bytes",
        "x_bytes > bool 3",
        "job:unknown:rate5m",
        "x_bytes / 0",
        "stdvar(x_seconds)",
    ],
)
def test_a_unit_that_is_not(expression: str) -> None:
    unit = unit_of(parse(expression), lambda _: None)

    assert unit is None or unit.kind in ("count", "number")


def test_units_of_grafana_are_those_of_expressions() -> None:
    assert {kind for kind, _ in UNITS.values()} == {"ratio", "seconds", "bytes", "bytes/s", "timestamp"}
    assert UNITS["MiBs"] == ("bytes/s", 2.0**-20)
    assert UNITS["Kbits"] == ("bytes/s", 8e-3)
