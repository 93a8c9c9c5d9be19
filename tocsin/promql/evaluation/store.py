"""Series in memory, and how selectors find them. Times are whole milliseconds."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from tocsin.promql.nodes import Matcher

Labels = tuple[tuple[str, str], ...]
"""The labels of a series, sorted by name; the metric's name is `__name__`. None is empty."""
Vector = dict[Labels, float]
"""An instant vector."""
NAME: Final = "__name__"
STALE: Final = None
"""In place of a value: the series has ended here."""


class EvaluationError(Exception):
    """What an engine would refuse to evaluate on these data, or what is not evaluated here."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What differs between generations of Prometheus."""

    left_open: bool
    """Whether a range, and the lookback, leave out a sample at their very beginning (since 3.0; docs/migration.md)."""
    zero_first: bool
    """Whether a counter's way to zero counts before the average distance does (promql/functions.go)."""
    compensated: bool
    """Whether sum() and avg() carry the rounding along (Kahan and Neumaier; promql/engine.go)."""
    named_atan2: bool
    """Whether atan2 keeps the metric's name, as it did by mistake (promql/engine.go, shouldDropMetricName)."""
    lone_is_zero: bool
    """Whether stddev() and stdvar() of one value are 0 even if it is NaN (promql/engine.go, aggregation)."""
    exponential: bool = False
    """Whether quantiles go from one bound of a native histogram's bucket to the other by ratios (since 3.0)."""
    notes_histograms: bool = True
    """Whether promtool has a notation for native histograms (it came between 2.42 and 2.53)."""
    native: bool = False
    """Whether buckets by `le` stand for those of native histograms: each begins at half of its bound (schema 0)."""
    loses_fixed: bool = False
    """Whether a subquery has a predict_linear() of a range with `@` at its first steps only (promql/engine.go)."""
    lookback: int = 300_000
    """Milliseconds for which a sample counts as the latest."""


def generation_of(version: str) -> Generation:
    """Return how a version of Prometheus (`2.42.0`) evaluates; of one between those that were compared, the earlier."""
    major, _, rest = version.partition(".")
    if int(major) >= 3:
        return PROMETHEUS_3
    return PROMETHEUS_2_53 if int(rest.partition(".")[0]) >= 53 else PROMETHEUS_2_42


PROMETHEUS_2_42 = Generation(
    left_open=False,
    zero_first=True,
    compensated=False,
    named_atan2=True,
    lone_is_zero=True,
    notes_histograms=False,
    loses_fixed=True,
)
PROMETHEUS_2_53 = Generation(left_open=False, zero_first=False, compensated=False, named_atan2=False, lone_is_zero=True)
PROMETHEUS_3 = Generation(
    left_open=True, zero_first=False, compensated=True, named_atan2=False, lone_is_zero=False, exponential=True
)


@dataclass(slots=True)
class Series:
    """One series: times in milliseconds, ascending, and a value or STALE at each."""

    labels: Labels
    times: list[int]
    values: list[float | None]

    def at(self, time: int, generation: Generation) -> float | None:
        """Return the latest value at a time, if it is recent enough and the series has not ended."""
        i = bisect_right(self.times, time) - 1
        if i < 0:
            return None
        age = time - self.times[i]
        if age > generation.lookback or (generation.left_open and age == generation.lookback):
            return None
        return self.values[i]

    def time_at(self, time: int) -> int:
        """Return when the latest sample at a time was taken."""
        return self.times[bisect_right(self.times, time) - 1]

    def between(self, start: int, end: int, generation: Generation) -> tuple[list[int], list[float]]:
        """Return times and values of a range that ends at `end`; markers of staleness are left out."""
        first = bisect_right(self.times, start if generation.left_open else start - 1)
        last = bisect_right(self.times, end)
        values = self.values[first:last]
        if None not in values:
            return self.times[first:last], values  # type: ignore[return-value]
        kept = [(t, v) for t, v in zip(self.times[first:last], values, strict=True) if v is not None]
        return [t for t, _ in kept], [v for _, v in kept]


@dataclass(slots=True)
class Store:
    """The series that expressions are evaluated on."""

    series: list[Series]
    _named: dict[str, list[Series]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for each in self.series:
            self._index(each)

    def _index(self, series: Series) -> None:
        name = next((value for label, value in series.labels if label == NAME), "")
        self._named.setdefault(name, []).append(series)

    def add(self, series: Series) -> None:
        """Add a series."""
        self.series.append(series)
        self._index(series)

    def select(self, metric: str | None, matchers: Iterable[Matcher]) -> list[Series]:
        """Return the series that meet a selector."""
        candidates = self.series if metric is None else self._named.get(metric, [])
        tests = [_test(m.name, m.op, m.value) for m in matchers]
        if not tests:
            return list(candidates)
        return [each for each in candidates if all(test(each.labels) for test in tests)]


@lru_cache(maxsize=4096)
def _test(name: str, op: str, value: str) -> Callable[[Labels], bool]:
    if op in ("=", "!="):
        wanted = op == "="
        return lambda labels: (get(labels, name) == value) is wanted
    try:
        pattern = re.compile(value, re.ASCII | re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise EvaluationError(f"the pattern {value!r} cannot be read here: {error}") from error
    wanted = op == "=~"
    return lambda labels: (pattern.fullmatch(get(labels, name)) is not None) is wanted


def get(labels: Labels, name: str) -> str:
    """Return a label's value; empty if there is none."""
    for label, value in labels:
        if label == name:
            return value
    return ""


def labels_of(labels: Mapping[str, str]) -> Labels:
    """Return labels in their form here: sorted, without empty ones."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def without_name(labels: Labels) -> Labels:
    """Return labels without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def keep(labels: Labels, names: frozenset[str]) -> Labels:
    """Return the named ones of labels."""
    return tuple(pair for pair in labels if pair[0] in names)


def drop(labels: Labels, names: frozenset[str]) -> Labels:
    """Return labels without the named ones."""
    return tuple(pair for pair in labels if pair[0] not in names)


def renamed(vector: Mapping[Labels, float], change: Callable[[float], float]) -> Vector:
    """Return a vector without metric names and with changed values. Raises EvaluationError where two become one."""
    found: Vector = {}
    for labels, value in vector.items():
        put(found, without_name(labels), change(value))
    return found


def put(vector: Vector, labels: Labels, value: float) -> None:
    """Add a sample to a vector; raises EvaluationError if its labels are there already."""
    if labels in vector:
        raise EvaluationError("vector cannot contain metrics with the same labelset")
    vector[labels] = value
