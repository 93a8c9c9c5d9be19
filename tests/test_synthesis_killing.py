"""Inputs are disturbed as they are said to be, and the mutants that are hard to kill are killed."""

from __future__ import annotations

import random

import pytest

from tocsin.promql import VectorSelector, parse
from tocsin.promql.evaluation import PROMETHEUS_2_42, STALE
from tocsin.promql.mutants import mutants
from tocsin.synthesis import InputSeries, Solution, State, Test, problem_of, synthesise
from tocsin.synthesis import disturbing as d
from tocsin.synthesis.killing import Kill, Search, Survived, killing_test
from tocsin.synthesis.replaying import GAP, Replay, Row, Scene, holds, scene_of

CLUES = d.clues_of([parse('rate(c_total{code=~"5.."}[5m]) > 10 and on (job) max by (zone) (g offset 1h) == 1')])
SCENE = Scene(
    60_000,
    60_000,
    (
        Row({"__name__": "c_total", "job": "a"}, [0.0, 1.0, 2.0, 3.0]),
        Row({"__name__": "g", "job": "a"}, [5.0, 5.0, GAP, STALE]),
    ),
    until=180_000,
)


def values(scene: Scene, row: int = 0) -> list[object]:
    """Return the values of a row."""
    return list(scene.rows[row].values)


def test_clues_are_what_rules_name() -> None:
    assert {10.0, 11.0, 9.0, 1.0, 0.0} <= set(CLUES.numbers)
    assert {"code", "job", "zone", "instance"} == set(CLUES.labels)
    assert any(value.startswith("5") for value in CLUES.labels["code"])
    assert "other" in CLUES.labels["code"]
    assert CLUES.counters == {"c_total"}
    assert set(CLUES.lengths) == {300_000, 3_600_000}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (d.scaled(SCENE, [0], 2, CLUES), [0.0, 2.0, 4.0, 6.0]),
        (d.scaled(SCENE, [0], 10, CLUES, 2), [0.0, 1.0, 11.0, 21.0]),
        (d.levelled(SCENE, [0], 2.0, CLUES), [0.0, 120.0, 240.0, 360.0]),
        (d.ended(SCENE, [0], 2), [0.0, 1.0, STALE]),
        (d.begun(SCENE, [0], 2), [GAP, GAP, 2.0, 3.0]),
        (d.from_the_beginning(d.begun(SCENE, [0], 2)), [2.0, 2.0, 2.0, 3.0]),
        (d.thinned(SCENE, [0], 2, 1), [GAP, 1.0, GAP, 3.0]),
        (d.delayed(SCENE, [0], 2), [0.0, 0.0, 0.0, 1.0]),
        (d.delayed(SCENE, [0], -2), [2.0, 3.0, 3.0, 3.0]),
        (d.begun_anew(SCENE, [0], 2), [0.0, 1.0, 0.0, 1.0]),
        (d.in_bursts(SCENE, [0], 2), [0.0, 0.0, 2.0, 2.0]),
        (d.wobbling(SCENE, [0], 10.0), [0.0, 1.0, 20.0, 3.0]),
    ],
)
def test_changes_values(made: Scene, expected: list[object]) -> None:
    assert values(made) == expected
    assert values(made, 1) == values(SCENE, 1)


def test_changes_a_gauge_where_it_has_values() -> None:
    assert values(d.levelled(SCENE, [1], 7.0, CLUES), 1) == [7.0, 7.0, GAP, STALE]
    assert values(d.scaled(SCENE, [1], 2.0, CLUES, 1), 1) == [5.0, 10.0, GAP, STALE]


def test_changes_labels_and_rows() -> None:
    assert [r.labels["job"] for r in d.moved(SCENE, [0], "job", "b").rows] == ["b", "a"]
    assert "job" not in d.moved(SCENE, [0], "job", "").rows[0].labels
    copied = d.copied(SCENE, [0], "job", "b", 3.0)
    assert len(copied.rows) == 3
    assert values(copied, 2) == [0.0, 3.0, 6.0, 9.0]
    assert len(d.copied(SCENE, [0], "job", "a").rows) == 2
    assert [r.labels["__name__"] for r in d.without(SCENE, [0]).rows] == ["g"]
    selector = parse('new{code=~"5..", zone!="x", job="b"}')
    assert isinstance(selector, VectorSelector)
    made = d.summoned(SCENE, [1], selector, 1.0).rows[2]
    assert made.labels["__name__"] == "new"
    assert made.labels["job"] == "b"
    assert made.labels["code"].startswith("5")
    assert list(made.values) == [1.0, 1.0, GAP, STALE]
    other = Scene(60_000, 60_000, (Row({"__name__": "g"}, [9.0]),))
    crossed = d.crossed(SCENE, other, {"g"})
    assert crossed is not None
    assert values(crossed, 1) == [9.0]
    assert d.crossed(SCENE, Scene(30_000, 60_000, ()), {"g"}) is None


