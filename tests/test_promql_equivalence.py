"""What is argued to be equivalent is: no series by chance tell it from the rule, and each argument has its example."""

from __future__ import annotations

import os
import random

import pytest

from tests.promql_generator import SAMPLES, SCRAPE, Generator
from tocsin.promql import PromQLError, parse
from tocsin.promql.equivalence import equivalence
from tocsin.promql.evaluation import PROMETHEUS_2_42, EvaluationError, Store, compile_expression
from tocsin.promql.mutants import Operator, mutants

ARGUED = (
    # a value's domain
    ("up == 1", Operator.BOUNDARY, "== made >=", "0 or 1"),
    ("up != 0", Operator.BOUNDARY, "!= made >", "0 or 1"),
    ("up < 1", Operator.THRESHOLD, "the threshold 1 halved", "0 or 1"),
    ("1 == up", Operator.BOUNDARY, "== made >=", None),
    ("count(x) != 0", Operator.BOUNDARY, "!= made >", ""),
    ("errors_total != 0", Operator.BOUNDARY, "!= made >", None),
    ("x != 0", Operator.BOUNDARY, "!= made >", None),
    ("up == 0", Operator.BOUNDARY, "== made >=", None),
    # values that nothing looks at
    ("x * 100 and y > 0", Operator.ARITHMETIC, "* made /", "nothing compares"),
    ("absent(rate(x[5m]))", Operator.FUNCTION, "rate() made increase()", "only whether"),
    ("x > 0 and on (a) max by (a) (y)", Operator.AGGREGATION, "max made min", "only whether"),
    ("count(sum by (a) (x)) > 2", Operator.AGGREGATION, "sum made avg", "only whether"),
    ("x * 100 > 5", Operator.ARITHMETIC, "* made /", None),
    ("topk(3, sum by (a) (x))", Operator.AGGREGATION, "sum made avg", None),
    # the sign alone
    ("rate(x_total[5m]) > 0", Operator.FUNCTION, "rate() made increase()", "compared with 0"),
    ("sum(rate(x_total[5m])) * 60 == 0", Operator.FUNCTION, "rate() made increase()", "compared with 0"),
    ("sum(x) > 0", Operator.AGGREGATION, "sum made avg", "compared with 0"),
    ("max(sum by (a) (x_total)) > 0", Operator.AGGREGATION, "sum made avg", "compared with 0"),
    ("sum(avg by (a) (x)) > 0", Operator.AGGREGATION, "avg made max", None),
    ("sum(sum by (a) (x)) > 0", Operator.AGGREGATION, "sum made avg", "compared with 0"),
    ("sum(x) > 1", Operator.AGGREGATION, "sum made avg", None),
    ("sum(rate(x_total[5m])) - 1 > 0", Operator.FUNCTION, "rate() made increase()", None),
    # the scale of buckets
    ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) > 2", Operator.FUNCTION, "rate() made increase()",
     "scale of its buckets"),
    ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) > 2", Operator.AGGREGATION, "sum made avg", None),
    # groups of one
    ("max(sum(x)) > 5", Operator.AGGREGATION, "max made min", "one series in each group"),
    ("max by (a) (sum by (a, b) (x)) > 5", Operator.AGGREGATION, "max made min", None),
    ("count(x == 1) > 5", Operator.AGGREGATION, "count made sum", "all values are 1"),
    ("count(x == 2) > 5", Operator.AGGREGATION, "count made sum", None),
    # groups that stay
    ("max by (a) (sum by (a) (x)) > 5", Operator.GROUPING, "instance added to by (...)", "no series there has"),
    ("sum by (a) (x) > 5", Operator.GROUPING, "instance added to by (...)", None),
    ('sum(x) > on () sum by (b) (y{job="j", instance="i"})', Operator.GROUPING, "instance added to by (...)", "lost"),
    # matchers that refuse nothing
    ('x{a=~"b.+", a!=""} > 1', Operator.MATCHER, 'the matcher a!="" dropped', "let nothing through"),
    ('x{a=~"b.*|", a!=""} > 1', Operator.MATCHER, 'the matcher a!="" dropped', None),
    ('x{a="b"} / y{a="b"} > 1', Operator.MATCHER, 'the matcher a="b" dropped', "finds no partner"),
    ('x{a="b"} / on (i) y{a="b"} > 1', Operator.MATCHER, 'the matcher a="b" dropped', None),
    ('x{a="b"} / on (a) y{a="b"} > 1', Operator.MATCHER, 'the matcher a="b" dropped', None),
    ('x > 1 unless on (a) y{a="b"}', Operator.MATCHER, 'the matcher a="b" dropped', None),
    ('x{a="b"} > 1 unless on (a) y{a="b"}', Operator.MATCHER, 'the matcher a="b" dropped', "finds no partner"),
    ('sum(x{a="b"}) / sum(y{a="b"}) > 1', Operator.MATCHER, 'the matcher a="b" dropped', None),
    # what never was
    ("x > 1 or count(y) < 0", Operator.OPERAND, "what stands after `or` dropped", "never yields"),
    ("x > 1 unless count(y) < 0", Operator.OPERAND, "what stands after `unless` dropped", "never yields"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "operator", "said", "argument"), ARGUED)
def test_argues(text: str, operator: Operator, said: str, argument: str | None) -> None:
    tree = parse(text)
    made = [m for m in mutants(text) if m.operator is operator and m.description == said]
    assert made, [m.description for m in mutants(text) if m.operator is operator]
    found = [equivalence(tree, mutant) for mutant in made]
    if argument is None:
        assert None in found
    else:
        assert any(each is not None and argument in each for each in found), found


def test_times_are_never_equivalent() -> None:
    for mutant in mutants("up == 0", hold_seconds=60, keep_firing_seconds=60):
        if mutant.span is None:
            assert equivalence(parse("up == 0"), mutant) is None


def _rounding(text: str) -> bool:
    """Whether a result may hang on the last digit: what algebra says is true of real numbers."""
    return any(word in text for word in ("stddev", "stdvar", "%", "atan2", "floor", "ceil", "round"))


@pytest.mark.parametrize("seed", range(int(os.environ.get("TOCSIN_EQUIVALENCE_SEEDS", "40"))))
def test_no_series_by_chance_tell_what_is_argued_equivalent(seed: int) -> None:
    generator = Generator(seed, PROMETHEUS_2_42)
    chance = random.Random(seed)
    stores = [Store([each.series for each in generator.series()]) for _ in range(3)]
    for _ in range(60):
        text = generator.expression(3)
        if _rounding(text):
            continue
        tree = parse(text)
        for mutant in mutants(text, tree=tree):
            if equivalence(tree, mutant) is None:
                continue
            try:
                rule = compile_expression(tree, PROMETHEUS_2_42)
                other = compile_expression(mutant.tree, PROMETHEUS_2_42)
            except (EvaluationError, PromQLError):
                continue
            for store in stores:
                time = chance.randrange(SAMPLES) * SCRAPE * 1000
                try:
                    expected = rule.at(store, time).keys()
                except EvaluationError:
                    continue
                found = other.at(store, time).keys()
                assert found == expected, f"{mutant.diff}\n{equivalence(tree, mutant)}"
