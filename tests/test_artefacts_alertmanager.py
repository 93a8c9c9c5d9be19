"""Where an alert is routed is what amtool says, on route trees of every shape."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.artefacts.alertmanager import Routing, read_routing
from tocsin.artefacts.files import kind_of
from tocsin.compression.written import yaml_text
from tocsin.engines import amtool
from tocsin.engines.binaries import Engine, MissingEngines, find_engine
from tocsin.source import Document, Unreadable, read_document, read_documents
from tocsin.system import Kind

RECEIVERS = ("a", "b", "c", "d")


@cache
def missing() -> str:
    """Return why amtool is not to be had; nothing if it is."""
    try:
        find_engine(Engine.AMTOOL)
    except MissingEngines as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def engine() -> None:
    if missing():
        pytest.skip(missing())


def document(text: str) -> Document:
    return read_document(text, "alertmanager.yml", raw=True)


def config(route: Mapping[str, Any]) -> str:
    return yaml_text({"route": route, "receivers": [{"name": name} for name in RECEIVERS]})


def agree(text: str, labels: Mapping[str, str], folder: Path) -> None:
    """Assert that amtool and we name the same receivers, in the same order."""
    path = folder / "alertmanager.yml"
    path.write_text(text)
    ours = receivers(read_routing(document(text)), labels)
    assert ours == amtool.route(path, labels), f"{labels}\n{text}"


def receivers(routing: Routing, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(route.receiver for route in routing.routes(labels))


MATCHERS = {
    "equal": "severity=critical",
    "quoted": 'severity="critical"',
    "blanks": ' severity = "critical" ',
    "not equal": "severity!=critical",
    "regex": "severity=~crit.*",
    "an anchored regex": "severity=~rit",
    "not regex": "severity!~crit.*",
    "alternatives": "severity=~warning|critical",
    "a dot and a line end": "text=~a.b",
    "an absent label": 'absent=""',
    "an absent label, not empty": 'absent!=""',
    "an absent label by regex": "absent=~.*",
    "several in braces": '{severity="critical", team=~"x|y"}',
    "several without": 'severity="critical", team="x"',
    "one of several does not match": 'severity="critical",team="z"',
    "a comma in quotes": 'text="a,b"',
    "a brace in quotes": 'text="}"',
    "a quote in quotes": 'text="say \\"hi\\""',
    "a backslash": 'text="a\\\\b"',
    "an equals sign in the value": 'text="a=b"',
    "a trailing comma": '{severity="critical",}',
    "nothing in braces": "{}",
    "empty unquoted": "absent=",
    "a flag": "severity=~(?i)CRITICAL",
    "a class of RE2": "severity=~[[:alpha:]]+",
    "a dollar": "text=~a$",
    "a class among others": "text=~[^[:space:]b]+",
    "a regex that nobody reads": "severity=~(",
    "word characters are ASCII": r"text=~\\w",
    "unquoted with a quote": 'text=a"b',
    "a single quote": "text='a'",
    "an escaped quote before a comma": 'text="say \\"hi, you\\"", severity=""',
    "a quote that is not closed": 'text="a',
    "a quote that is escaped away": r'text="a\"',
    "a backslash at the end": "text=a\\",
    "an escape of nothing": r'text=~"a\.b|\d"',
    "two commas": 'severity="critical",,team="x"',
    "no operator": "severity",
    "a colon in a label": 'a:b=""',
    "a digit first": '1a=""',
}
ALERTS: tuple[dict[str, str], ...] = (
    {"alertname": "A", "severity": "critical", "team": "x"},
    {"alertname": "A", "severity": "warning"},
    {"alertname": "A", "severity": "critical", "text": "a,b"},
    {"alertname": "A", "text": "a\nb"},
    {"alertname": "A", "text": "}"},
    {"alertname": "A", "text": 'say "hi"'},
    {"alertname": "A", "text": "a\\b"},
    {"alertname": "A", "text": "a=b"},
    {"alertname": "A", "text": "a"},
    {"alertname": "A", "text": "a\n"},
    {"alertname": "A", "text": "\xe9"},
    {"alertname": "A", "text": "'a'"},
)


@pytest.mark.parametrize("matcher", MATCHERS.values(), ids=MATCHERS)
def test_a_matcher_means_what_amtool_says(matcher: str, tmp_path: Path) -> None:
    """Every way of writing a matcher chooses the same alerts; what Alertmanager refuses, we refuse with its place."""
    text = config({"receiver": "a", "routes": [{"receiver": "b", "matchers": [matcher]}]})
    (tmp_path / "alertmanager.yml").write_text(text)
    if amtool.check_config(tmp_path / "alertmanager.yml").code != 0:
        with pytest.raises(Unreadable, match=r"alertmanager\.yml:\d+:\d+"):
            read_routing(document(text))
        return
    children = [
        {"receiver": receiver, "matchers": [matcher, f"pick={i}"], "continue": True}
        for i, receiver in enumerate(RECEIVERS[1:])
    ]
    text = config({"receiver": "a", "routes": children})
    for i, alert in enumerate(ALERTS):
        agree(text, {**alert, "pick": str(i % 3)}, tmp_path)


LABELS = ("severity", "team", "absent")
VALUES = ("critical", "warning", "x", "")
conditions = st.builds(
    "{}{}{}".format,
    st.sampled_from(LABELS),
    st.sampled_from(("=", "!=", "=~", "!~")),
    st.sampled_from(('"critical"', '"x"', '"c.*|x"', '""', "warning", '"[a-w].+"')),
)


def routes(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return routes of a tree that goes so much deeper."""
    own: dict[str, st.SearchStrategy[Any]] = {
        "receiver": st.sampled_from(RECEIVERS),
        "matchers": st.lists(conditions, max_size=2),
        "match": st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES), max_size=1),
        "match_re": st.dictionaries(st.sampled_from(LABELS), st.sampled_from(("c.*", "x|y", ".*")), max_size=1),
        "continue": st.sampled_from(("true", "false")),
    }
    if depth:
        own["routes"] = st.lists(routes(depth - 1), max_size=3)
    return st.fixed_dictionaries({}, optional=own)


