"""How long a condition that looks into the past can hold, against Prometheus itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tocsin.engines.promtool import run_rule_tests
from tocsin.promql import parse
from tocsin.promql.dead import Proofs
from tocsin.promql.past import longest_stretch


@pytest.mark.parametrize(
    ("text", "seconds", "sure"),
    [
        ("x == 0 and x offset 10m > 0", 600, True),
        ("x == 0 and on (job) x offset 10m > 0", 600, False),
        ("x unless x offset 10m", 600, True),
        ("x offset 10m unless x", 600, True),
        ("count by (job) (x offset 10m) unless count by (job) (x)", 600, True),
        ("(x == 0 and x offset 10m > 0) and y > 1", 600, True),
    ],
)
def test_what_looks_back_holds_for_so_long(text: str, seconds: float, sure: bool) -> None:
    """The stretch is as long as the offset goes back."""
    found = longest_stretch(parse(text), Proofs())

    assert found is not None
    assert (found.seconds, found.sure) == (seconds, sure)


@pytest.mark.parametrize(
    "text",
    [
        *("x == 0 and x offset 10m == 0", "x == 0 and y offset 10m > 0", "x > 5", "x unless y offset 10m"),
        "x unless x",
        *("x offset 5m unless x offset 10m", "x == 0 or x offset 10m > 0", "x > 5 and x offset 10m > 3"),
        *("x unless x @ 100", "x unless x offset -5m", "max_over_time(x[5m:1m] offset 1h) unless x"),
    ],
)
def test_what_may_go_on_is_left_alone(text: str) -> None:
    """Nothing limits what can be true for ever."""
    assert longest_stretch(parse(text), Proofs()) is None


@pytest.mark.parametrize("hold", ["9m", "10m"])
@pytest.mark.parametrize("text", ["x == 0 and x offset 10m > 0", "x unless x offset 10m", "x offset 10m unless x"])
def test_prometheus_agrees(text: str, hold: str, tmp_path: Path) -> None:
    """With a `for` just under the stretch the alert fires on such data; with one as long as that it never does."""
    rules = {"groups": [{"name": "a", "rules": [{"alert": "A", "expr": text, "for": hold}]}]}
    series = [{"series": "x", "values": "_x20 1x20 0x40 stale _x40"}]
    asked = {"expr": 'count_over_time(ALERTS{alertstate="firing"}[2h])', "eval_time": "120m"}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [{**asked, "exp_samples": []}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}))

    done = run_rule_tests([tmp_path / "test.yml"], cwd=tmp_path)

    assert (done.code == 0) == (hold == "10m"), done.stdout + done.stderr