def test_goes_on_as_it_was() -> None:
    scene = d.steady(SCENE, 60_000, 120_000, CLUES)
    assert values(scene) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert values(scene, 1) == [5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert scene.until == 240_000


def test_chance_makes_scenes_that_can_be_replayed() -> None:
    chance = random.Random(1)
    replay = Replay(problem_of("A", "rate(c_total[5m]) > 1 or g > 2"))
    different = set()
    for _ in range(300):
        scene = d.disturbed(SCENE, [SCENE], CLUES, chance)
        replay.moments(scene, replay.store(scene))
        different.add(repr(scene.rows))
    assert len(different) > 150


HARD = (
    # series that only the mutant reads, with their partners
    ('sum(a{x="1"}) / sum(b{x="1"}) > 0.5', 0, 'the matcher x="1" dropped'),
    ('up{job!~"a|b"} == 0', 300, 'the matcher job!~"a|b" negated'),
    # more than one series, decisive together
    ("sum(rate(a_total[5m])) > 3", 120, "sum made avg"),
    ("avg(a) > 3", 120, "avg made max"),
    ("sum by (job) (a) > 3", 0, "job dropped from by (...)"),
    ("max by (job) (a) > 3", 0, "instance added to by (...)"),
    ("sum by (job, code) (rate(a_total[5m])) / ignoring (code) group_left () sum by (job) (rate(a_total[5m])) > 0.5", 0,
     "code dropped from by (...)"),
    # windows, counters that begin anew, bursts
    ("increase(a_total[10m]) > 5", 0, "increase() made delta()"),
    ("rate(a_total[5m]) > 1", 600, "rate() made irate()"),
    ("changes(a[15m]) > 3", 0, "changes() made resets()"),
    ("avg_over_time(a[10m]) > 5", 0, "avg_over_time() made max_over_time()"),
    ("min_over_time(a[10m]) > 5", 0, "the window 10m halved"),
    ("a - a offset 1h > 10", 0, "offset 1h doubled"),
    # each side of an operator alone
    ("a > 5 and b > 3", 0, "what stands after `and` dropped"),
    ("a > 5 unless b", 0, "what stands after `unless` dropped"),
    ("a > 5 or b > 3", 60, "what stands after `or` dropped"),
    # exactly at the line
    ("100 * (a / b) > 80", 0, "> made >="),
    ("rate(a_total[5m]) > 0.1", 300, "> made >="),
    ("(a / (b != 0)) > 2", 60, "!= made >"),
    # when the clock begins
    ("rate(a_total[15m]) == 0 and seen > 0 and (time() - seen) < 300", 0, "what stands after `and` dropped"),
    # times
    ("a > 5", 60, "for halved"),
    ("a > 5", 3600, "for doubled"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "hold", "said"), HARD)
def test_kills(text: str, hold: float, said: str) -> None:
    problem = problem_of("A", text, hold_seconds=hold, generation=PROMETHEUS_2_42)
    solution = synthesise(problem)
    assert isinstance(solution, Solution)
    mutant = next(each for each in mutants(text, hold_seconds=hold) if each.description == said)
    search = Search(problem, solution.tests)
    kill = search.kill(mutant, inputs=2_000, seconds=20)
    assert isinstance(kill, Kill), kill
    test = killing_test([(kill, mutant)], "t")
    scene = scene_of(test)
    store = search.replay.store(scene)
    (assertion,) = test.assertions
    assert holds(assertion, search.replay.moments(scene, store), scene.evaluation)
    if not kill.fails:
        assert not holds(assertion, search.replay.moments(scene, store, mutant), scene.evaluation)


def test_what_cannot_be_told_apart_survives_with_the_number_of_inputs() -> None:
    text = "max(a) > 5 and on () (max(a) > 4)"
    problem = problem_of("A", text)
    solution = synthesise(problem)
    assert isinstance(solution, Solution)
    mutant = next(each for each in mutants(text) if each.description == "what stands after `and` dropped")
    found = Search(problem, solution.tests).kill(mutant, inputs=700, seconds=60)
    assert isinstance(found, Survived)
    assert found.inputs >= 700


def test_the_same_seed_finds_the_same() -> None:
    text = "sum(a) > 3"
    problem = problem_of("A", text)
    solution = synthesise(problem)
    assert isinstance(solution, Solution)
    mutant = next(each for each in mutants(text) if each.description == "sum made avg")
    one, other = (Search(problem, solution.tests, seed=3).kill(mutant, inputs=2_000, seconds=60) for _ in range(2))
    assert one == other


def test_a_mutant_that_cannot_be_evaluated_is_killed_where_the_rule_fires() -> None:
    named = (("a", "1"), ("b", "1"), ("b", "2"))
    series = tuple(InputSeries(selector=f'{name}{{i="{i}"}}', values="6x5") for name, i in named)
    test = Test(name="t", interval=60, evaluation=60, series=series, assertions=())
    search = Search(problem_of("A", "b > 5"), [test])
    many_to_many = next(each for each in mutants("b * on () a > 5") if each.description == "* made /")
    found = search.kill(many_to_many, inputs=50, seconds=5)
    assert isinstance(found, Kill)
    assert found.fails
    assert found.state is State.FIRING
