"""Rules over native histograms: taken apart for the search, put together for the engine, proven by it."""

from __future__ import annotations

import itertools
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engines.rule_engines import RuleEngine, rule_engine
from tocsin.model import Model
from tocsin.promql import parse
from tocsin.promql.evaluation import PROMETHEUS_2_42, PROMETHEUS_2_53, PROMETHEUS_3
from tocsin.promql.evaluation.buckets import native_quantile
from tocsin.promql.printing import printed
from tocsin.simulation.mutation import MutationTrial, Suspect, judge, score
from tocsin.simulation.problems import subjects
from tocsin.simulation.proofs import BASE, Standing
from tocsin.simulation.proving import Asked, prove
from tocsin.synthesis import InputSeries, Open, Solution, Test, problem_of, synthesise
from tocsin.synthesis.native import taken_apart
from tocsin.synthesis.problem import Recorded

OTHERS = [Path(path) for path in os.environ.get("TOCSIN_PROMTOOLS", "").split(":") if path]
NEWER = [engine for engine in map(rule_engine, OTHERS) if engine.generation.notes_histograms]

APART: dict[str, str] = {
    "histogram_quantile(0.9, sum(rate(x[5m]))) > 1": "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1",
    "histogram_quantile(0.9, sum by (job) (rate(x[5m]) * 2)) > 1": (
        "histogram_quantile(0.9, sum by (job, le) (rate(x_bucket[5m]) * 2)) > 1"
    ),
    "histogram_quantile(0.9, rate(x[5m]) and on (job) up == 1) > 1": (
        "histogram_quantile(0.9, rate(x_bucket[5m]) and on (job) up == 1) > 1"
    ),
    "histogram_count(rate(x[5m])) > 1": "(rate(x_count[5m])) > 1",
    "histogram_sum(sum by (job) (increase(x[1h]))) > 1": "(sum by (job) (increase(x_sum[1h]))) > 1",
    "histogram_avg(rate(x[5m])) > 1": "rate(x_sum[5m]) / (rate(x_count[5m])) > 1",
    "histogram_fraction(0, 0.5, rate(x[5m])) < 0.9": (
        "(rate(x_cell0[5m])) / (rate(x_cell0[5m]) + rate(x_cell1[5m])) < 0.9"
    ),
    "histogram_fraction(1, +Inf, rate(x[5m])) > 0.1": (
        "(rate(x_cell1[5m])) / (rate(x_cell0[5m]) + rate(x_cell1[5m])) > 0.1"
    ),
}


@pytest.mark.parametrize(("expression", "expected"), APART.items(), ids=APART)
def test_a_rule_is_taken_apart(expression: str, expected: str) -> None:
    """Into what an owner would write for a classic histogram."""
    apart = taken_apart(problem_of("A", expression, generation=PROMETHEUS_3))
    assert apart is not None
    assert apart.problem.alert.tree == parse(expected), printed(apart.problem.alert.tree)
    assert apart.problem.generation.native


@pytest.mark.parametrize(
    "expression",
    [
        "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1",
        "histogram_quantile(0.9, sum by (le) (job:x:rate5m)) > 1",
        'histogram_quantile(0.9, x{le!=""}) > 1',
        "rate(x_count[5m]) > 1",
    ],
)
def test_a_classic_histogram_stays_one(expression: str) -> None:
    """It is told by its name, or by `le`."""
    assert taken_apart(problem_of("A", expression, generation=PROMETHEUS_3)) is None


def test_a_recording_rule_of_histograms_becomes_one_for_each_part() -> None:
    """What reads it reads the part that it needs."""
    rule = Recorded(name="job:x", expression="sum by (job) (rate(x[5m]))", tree=parse("sum by (job) (rate(x[5m]))"))
    expression = "histogram_quantile(0.9, job:x) > 1 and histogram_count(job:x) > 2"
    apart = taken_apart(problem_of("A", expression, recorded=(rule,), generation=PROMETHEUS_3))
    assert apart is not None
    assert {each.name: each.tree for each in apart.problem.recorded} == {
        "job:x_bucket": parse("sum by (job, le) (rate(x_bucket[5m]))"),
        "job:x_count": parse("sum by (job) (rate(x_count[5m]))"),
    }
    assert {*apart.members} == {"x_bucket", "x_count"}


