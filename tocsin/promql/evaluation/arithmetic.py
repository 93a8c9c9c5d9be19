"""Arithmetic as Go does it on 64-bit floats: nothing raises, and what has no value is NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

ONE_BY_LN_2 = 1.44269504088896340735992468100189214
LN_2_BY_LN_10 = 0.301029995663981195213738894724493027
"""Go computes both exactly and rounds once (math/log10.go)."""

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


ARITHMETIC: Mapping[str, Operation] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "%": remainder,
    "^": power,
    "atan2": math.atan2,
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


def logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a logarithm: of zero it is -Inf, of less NaN."""

    def called(value: float) -> float:
        if value == 0:
            return -math.inf
        return math.nan if value < 0 or math.isnan(value) else function(value)

    return called


def log2(value: float) -> float:
    """Return the binary logarithm to the last bit as Go computes it (math/log10.go)."""
    if math.isinf(value):
        return value
    fraction, exponent = math.frexp(value)
    return float(exponent - 1) if fraction == 0.5 else math.log(fraction) * ONE_BY_LN_2 + exponent


def total(values: Iterable[float], *, compensated: bool) -> float:
    """Return the sum of values, with the rounding carried along or not (Prometheus, promql/engine.go, kahanSumInc)."""
    result = carried = 0.0
    for value in values:
        if not compensated:
            result += value
            continue
        new = result + value
        if math.isinf(new):
            carried = 0.0
        elif abs(result) >= abs(value):
            carried += (result - new) + value
        else:
            carried += (value - new) + result
        result = new
    return result + carried if not math.isinf(result) else result


def mean(values: list[float], *, compensated: bool) -> float:
    """Return the mean of values as avg() gives it."""
    if compensated:
        whole = total(values, compensated=True)
        if not math.isinf(whole):
            return whole / len(values)
    result = 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(result):
            if math.isinf(value) and (result > 0) == (value > 0):
                continue
            if not math.isinf(value) and not math.isnan(value):
                continue
        result += value / count - result / count
    return result


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
