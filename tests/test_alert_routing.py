"""Where alerts go is what amtool says; of what is not known of an alert nothing is claimed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.alertmanager import AlertmanagerConfig, Matcher
from tocsin.artefacts.rules import Rule
from tocsin.compression.written import yaml_text
from tocsin.engines import amtool
from tocsin.engines.binaries import Engine, MissingEngines, find_engine
from tocsin.model import Model
from tocsin.model.routing import RoutedAlerts, Sent, all_met, answer, narrowed
from tocsin.part import Part
from tocsin.promql.label_values import ABSENT, ANY, PRESENT, Values, one_of
from tocsin.promql.labels import LabelFacts
from tocsin.source import read_documents

RULES = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n"
TEXTS = ("", "a", "b", "ab", "critical", "warning", "x.y")
PATTERNS = ("a|b", "a.*", ".+", ".*", "critical|warning", "", "x\\.y", "[ab]", "(a|b)?", "cr.t.*")
matchers = st.builds(Matcher, st.sampled_from("lm"), st.sampled_from(["=", "!="]), st.sampled_from(TEXTS)) | st.builds(
    Matcher, st.sampled_from("lm"), st.sampled_from(["=~", "!~"]), st.sampled_from(PATTERNS)
)
facts_of = st.sampled_from([ANY, ABSENT, PRESENT, *(one_of([text]) for text in TEXTS), one_of(["a", "critical"])])


def config(text: str) -> AlertmanagerConfig:
    return AlertmanagerConfig(Part.whole(read_documents(text, "alertmanager.yml")[0]))


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yml").write_text(RULES)
    return Model.of(folder).rules[0]


@given(matchers, facts_of, st.sampled_from(TEXTS))
@settings(max_examples=600, deadline=None)
def test_an_answer_holds_for_every_value_that_is_possible(matcher: Matcher, values: Values, text: str) -> None:
    said = answer(matcher, values)
    if values.possible(text) and said is not None:
        assert matcher.matches({matcher.label: text}) is said


@given(st.lists(matchers, max_size=4), st.sampled_from(TEXTS), st.sampled_from(TEXTS))
@settings(max_examples=600, deadline=None)
def test_what_meets_matchers_is_among_what_they_leave(asked: list[Matcher], one: str, other: str) -> None:
    labels = {"l": one, "m": other}
    met = all(matcher.matches(labels) for matcher in asked)
    left = narrowed(LabelFacts(), asked)
    if met:
        assert not left.nothing
        assert left.of("l").possible(one)
        assert left.of("m").possible(other)
    exact = LabelFacts({"l": one_of([one]), "m": one_of([other])}, ABSENT)
    assert all_met(asked, exact) in (met, None)


routes = st.recursive(
    st.fixed_dictionaries(
        {"receiver": st.sampled_from("abc"), "continue": st.booleans(), "matchers": st.lists(matchers, max_size=2)}
    ),
    lambda children: st.fixed_dictionaries(
        {
            "receiver": st.sampled_from("abc"),
            "continue": st.booleans(),
            "matchers": st.lists(matchers, max_size=2),
            "routes": st.lists(children, max_size=3),
        }
    ),
    max_leaves=8,
)


def written(route: Mapping[str, Any]) -> dict[str, Any]:
    """Return a route as YAML has it."""
    said = [f'{m.label}{m.operator}"{m.value.replace(chr(92), chr(92) * 2)}"' for m in route["matchers"]]
    return {**route, "matchers": said, "routes": [written(child) for child in route.get("routes", ())]}


def tree(children: list[Mapping[str, Any]]) -> str:
    root = {"receiver": "a", "routes": [written(child) for child in children]}
    return yaml_text({"route": root, "receivers": [{"name": name} for name in "abc"]})


def taken(one: AlertmanagerConfig, labels: Mapping[str, str]) -> list[tuple[str | int, ...]]:
    """Return the routes that an alert takes, walked as Alertmanager does."""

    def walk(route: Any) -> Iterator[tuple[str | int, ...]]:
        found = False
        for child in route.children:
            if all(each.matcher.matches(labels) for each in child.matchers):
                found = True
                yield from walk(child)
                if not child.goes_on:
                    break
        if not found:
            yield route.part.route

    return list(walk(one.root))


known = st.tuples(st.sampled_from(TEXTS), facts_of)


@given(st.lists(routes, max_size=4), known, known)
@settings(max_examples=300, deadline=None)
def test_an_alert_goes_where_it_may_and_nowhere_else(
    rule: Rule, children: list[Mapping[str, Any]], left: tuple[str, Values], right: tuple[str, Values]
) -> None:
    """What is sure is taken, and what is taken is possible, whatever the labels are of which less is known."""
    read = config(tree(children))
    (one, first), (other, second) = left, right
    ways = taken(read, {"l": one, "m": other})
    if not (first.possible(one) and second.possible(other)):
        return
    routed = RoutedAlerts(read, (Sent(rule, LabelFacts({"l": first, "m": second}), None),), whole=True)
    for route in read.routes:
        stays = routed.stays(route)
        if route.part.route in ways:
            assert stays, route.subject
        if any(alert.sure for alert in stays):
            assert route.part.route in ways


def engine() -> None:
    try:
        find_engine(Engine.AMTOOL)
    except MissingEngines as error:
        pytest.skip(str(error))


def agree(read: AlertmanagerConfig, path: Path, rule: Rule, labels: Mapping[str, str]) -> None:
    """Assert that amtool and we name the same receivers for an alert of which all is known."""
    facts = LabelFacts({name: one_of([value]) for name, value in labels.items()}, ABSENT)
    routed = RoutedAlerts(read, (Sent(rule, facts, None),), whole=True)
    ours = sorted(route.receiver for route in read.routes if any(alert.sure for alert in routed.stays(route)))
    assert ours == sorted(amtool.route(path, labels)), labels


SMALL = """route:
  receiver: root
  routes:
  - {matchers: ['alertname="Watchdog"'], receiver: deadman}
  - {match: {severity: critical}, receiver: pager, continue: true}
  - matchers: ['team=~"a|b"', 'severity!="info"']
    receiver: team
    routes:
    - {match_re: {service: "web.*"}, receiver: web}
  - {matchers: ['severity=~"warning|info"'], receiver: chat}