NOT_SEARCHED = {
    "histogram_stddev(rate(x[5m])) > 1": "histogram_stddev() is not searched here",
    "histogram_count(max(x)) > 1": "native histograms under max() are not searched here",
    "histogram_count(x) > 1 and x > 1": "x is read as a native histogram, and as a number too",
    "histogram_fraction(-1, 0, x) > 0.5": "a fraction between bounds that hold nothing is not searched here",
    "histogram_fraction(0, 1, x) > 0.5 and histogram_quantile(0.9, x) > 1": "and histogram_fraction() in one rule",
}


@pytest.mark.parametrize(("expression", "said"), NOT_SEARCHED.items(), ids=NOT_SEARCHED)
def test_what_is_not_searched_is_open_and_says_why(expression: str, said: str) -> None:
    """It is never called dead."""
    found = synthesise(problem_of("A", expression, generation=PROMETHEUS_3))
    assert isinstance(found, Open)
    assert said in found.reason


def test_where_no_test_can_hold_a_histogram_the_rule_is_open() -> None:
    """A promtool of 2.42 reads none; a quantile may be one of a classic histogram there."""
    found = synthesise(problem_of("A", "histogram_count(rate(x[5m])) > 1", generation=PROMETHEUS_2_42))
    assert isinstance(found, Open)
    assert "has no notation for native histograms" in found.reason
    quantile = problem_of("A", "histogram_quantile(0.9, rate(x[5m])) > 1", generation=PROMETHEUS_2_42)
    assert isinstance(synthesise(quantile), Solution)


def test_quantiles_are_those_that_real_engines_gave() -> None:
    """Of `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`, by promtool 2.53.3 and 3.5.3."""
    buckets = [(1.0, 1.0), (2.0, 3.0), (4.0, 4.0), (math.inf, 4.0)]
    told = {0.9: (3.2, 3.0314331330207964), 0.25: (1.0, 1.0), 0.1: (0.7, 0.6597539553864471)}
    for fraction, (linear, exponential) in told.items():
        assert native_quantile(fraction, buckets, exponential=False) == pytest.approx(linear, rel=1e-12)
        assert native_quantile(fraction, buckets, exponential=True) == pytest.approx(exponential, rel=1e-12)
    assert math.isnan(native_quantile(0.9, [(math.inf, 0.0)], exponential=True))
    assert native_quantile(-1, buckets, exponential=True) == -math.inf
    assert native_quantile(2, buckets, exponential=True) == math.inf


STEPS = st.lists(st.tuples(*[st.floats(0, 1e6, allow_subnormal=False)] * 3), min_size=1, max_size=20)
_HISTOGRAM = re.compile(r"\{\{schema:0 sum:(\S+) count:(\S+)(?: offset:(-?\d+))? buckets:\[([^]]*)\]\}\}(?:x(\d+))?")


def _read(series: InputSeries) -> list[list[float]]:
    """Return the buckets of each sample, as written."""
    found = []
    for _, count, _, buckets, times in _HISTOGRAM.findall(series.values):
        counts = [float(text) for text in buckets.split()]
        assert sum(counts) == pytest.approx(float(count), rel=1e-12)
        found += [counts] * (1 + int(times or 0))
    return found


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_what_only_grows_only_grows_as_a_histogram(steps: list[tuple[float, float, float]]) -> None:
    """An engine takes the least fall of a bucket for a reset: rounding must make none."""
    apart = taken_apart(problem_of("A", "histogram_quantile(0.9, rate(x[5m])) > 1", generation=PROMETHEUS_3))
    assert apart is not None
    rows: dict[str, list[float]] = {"1": [], "2": [], "+Inf": []}
    totals = [0.0, 0.0, 0.0]
    for step in steps:
        for number in range(3):
            totals[number] += sum(step[: number + 1])
        for name, total in zip(rows, totals, strict=True):
            rows[name].append(total)
    series = tuple(
        InputSeries(selector=f'x_bucket{{job="a",le="{name}"}}', values=" ".join(map(repr, values)))
        for name, values in rows.items()
    )
    test = Test(name="t", interval=60, evaluation=60, series=series, assertions=())
    (made,) = apart.put_together(Solution(tests=(test,))).tests[0].series
    assert made.selector == 'x{job="a"}'
    samples = _read(made)
    assert len(samples) == len(steps)
    for before, after in itertools.pairwise(samples):
        assert all(late >= early for early, late in zip(before, after, strict=True))


