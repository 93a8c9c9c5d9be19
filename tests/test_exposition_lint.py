"""What the linter of Prometheus' Go client (promlint, `promtool check metrics`) finds is found here as well."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.judging import judge

NOW = 1_795_000_000.0
SAME = (
    *("abbreviated_unit", "bucket_suffix_reserved", "camel_case_label", "camel_case_name", "colon_in_name"),
    *("count_suffix_reserved", "counter_without_total", "duplicate_series", "le_label_reserved", "no_help"),
    *("non_base_unit", "quantile_label_reserved", "sum_suffix_reserved", "total_on_non_counter", "type_in_name"),
)
CODES = {code.replace("_", "-"): code for code in SAME}
"""The code of promlint for each of our checks that finds the same."""

GAUGE = "# HELP {0} Something.\n# TYPE {0} gauge\n{0}{1} 1\n"
TABLE = [
    ("# TYPE x gauge\nx 1\n", ["no_help"]),
    ("# HELP x\n# TYPE x gauge\nx 1\n", ["no_help"]),
    (GAUGE.format("x_milliseconds", ""), ["non_base_unit"]),
    (GAUGE.format("x_kibibytes", ""), ["non_base_unit"]),
    (GAUGE.format("x_kilobytes", ""), ["non_base_unit"]),
    (GAUGE.format("x_days_seconds", ""), ["non_base_unit"]),
    (GAUGE.format("x_seconds_days", ""), []),
    (GAUGE.format("x_total", ""), ["total_on_non_counter"]),
    (GAUGE.format("x_total", "").replace("gauge", "untyped"), []),
    (GAUGE.format("x", "").replace("gauge", "counter"), ["counter_without_total"]),
    (GAUGE.format("x_total", "").replace("gauge", "counter"), []),
    (GAUGE.format("x_bucket", ""), ["bucket_suffix_reserved"]),
    (GAUGE.format("x_count", ""), ["count_suffix_reserved"]),
    (GAUGE.format("x_sum", ""), ["sum_suffix_reserved"]),
    (GAUGE.format("x_sum", "").replace("gauge", "untyped"), []),
    (GAUGE.format("x", '{le="1"}'), ["le_label_reserved"]),
    (GAUGE.format("x", '{quantile="1"}'), ["quantile_label_reserved"]),
    (GAUGE.format("x", '{le="1",quantile="1"}').replace("gauge", "untyped"), []),
    (GAUGE.format("x_GAUGE", ""), ["type_in_name"]),
    (GAUGE.format("x_gauges", ""), []),
    (GAUGE.format("gauge_x", ""), []),
    (GAUGE.format("x:y", ""), ["colon_in_name"]),
    (GAUGE.format("xY", ""), ["camel_case_name"]),
    (GAUGE.format("XY", ""), []),
    (GAUGE.format("x", '{aB="1"}'), ["camel_case_label"]),
    (GAUGE.format("x_ms", ""), ["abbreviated_unit"]),
    (GAUGE.format("x_MB_y", ""), ["abbreviated_unit"]),
    (GAUGE.format("ms_x", ""), []),
]


def codes(body: str, syntax: Syntax = Syntax.TEXT) -> list[str]:
    """Return promlint's codes for what is found in a body."""
    judgement = judge([body.encode()], syntax, now=NOW)
    return sorted(CODES[one.check] for one in judgement.complaints if one.check in CODES)


@pytest.mark.parametrize(("body", "expected"), TABLE, ids=[body.split("\n")[-2] for body, _ in TABLE])
def test_the_rules_are_those_of_promlint(body: str, expected: list[str]) -> None:
    """Each rule, with what is close to it and fine."""
    assert codes(body) == expected


def test_openmetrics_counters_are_not_asked_for_the_suffix() -> None:
    """There the family has none, and the sample has it."""
    body = "# HELP x Something.\n# TYPE x counter\nx_total 1\n# EOF\n"
    assert codes(body, Syntax.OPENMETRICS) == []


def cases() -> list[dict[str, Any]]:
    """Return promlint's own cases. Skips where there is no corpus."""
    folder = os.environ.get("TOCSIN_CORPUS")
    if not folder:
        pytest.skip("TOCSIN_CORPUS names no folder with a corpus: exposition/cases.jsonl")
    lines = (Path(folder) / "exposition" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if case["id"].startswith("promlint/") or case["expect"] == "lint"]


def test_the_corpus_of_promlint_is_judged_alike() -> None:
    """All its codes, as often as it tells them, and no others."""
    agreed: dict[str, list[int]] = {}
    apart: list[str] = []
    known = cases()
    for case in known:
        expected, ours = sorted(case.get("lint_codes") or []), codes(case["input"])
        if expected != ours:
            apart.append(f"{case['id']}: {expected} there, {ours} here")
        for code in {*expected, *ours} or {"(none)"}:
            row = agreed.setdefault(code, [0, 0])
            row[0] += expected.count(code) == ours.count(code)
            row[1] += 1
    for code, (same, all_) in sorted(agreed.items()):
        print(f"{code:26} {same:3} of {all_}")

    assert len(known) >= 76
    assert not apart, "\n".join(apart)
    assert {*SAME} <= {*agreed}
