"""Quantiles of classic histograms (Prometheus, promql/quantile.go)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable


def bound(text: str) -> float | None:
    """Return the upper bound that an `le` label says; None if it says none."""
    try:
        return float(text.replace("Inf", "inf")) if text else None
    except ValueError:
        return None


def bucket_quantile(fraction: float, buckets: Iterable[tuple[float, float]]) -> float:
    """Return a quantile of the cumulative counts of buckets, given with their upper bounds in any order."""
    if math.isnan(fraction):
        return math.nan
    if fraction < 0:
        return -math.inf
    if fraction > 1:
        return math.inf
    bounds, counts = _cumulative(buckets)
    if len(bounds) < 2 or not math.isinf(bounds[-1]):
        return math.nan
    observations = counts[-1]
    if observations == 0 or math.isnan(observations):
        return math.nan
    rank = fraction * observations
    i = bisect_left(counts, rank, hi=len(counts) - 1)
    if i == len(bounds) - 1:
        return bounds[-2]
    if i == 0 and bounds[0] <= 0:
        return bounds[0]
    low, count = (bounds[i - 1], counts[i] - counts[i - 1]) if i else (0.0, counts[0])
    rank -= counts[i - 1] if i else 0.0
    return low + (bounds[i] - low) * (rank / count if count else math.nan)


def native_quantile(fraction: float, buckets: Iterable[tuple[float, float]], *, exponential: bool) -> float:
    """Return a quantile of a native histogram of schema 0, its buckets given as cumulative counts by upper bounds."""
    if math.isnan(fraction):
        return math.nan
    if fraction < 0:
        return -math.inf
    if fraction > 1:
        return math.inf
    bounds, counts = _cumulative(buckets)
    if not counts or not counts[-1] or math.isnan(counts[-1]):
        return math.nan
    rank = fraction * counts[-1]
    i = next(i for i, count in enumerate(counts) if count >= rank and count > 0)
    upper = bounds[i] if math.isfinite(bounds[i]) else 2 * bounds[i - 1]
    under = counts[i - 1] if i else 0.0
    part = (rank - under) / (counts[i] - under)
    return inside(upper, part, exponential=exponential)


def inside(upper: float, part: float, *, exponential: bool) -> float:
    """Return the value so far into the bucket of schema 0 that ends at a bound."""
    lower = upper / 2
    return lower * 2.0**part if exponential else lower + (upper - lower) * part


def _cumulative(buckets: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return bounds and counts in order, equal bounds added up, and counts that never fall."""
    bounds: list[float] = []
    counts: list[float] = []
    for upper, count in sorted(buckets, key=lambda pair: pair[0]):
        if bounds and bounds[-1] == upper:
            counts[-1] += count
        else:
            bounds.append(upper)
            counts.append(count)
    highest = -math.inf
    for i, count in enumerate(counts):
        highest = max(highest, count)
        counts[i] = highest
    return bounds, counts
