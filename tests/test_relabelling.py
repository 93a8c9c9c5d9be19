"""Relabelling is that of Prometheus: expressions, replacements, every action, and the labels that are left."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin.deadline import wait_until
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.part import Part
from tocsin.relabelling import (
    Step,
    address_problem,
    expand,
    hashmod,
    match,
    matches,
    references,
    relabel,
    steps,
    target_labels,
)
from tocsin.source import read_document
from tocsin.supervisor import Supervisor

NAMES = ("app", "zone", "x1", "__tmp_a", "team", "empty")
VALUES = ("", "shop", "shop-a", "Shop.B", "eu;west", "10.0.0.1:80", "a/b", "é", "true", "8080")
REGEXES = (
    "(.*)", ".*", "shop.*", "(shop)-(.)", "(?P<first>[a-z]+)[;-](.*)", "shop|true", "", "[[:alpha:]]+", "(?i)SHOP.*",
    r"(.+?)(?::\d+)?;(\d+)", r"([^:]+)(?::\d+)?", r"\d+", "(a)?(.*)", "__tmp_(.+)", "(app|zone)", "x.", r"\Qa/b\E",
    "s$",
)  # fmt: skip
REPLACEMENTS = ("$1", "${1}", "$0", "$2x", "${2}-x", "fixed", "", "$first", "$$1", "$", "a${9}b", "${1", "$1x")


def rules(text: str) -> tuple[Step, ...]:
    """Return the rules of a list in YAML."""
    return steps(Part.whole(read_document(text, "prometheus.yml")).list())


@pytest.mark.parametrize(
    ("regex", "value", "template", "expected"),
    [
        ("(.*)", "a", "$1", "a"),
        ("(.*)", "a", "$1x", ""),  # the group named `1x`, of which there is none
        ("(.*)", "a", "${1}x", "ax"),
        ("(a)(b)?", "a", "$1-$2-$3", "a--"),
        ("(?P<n>a)", "a", "$n${n}$$n", "aa$n"),
        ("a", "a", "$", "$"),
        ("a", "a", "${", "${"),
        ("(a)", "a", "$01", ""),
    ],
)
def test_a_replacement_is_filled_in(regex: str, value: str, template: str, expected: str) -> None:
    """As Go's regexp.Expand does it."""
    found = match(regex, value)
    assert found is not None
    assert expand(found, template) == expected


@pytest.mark.parametrize(
    ("regex", "value", "expected"),
    [
        ("a", "ab", False),
        ("a|b", "b", True),
        ("a$", "a", True),
        ("a.b", "a\nb", True),
        ("[[:digit:]]+", "12", True),
        (r"\pL", "a", None),  # not in Python's dialect: nobody knows
        ("(a+)+b", "aaaa", None),  # might take for ever
        ("a**", "a", None),
    ],
)
def test_an_expression_is_anchored(regex: str, value: str, expected: bool | None) -> None:
    """The whole value has to match, and what cannot be tried is not guessed."""
    assert matches(regex, value) is expected


def test_references_are_told() -> None:
    """The names of groups, and no `$$`."""
    assert references("$1-${two}-$$3-$") == ("1", "two")


@given(st.text(max_size=40), st.integers(1, 1000))
def test_a_shard_is_below_its_modulus(value: str, modulus: int) -> None:
    """And the same value is always in the same."""
    shard = hashmod(value, modulus)
    assert 0 <= int(shard) < modulus
    assert shard == hashmod(value, modulus)


def test_what_hangs_on_an_unknown_label_is_uncertain() -> None:
    """A sample's value decides nothing, and what is copied from it is a sample too."""
    kept = relabel({"a": "1", "b": "2"}, rules("- {source_labels: [a], target_label: c}"), unknown=["a"])
    assert kept.labels["c"] == "1"
    assert "c" in kept.unknown
    assert kept.certain
    assert not relabel({"a": "1"}, rules("- {source_labels: [a], regex: '1', action: keep}"), unknown=["a"]).certain
    assert not relabel({}, rules("- {source_labels: [z], regex: '', action: keep}"), further=True).certain
    assert relabel({}, rules("- {source_labels: [z], action: keep}"), further=True).certain


def test_the_rule_that_wrote_and_that_dropped_is_told() -> None:
    """So that a finding can point at it."""
    both = rules("- {target_label: a, replacement: x}\n- {source_labels: [a], regex: x, action: drop}")
    told = relabel({}, both)
    assert told.dropped_by is both[1]
    assert told.steps["a"] is both[0]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"__address__": "a:80", "__scheme__": "http"}, ""),
        ({"__address__": "a"}, ""),
        ({"__address__": "[::1]:80"}, ""),
        ({}, "no address"),
        ({"__address__": "http://a"}, "slash"),
        ({"__address__": "a::80"}, "too many colons"),
        ({"__address__": "a:80", "__scheme__": "tcp"}, "neither http nor https"),
    ],
)
def test_an_address_is_judged(labels: dict[str, str], problem: str) -> None:
    """As what asks it would."""
    assert problem in address_problem(labels)
    assert bool(problem) == bool(address_problem(labels))


@pytest.fixture(scope="module")
def cases() -> dict[str, tuple[list[dict[str, Any]], list[dict[str, str]]]]:
    """Give jobs with random rules and random targets, the same ones each time."""
    dice = random.Random(20)
    jobs = {f"job{i}": (list(random_rules(dice)), list(random_labels(dice, i))) for i in range(40)}
    jobs["plain"] = ([], list(random_labels(dice, 99)))
    return jobs


