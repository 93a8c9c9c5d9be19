"""The parts of the synthesis: tapes, states, labels, examples of patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.promtool_tests import Gap, Samples, Stale, parse_values
from tocsin.promql.evaluation import STALE, labels_of
from tocsin.promql.regex_examples import examples
from tocsin.synthesis import Recorded, problem_of
from tocsin.synthesis.labelling import Copies, label
from tocsin.synthesis.shapes import GONE, MISSING, Shape, Tape, Track, number_text
from tocsin.synthesis.unifying import Manner, unify
from tocsin.synthesis.world import Alarm, Run, World, grid_of

MINUTE = 60_000
NUMBERS = st.floats(-1e9, 1e9).filter(lambda number: number == 0 or abs(number) > 1e-9)
SHAPES = st.one_of(
    st.just(GONE),
    st.just(MISSING),
    st.builds(lambda level: Shape(level=level), NUMBERS),
    st.builds(lambda growth: Shape(growth=growth), NUMBERS),
    st.builds(lambda level, growth: Shape(level=level, growth=growth), NUMBERS, NUMBERS),
    st.builds(lambda level, slope: Shape(level=level, slope=slope), NUMBERS, NUMBERS),
    st.builds(lambda level, away: Shape(level=level, wobble=away), NUMBERS, NUMBERS),
    st.builds(lambda hop: Shape(level=1.0, hop=hop), st.integers(1, 4)),
    st.builds(lambda drop: Shape(drop=drop), st.integers(2, 4)),
    st.builds(lambda every: Shape(level=3.0, every=every), st.integers(2, 4)),
    st.builds(lambda factor: Shape(growth=1.0, quickening=factor), st.floats(0.5, 2.0)),
)


def _expanded(text: str) -> list[tuple[int, float | None]]:
    """Return the samples that promtool makes of its notation: by repeated addition, as it does."""
    found: list[tuple[int, float | None]] = []
    at = 0
    for piece in parse_values(text):
        match piece:
            case Gap(count=count):
                at += count
            case Stale():
                found.append((at, STALE))
                at += 1
            case Samples(start=value, step=step, count=count):
                for _ in range(count):
                    found.append((at, value))
                    value += step
                    at += 1
    return found


@given(st.lists(st.tuples(SHAPES, st.integers(1, 12)), min_size=1, max_size=5), st.integers(0, 5))
def test_what_is_written_is_what_was_evaluated(phases: list[tuple[Shape, int]], late: int) -> None:
    tape = Tape([Track({"__name__": "x"}, 0)], MINUTE, 7 * MINUTE, late * MINUTE, 3 * MINUTE)
    end = late
    for shape, count in phases:
        for first in range(count):
            end += 1
            tape.write([shape], end * MINUTE, fresh=first == 0)
    texts = tape.texts()
    series = tape.series[0]
    kept = [(time // MINUTE, value) for time, value in zip(series.times, series.values, strict=True)]
    if not any(value is not None for _, value in kept):
        assert not texts
        return
    assert _expanded(texts[0][1]) == kept


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_the_same(number: float) -> None:
    text = number_text(number)
    assert float(text) == number
    assert "e" not in text


def test_a_counter_goes_on_where_it_was_and_begins_anew_when_it_is_reset() -> None:
    tape = Tape([Track({"__name__": "x_total"}, 0)], MINUTE, 0)
    tape.write([Shape(growth=1.0)], 3 * MINUTE, fresh=True)
    tape.write([Shape(growth=2.0)], 5 * MINUTE, fresh=True)
    tape.write([Shape(growth=2.0)], 7 * MINUTE, fresh=True, reset=True)
    assert tape.series[0].values == [0, 60, 120, 240, 360, 0, 120]
    assert tape.texts()[0][1] == "0+60x2 240+120x1 0+120x1"


def test_a_copy_of_a_tape_is_its_own() -> None:
    tape = Tape([Track({"__name__": "x"}, 0)], MINUTE, 0)
    tape.write([Shape(level=1.0)], 2 * MINUTE, fresh=True)
    other = tape.copy()
    other.write([Shape(level=2.0)], 3 * MINUTE, fresh=True)
    assert tape.texts()[0][1] == "1x1"
    assert other.texts()[0][1] == "1x1 2"


STATES = [
    # seconds of `for` and of `keep_firing_for`, at which minutes it holds, and what is seen each minute
    (0, 0, "..XX..", "..FF.."),
    (120, 0, ".XXXX.", ".PPFF."),
    (120, 0, "XX.XXX", "PP.PPF"),
    (60, 120, "XXX...", "PFFFF."),
    (60, 120, "XX.XX...", "PFFFFFF."),
    (60, 120, "X...", "P..."),
]


@pytest.mark.parametrize(("hold", "keep", "holds", "seen"), STATES)
def test_an_alert_has_the_states_that_prometheus_gives_it(hold: int, keep: int, holds: str, seen: str) -> None:
    problem = problem_of("A", "x", hold_seconds=hold, keep_firing_seconds=keep)
    alarm = Alarm.of(problem)
    found = ""
    for minute, there in enumerate(holds):
        vector = {labels_of({"__name__": "x"}): 1.0} if there == "X" else {}
        pending, firing = alarm.step(vector, minute * MINUTE)
        found += "F" if firing else "P" if pending else "."
    assert found == seen


def test_a_label_that_holds_the_value_makes_another_alert_of_each() -> None:
    problem = problem_of("A", "x", hold_seconds=60, labels={"value": "{{ $value }}"})
    alarm = Alarm.of(problem)
    seen = [alarm.step({labels_of({"__name__": "x"}): float(minute)}, minute * MINUTE) for minute in range(4)]
    assert seen == [(1, 0)] * 4


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a / on(pod) b", {"a": {"pod"}, "b": {"pod"}}),
        ("a / b", {"a": {"instance", "job"}, "b": {"instance", "job"}}),
        ("a / ignoring(x) b", {"a": {"instance", "job"}, "b": {"instance", "job"}}),
        ("sum by (pod) (a) / b", {"b": {"pod"}}),
        ("sum by (pod) (a) / on(pod) group_right(node) b", {"a": {"pod"}, "b": {"pod"}}),
    ],
)
def test_labels_are_such_that_series_meet(expression: str, expected: dict[str, set[str]]) -> None:
    unified = unify(problem_of("A", expression), Manner())
    assert unified is not None
    assert not unified.split
    labelled = label(unified, problem_of("A", expression).grounding, None)
    assert labelled is not None
    named = {each["__name__"]: each for each in labelled.identities}
    shared = [
        {name: labels.get(name) for name in expected[metric]} for metric, labels in named.items() if metric in expected
    ]
    assert all(labels == shared[0] for labels in shared)
    if expression == "sum by (pod) (a) / b":
        assert set(named["b"]) == {"__name__", "pod"}


def test_a_wider_selector_is_given_another_series_than_a_narrower_one() -> None:
    expression = 'sum(rate(r_total{code=~"5.."}[5m])) / sum(rate(r_total[5m]))'
    unified = unify(problem_of("A", expression), Manner())
    assert unified is not None
    labelled = label(unified, problem_of("A", expression).grounding, None)
    assert labelled is not None
    codes = [labels["code"] for labels in labelled.identities]
    assert re.fullmatch("5..", codes[0])
    assert not re.fullmatch("5..", codes[1])


def test_copies_differ_in_one_label_alone() -> None:
    problem = problem_of("A", "count by (job) (up == 0) > 2")
    unified = unify(problem, Manner())
    assert unified is not None
    root = unified.leaves[0].environment["instance"]
    labelled = label(unified, problem.grounding, Copies(root, 3))
    assert labelled is not None
    assert len({labels["instance"] for labels in labelled.identities}) == 3
    assert len({labels["job"] for labels in labelled.identities}) == 1


def test_a_rule_is_followed_whose_labels_are_asked_for() -> None:
    def rule(quantile: str) -> Recorded:
        tree = problem_of("A", f"histogram_quantile({quantile}, d_bucket)").alert.tree
        return Recorded(name="d:q", expression="", tree=tree, labels={"quantile": quantile})

    problem = problem_of("A", 'd:q{quantile="0.9"} > 1', recorded=(rule("0.99"), rule("0.9")))
    unified = unify(problem, Manner())
    assert unified is not None
    assert [each.labels["quantile"] for each in unified.rules.values()] == ["0.9"]


@pytest.mark.parametrize(
    ("expression", "hold", "fits"),
    [
        ("rate(x[5m]) > 1", 300, lambda interval, evaluation: interval <= 150_000 and 300_000 % evaluation == 0),
        ("x > 1", 60, lambda interval, evaluation: interval == evaluation and 60_000 % evaluation == 0),
        ("max_over_time(x[10m:]) > 1", 300, lambda _, evaluation: evaluation == 60_000),
        ("rate(x[3d]) > 1", 600, lambda interval, _: 259_200_000 / interval < 8_000),
    ],
)
def test_grids_show_what_the_rule_looks_at(expression: str, hold: int, fits: object) -> None:
    grid = grid_of(problem_of("A", expression, hold_seconds=hold))
    assert callable(fits)
    assert fits(grid.interval, grid.evaluation), grid
    assert grid.evaluation % grid.interval == 0


def test_recorded_series_end_when_nothing_is_recorded_any_more() -> None:
    tree = problem_of("A", "sum(x)").alert.tree
    problem = problem_of("A", "r > 0", recorded=(Recorded(name="r", expression="sum(x)", tree=tree),))
    world = World(problem, MINUTE)
    tape = Tape([Track({"__name__": "x"}, 0)], MINUTE, 0)
    tape.write([Shape(level=1.0)], 2 * MINUTE, fresh=True)
    tape.write([GONE], 4 * MINUTE, fresh=True)
    run = Run(world, tape.store)
    assert [bool(run.evaluate(minute * MINUTE)) for minute in range(4)] == [True, True, False, False]


PATTERNS = (
    *("5..", ".+", "node|kube", "^(a|b)?x[0-9]+$", "[^a-z]+", r"\d{3}", r"10\..*", "/(api|b)/.*", "a{2,3}", "(?i)x.*"),
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_examples_match_their_pattern(pattern: str) -> None:
    found = examples(pattern)
    assert found
    assert all(re.fullmatch(pattern, text) for text in found)


@given(st.text(alphabet="ab01.*+?()[]|{}^$\\,-", max_size=12))
def test_no_pattern_breaks_the_examples(pattern: str) -> None:
    for text in examples(pattern):
        assert re.compile(pattern, re.ASCII | re.DOTALL).fullmatch(text)
