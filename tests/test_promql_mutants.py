"""Every kind of slip is made, each changes what it says and nothing else, and each can be loaded."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.promql_generator import Generator
from tocsin.promql import parse
from tocsin.promql.evaluation import PROMETHEUS_2_42
from tocsin.promql.mutants import Mutant, Operator, mutants

RULE = """sum by (job, code) (
  rate(http_requests_total{job="api", code=~"5.."}[5m] offset 1h)  # failures
) / 2 > 0.5
and on (job) up == 0"""


def made(text: str, operator: Operator) -> list[str]:
    """Return the expressions of one kind of mutants."""
    return [each.expression for each in mutants(text) if each.operator is operator]


@pytest.mark.parametrize(
    ("text", "operator", "expected"),
    [
        ("a > 5", Operator.COMPARATOR, ["a < 5"]),
        ("a != bool 5", Operator.COMPARATOR, ["a == bool 5"]),
        ("a > 5", Operator.BOUNDARY, ["a >= 5"]),
        ("a == 5", Operator.BOUNDARY, ["a >= 5"]),
        ("a > 5", Operator.THRESHOLD, ["a > 10", "a > 2.5"]),
        ("a > 0", Operator.THRESHOLD, ["a > 1", "a > -1"]),
        ("a > -3", Operator.THRESHOLD, ["a > -6", "a > -1.5"]),
        ("a > 24 * 3600", Operator.THRESHOLD, ["a > (2 * (24 * 3600))", "a > ((24 * 3600) / 2)"]),
        ("a > 0.9 * b", Operator.THRESHOLD, ["a > 1.8 * b", "a > 0.45 * b"]),
        ("100 * a > 5", Operator.THRESHOLD, ["100 * a > 10", "100 * a > 2.5"]),
        ("a > b", Operator.THRESHOLD, []),
        ("rate(a[5m])", Operator.WINDOW, ["rate(a[10m])", "rate(a[2m30s])"]),
        ("max_over_time(a[1h:1m])", Operator.WINDOW, ["max_over_time(a[2h:1m])", "max_over_time(a[30m:1m])"]),
        ('a{x="1"}', Operator.MATCHER, ['a{x!="1"}', "a{}"]),
        ('a{x="1",}', Operator.MATCHER, ['a{x!="1",}', "a{}"]),
        ('a{x=~"1", y!~"2"}', Operator.MATCHER,
         ['a{x!~"1", y!~"2"}', 'a{y!~"2"}', 'a{x=~"1"}', 'a{x=~"1", y=~"2"}']),
        ('{__name__=~"a.+", x="1"}', Operator.MATCHER,
         ['{__name__!~"a.+", x="1"}', '{__name__=~"a.+", x!="1"}', '{__name__=~"a.+"}']),
        ('{"a.b", x="1"}', Operator.MATCHER, ['{"a.b", x!="1"}', '{"a.b"}']),
        ("sum(a)", Operator.AGGREGATION, ["avg(a)"]),
        ("topk(3, a)", Operator.AGGREGATION, ["bottomk(3, a)"]),
        ("sum(a)", Operator.GROUPING, ["sum by (instance) (a)"]),
        ("sum by (x, y) (a)", Operator.GROUPING,
         ["sum by (y) (a)", "sum by (x) (a)", "sum by (x, y, instance) (a)", "sum without (x, y) (a)"]),
        ("sum(a) without (x)", Operator.GROUPING,
         ["sum(a) without ()", "sum(a) without (x, instance)", "sum(a) by (x)"]),
        ("max(sum(a) by (y)) by (x)", Operator.GROUPING,
         ["max(sum(a) by (y)) by ()", "max(sum(a) by (y)) by (x, instance)", "max(sum(a) by (y)) without (x)",
          "max(sum(a) by ()) by (x)", "max(sum(a) by (y, instance)) by (x)", "max(sum(a) without (y)) by (x)"]),
        ("a + b", Operator.ARITHMETIC, ["a - b"]),
        ("a atan2 b", Operator.ARITHMETIC, []),
        ("a offset 5m", Operator.OFFSET, ["a", "a offset 10m"]),
        ("rate(a[1m] offset -5m)", Operator.OFFSET, ["rate(a[1m])", "rate(a[1m] offset -10m)"]),
        ("a and b", Operator.OPERAND, ["a", "b"]),
        ("a unless on (x) b", Operator.OPERAND, ["a"]),
        ("a or b or c", Operator.OPERAND, ["a or b", "c", "a or c", "b or c"]),
        ("rate(a[5m])", Operator.FUNCTION, ["increase(a[5m])", "irate(a[5m])"]),
        ("abs(a)", Operator.FUNCTION, []),
    ],
)  # fmt: skip
def test_makes(text: str, operator: Operator, expected: list[str]) -> None:
    assert Counter(made(text, operator)) == Counter(expected)


def test_changes_times() -> None:
    found = {(m.description, m.hold_seconds, m.keep_firing_seconds, m.diff) for m in mutants("a", hold_seconds=300,
             keep_firing_seconds=60)}  # fmt: skip
    assert found == {
        ("for doubled", 600, 60, "- for: 5m\n+ for: 10m"),
        ("for halved", 150, 60, "- for: 5m\n+ for: 2m30s"),
        ("for dropped", 0, 60, "- for: 5m"),
        ("keep_firing_for dropped", 300, 0, "- keep_firing_for: 1m"),
    }
    assert not [each for each in mutants("a") if each.operator in (Operator.HOLD, Operator.KEEP)]


def test_keeps_the_text_and_shows_the_line() -> None:
    found = next(m for m in mutants(RULE) if m.description == "> made <")
    assert found.expression == RULE.replace("> 0.5", "< 0.5")
    assert found.diff == "- ) / 2 > 0.5\n+ ) / 2 < 0.5"
    assert found.span is not None
    assert found.span.text(RULE) == ">"


def test_has_every_kind_of_slip() -> None:
    kinds = {each.operator for each in mutants(RULE, hold_seconds=60, keep_firing_seconds=60)}
    assert kinds == set(Operator)


def check(text: str, each: Mutant, seen: list[object]) -> None:
    """Check what holds of every mutant."""
    assert parse(each.expression) == each.tree
    assert each.tree not in seen
    seen.append(each.tree)
    assert each.span is not None
    assert each.expression.startswith(text[: each.span.start])
    assert each.expression.endswith(text[each.span.end :])
    assert each.diff.startswith("- ")


@pytest.mark.parametrize("seed", range(20))
def test_each_is_another_expression_that_can_be_loaded(seed: int) -> None:
    generator = Generator(seed, PROMETHEUS_2_42)
    for _ in range(20):
        text = generator.expression(3)
        seen: list[object] = [parse(text)]
        for each in mutants(text):
            check(text, each, seen)
