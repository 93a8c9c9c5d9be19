"""Differences between engines: one sample at the edge of a range is told apart from rules that mean something else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tocsin.engines.rule_engines import rule_engine
from tocsin.model import Model
from tocsin.promql.evaluation import PROMETHEUS_2_42, PROMETHEUS_2_53, PROMETHEUS_3
from tocsin.simulation.problems import Subject, subjects
from tocsin.simulation.proofs import as_plain, from_plain, published_alert
from tocsin.simulation.proving import Asked, prove
from tocsin.simulation.skewing import at_edges
from tocsin.synthesis import Problem, Solution, synthesise

OTHERS = [Path(path) for path in os.environ.get("TOCSIN_PROMTOOLS", "").split(":") if path]
CHANGES = "changes(stats[1m]) > 3"
RULES = {CHANGES: "0s", "up == 0": "5m", "rate(requests_total[5m]) > 5": "10m"}


def system(folder: Path) -> tuple[Subject, ...]:
    """Write the rules, and return their alerts in order."""
    rules = [f"  - {{alert: A{n}, expr: '{expr}', for: {hold}}}\n" for n, (expr, hold) in enumerate(RULES.items())]
    (folder / "rules.yml").write_text("groups:\n- name: g\n  rules:\n" + "".join(rules))
    return subjects(Model.of(folder))


def solved(subject: Subject) -> tuple[Problem, Solution]:
    """Return the input that is found for an alert."""
    problem = subject.free(PROMETHEUS_2_42)
    found = synthesise(problem)
    assert isinstance(found, Solution)
    return problem, found


def test_a_sample_at_the_edge_is_what_makes_the_difference(tmp_path: Path) -> None:
    """Five samples in a closed minute change four times, four in one that is open on the left change three times."""
    problem, found = solved(system(tmp_path)[0])
    assert "fires" in at_edges(problem, found, {"fires"}, PROMETHEUS_3)
    assert at_edges(problem, found, {"fires"}, PROMETHEUS_2_53) == frozenset()
    assert at_edges(problem, found, (), PROMETHEUS_3) == frozenset()


def test_where_there_is_no_range_it_is_something_else(tmp_path: Path) -> None:
    """A claim that falls elsewhere for another reason is not excused."""
    problem, found = solved(system(tmp_path)[1])
    assert at_edges(problem, found, {*found.claims}, replace(PROMETHEUS_3, lookback=1)) == frozenset()


@pytest.mark.skipif(not OTHERS, reason="TOCSIN_PROMTOOLS names no further engines")
def test_engines_that_leave_it_out_are_told_so_apart(tmp_path: Path) -> None:
    """In the report, and in what is kept."""
    engines = (rule_engine(), *map(rule_engine, OTHERS))
    newer = [engine.name for engine in engines if engine.generation.left_open]
    proofs = list(prove(system(tmp_path), Asked(engines=engines)))
    assert [proof.skews for proof in proofs] == [()] * len(RULES)
    assert {*proofs[0].edge_skews} == {*newer}
    assert not any(proof.edge_skews for proof in proofs[1:])
    assert published_alert(proofs[0])["skew_at_edges"] == {name: ["fires"] for name in newer}
    assert from_plain(as_plain(proofs[0])) == proofs[0]
