"""What a rule is said to do on an input is what the engine sees it do; and inputs are read as they are written."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.promql_generator import SAMPLES, SCRAPE, Generator
from tocsin.engines.rule_engines import RuleFiles, rule_engine, run_files
from tocsin.promql.evaluation import STALE, EvaluationError, Labels
from tocsin.synthesis import Assertion, InputSeries, Property, Solution, State, Test, emit, problem_of
from tocsin.synthesis.replaying import (
    GAP,
    Machine,
    Moment,
    Replay,
    Row,
    Scene,
    Value,
    holds,
    input_series,
    scene_of,
    shortened,
)

A: Labels = (("x", "a"),)
B: Labels = (("x", "b"),)


def states(hold: int, keep: int, conditions: Sequence[str]) -> str:
    """Return the states of one alert at evaluations a minute apart, a letter each."""
    machine = Machine(hold, keep)
    found = [machine.at(i * 60_000, {A: 1.0} if each == "1" else {}) for i, each in enumerate(conditions)]
    return "".join("F" if each.firing else "P" if each.pending else "." for each in found)


@pytest.mark.parametrize(
    ("hold", "keep", "conditions", "expected"),
    [
        (0, 0, "0110", ".FF."),
        (120_000, 0, "01110", ".PPF."),
        (120_000, 0, "0110111", ".PP.PPF"),
        (90_000, 0, "01111", ".PPFF"),
        (0, 120_000, "010000", ".FFF.."),
        (0, 120_000, "0101000", ".FFFFF."),
        (120_000, 120_000, "01100", ".PP.."),
    ],
)
def test_an_alert_waits_and_stays(hold: int, keep: int, conditions: str, expected: str) -> None:
    assert states(hold, keep, conditions) == expected


def test_each_series_waits_for_itself() -> None:
    machine = Machine(60_000, 0)
    assert machine.at(0, {A: 1.0}) == Moment(frozenset(), frozenset({A}))
    assert machine.at(60_000, {A: 1.0, B: 1.0}) == Moment(frozenset({A}), frozenset({B}))
    assert machine.at(120_000, {B: 1.0}) == Moment(frozenset({B}), frozenset())


def test_two_series_that_become_one_alert_are_an_error() -> None:
    with pytest.raises(EvaluationError):
        Machine(0, 0, frozenset({"x"})).at(0, {A: 1.0, B: 1.0})
    with pytest.raises(EvaluationError):
        Machine(0, 0).at(0, {(("__name__", "m"), *A): 1.0, (("__name__", "n"), *A): 1.0})


VALUES = st.lists(
    st.sampled_from([GAP, STALE, 0.0, 1.0, 0.1, 0.3])
    | st.floats(allow_nan=False, allow_infinity=False, width=32).map(float),
    min_size=1,
    max_size=30,
)


@given(
    VALUES | st.tuples(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3)).map(lambda p: [p[0] + i * p[1] for i in range(20)])
)
@settings(deadline=None)
def test_values_are_read_as_they_are_written(values: list[Value]) -> None:
    row = Row({"__name__": "m", "x": 'q"\n'}, values)
    test = Test(name="t", interval=60, evaluation=60, series=(input_series(row),), assertions=())
    read = scene_of(test).rows[0]
    assert read.labels == row.labels
    assert list(read.values) == values


def test_a_slope_is_written_as_one() -> None:
    row = Row({"__name__": "m"}, [0.0, 0.0, 0.0, *(float(i * 5) for i in range(1, 9)), STALE, GAP, GAP])
    assert input_series(row).values == "0x2 5+5x7 stale _x2"


def test_a_short_scene_ends_with_its_last_evaluation() -> None:
    scene = Scene(
        60_000, 120_000, (Row({"__name__": "m"}, [float(i) for i in range(10)]),), (120_000, 480_000), 480_000
    )
    short = shortened(scene, 240_000)
    assert [*short.ticks] == [0, 120_000, 240_000]
    assert short.rows[0].values == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert short.marks == (120_000,)


# The engine


def predicted(test: Test, moments: Sequence[Moment], chance: random.Random) -> tuple[Assertion, ...]:
    """Return assertions, at moments by chance, that hold by our own word."""
    found = []
    evaluation = round(test.evaluation * 1000)
    for _ in range(6):
        tick = chance.randrange(len(moments))
        labels = chance.choice([{}, {}, {"job": "a"}, {"instance": "1", "job": ""}])
        every = [
            Assertion(proves=Property.FIRES, state=state, at=tick * test.evaluation, since=0.0, labels=labels)
            for state in State
        ]
        found += [each for each in every if holds(each, moments, evaluation)]
    return tuple(found)


@pytest.mark.parametrize("seed", range(4))
def test_the_engine_sees_the_same(seed: int) -> None:
    engine = rule_engine()
    chance = random.Random(seed)
    files: list[RuleFiles] = []
    firing = 0
    for number in range(30):
        generator = Generator(seed * 1000 + number, engine.generation)
        series = tuple(InputSeries(selector=each.selector, values=each.values) for each in generator.series())
        problem = problem_of(
            "A",
            generator.expression(2),
            hold_seconds=chance.choice((0, 60, 150)),
            keep_firing_seconds=chance.choice((0, 0, 120)),
            labels={"severity": "page"},
            generation=engine.generation,
        )
        last = SAMPLES * SCRAPE // 60 * 60
        end = Assertion(proves=Property.FIRES, state=State.FIRING, at=last)
        test = Test(name="t", interval=SCRAPE, evaluation=60, series=series, assertions=(end,))
        try:
            scene = scene_of(test)
            replay = Replay(problem)
            moments = replay.moments(scene, replay.store(scene))
        except EvaluationError:
            continue
        assertions = predicted(test, moments, chance)
        firing += any(each.state is State.FIRING for each in assertions)
        made = Test(name="t", interval=SCRAPE, evaluation=60, series=series, assertions=assertions)
        emitted = emit(problem, Solution(tests=(made,)))
        files.append(RuleFiles(emitted.rules, emitted.tests))
    assert firing > 3
    for file, said in zip(files, run_files(engine, files), strict=True):
        assert said.passed, f"{said.failures}{said.refused}\n{file.rules}\n{file.tests}"


def test_nan_is_a_value() -> None:
    assert math.isnan(scene_of(Test(name="t", interval=60, evaluation=60, assertions=(), series=(
        InputSeries(selector="m", values="NaN"),))).rows[0].values[0])  # type: ignore[arg-type]  # fmt: skip
