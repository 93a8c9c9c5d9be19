"""Elementary functions give what the engine gives, to the last bit, and are what they are called for any number."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.promql_engine import ask
from tocsin.engines.binaries import Engine, find_engine
from tocsin.promql.evaluation import elementary
from tocsin.promql.evaluation.arithmetic import ARITHMETIC, deviation_over_time, exponential, mean, mean_by_steps

POSITIVE = st.floats(1e-300, 1e300)
_RANDOM = random.Random(7)
NUMBERS = [10 ** _RANDOM.uniform(-12, 12) for _ in range(150)] + [float(n) for n in (1, 2, 3, 10, 1000, 3600)]
FUNCTIONS: dict[str, tuple[str, Callable[[float], float]]] = {
    "ln": ("ln(vector({0!r}))", elementary.log),
    "log2": ("log2(vector({0!r}))", elementary.log2),
    "log10": ("log10(vector({0!r}))", elementary.log10),
    "whole power": ("vector({0!r}) ^ 17", lambda value: elementary.power(value, 17)),
    "negative power": ("vector({0!r}) ^ -3", lambda value: elementary.power(value, -3)),
    "angle": ("vector({0!r}) atan2 3", lambda value: elementary.atan2(value, 3)),
    "angle to the left": ("vector({0!r}) atan2 -0.25", lambda value: elementary.atan2(value, -0.25)),
}


@pytest.mark.parametrize(("expression", "function"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_engine_gives_the_same_to_the_last_bit(expression: str, function: Callable[[float], float]) -> None:
    asked = [(expression.format(number), 0) for number in NUMBERS]
    (answers,) = ask(find_engine(Engine.PROMTOOL), [([], asked)])
    found = [next(iter(each.values())) for each in answers if isinstance(each, dict)]
    assert found == [function(number) for number in NUMBERS]


@pytest.mark.parametrize("expression", ["exp(vector({0!r}))", "100 ^ vector({0!r})"])
def test_what_is_exponential_is_the_same_but_for_the_last_bit(expression: str) -> None:
    """Whether a multiply-add is fused there, hangs on the processor."""
    numbers = [_RANDOM.uniform(-20, 20) for _ in range(100)]
    (answers,) = ask(find_engine(Engine.PROMTOOL), [([], [(expression.format(number), 0) for number in numbers])])
    found = [next(iter(each.values())) for each in answers if isinstance(each, dict)]
    own = [elementary.exp(n) if "exp" in expression else elementary.power(100, n) for n in numbers]
    assert found == pytest.approx(own, rel=1e-14)


@given(POSITIVE, st.floats(-5, 5).filter(lambda value: abs(value) > 1e-3))
def test_they_are_near_to_what_is_exact(value: float, other: float) -> None:
    assert elementary.log(value) == pytest.approx(math.log(value), rel=1e-14, abs=1e-15)
    assert elementary.log2(value) == pytest.approx(math.log2(value), rel=1e-14, abs=1e-15)
    assert elementary.log10(value) == pytest.approx(math.log10(value), rel=1e-14, abs=1e-15)
    assert elementary.exp(other * 100) == pytest.approx(math.exp(other * 100), rel=1e-14)
    assert elementary.atan2(other, value) == pytest.approx(math.atan2(other, value), rel=1e-14)
    assert elementary.atan2(other, -value) == pytest.approx(math.atan2(other, -value), rel=1e-14)


@given(st.floats(1e-30, 1e30), st.floats(-8, 8).filter(lambda value: value not in (0, 1)))
def test_a_power_is_near_to_what_is_exact(base: float, exponent: float) -> None:
    assert elementary.power(base, exponent) == pytest.approx(base**exponent, rel=1e-12)


SPECIAL: dict[str, tuple[float, float, float]] = {
    "beyond all measure": (10.0, 400.0, math.inf),
    "beyond all measure, negative": (-10.0, 401.0, -math.inf),
    "next to nothing": (10.0, -400.0, 0.0),
    "broken, of less than zero": (-2.0, 0.5, math.nan),
    "of zero": (0.0, -1.0, math.inf),
    "huge powers of less than one": (0.5, 1e300, 0.0),
    "huge powers of minus one": (-1.0, 1e300, 1.0),
    "of infinity": (math.inf, -2.0, 0.0),
    "to zero": (math.nan, 0.0, 1.0),
}


@pytest.mark.parametrize(("base", "exponent", "expected"), SPECIAL.values(), ids=SPECIAL)
def test_powers_without_a_plain_value(base: float, exponent: float, expected: float) -> None:
    assert ARITHMETIC["^"](base, exponent) == pytest.approx(expected, nan_ok=True)


def test_exponentials_without_a_plain_value() -> None:
    assert exponential(1000) == exponential(math.inf) == math.inf
    assert exponential(-1000) == exponential(-math.inf) == 0
    assert math.isnan(exponential(math.nan))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_means_and_deviations_are_those_of_the_values(values: list[float]) -> None:
    exact = math.fsum(values) / len(values)
    near = max(map(abs, values)) * 1e-12 + 1e-300
    assert mean(values, compensated=True) == pytest.approx(exact, abs=near)
    assert mean_by_steps(values, compensated=True) == pytest.approx(exact, abs=near)
    variance = math.fsum((value - exact) ** 2 for value in values) / len(values)
    assert deviation_over_time(values) == pytest.approx(variance, rel=1e-9, abs=near * near)
