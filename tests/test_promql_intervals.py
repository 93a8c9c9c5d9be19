"""What is claimed of an expression's values holds for every series that Prometheus itself makes of real data."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engines.promtool import run_rule_tests
from tocsin.promql import PromQLError, VectorSelector, parse, type_of
from tocsin.promql.dead import Proofs
from tocsin.promql.intervals import Intervals, Known, holds_always, holds_never
from tocsin.promql.ranges import Interval, between, hull, meet, minus, negated, over, plus, point, times

OF_ERRORS = 'sum by (job) (rate(m_total{code=~"5..", job="a"}[5m])) / sum by (job) (rate(m_total{job=~"a|b"}[5m]))'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("up", "between 0 and 1"),
        ("100 * up", "between 0 and 100"),
        ("-up", "between -1 and 0"),
        ("abs(up - 2)", "between 1 and 2"),
        ("round(up * 3.4)", "between 0 and 3"),
        (OF_ERRORS, "between 0 and 1"),
        (OF_ERRORS.replace('job="a"', 'job="c"'), "at least 0"),
        (OF_ERRORS.replace('code=~"5..", job="a"', 'code=~"5.."'), "at least 0"),
        (OF_ERRORS.replace("rate(m_total{job", "increase(m_total{job"), "at least 0"),
        (OF_ERRORS.replace("sum by (job) (rate(m_total{code", "sum by (x) (rate(m_total{code"), "at least 0"),
        ('1 - sum(rate(x_bucket{le="1"}[5m])) / sum(rate(x_count[5m]))', "between 0 and 1"),
        ("sum(rate(x_bucket[5m])) / sum(rate(x_count[5m]))", "at least 0"),
        ('sum(rate(x_bucket{le="1"}[5m])) / sum(rate(x_bucket{le="+Inf"}[5m]))', "between 0 and 1"),
        ('sum(rate(m_total{s="5"}[5m])) / scalar(sum(rate(m_total[5m])))', "between 0 and 1"),
        ('rate(m_total{s="5"}[5m]) / ignoring (s) group_left sum without (s) (rate(m_total[5m]))', "between 0 and 1"),
        ('rate(m_total{s="5"}[5m]) / ignoring (t) group_left sum without (s) (rate(m_total[5m]))', "at least 0"),
        ("count(up == 0) / count(up)", "between 0 and 1"),
        ("sum(up) / count(up)", "between 0 and 1"),
        ("a_total / (a_total + b_total)", "between 0 and 1"),
        ("a / (a + b)", "any number"),
        ("a_total / clamp_min(a_total + b_total, 1)", "between 0 and 1"),
        ("100 * a_total / ((a_total + b_total) > 0)", "between 0 and 100"),
        ('sum(rate(m_total{s="5"}[5m]) * 100) / sum(rate(m_total[5m]))', "between 0 and 100"),
        ("a_total / clamp_max(a_total + b_total, 1)", "at least 0"),
        ("100 / x * x{dimension='free'}", "100"),
        ("100 / x * x offset 5m", "any number"),
        ("100 / x * y", "any number"),
        ("node_filesystem_avail_bytes{a='b'} / node_filesystem_size_bytes", "between 0 and 1"),
        ("node_filesystem_avail_bytes / on (instance) node_filesystem_size_bytes", "any number"),
        ("count(x > 5)", "at least 1"),
        ("sum by (job) (x == 0)", "0"),
        ("sum(x)", "any number"),
        ("sum(up)", "at least 0"),
        ("avg(up)", "between 0 and 1"),
        ("quantile(0.9, up)", "between 0 and 1"),
        ("quantile(2, up)", "any number"),
        ("max_over_time(up[5m])", "between 0 and 1"),
        ("rate(x[5m])", "at least 0"),
        ("delta(x_total[5m])", "any number"),
        ("changes(x[5m])", "at least 0"),
        ("time() - timestamp(x)", "between 0 and 300"),
        ("timestamp(rate(x[5m])) - time()", "0"),
        ("time() - timestamp(x offset 1h)", "the clock"),
        ("max_over_time(timestamp(x)[5m:])", "any number"),
        ("clamp(x, 2, 5)", "between 2 and 5"),
        ("clamp_min(x, 2)", "at least 2"),
        ("up or vector(3)", "between 0 and 3"),
        ("up + on (job) x", "any number"),
        ("x > bool 5", "between 0 and 1"),
        ("hour()", "between 0 and 23"),
        ("absent(x)", "1"),
        ("histogram_quantile(0.9, x_bucket)", "any number"),
        ("predict_linear(x[1h], 3600)", "any number"),
        ("x % 5", "any number"),
        ("up % 5", "between 0 and 5"),
        ("sqrt(x)", "at least 0"),
        ("up / 0", "any number"),
    ],
)
def test_values_are_bounded(text: str, said: str) -> None:
    """Each function, aggregation and operator bounds its values as far as is sure, and not a bit further."""
    found = Intervals().of(parse(text))

    assert (str(found) if not found.clock else "the clock") == said


class Buckets(Known):
    """A histogram whose buckets are known, and a window whose samples can be counted."""

    def top_bucket(self, selector: VectorSelector) -> float | None:
        return 10.0 if selector.name == "x_bucket" else None

    def samples(self, selector: VectorSelector, seconds: float) -> int | None:
        return int(seconds / 60) + 1 if selector.name == "x" else None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "at most 10"),
        ("histogram_quantile(0.9, rate(x_bucket[5m])) * 1000", "at most 10000"),
        ("histogram_quantile(2, rate(x_bucket[5m]))", "any number"),
        ("histogram_quantile(0.9, rate(y_bucket[5m]))", "any number"),
        ("histogram_quantile(0.9, rate({__name__=~'x.*'}[5m]))", "any number"),
        ("changes(x[5m])", "between 0 and 5"),
        ("count_over_time(x[5m])", "between 1 and 6"),
        ("changes(y[5m])", "at least 0"),
    ],
)
def test_what_a_system_knows_bounds_further(text: str, said: str) -> None:
    """Buckets bound quantiles, and samples bound what is counted in a window."""
    assert str(Intervals(Buckets()).of(parse(text))) == said


ENDS = st.floats(-20, 20, allow_nan=False).map(lambda value: round(value, 1)) | st.sampled_from([-math.inf, math.inf])
INTERVALS = (
    st.tuples(ENDS, ENDS)
    .filter(lambda ends: -math.inf < max(ends) and min(ends) < math.inf)
    .map(lambda ends: between(min(ends), max(ends)))
)


@st.composite
def members(draw: st.DrawFn) -> tuple[Interval, float]:
    """Draw an interval, and one number of it."""
    interval = draw(INTERVALS)
    return interval, draw(st.floats(max(interval.low, -1e6), min(interval.high, 1e6)))


def holds(interval: Interval, value: float) -> bool:
    """Tell whether an interval holds a number, but for what floats lose."""
    if math.isnan(value):
        return interval.nan
    slack = 1e-9 * max(1.0, abs(value))
    return interval.low - slack <= value <= interval.high + slack


@given(members(), members())
def test_arithmetic_of_members_stays_inside(one: tuple[Interval, float], other: tuple[Interval, float]) -> None:
    """Whatever two members make is a member of what the intervals make."""
    (a, x), (b, y) = one, other

    assert holds(plus(a, b), x + y)
    assert holds(minus(a, b), x - y)
    assert holds(times(a, b), x * y)
    assert holds(negated(a), -x)
    assert holds(hull(a, b), x)
    assert holds(hull(a, b), y)
    assert y == 0 or holds(over(a, b), x / y)
    assert holds(meet(a, a), x)


@given(members(), members(), st.sampled_from([">", ">=", "<", "<=", "==", "!="]))
def test_verdicts_on_comparisons_hold_for_members(
    one: tuple[Interval, float], other: tuple[Interval, float], op: str
) -> None:
    """A comparison that never holds is false for every pair of members, and one that always holds is true."""
    (a, x), (b, y) = one, other
    true = {">": x > y, ">=": x >= y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}[op]

    assert not (holds_never(op, a, b) and true)
    assert not (holds_always(op, a, b) and not true)


def test_open_ends_and_whole_numbers_are_kept_apart() -> None:
    """Between two whole numbers there is none, and an open end does not belong."""
    between_them = Interval(0, 1, low_open=True, high_open=True, whole=True)

    assert between_them.empty
    assert not Interval(0, 1, low_open=True, whole=True).empty
    assert Interval(1, 1, high_open=True).empty
    assert not point(1).empty
    assert Proofs().never(parse("up > 0 and up < 1")) is not None
    assert Proofs().never(parse("avg(up) > 0 and avg(up) < 1")) is None


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("up > 1", "> 1"),
        ("1 < up", "1 <"),
        ("count(up == 1) == 0", "== 0"),
        ("sum by (job) (x == 0) > 0", "> 0"),
        ("time() - timestamp(x) > 600", "> 600"),
        ("timestamp(rate(x[5m])) < time() - 36000", "< time() - 36000"),
        ("x > 5 and x < 3", "x < 3"),
        ("x * 100 > 90 and x < 0.5", "x < 0.5"),
        ("(x > 1) > 2 and x < 2", "x < 2"),
        ("x > 0.9 unless x > 0.5", "x > 0.5"),
        ("absent(x or vector(0))", "absent(x or vector(0))"),
        ("100 / x * x{d='a'} < 20 and y > 1", "< 20"),
        ("avg(rate(k_total[5m])) < 0", "< 0"),
        ("up > 1 or up < 0", "> 1"),
        ("sum(up > 1)", "> 1"),
        ("hour() > 23", "> 23"),
    ],
)
def test_what_can_never_be_is_proven(text: str, piece: str) -> None:
    """Each dead expression has its proof, at the piece that cannot be."""
    proof = Proofs().never(parse(text))

    assert proof is not None
    assert proof.span.text(text) == piece


@pytest.mark.parametrize(
    "text",
    [
        *("up == 0", "up >= 1", "count(x) > 0", "x > 5 and on (job) x < 3", "x > 3 and x < 5", "x > 5 or x < 3"),
        *("x > 5 unless x > 7", "x > 5 unless on (job) x > 1", "absent(x)", "absent(x or y)", "sum(x == 0) == 0"),
        *("(x > 5) - 3 < 4 and x < 6", "x{a='b'} > 5 and x{a='c'} < 3", "x > 5 and x offset 5m < 3"),
        *("time() - x > 600", "time() - timestamp(x) > 100", "up > 1 or x > 2", "up > bool 1", "x != x"),
        *("vector(1)", "count(x) == 0 or vector(1)", "sum(x) < 0", "deriv(x_total[5m]) < 0"),
    ],
)
def test_what_may_be_is_left_alone(text: str) -> None:
    """Nothing is called dead that some input makes alive."""
    assert Proofs().never(parse(text)) is None


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("x > 5 or vector(0)", "vector(0)"),
        ("sum(x) or vector(0) < 1", "vector(0) < 1"),
        ("up >= 0", ">= 0"),
        ("increase(x_total[5m]) >= 0", ">= 0"),
        ("node_filesystem_avail_bytes / node_filesystem_size_bytes < 10", "< 10"),
        ("absent(count(x) == 0)", "absent(count(x) == 0)"),
        ("x > 5 or up <= 1", "<= 1"),
    ],
)
def test_what_always_rings_is_proven(text: str, piece: str) -> None:
    """Each condition that is met by whatever there is has its proof."""
    proof = Proofs().always(parse(text))

    assert proof is not None
    assert proof.span.text(text) == piece


@pytest.mark.parametrize(
    "text",
    [
        *("vector(1)", "vector(1) > 0", "count(x) > 0", "x_info == 1", "ALERTS == 1", "absent(x) == 1", "absent(x)"),
        *("up == 0", "up < 1", "x >= 0", "up >= 0 and x > 5", "sum(ALERTS) > 0", "up >= 0 unless x > 5", "up"),
        "kube_pod_status_unschedulable > 0",
    ],
)
def test_what_tells_that_something_exists_is_no_mistake(text: str) -> None:
    """An alert that is meant to ring as long as something is there is left alone."""
    assert Proofs().always(parse(text)) is None


LEAVES = (
    *("up", 'up{job="a"}', "g", 'g{job="b"}', "c_total", "c_total offset 2m", 'c_total{code="500"}', "h_count"),
    *('h_bucket{le="1"}', "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "kube_pod_status_phase"),
)
SERIES = {
    'up{job="a", instance="1"}': "1x5 0x5 1x20",
    'up{job="b", instance="2"}': "0x30",
    'g{job="a", instance="1"}': "-5+3x30",
    'g{job="b", instance="2"}': "7-2x10 0x10 3.5x10",
    'c_total{job="a", instance="1", code="200"}': "0+7x10 3+1x20",
    'c_total{job="a", instance="1", code="500"}': "0x5 0+2x25",
    'c_total{job="b", instance="2", code="500"}': "5+5x30",
    'h_bucket{job="a", instance="1", le="1"}': "0+1x30",
    'h_bucket{job="a", instance="1", le="5"}': "0+2x30",
    'h_bucket{job="a", instance="1", le="+Inf"}': "0+5x30",
    'h_count{job="a", instance="1"}': "0+5x30",
    'node_filesystem_avail_bytes{job="a", instance="1"}': "50-1x30",
    'node_filesystem_size_bytes{job="a", instance="1"}': "100x30",
    'kube_pod_status_phase{job="a", instance="1", phase="Failed"}': "0x10 1x20",
}


def vector(chance: random.Random, depth: int) -> str:
    """Return an expression that gives a vector."""
    if depth <= 0:
        return chance.choice(LEAVES)
    inner = lambda: vector(chance, depth - 1)  # noqa: E731
    number = chance.choice(["0", "1", "2", "0.5", "100", "-3", "7"])
    window = chance.choice(["2m", "5m", "10m"])
    return chance.choice(
        [
            lambda: f"{chance.choice(['rate', 'increase', 'irate'])}({counter(chance)}[{window}])",
            lambda: f"{chance.choice(['changes', 'resets', 'delta'])}({chance.choice(LEAVES[:5])}[5m])",
            lambda: f"count_over_time({chance.choice(LEAVES[:5])}[5m])",
            lambda: f"{chance.choice(['min', 'max', 'avg', 'sum', 'last'])}_over_time({chance.choice(LEAVES[:5])}[5m])",
            lambda: f"{chance.choice(['abs', 'ceil', 'floor', 'round', 'sqrt', 'sgn', 'timestamp'])}({inner()})",
            lambda: f"clamp({inner()}, -1, {number})",
            lambda: f"{chance.choice(['sum', 'avg', 'min', 'max', 'count', 'stddev'])} by (job) ({inner()})",
            lambda: f"quantile by (job) (0.5, {inner()})",
            lambda: f"({inner()} {chance.choice('+-*/%')} {number})",
            lambda: f"({number} {chance.choice('+-*')} {inner()})",
            lambda: f"({inner()} {chance.choice('+-*/')} on (job) group_left () max by (job) ({inner()}))",
            lambda: f"({inner()} {chance.choice('+-*/')} {inner()})",
            lambda: f"({inner()} {chance.choice(['>', '<', '>=', '<=', '==', '!='])} {number})",
            lambda: f"({inner()} {chance.choice(['>', '<'])} bool {number})",
            lambda: f"({inner()} {chance.choice(['and', 'or', 'unless'])} {inner()})",
            lambda: f"(sum by (job) ({ratio(chance)}[{window}])) / sum by (job) (rate(c_total[{window}])))",
            lambda: f"(100 * sum({ratio(chance)}[{window}]) * 2) / clamp_min(sum(rate(c_total[{window}])), {number}))",
            lambda: "(c_total * 100 / (c_total + on (job, instance, code) (c_total offset 2m)))",
            lambda: f"(time() - timestamp({inner()}))",
            lambda: f"(-{inner()})",
        ]
    )()


def counter(chance: random.Random) -> str:
    """Return a selector of a counter."""
    return chance.choice(["c_total", 'c_total{code="500"}', "h_count", 'h_bucket{le="1"}'])


def ratio(chance: random.Random) -> str:
    """Return the beginning of a rate of a part of a counter."""
    return "rate(" + chance.choice(['c_total{code="500"}', 'c_total{code=~"5.."}', "c_total"])


def refutations(text: str) -> Iterator[str]:
    """Yield expressions that give something if a claim about an expression is wrong."""
    tree = parse(text)
    if type_of(tree) != "vector":
        return
    found = Intervals().of(tree)
    slack = 1e-9  # floats lose a little where Prometheus adds in another order
    if not found.clock and found.high < math.inf:
        yield f"({text}) > {found.high + slack * max(1, abs(found.high))!r}"
    if not found.clock and found.low > -math.inf:
        yield f"({text}) < {found.low - slack * max(1, abs(found.low))!r}"
    if Proofs().never(tree) is not None:
        yield text


@pytest.mark.parametrize("seed", range(3))
def test_no_claim_is_refuted_by_prometheus(seed: int, tmp_path: Path) -> None:
    """Of hundreds of expressions over real series, no value is outside of its interval, and what is dead is empty."""
    chance = random.Random(seed)
    asked: list[dict[str, object]] = []
    while len(asked) < 600:
        text = vector(chance, chance.choice([1, 2, 3]))
        try:
            wrong = list(refutations(text))
        except PromQLError:
            continue
        times_asked = ("12m", "25m")
        asked += [{"expr": expr, "eval_time": at, "exp_samples": []} for expr in wrong for at in times_asked]
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    (tmp_path / "rules.yml").write_text("groups: []\n")
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}))

    done = run_rule_tests([tmp_path / "test.yml"], cwd=tmp_path)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "expr:" in line]
    real = [line for line in said if "err:" not in line]

    assert real == []
    assert len(said) < len(asked) / 2, "most expressions were refused by Prometheus, so little was looked at"
