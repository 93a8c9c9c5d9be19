"""Mutants are killed by tests that the engine confirms, ours and the owner's, and what is left over is told apart."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tocsin.engines.rule_engines import RuleEngine, RuleFiles, Said, rule_engine, run_files
from tocsin.model import Model
from tocsin.promql import parse
from tocsin.promql.mutants import Operator
from tocsin.report.proofs.text import print_report
from tocsin.simulation.coverage import coverage
from tocsin.simulation.mutation import (
    Fate,
    Judged,
    MutatedAlert,
    MutationTrial,
    Suspect,
    as_plain,
    judge,
    judge_owner,
    mutated,
    score,
    scores,
)
from tocsin.simulation.owner_tests import Files, owner_tests, run
from tocsin.synthesis import Recorded, Solution, emit, problem_of, synthesise

RULES = (
    ("node_load1 > 4", 300.0),
    (
        'sum by (job) (rate(http_errors_total{job="api"}[5m])) / sum by (job) (rate(http_requests_total[5m])) > 0.1',
        600.0,
    ),
    ('disk_free{mount!=""} < 10 and on (instance) disk_readonly == 0', 60.0),
    ('max_over_time(queue_length{queue="a"}[10m]) > 100 unless on (instance) maintenance == 1', 0.0),
    ("histogram_quantile(0.9, sum by (le, job) (rate(latency_seconds_bucket[5m]))) > 2", 120.0),
)


@pytest.fixture(scope="module")
def engine() -> RuleEngine:
    """Return the installed promtool."""
    return rule_engine()


def trial(expression: str, hold: float, engine: RuleEngine, recorded: tuple[Recorded, ...] = ()) -> MutationTrial:
    """Return the trial of a rule's mutants."""
    problem = problem_of("A", expression, hold_seconds=hold, generation=engine.generation, recorded=recorded)
    solution = synthesise(problem)
    assert isinstance(solution, Solution), solution
    return MutationTrial(Suspect(id="A", problem=problem, solution=solution), inputs=400, seconds=4)


def test_mutants_are_killed_or_argued_equivalent(engine: RuleEngine) -> None:
    trials = [trial(expression, hold, engine) for expression, hold in RULES]
    judge(engine, trials)
    judged = [each for one in trials for each in one.result().judged]
    assert len(judged) == sum(len(one.cases) for one in trials)
    total = score(judged)
    alive = [(each.mutant.diff, each.reason) for each in judged if each.fate is Fate.SURVIVED]
    assert total.of_different >= 0.97, alive
    assert {each.reason for each in judged if each.fate is Fate.EQUIVALENT}
    for one in trials:
        for case in one.cases:
            assert case.judged is not None
            if case.judged.found:
                assert case.judged.test in {test.name for test in one.result().tests}


def test_tests_that_were_found_pass_on_the_rule_and_fail_on_a_mutant(engine: RuleEngine) -> None:
    one = trial(*RULES[1], engine)
    judge(engine, [one])
    tests = one.result().tests
    assert tests
    for test in tests:
        case = next(c for c in one.cases if c.judged and c.judged.found and c.judged.test == test.name)
        own = emit(one.suspect.problem, Solution(tests=(test,)))
        other = emit(mutated(one.suspect.problem, case.mutant), Solution(tests=(test,)))
        said = run_files(engine, [RuleFiles(own.rules, own.tests), RuleFiles(other.rules, other.tests)])
        assert [each.passed for each in said] == [True, False]


def test_recording_rules_are_evaluated_under_the_alert(engine: RuleEngine) -> None:
    text = "sum by (job) (rate(x_total[5m]))"
    recorded = (Recorded(name="job:x:rate5m", expression=text, tree=parse(text)),)
    one = trial("job:x:rate5m > 5", 60.0, engine, recorded)
    judge(engine, [one])
    assert {each.fate for each in one.result().judged} == {Fate.KILLED}


def test_too_few_inputs_make_nothing_equivalent(engine: RuleEngine) -> None:
    one = trial("max(x) > 5 and on () (max(x) > 4)", 0.0, engine)
    judge(engine, [one])
    dropped = [each for each in one.result().judged if each.mutant.description == "what stands after `and` dropped"]
    assert [each.fate for each in dropped] == [Fate.SURVIVED]
    assert "inputs could be tried" in dropped[0].reason