def random_labels(dice: random.Random, job: int) -> Iterator[dict[str, str]]:
    """Yield the labels of some targets; `team` tells them apart."""
    for number in range(12):
        labels = {name: dice.choice(VALUES) for name in NAMES if dice.random() < 0.7}
        yield labels | {"team": f"t{number}", "__address__": f"host{job}-{number}:{dice.choice((80, 9090))}"}


def random_rules(dice: random.Random) -> Iterator[dict[str, Any]]:
    """Yield some rules that Prometheus accepts."""
    for _ in range(dice.randint(1, 4)):
        sources = dice.sample([*NAMES, "__address__", "job"], dice.randint(1, 2))
        target = dice.choice(("app", "zone", "new", "__tmp_a", "instance", "job", "__param_target", "__metrics_path__"))
        action = dice.choice(("replace",) * 5 + ("keep", "drop", "labelmap", "labeldrop", "hashmod", "lowercase"
                             , "uppercase", "keepequal", "dropequal", "labelkeep"))  # fmt: skip
        if action == "replace":
            chosen = {"target_label": dice.choice((target, "l_${1}")), "replacement": dice.choice(REPLACEMENTS)}
            yield {
                "source_labels": sources,
                "regex": dice.choice(REGEXES),
                "separator": dice.choice((";", "")),
                **chosen,
            }
        elif action in ("keep", "drop"):
            yield {"source_labels": sources, "regex": dice.choice(REGEXES[:8]), "action": action}
        elif action == "labelmap":
            regex, replacement = dice.choice(((".*_(.+)", "m_$1"), ("(app|zone)", "m_${1}"), ("x(.)", "y$1")))
            yield {"regex": regex, "replacement": replacement, "action": action}
        elif action == "labeldrop":
            yield {"regex": dice.choice(("app|zone", "x.", "__tmp.*", "nothing")), "action": action}
        elif action == "labelkeep":
            yield {"regex": "(__.*|job|team|app)", "action": action}
        elif action == "hashmod":
            yield {"source_labels": sources, "modulus": dice.randint(1, 9), "target_label": "shard", "action": action}
        else:
            yield {"source_labels": sources[:1], "target_label": dice.choice(("app", "zone")), "action": action}


def write(place: Path, jobs: Mapping[str, tuple[list[dict[str, Any]], list[dict[str, str]]]]) -> Path:
    """Write a configuration of the jobs with their targets in files."""
    configs = []
    for name, (found, targets) in jobs.items():
        groups = [
            {"targets": [t["__address__"]], "labels": {n: v for n, v in t.items() if n != "__address__"}}
            for t in targets
        ]
        (place / f"{name}.json").write_text(json.dumps(groups))
        configs.append({"job_name": name, "file_sd_configs": [{"files": [f"{name}.json"]}], "relabel_configs": found})
    config = place / "prometheus.yml"
    config.write_text(
        yaml.safe_dump({"global": {"scrape_interval": "1h", "scrape_timeout": "1ms"}, "scrape_configs": configs})
    )
    return config


def test_targets_are_those_of_a_real_prometheus(
    cases: dict[str, tuple[list[dict[str, Any]], list[dict[str, str]]]], tmp_path: Path
) -> None:
    """Hundreds of discovered targets become the same targets, and the same ones are dropped."""
    (tmp_path / "data").mkdir()
    config = write(tmp_path, cases)
    with Supervisor("relabelling", tmp_path / "logs") as supervisor:
        prometheus = Prometheus.start(supervisor, PrometheusSettings(config=config, data=tmp_path / "data"))

        def told() -> dict[str, Any]:
            answer = requests.get(f"{prometheus.url}/api/v1/targets", params={"state": "any"}, timeout=10)
            return dict(answer.json()["data"])

        wanted = sum(len(targets) for _, targets in cases.values())
        found: Any = wait_until(
            lambda: (
                (data := told()) and len(data["activeTargets"]) + len(data["droppedTargets"]) >= wanted * 0.9 and data
            ),
            seconds=30,
            what="targets of every job",
        )
    document = Part.whole(read_document(config.read_text(), "prometheus.yml"))
    kept: dict[str, dict[str, str]] = {}
    for job in document.list("scrape_configs"):
        name = job.string("job_name")
        base = {"job": name, "__scheme__": "http", "__metrics_path__": "/metrics", "__scrape_interval__": "1h"}
        base |= {"__scrape_timeout__": "1ms", "__meta_filepath": str(tmp_path / f"{name}.json")}
        for target in cases[name][1]:
            done = relabel(base | target, steps(job.list("relabel_configs")))
            if done.kept and not address_problem(done.labels):
                kept[target["__address__"]] = dict(target_labels(done).labels)
    # Of what was discovered only the address is used: 2.42 shows the other labels as relabelling left them.
    theirs = {each["discoveredLabels"]["__address__"]: each["labels"] for each in found["activeTargets"]}
    assert kept.keys() >= theirs.keys(), "targets that we hold for dropped"
    assert {key: kept[key] for key in theirs} == theirs
    dropped = {each["discoveredLabels"]["__address__"] for each in found["droppedTargets"]}
    assert not dropped & kept.keys()
    assert len(theirs) > wanted / 4
    assert len(dropped) > wanted / 10