receivers:
- {name: root}
- {name: deadman}
- {name: pager}
- {name: team}
- {name: web}
- {name: chat}
"""


def test_small_trees_agree_with_amtool(rule: Rule, tmp_path: Path) -> None:
    engine()
    path = tmp_path / "alertmanager.yml"
    path.write_text(SMALL)
    for severity in ("critical", "warning", "info", "other"):
        for team in ("a", "c"):
            for service in ("web1", "db"):
                agree(config(SMALL), path, rule, {"severity": severity, "team": team, "service": service})
    agree(config(SMALL), path, rule, {"alertname": "Watchdog"})


def corpus() -> Path:
    named = os.environ.get("TOCSIN_CORPUS")
    if not named:
        pytest.skip("TOCSIN_CORPUS names no folder of foreign systems")
    folder = Path(named)
    return folder / "systems" if (folder / "systems").is_dir() else folder


def plain(route: Any) -> Any:
    """Return a route without what only the newest Alertmanager knows, and amtool may not."""
    kept = {key: value for key, value in route.items() if key != "labels"}
    return kept | {"routes": [plain(child) for child in route.get("routes") or ()]}


EACH = 5
"""Rules that amtool is asked about of those that meet the same matchers of a configuration."""


def test_every_rule_of_the_corpus_agrees_with_amtool(tmp_path: Path) -> None:
    """Each rule, with its static labels, through each configuration; of those that all matchers take alike, some."""
    engine()
    models = [Model.of(folder) for folder in sorted(corpus().iterdir()) if folder.is_dir()]
    rules = [rule for model in models for rule in model.alerts]
    asked = 0
    for i, read in enumerate(one for model in models for one in model.alertmanager_configs if one.readable):
        path = tmp_path / f"{i}.yml"
        receivers = [{"name": receiver.name} for receiver in read.receivers]
        path.write_text(yaml_text({"route": plain(read.part.get("route").value), "receivers": receivers}))
        matchers_of_all = [each.matcher for route in read.routes for each in route.matchers]
        named = {matcher.label for matcher in matchers_of_all}
        seen: Counter[tuple[bool, ...]] = Counter()
        for rule in rules:
            labels = {"alertname": rule.name, **{n: v for n, v in rule.labels.items() if "{{" not in v}}
            kept = {name: value for name, value in labels.items() if name in named and value}
            kind = tuple(matcher.matches(kept) for matcher in matchers_of_all)
            seen[kind] += 1
            if seen[kind] <= EACH:
                agree(read, path, rule, kept or {"alertname": rule.name})
                asked += 1
    assert rules
    assert asked