def test_a_mutant_whose_test_the_engine_never_confirms_survives(engine: RuleEngine) -> None:
    one = trial("node_load1 > 4", 0.0, engine)
    for _ in range(3):
        one.hunt()
        for case in one.undecided:
            one.told(case, Said(passed=True))
    assert {each.fate for each in one.result().judged} == {Fate.SURVIVED}
    assert all("engine did not confirm" in each.reason for each in one.result().judged)
    assert score(one.result().judged).whole == 0


def test_a_test_that_fails_on_the_rule_is_searched_for_anew(engine: RuleEngine) -> None:
    one = trial(*RULES[1], engine)
    one.hunt()
    (test, *_) = one.found_tests()
    cases = [case for case in one.undecided if case.test is test]
    before = {id(case): case.kill for case in cases}
    one.refuse(test, ())
    assert all(case.kill is None for case in cases)
    one.hunt()
    assert all(case.kill != before[id(case)] for case in cases)


def test_scores_are_parts_of_all_and_of_those_that_differ(engine: RuleEngine) -> None:
    mutants = [case.mutant for case in trial("node_load1 > 4", 0.0, engine).cases]
    fates = (Fate.KILLED, Fate.SURVIVED, Fate.EQUIVALENT, Fate.PROBABLY)
    judged = tuple(Judged(mutant=mutant, fate=fate) for mutant, fate in zip(mutants, fates, strict=False))
    assert (score(judged).whole, score(judged).of_different) == (0.25, 0.5)
    assert (score(()).whole, score(()).of_different) == (1.0, 1.0)
    plain = as_plain([MutatedAlert(id="A", judged=judged), MutatedAlert(id="B", judged=(), trouble="why")])
    assert (plain["mutants"], plain["killed"], plain["score"], plain["score_of_all"]) == (4, 1, 0.5, 0.25)
    assert [each["fate"] for each in plain["alive"]] == ["survived", "equivalent", "probably equivalent"]
    assert plain["not_judged"] == {"B": "why"}
    by_operator = scores([MutatedAlert(id="A", judged=judged)])
    assert by_operator[Operator.COMPARATOR].whole == 1.0
    assert sum(sum(each.fates.values()) for each in by_operator.values()) == 4


# The owner's tests

OWNER_RULES = """
groups:
- name: alerts
  rules:
  - {record: 'job:x:sum', expr: sum by (job) (x)}
  - alert: Tested
    expr: job:x:sum > 5
    for: 2m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} is at {{ $value }}'}
  - alert: Untested
    expr: y > 1
  - alert: Broken
    expr: z > 1
  - alert: Always
    expr: vector(1)
"""
OWNER_TESTS = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'x{job="a", i="1"}', values: '3x5 4x10'}
  - {series: 'x{job="a", i="2"}', values: '3x5 4x10'}
  alert_rule_test:
  - {eval_time: 1m, alertname: Tested}
  - eval_time: 2m
    alertname: Tested
    exp_alerts:
    - {exp_labels: {job: a, severity: page}, exp_annotations: {summary: a is at 6}}
  - {eval_time: 10m, alertname: Broken, exp_alerts: [{exp_labels: {}}]}
- interval: 1m
  input_series: [{series: 'x{job="a"}', values: '4x9'}]
  promql_expr_test:
  - {expr: 'ALERTS{alertname="Tested"}', eval_time: 5m, exp_samples: []}
  - {expr: 'count by (alertname) (ALERTS)', eval_time: 5m, exp_samples: [{labels: '{alertname="Always"}', value: 1}]}
"""


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory, engine: RuleEngine) -> dict[str, MutatedAlert]:
    """Return what became of the mutants of an owner's rules."""
    folder = tmp_path_factory.mktemp("system")
    (folder / "rules.yml").write_text(OWNER_RULES)
    (folder / "rules_test.yml").write_text(OWNER_TESTS)
    return {each.id.partition("@")[0]: each for each in judge_owner(engine, Model.of(folder))}


