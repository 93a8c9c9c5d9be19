"""Trees as text: what is printed is read as the same tree, and engines read it too."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.promql_generator import Generator
from tocsin.model import Model
from tocsin.promql import Binary, Expr, NumberLiteral, Paren, Span, Unary, VectorSelector, parse
from tocsin.promql.evaluation import PROMETHEUS_2_42
from tocsin.promql.printing import printed

NOWHERE = Span(0, 0)

AS_WRITTEN = (
    "up",
    "up == 0",
    "a + b * c",
    "(a + b) * c",
    "a ^ b ^ c",
    "(a ^ b) ^ c",
    "-a ^ 2",
    "(-a) ^ 2",
    "(-1) ^ a",
    "a ^ -1",
    "2 * -a",
    "--a",
    'a{job="x", le!~"a|b"}',
    '{__name__=~"a.+"}',
    '{__name__="a b", "http.code"="500"}',
    'a{x="\\"\\\\\\n\\xff"}',
    "a @ 1609746000",
    "a @ start() offset -5m",
    "rate(a[5m] @ end() offset 1h30m)",
    "max_over_time(rate(a[5m])[1h:])",
    "max_over_time((a > 1)[1h:1m] offset 1d)",
    "sum(a)",
    "sum by () (a)",
    "sum without (job, instance) (a)",
    'count_values by (a, "without") ("value", b)',
    "topk(3, a)",
    "a / on () b",
    "a > bool on (x) group_left () b",
    "a * ignoring (x, y) group_right (z) b",
    "a unless on (x) b",
    "a + fill_left(0) fill_right(1) b",
    "increase(a[5m] anchored)",
    "a[5m] smoothed offset 1m",
    "a[300]",
    "0.1",
    "+Inf",
    "-Inf",
    "NaN",
    "1e+20",
    "1.5e-07",
    "1234567890123456",
    "a > 5m",
    "a > -1h30m",
    'label_replace(a, "x", "$1", "y", "(.*)")',
    "info(a, {})",
    'info(a, {x="y"})',
    "time() - a > 3600",
    "sum > and",
)


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_keeps_its_form(text: str) -> None:
    assert printed(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sum(a)  by(x)", "sum by (x) (a)"),
        ("SUM BY (x,) (a)", "sum by (x) (a)"),
        ("a{b='c'}", 'a{b="c"}'),
        ("a{b=`c\\d`}", 'a{b="c\\\\d"}'),
        ("0x1F + 010", "31 + 8"),
        ("+1", "1"),
        ("-0", "0"),
        ("{'a.b'}", '{__name__="a.b"}'),
        ("a and # why\n b", "a and b"),
        ("a + fill(0) b", "a + fill_left(0) fill_right(0) b"),
        ("a > 1w", "a > 7d"),
    ],
)
def test_writes_one_form_of_each(text: str, shown: str) -> None:
    assert printed(parse(text)) == shown
    assert parse(shown) == parse(text)


@pytest.mark.parametrize("seed", range(60))
def test_reads_as_it_was_by_chance(seed: int) -> None:
    generator = Generator(seed, PROMETHEUS_2_42)
    for _ in range(20):
        tree = parse(generator.expression(4))
        assert parse(printed(tree)) == tree


def _leaf(name: str) -> VectorSelector:
    return VectorSelector(span=NOWHERE, metric=name)


_OPERATORS = ("or", "and", "unless", "==", "!=", "<", ">=", "+", "-", "*", "/", "%", "^", "atan2")


def _pairs(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    binary = st.builds(
        lambda op, left, right: Binary(span=NOWHERE, op=op, left=left, right=right, operator=NOWHERE),
        st.sampled_from(_OPERATORS),
        inner,
        inner,
    )
    return binary | st.builds(lambda op, expr: Unary(span=NOWHERE, op=op, expr=expr), st.sampled_from("+-"), inner)


def bare(expr: Expr) -> Expr:
    """Return a tree of operators without its parentheses."""
    match expr:
        case Paren(expr=inner):
            return bare(inner)
        case Unary(expr=inner):
            return replace(expr, expr=bare(inner))
        case Binary(left=left, right=right):
            return replace(expr, left=bare(left), right=bare(right))
        case _:
            return expr


@given(st.recursive(st.sampled_from("abc").map(_leaf), _pairs, max_leaves=12))
@settings(deadline=None)
def test_writes_the_parentheses_that_a_built_tree_lacks(tree: Expr) -> None:
    assert bare(parse(printed(tree))) == tree


@given(st.floats(allow_nan=False) | st.integers(-(10**20), 10**20).map(float))
@settings(deadline=None)
def test_writes_numbers_exactly(value: float) -> None:
    read = parse(printed(NumberLiteral(span=NOWHERE, value=value)))
    assert isinstance(read, NumberLiteral)
    assert read.value == value


@given(st.text() | st.binary(max_size=5).map(lambda b: b.decode("utf-8", "surrogateescape")))
@settings(deadline=None)
def test_writes_strings_exactly(value: str) -> None:
    tree = parse('a{b=""}')
    assert isinstance(tree, VectorSelector)
    tree = replace(tree, matchers=(replace(tree.matchers[0], value=value),))
    assert parse(printed(tree)) == tree


def test_reads_as_it_was_all_over_the_corpus() -> None:
    corpus = os.environ.get("TOCSIN_CORPUS")
    if not corpus:
        pytest.skip("TOCSIN_CORPUS names no folder of systems")
    trees = 0
    for folder in sorted(path for path in Path(corpus).iterdir() if path.is_dir()):
        model = Model.of(folder)
        for rule in model.rules:
            tree = model.tree(rule)
            if tree is not None:
                assert parse(printed(tree)) == tree, rule.expression
                trees += 1
    assert trees
