"""Arithmetic as Go does it on 64-bit floats: nothing raises, and what has no value is NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from tocsin.promql.evaluation import elementary

Operation = Callable[[float, float], float]


def divide(a: float, b: float) -> float:
    """Return a / b."""
    if b == 0:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def power(a: float, b: float) -> float:
    """Return a to the power of b."""
    if a not in (0, 1) and b not in (0, 1) and math.isfinite(a) and math.isfinite(b):
        return elementary.power(a, b) if a > 0 or b.is_integer() else math.nan
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:
        if a == 0:  # to a negative power
            return math.copysign(math.inf, a) if b % 2 == 1 and float(b).is_integer() else math.inf
        return math.nan


def remainder(a: float, b: float) -> float:
    """Return the remainder of a / b, of the sign of a."""
    return math.nan if b == 0 or math.isinf(a) or math.isnan(a) or math.isnan(b) else math.fmod(a, b)


def atan2(a: float, b: float) -> float:
    """Return the angle of the point whose coordinates are b and a."""
    plain = a != 0 and b != 0 and math.isfinite(a) and math.isfinite(b)
    return elementary.atan2(a, b) if plain else math.atan2(a, b)


ARITHMETIC: Mapping[str, Operation] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "%": remainder,
    "^": power,
    "atan2": atan2,
}
COMPARISON: Mapping[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a function of `math` that gives NaN or an infinity where Python would raise."""

    def called(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return called


def exponential(value: float) -> float:
    """Return e to a power."""
    return elementary.exp(value) if math.isfinite(value) else math.exp(value)


def logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a logarithm of any number: of zero it is -Inf, of less NaN."""

    def called(value: float) -> float:
        if value == 0:
            return -math.inf
        if value < 0 or math.isnan(value):
            return math.nan
        return value if math.isinf(value) else function(value)

    return called


def carried(value: float, result: float, rest: float) -> tuple[float, float]:
    """Add a value to a sum and to the rounding that is carried along (kahanSumInc; Neumaier's variant)."""
    new = result + value
    if math.isinf(new):
        return new, 0.0
    if abs(result) >= abs(value):
        return new, rest + ((result - new) + value)
    return new, rest + ((value - new) + result)


def total(values: Iterable[float], *, compensated: bool) -> float:
    """Return the sum of values, with the rounding carried along or not (Prometheus, promql/engine.go)."""
    result = rest = 0.0
    for value in values:
        if compensated:
            result, rest = carried(value, result, rest)
        else:
            result += value
    return result + rest if not math.isinf(result) else result


def mean(values: Sequence[float], *, compensated: bool) -> float:
    """Return the mean of values: of their sum, if the rounding is carried along and it is finite, else step by step."""
    if compensated:
        result = rest = 0.0
        for value in values:
            result, rest = carried(value, result, rest)
        if not math.isinf(result):
            return result / len(values) + rest / len(values)
    return mean_by_steps(values, compensated=False)


def mean_by_steps(values: Iterable[float], *, compensated: bool) -> float:
    """Return the mean of values as each of them moves it; an infinite one stays as it is."""
    result = rest = 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(result):
            if math.isinf(value) and (result > 0) == (value > 0):
                continue
            if not math.isinf(value) and not math.isnan(value):
                continue
        step = value / count - result / count
        if compensated:
            result, rest = carried(step, result, rest)
        else:
            result += step
    return result if math.isinf(result) else result + rest


def quantile(fraction: float, values: Iterable[float]) -> float:
    """Return the quantile of values, interpolated (promql/quantile.go, quantile)."""
    ordered = sorted(values, key=lambda v: (not math.isnan(v), v))
    if not ordered or math.isnan(fraction):
        return math.nan
    if fraction < 0:
        return -math.inf
    if fraction > 1:
        return math.inf
    rank = fraction * (len(ordered) - 1)
    lower = max(0, math.floor(rank))
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - math.floor(rank)
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def deviation(values: Iterable[float]) -> float:
    """Return the variance of values (Welford); of one value it is that of none, which is NaN for NaN."""
    count, average, squares = 0, 0.0, 0.0
    for value in values:
        count += 1
        delta = value - average
        average += delta / count
        squares += delta * (value - average)
    return squares / count if count else math.nan


def deviation_over_time(values: Iterable[float]) -> float:
    """Return the variance of a window's values: Welford's, with the rounding carried along (promql/functions.go)."""
    count, average, average_rest, squares, squares_rest = 0, 0.0, 0.0, 0.0, 0.0
    for value in values:
        count += 1
        delta = value - (average + average_rest)
        average, average_rest = carried(delta / count, average, average_rest)
        squares, squares_rest = carried(delta * (value - (average + average_rest)), squares, squares_rest)
    return (squares + squares_rest) / count if count else math.nan