def test_the_owners_tests_kill_what_they_assert(owned: dict[str, MutatedAlert]) -> None:
    fates = {each.mutant.description: each.fate for each in owned["Tested"].judged}
    assert fates == {
        "> made <": Fate.KILLED,
        "> made >=": Fate.SURVIVED,
        "the threshold 5 doubled": Fate.KILLED,
        "the threshold 5 halved": Fate.KILLED,
        "for doubled": Fate.KILLED,
        "for halved": Fate.KILLED,
        "for dropped": Fate.KILLED,
    }


def test_an_alert_that_no_test_asks_for_is_told(owned: dict[str, MutatedAlert]) -> None:
    reasons = {each.reason for each in owned["Untested"].judged if each.fate is Fate.SURVIVED}
    assert reasons == {"no test of the owner's asks for the alert"}


def test_tests_that_fail_on_the_rule_itself_judge_nothing(owned: dict[str, MutatedAlert]) -> None:
    assert owned["Broken"].judged == ()
    assert "do not pass" in owned["Broken"].trouble


def test_a_question_for_any_alert_is_asked_with_all_rules(tmp_path: Path, engine: RuleEngine) -> None:
    (tmp_path / "rules.yml").write_text(OWNER_RULES.replace("z > 1", "x > 3"))
    always = "{labels: '{alertname=\"Always\"}', value: 1}"
    broken = always.replace("Always", "Broken")
    asked = OWNER_TESTS.replace("alertname: Broken", "alertname: None").replace(always, f"{always}, {broken}")
    (tmp_path / "rules_test.yml").write_text(asked)
    found = {each.id.partition("@")[0]: each for each in judge_owner(engine, Model.of(tmp_path))}
    fates = {each.mutant.description: each.fate for each in found["Broken"].judged}
    assert fates["> made <"] is Fate.KILLED
    assert fates["the threshold 3 doubled"] is Fate.KILLED
    assert fates["the threshold 3 halved"] is Fate.SURVIVED


def test_rules_made_of_a_file_of_the_same_name_are_taken(tmp_path: Path, engine: RuleEngine) -> None:
    indented = "\n".join(f"  {line}" for line in OWNER_RULES.strip().splitlines())
    head = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: r}\nspec:\n"
    (tmp_path / "rules.yaml").write_text(head + indented + "\n")
    (tmp_path / "rules_test.yml").write_text(OWNER_TESTS.replace("rules.yml", "made/rules.yml"))
    found = {each.id.partition("@")[0]: each for each in judge_owner(engine, Model.of(tmp_path))}
    assert Fate.KILLED in {each.fate for each in found["Tested"].judged}


def test_what_is_equivalent_for_us_is_so_for_the_owner(tmp_path: Path, engine: RuleEngine) -> None:
    (tmp_path / "rules.yml").write_text(OWNER_RULES)
    (tmp_path / "rules_test.yml").write_text(OWNER_TESTS)
    model = Model.of(tmp_path)
    (case,) = (each.id for each in judge_owner(engine, model) if each.id.startswith("Tested"))
    mutant = next(m for m in trial("job:x:sum > 5", 120.0, engine).cases if m.mutant.description == "> made >=").mutant
    known = {case: MutatedAlert(id=case, judged=(Judged(mutant=mutant, fate=Fate.PROBABLY, inputs=10_000),))}
    found = next(each for each in judge_owner(engine, model, known=known) if each.id == case)
    assert {each.mutant.description: each.fate for each in found.judged}["> made >="] is Fate.PROBABLY


def test_the_owners_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(OWNER_RULES)
    (tmp_path / "rules_test.yml").write_text(OWNER_TESTS)
    for tests in owner_tests(Model.of(tmp_path)):
        tests.files()
    assert (tmp_path / "rules.yml").read_text() == OWNER_RULES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rules.yml", "rules_test.yml"]


OTHERS = [path for path in os.environ.get("TOCSIN_PROMTOOLS", "").split(":") if path]
MIXED = {
    "passes": True,
    "fails": False,
    "fails too": False,
    "no rules": False,
    "no series": False,
    "passes as well": True,
}


