"""Functions of ranges: what a series did in a window (Prometheus, promql/functions.go)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tocsin.promql.evaluation.arithmetic import deviation_over_time, mean, mean_by_steps, quantile, total
from tocsin.promql.evaluation.store import Generation


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of one series in one window."""

    times: Sequence[int]
    values: Sequence[float]
    start: int
    end: int
    now: int
    """When the expression is evaluated: later than the end, where there is an offset."""
    generation: Generation


Function = Callable[[Window], float | None]


def rate(window: Window) -> float | None:
    """Return the growth of a counter in a second."""
    grown = _extrapolated(window, counter=True)
    return None if grown is None else grown[0] * (grown[1] / ((window.end - window.start) / 1000))


def increase(window: Window) -> float | None:
    """Return the growth of a counter in the window."""
    grown = _extrapolated(window, counter=True)
    return None if grown is None else grown[0] * grown[1]


def delta(window: Window) -> float | None:
    """Return the difference of a gauge over the window."""
    grown = _extrapolated(window, counter=False)
    return None if grown is None else grown[0] * grown[1]


def _extrapolated(window: Window, *, counter: bool) -> tuple[float, float] | None:
    """Return by how much a series grew between its samples, and the factor by which the window is longer."""
    times, values = window.times, window.values
    if len(values) < 2:
        return None
    result = values[-1] - values[0]
    if counter:
        before = values[0]
        for value in values[1:]:
            if value < before:
                result += before
            before = value
    to_start, to_end = (times[0] - window.start) / 1000, (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    average = sampled / (len(values) - 1)
    threshold = average * 1.1
    to_zero = math.inf
    if counter and result > 0 and values[0] >= 0 and not window.generation.native:
        to_zero = sampled * (values[0] / result)
    if window.generation.zero_first:
        to_start = min(to_start, to_zero)
        to_start = to_start if to_start < threshold else average / 2
    else:
        to_start = to_start if to_start < threshold else average / 2
        to_start = min(to_start, to_zero)
    to_end = to_end if to_end < threshold else average / 2
    return result, (sampled + to_start + to_end) / sampled


def irate(window: Window) -> float | None:
    """Return the growth in a second between the last two samples of a counter."""
    return _instant(window, counter=True, per_second=True)


def idelta(window: Window) -> float | None:
    """Return the difference between the last two samples."""
    return _instant(window, counter=False, per_second=False)


def _instant(window: Window, *, counter: bool, per_second: bool) -> float | None:
    if len(window.values) < 2:
        return None
    last, before = window.values[-1], window.values[-2]
    result = last if counter and last < before else last - before
    passed = window.times[-1] - window.times[-2]
    if passed == 0:
        return None
    return result / (passed / 1000) if per_second else result


def deriv(window: Window) -> float | None:
    """Return the slope of a gauge in a second, by least squares."""
    if len(window.values) < 2:
        return None
    return regression(window.times, window.values, window.times[0])[0]


def predict_linear(window: Window, seconds: float) -> float | None:
    """Return the value that a gauge will have in so many seconds, by least squares."""
    if len(window.values) < 2:
        return None
    slope, intercept = regression(window.times, window.values, window.now)
    return slope * seconds + intercept


def regression(times: Sequence[int], values: Sequence[float], origin: int) -> tuple[float, float]:
    """Return slope in a second and value at `origin` of the line of least squares."""
    first = values[0]
    if all(value == first for value in values):
        return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
    count = float(len(values))
    xs = [(time - origin) / 1000 for time in times]
    sum_x, sum_y = total(xs, compensated=True), total(values, compensated=True)
    sum_xy = total((x * y for x, y in zip(xs, values, strict=True)), compensated=True)
    sum_xx = total((x * x for x in xs), compensated=True)
    covariance, variance = sum_xy - sum_x * sum_y / count, sum_xx - sum_x * sum_x / count
    slope = covariance / variance if variance else math.nan
    return slope, sum_y / count - slope * sum_x / count


def changes(window: Window) -> float | None:
    """Return how often the value changed."""
    values = window.values
    if not values:
        return None
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def resets(window: Window) -> float | None:
    """Return how often the value fell."""
    values = window.values
    return float(sum(b < a for a, b in pairwise(values))) if values else None


def _of_values(function: Callable[[Sequence[float]], float]) -> Function:
    return lambda window: function(window.values) if window.values else None


def _greatest(values: Sequence[float]) -> float:
    result = values[0]
    for value in values[1:]:
        if value > result or math.isnan(result):
            result = value
    return result


def _least(values: Sequence[float]) -> float:
    result = values[0]
    for value in values[1:]:
        if value < result or math.isnan(result):
            result = value
    return result


def _average(window: Window) -> float | None:
    """Return the mean, which went step by step before 3.0."""
    if not window.values:
        return None
    average = mean if window.generation.compensated else mean_by_steps
    return average(window.values, compensated=True)


def quantile_over_time(window: Window, fraction: float) -> float | None:
    """Return the quantile of a window's values."""
    return quantile(fraction, window.values) if window.values else None


def smoothed(window: Window, smoothing: float, trend_factor: float) -> float | None:
    """Return the value that double exponential smoothing gives (holt_winters)."""
    values = window.values
    if len(values) < 2:
        return None
    level, trend = values[0], values[1] - values[0]
    before = 0.0
    for i in range(1, len(values)):
        scaled = smoothing * values[i]
        if i > 1:
            trend = trend_factor * (level - before) + (1 - trend_factor) * trend
        before, level = level, scaled + (1 - smoothing) * (level + trend)
    return level


FUNCTIONS: Mapping[str, Function] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "deriv": deriv,
    "changes": changes,
    "resets": resets,
    "avg_over_time": _average,
    "sum_over_time": _of_values(lambda values: total(values, compensated=True)),
    "count_over_time": _of_values(lambda values: float(len(values))),
    "present_over_time": _of_values(lambda _: 1.0),
    "last_over_time": _of_values(lambda values: values[-1]),
    "first_over_time": _of_values(lambda values: values[0]),
    "max_over_time": _of_values(_greatest),
    "min_over_time": _of_values(_least),
    "stdvar_over_time": _of_values(deviation_over_time),
    "stddev_over_time": _of_values(lambda values: math.sqrt(deviation_over_time(values))),
}
"""The functions that take a range and nothing else."""
KEEPS_NAME = frozenset({"last_over_time", "first_over_time"})
"""Those whose result keeps the metric's name."""