@given(
    tree=st.fixed_dictionaries({"receiver": st.just("a"), "routes": st.lists(routes(2), min_size=1, max_size=4)}),
    labels=st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES[:-1]), min_size=1),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tree_routes_as_amtool_says(tree: dict[str, Any], labels: dict[str, str], tmp_path: Path) -> None:
    """Nesting, `continue`, inheritance and old-style matches lead to the same receivers in the same order."""
    agree(config(tree), labels, tmp_path)


def corpus() -> list[Path]:
    """Return the Alertmanager configurations of the corpus."""
    root = os.environ.get("TOCSIN_CORPUS")
    files = sorted(Path(root).rglob("*.y*ml")) if root else []
    return [file for file in files if _is_configuration(file)]


def _is_configuration(file: Path) -> bool:
    text = file.read_text(errors="replace")
    if "\nreceivers:" not in text:
        return False
    try:
        return any(kind_of(d.value) is Kind.ALERTMANAGER for d in read_documents(text, file.name, raw=True))
    except Unreadable:
        return False


@pytest.mark.skipif("TOCSIN_CORPUS" not in os.environ, reason="TOCSIN_CORPUS names no collection of real systems")
def test_real_configurations_route_as_amtool_says(tmp_path: Path) -> None:
    """Configurations that others wrote route alerts of their own labels as amtool says."""
    tried = 0
    for file in corpus():
        text = file.read_text()
        routing = read_routing(document(text))
        path = tmp_path / "alertmanager.yml"
        path.write_text(text)
        if amtool.check_config(path).code != 0:
            continue  # credentials or templates that were not collected
        nodes = [routing.root]
        while nodes:
            node = nodes.pop()
            nodes += node.children
            labels = {m.label: m.value.split("|")[0].strip("^()") for m in node.matchers if m.operator in ("=", "=~")}
            labels.setdefault("alertname", "A")
            assert receivers(routing, labels) == amtool.route(path, labels), f"{file}: {labels}"
            tried += 1
    assert tried >= 4
