"""The evaluator says what the engine says: on generated expressions over generated series, and on known cases."""

from __future__ import annotations

import math
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.promql_engine import Answer, agree, ask
from tests.promql_generator import Generator
from tocsin.engines.binaries import Engine, find_engine, version
from tocsin.promql import PromQLError, parse
from tocsin.promql.evaluation import (
    PROMETHEUS_2_42,
    PROMETHEUS_3,
    STALE,
    EvaluationError,
    Generation,
    Series,
    Store,
    compile_expression,
    generation_of,
    labels_of,
)
from tocsin.promql.evaluation.aggregation import written
from tocsin.promql.evaluation.buckets import bucket_quantile

PROMTOOLS = [find_engine(Engine.PROMTOOL), *map(Path, filter(None, os.environ.get("TOCSIN_PROMTOOLS", "").split(":")))]
"""The installed promtool, and others by path."""
EXPRESSIONS = 100
TIMES = (0, 30, 60, 300, 600, 615, 630, 900, 1200, 1230, 1500)


def ours(expression: str, generation: Generation, store: Store, time: int) -> Answer | None:
    """Return what the evaluator says; None where it says that it does not know."""
    try:
        found = compile_expression(parse(expression), generation).at(store, time * 1000)
    except EvaluationError as error:
        return None if "not evaluated here" in str(error) else str(error)
    except PromQLError as error:
        return str(error)
    return dict(found)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("promtool", PROMTOOLS, ids=lambda path: f"promtool-{version(path)}")
def test_generated_expressions_give_what_the_engine_gives(promtool: Path, seed: int) -> None:
    """A hundred expressions over the series of one seed; but for rounding, every sample and every error is the same."""
    generation = generation_of(version(promtool))
    generator, times = Generator(seed, generation), random.Random(seed)
    series = generator.series()
    asked = [(generator.expression(), times.choice(TIMES)) for _ in range(EXPRESSIONS)]
    store = Store([each.series for each in series])

    (answers,) = ask(promtool, [(series, asked)])

    known = [(e, t, ours(e, generation, store, t), theirs) for (e, t), theirs in zip(asked, answers, strict=True)]
    wrong = [(e, t, mine, theirs) for e, t, mine, theirs in known if mine is not None and not agree(e, mine, theirs)]
    assert wrong == []
    assert sum(isinstance(mine, dict) and bool(mine) for _, _, mine, _ in known) > EXPRESSIONS / 4


def series(name: str, *values: float | None, step: int = 60, **labels: str) -> Series:
    """Return a series with a sample every `step` seconds."""
    return Series(labels_of({"__name__": name, **labels}), [i * step * 1000 for i in range(len(values))], list(values))


STORE = Store(
    [
        series("up", 1, 1, 0, 0, job="a"),
        series("gone", 1, 1, STALE, job="a"),
        series("c_total", 0, 60, 120, 0, job="a"),
        series("limit", 10, 10, 10, 10, job="a", kind="max"),
    ]
)
KNOWN: dict[str, tuple[str, int, Generation, dict[str, float] | str]] = {
    "the latest": ("up", 150, PROMETHEUS_3, {"a": 0.0}),
    "a filter": ("up == 0", 60, PROMETHEUS_3, {}),
    "the end of a series": ("gone", 120, PROMETHEUS_3, {}),
    "closed": ("count_over_time(up[1m])", 60, PROMETHEUS_2_42, {"a": 2.0}),
    "left open": ("count_over_time(up[1m])", 60, PROMETHEUS_3, {"a": 1.0}),
    "a reset": ("increase(c_total[3m])", 180, PROMETHEUS_2_42, {"a": 120.0}),
    "no pair": ("up > limit", 180, PROMETHEUS_3, {}),
    "a pair": ("limit > ignoring(kind) up", 180, PROMETHEUS_3, {"a": 10.0}),
    "absent": ('absent(nothing{job="a", job!="b"})', 60, PROMETHEUS_3, {"": 1.0}),
    "twice": ('label_replace({job="a"}, "x", "", "", "")', 60, PROMETHEUS_3, {"a": 10.0}),
    "of a date that is none": ("month(up / 0)", 180, PROMETHEUS_3, "not evaluated here"),
    "an experimental function": ("mad_over_time(up[1m])", 180, PROMETHEUS_3, "not evaluated here"),
    "two of one name": ("sum without (kind, job) (limit) + on() group_left() {__name__=~'up|limit'}", 60, PROMETHEUS_3,
                        "duplicate series"),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "time", "generation", "expected"), KNOWN.values(), ids=KNOWN)
def test_known_cases(expression: str, time: int, generation: Generation, expected: dict[str, float] | str) -> None:
    """What stands in a reader's head."""
    if isinstance(expected, str):
        with pytest.raises(EvaluationError, match=expected):
            compile_expression(parse(expression), generation).at(STORE, time * 1000)
        return
    found = compile_expression(parse(expression), generation).at(STORE, time * 1000)

    assert {dict(labels).get("job", ""): value for labels, value in found.items()} == expected


@pytest.mark.parametrize("expression", ["up[5m]", "'a'"])
def test_only_vectors_and_scalars_have_a_value(expression: str) -> None:
    """An alert's expression can be nothing else."""
    with pytest.raises(EvaluationError, match="the value of the expression is a"):
        compile_expression(parse(expression), PROMETHEUS_3)


@given(st.floats(allow_nan=False))
def test_numbers_are_written_as_they_are(value: float) -> None:
    """What count_values() writes into a label is read back as the same number, and has no exponent."""
    text = written(value)

    assert float(text.replace("Inf", "inf")) == value
    assert "e" not in text


@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 50)), min_size=1, max_size=6, unique_by=lambda b: b[0]),
)
def test_a_quantile_is_within_the_finite_buckets(fraction: float, buckets: list[tuple[float, int]]) -> None:
    """However the observations lie: so a threshold above the top bucket is never crossed."""
    total, cumulative = 0, []
    for upper, count in sorted(buckets):
        total += count
        cumulative.append((upper, float(total)))
    found = bucket_quantile(fraction, [*cumulative, (math.inf, float(total))])

    assert math.isnan(found) is (total == 0)
    assert math.isnan(found) or 0 <= found <= max(upper for upper, _ in buckets)
