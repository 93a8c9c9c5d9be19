"""What promtool refuses of a rule file is an error of ours, and nothing else is: compared on mutated files."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.checks.alert_template_invalid import alert_template_invalid
from tocsin.checks.promql_invalid import promql_invalid
from tocsin.checks.rule_file_invalid import rule_file_invalid
from tocsin.checks.yaml_duplicate_key import yaml_duplicate_key
from tocsin.engines.binaries import Engine, find_engine
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.supervisor import run_once
from tocsin.system import load_system

CHECKS = (rule_file_invalid, promql_invalid, alert_template_invalid, yaml_duplicate_key)
HEALTHY: dict[str, Any] = {
    "groups": [
        {
            "name": "a",
            "interval": "30s",
            "limit": 5,
            "rules": [
                {
                    "alert": "A",
                    "expr": 'sum by (job) (rate(x_total{a="b"}[5m])) > 1',
                    "for": "5m",
                    "keep_firing_for": "1m",
                    "labels": {"severity": "page", "x": "{{ $labels.job }}"},
                    "annotations": {"summary": '{{ $value | humanize }} {{ range query "up" }}{{ .Value }}{{ end }}'},
                },
                {"record": "job:x:rate5m", "expr": "sum by (job) (rate(x_total[5m]))", "labels": {"team": "z"}},
            ],
        },
        {"name": "b", "rules": [{"alert": "B", "expr": "up == 0", "annotations": {"s": "{{ $externalLabels.x }}"}}]},
    ]
}
VALUES = (None, "", 0, 5, 1.5, True, [], {}, ["a"], {"a": "b"}, "0", "5", "5m", "1d1h", "1.5m", "-5s", "x{", "__name__",
          "up", "a:b", " ", "1h30", "5m ", "b", "a")  # fmt: skip
KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations", "name", "rules", "interval",
        "limit", "labls", "Expr", "groups", "__name__", "", "annotation")  # fmt: skip
ONLY_IN_SOME = re.compile(r"for Prometheus 3 only")
"""What ours warns of, because one generation refuses it and the next does not."""
OLD_LENIENCY = re.compile(r"(?:expr|alert|record): null")
"""What Prometheus 2.42 lets pass though nothing can come of it."""


def routes(value: Any, route: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside of one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield (*route, key)
        yield from routes(child, (*route, key))


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """Draw a rule file with a change or two."""
    value = copy.deepcopy(HEALTHY)
    for _ in range(draw(st.integers(1, 2))):
        route = draw(st.sampled_from([*routes(value)] or [()]))
        if not route:
            break
        parent = value
        for key in route[:-1]:
            parent = parent[key]
        now = parent[route[-1]]
        how = draw(
            st.sampled_from(["text", "value", "key", "drop"] if isinstance(now, str) else ["value", "key", "drop"])
        )
        if how == "text":
            at = draw(st.integers(0, len(now)))
            parent[route[-1]] = now[:at] + draw(st.sampled_from([*"(){}[]|\"'$.,:= -5as@!~<>+%"])) + now[at + 1 :]
        elif how == "value":
            parent[route[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif how == "key" and isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            del parent[route[-1]]
    return yaml.safe_dump(value, sort_keys=False)


def refused_by_promtool(folder: Path, texts: list[str]) -> list[bool]:
    """Return of each file whether promtool refuses it."""
    for i, text in enumerate(texts):
        (folder / f"{i}.yml").write_text(text)
    command = [find_engine(Engine.PROMTOOL), "check", "rules", "--lint=none"]
    done = [
        run_once([*command, f"{i}.yml"], cwd=folder, env=None, seconds=30).code != 0 for i in range(len(texts))
    ]  # fmt: skip
    assert len(done) == len(texts)
    return done


@settings(max_examples=4, deadline=None)
@given(texts=st.lists(mutants(), min_size=15, max_size=25))
def test_what_promtool_refuses_is_an_error(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Of each mutant, promtool and the checks say the same; what only one generation refuses is left out."""
    folder = tmp_path_factory.mktemp("rules")
    for text, refused in zip(texts, refused_by_promtool(folder, texts), strict=True):
        place = tmp_path_factory.mktemp("system")
        (place / "system.yaml").write_text("schema: 1\nname: x\nartefacts:\n  rules: [r.yml]\n")
        (place / "r.yml").write_text(text)
        here = Model.of(place, load_system(place))
        found = [finding for check in CHECKS for finding in check.findings(here)]
        if any(ONLY_IN_SOME.search(finding.message) for finding in found) or OLD_LENIENCY.search(text):
            continue
        assert any(finding.severity is Severity.ERROR for finding in found) == refused, (text, found)


def test_a_second_document_is_never_loaded(tmp_path: Path) -> None:
    """Prometheus reads a file's first document, and says nothing of the others."""
    one = yaml.safe_dump({"groups": [HEALTHY["groups"][0]]})
    (tmp_path / "r.yml").write_text(one + "---\n" + yaml.safe_dump({"groups": [HEALTHY["groups"][1]]}))

    found = [*rule_file_invalid.findings(Model.of(tmp_path))]

    assert [finding.place.line for finding in found] == [one.count("\n") + 2]
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize("expression", ["5s", "-5s", "up > 5m"])
def test_a_duration_as_a_number_is_for_prometheus_3_only(tmp_path: Path, expression: str) -> None:
    """Prometheus 2 refuses the whole file for it: a warning where the version is not known, an error under a 2."""
    (tmp_path / "r.yml").write_text(f"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {expression}\n")
    image = tmp_path / "compose.yaml"

    unknown = [*promql_invalid.findings(Model.of(tmp_path))]
    image.write_text("services:\n  prometheus: {image: 'prom/prometheus:v2.53.0'}\n")
    old = [*promql_invalid.findings(Model.of(tmp_path))]
    image.write_text("services:\n  prometheus: {image: 'prom/prometheus:v3.5.0'}\n")
    new = [*promql_invalid.findings(Model.of(tmp_path))]

    assert [(f.severity, f.place.line) for f in unknown] == [(Severity.WARNING, 5)]
    assert [(f.severity, f.place.line) for f in old] == [(Severity.ERROR, 5)]
    assert new == []