def test_no_bucket_may_be_between_two_bounds() -> None:
    """Then it says so, and is open."""
    expression = "histogram_fraction(1, 1.0000001, rate(x[5m])) > 0.5"
    found = synthesise(problem_of("A", expression, generation=PROMETHEUS_3))
    assert isinstance(found, Open)
    assert "no bucket is between 1 and" in found.reason


RULES = """groups:
- name: g
  rules:
  - {alert: Quantile, expr: 'histogram_quantile(0.99, sum by (job) (rate(x[5m]))) > 1.5', for: 5m}
  - {alert: Plain, expr: 'histogram_quantile(0.9, rate(x[5m])) > 0.3', for: 2m}
  - {alert: Below, expr: 'histogram_quantile(0.5, sum(rate(x[10m]))) < 2', for: 10m}
  - {alert: Ratio, expr: 'histogram_quantile(0.99, sum(rate(x[5m]))) / histogram_quantile(0.5, sum(rate(x[5m]))) > 3'}
  - {alert: Two, expr: 'histogram_quantile(0.99, sum by (job) (increase(x[1m]) + increase(y[1m]))) >= 100', for: 1m}
  - {alert: Count, expr: 'histogram_count(rate(x[5m])) > 10', for: 5m}
  - {alert: NoTraffic, expr: 'histogram_count(sum by (job) (rate(x{job="a"}[5m]))) == 0', for: 5m}
  - {alert: Gone, expr: 'absent(histogram_count(x))', for: 1m}
  - {alert: Sum, expr: 'histogram_sum(increase(x[1h])) > 3600', for: 5m}
  - {alert: Average, expr: 'histogram_sum(rate(x[5m])) / histogram_count(rate(x[5m])) > 0.5', for: 5m}
  - {alert: Fraction, expr: 'histogram_fraction(0, 0.5, sum by (job) (rate(x[5m]))) < 0.95', for: 5m}
  - {alert: FractionOver, expr: '1 - histogram_fraction(0, 0.3, rate(x[1h])) > 0.01', for: 15m}
  - {alert: FractionNarrow, expr: 'histogram_fraction(0.5, 0.6, rate(x[5m])) > 0.5', for: 1m}
  - {alert: Traffic, expr: 'histogram_quantile(0.9, rate(x[5m])) > 1 and histogram_count(rate(x[5m])) > 5', for: 5m}
  - {record: "job:x", expr: "sum by (job) (rate(x[5m]))"}
  - {alert: Recorded, expr: 'histogram_quantile(0.95, job:x) > 4', for: 10m}
  - {alert: Never, expr: 'histogram_count(rate(x[5m])) < 0', for: 10m}
"""


@pytest.mark.skipif(not NEWER, reason="TOCSIN_PROMTOOLS names no engine whose tests can hold native histograms")
@pytest.mark.parametrize("engine", NEWER or [None], ids=lambda engine: engine.name if engine else "none")
def test_engines_prove_all_of_it(tmp_path: Path, engine: RuleEngine) -> None:
    """All four properties of each, but of the one that is dead."""
    (tmp_path / "rules.yml").write_text(RULES)
    proofs = list(prove(subjects(Model.of(tmp_path)), Asked(engines=(engine,))))
    wrong = {
        f"{proof.name} {name}": proof.properties[name].reason
        for proof in proofs
        for name in BASE
        if proof.properties[name].standing not in (Standing.PROVEN, Standing.NOT_APPLICABLE)
    }
    assert {key.partition(" ")[0] for key in wrong} == {"Never"}, wrong
    assert proofs[-1].fires is Standing.DEAD


@pytest.mark.skipif(not NEWER, reason="TOCSIN_PROMTOOLS names no engine whose tests can hold native histograms")
def test_mutants_are_tried_on_the_tests_of_the_rule() -> None:
    """The engine alone tells; nothing is searched for."""
    engine = NEWER[0]
    expression = "histogram_count(rate(x[5m])) > 10"
    problem = problem_of("A", expression, hold_seconds=300, generation=engine.generation)
    found = synthesise(problem)
    assert isinstance(found, Solution)
    trial = MutationTrial(Suspect(id="a", problem=problem, solution=found))
    judge(engine, [trial])
    assert score(trial.result().judged).whole > 0.5


def test_generations_differ_in_how_they_interpolate() -> None:
    """By ratios since 3.0, in a line before."""
    assert (PROMETHEUS_2_53.exponential, PROMETHEUS_3.exponential) == (False, True)
    assert not replace(PROMETHEUS_3).native