@pytest.mark.parametrize("path", [None, *OTHERS])
def test_of_files_in_one_process_each_has_its_own_verdict(path: str | None) -> None:
    engine = rule_engine(Path(path) if path else None)
    rules = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "Down", "expr": "up == 0"}]}]})

    def files(kind: str) -> Files:
        value, selector = ("1", "up") if kind.startswith("fails") else ("0", "up{" if kind == "no series" else "up")
        asked = [{"eval_time": f"{n}m", "alertname": "Down", "exp_alerts": [{"exp_labels": {}}]} for n in (1, 2)]
        test = {"interval": "1m", "input_series": [{"series": selector, "values": f"{value}x5"}]}
        tests = {"rule_files": ["rules.yml"], "tests": [{**test, "alert_rule_test": asked}]}
        return Files(rules.replace("== 0", "==") if kind == "no rules" else rules, json.dumps(tests))

    assert dict(zip(MIXED, run(engine, [files(kind) for kind in MIXED]), strict=True)) == MIXED
    assert run(engine, [files("fails")]) == [False]
    assert run(engine, [files("passes")] * 3) == [True] * 3


def test_an_engine_that_writes_no_report_is_asked_file_by_file(engine: RuleEngine, tmp_path: Path) -> None:
    """A promtool that calls itself 3.x, and of which nothing but the exit code is told."""
    silent = tmp_path / "promtool"
    silent.write_text(f'#!/bin/sh\nfor each; do shift; case $each in --junit*) ;; *) set -- "$@" "$each";; esac; done\n'
                      f'exec {engine.path} "$@" >/dev/null 2>&1\n')  # fmt: skip
    silent.chmod(0o755)
    rules = json.dumps({"groups": []})
    asked = [{"expr": "1", "eval_time": "0m", "exp_samples": [{"value": value}]} for value in (1, 2)]
    files = [
        Files(rules, json.dumps({"rule_files": ["rules.yml"], "tests": [{"promql_expr_test": [each]}]}))
        for each in asked
    ]
    assert run(replace(engine, path=silent, version="3.0.0"), [*files, files[0]]) == [True, False, True]


@pytest.mark.parametrize("path", OTHERS or [None])
def test_every_engine_sees_what_the_owners_tests_cover(path: str | None, tmp_path: Path) -> None:
    if path is None:
        pytest.skip("TOCSIN_PROMTOOLS names no other promtool")
    (tmp_path / "rules.yml").write_text(OWNER_RULES)
    (tmp_path / "rules_test.yml").write_text(OWNER_TESTS)
    found = coverage(Model.of(tmp_path), rule_engine(Path(path)))
    assert {each.id.partition("@")[0]: each.covered for each in found.alerts} == {
        "Tested": True, "Untested": False, "Broken": False, "Always": False}  # fmt: skip


def test_survivors_are_shown_as_diffs() -> None:
    """Ten of them, or all; with what became of the others, before our tests and the owner's."""
    fates = {"mutants": 14, "killed": 2, "survived": 12, "equivalent": 0, "probably equivalent": 0}
    survivor = {"fate": "survived", "id": "A@r.yml::g", "description": "> made >=", "diff": "- x > 1\n+ x >= 1"}
    scored = {**fates, "score": 2 / 14, "score_of_all": 2 / 14}
    survivors = [{**survivor, "reason": f"reason {number}"} for number in range(12)]
    mutation = {**scored, "survivors": survivors, "owners": {**scored, "survivors": []}}
    report = {"engines": ["2.42.0"], "alerts": [], "mutation": mutation, "coverage": {}}

    def printed(*, whole: bool) -> str:
        console = Console(file=io.StringIO(), width=200, record=True)
        print_report(console, report, whole=whole)
        return console.export_text()

    some, everything = printed(whole=False), printed(whole=True)
    assert "mutants before our tests: 14: 2 killed, 12 survived; score 14.3% without equivalent ones" in some
    assert "mutants before the owner's tests: 14:" in some
    assert "survived A@r.yml::g: > made >= (reason 0)\n  - x > 1\n  + x >= 1" in some
    assert (some.count("reason "), everything.count("reason ")) == (10, 12)
    assert "and 2 more mutants (--all)" in some
