"""Intervals of numbers, and what arithmetic makes of them; the ground under `tocsin.promql.intervals`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

Ground = Literal["domain", "ratio", "count", "buckets", "function", "constant", "age", "samples", "filter", "counter"]
"""What a bound rests on: the metric's own domain, a part of a whole, a count of what exists, a histogram's buckets,
what a function can give, a number as written, the age of a sample, how many samples a window holds, a comparison that
let the series through, that counters never fall below 0."""

_MOST_REASONS = 3


class Reason(NamedTuple):
    """Why the values of something are bounded, as a sentence's part that can be read aloud."""

    ground: Ground
    text: str


@dataclass(frozen=True, slots=True)
class Interval:
    """The values that something can have: `clock` times the present Unix time, plus a number between two ends.

    An end belongs to it unless it is open. What is NaN is in no interval; `nan` tells whether it may be NaN as well.
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    whole: bool = False
    """Whether all of them are whole numbers."""
    nan: bool = True
    clock: float = 0.0
    reasons: tuple[Reason, ...] = field(default=(), compare=False)

    @property
    def empty(self) -> bool:
        """Whether no number is in it."""
        if self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)):
            return True
        if not self.whole or math.isinf(self.low) or math.isinf(self.high):
            return False
        least = math.ceil(self.low) + (self.low_open and self.low == math.ceil(self.low))
        most = math.floor(self.high) - (self.high_open and self.high == math.floor(self.high))
        return least > most

    @property
    def single(self) -> bool:
        """Whether exactly one number is in it."""
        return self.low == self.high and not self.empty and not self.clock

    @property
    def bounded(self) -> bool:
        """Whether anything is known of it."""
        return not (math.isinf(self.low) and self.low < 0 and math.isinf(self.high) and self.high > 0)

    @property
    def non_negative(self) -> bool:
        """Whether nothing below 0 is in it."""
        return self.low >= 0 and not self.clock

    def because(self, ground: Ground, text: str) -> Interval:
        """Return it with one more reason, named first."""
        reason = Reason(ground, text)
        others = tuple(known for known in self.reasons if known != reason)
        return replace(self, reasons=(reason, *others)[:_MOST_REASONS])

    def having(self, *others: Interval) -> Interval:
        """Return it with the reasons of others in addition."""
        found = dict.fromkeys(self.reasons)
        for other in others:
            found |= dict.fromkeys(other.reasons)
        return replace(self, reasons=tuple(found)[:_MOST_REASONS])

    def __str__(self) -> str:
        if self.single:
            return written(self.low)
        if self.low == -math.inf:
            below = f"{'under' if self.high_open else 'at most'} {written(self.high)}"
            return "any number" if self.high == math.inf else below
        if self.high == math.inf:
            return f"{'over' if self.low_open else 'at least'} {written(self.low)}"
        return f"between {written(self.low)} and {written(self.high)}"


ANYTHING = Interval()


def written(value: float) -> str:
    """Return a number as people write it."""
    if math.isinf(value) or math.isnan(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.12g}"


def point(value: float) -> Interval:
    """Return the interval of one number as it stands in an expression."""
    if math.isnan(value):
        return Interval(math.inf, -math.inf)
    return Interval(value, value, whole=math.isfinite(value) and value == int(value), nan=False)


def between(low: float, high: float, *, whole: bool = False, nan: bool = False) -> Interval:
    """Return a closed interval that holds no NaN unless said otherwise."""
    return Interval(low, high, whole=whole, nan=nan)


def hull(one: Interval, other: Interval) -> Interval:
    """Return the least interval that holds both."""
    if one.clock != other.clock:
        return ANYTHING
    if one.empty or other.empty:
        kept = other if one.empty else one
        return replace(kept, nan=one.nan or other.nan)
    low, low_open = min((one.low, one.low_open), (other.low, other.low_open))
    high, closed = max((one.high, not one.high_open), (other.high, not other.high_open))
    found = Interval(low, high, low_open, not closed, one.whole and other.whole, one.nan or other.nan, one.clock)
    return found.having(one, other)


def meet(one: Interval, other: Interval) -> Interval:
    """Return what is in both; a NaN is in both only if it may be in either."""
    if one.clock != other.clock:
        return one
    low, low_open = max((one.low, one.low_open), (other.low, other.low_open))
    high, closed = min((one.high, not one.high_open), (other.high, not other.high_open))
    whole, nan = one.whole or other.whole, one.nan and other.nan
    return Interval(low, high, low_open, not closed, whole, nan, one.clock).having(one, other)


def negated(one: Interval) -> Interval:
    """Return the values of `-x`."""
    opens = one.high_open, one.low_open
    return Interval(-one.high, -one.low, *opens, one.whole, one.nan, -one.clock or 0.0, one.reasons)


def plus(one: Interval, other: Interval) -> Interval:
    """Return the values of `x + y`."""
    low, high = one.low + other.low, one.high + other.high
    nan = one.nan or other.nan or _infinite(one, other)
    if math.isnan(low) or math.isnan(high):
        return replace(ANYTHING, clock=one.clock + other.clock)
    opens = one.low_open or other.low_open, one.high_open or other.high_open
    clock = one.clock + other.clock
    return Interval(low, high, *opens, one.whole and other.whole, nan, clock).having(one, other)


def minus(one: Interval, other: Interval) -> Interval:
    """Return the values of `x - y`."""
    return plus(one, negated(other))


def times(one: Interval, other: Interval) -> Interval:
    """Return the values of `x * y`."""
    if one.clock or other.clock:
        return _clock_times(one, other)
    ends = [_product(a, b) for a in _ends(one) for b in _ends(other)]
    whole = one.whole and other.whole
    return _of_ends(ends, whole=whole, nan=one.nan or other.nan or _infinite(one, other)).having(one, other)


def over(one: Interval, other: Interval) -> Interval:
    """Return the values of `x / y`."""
    if other.clock or (one.clock and not (other.single and other.low)):
        return ANYTHING
    if one.clock:
        return times(one, point(1 / other.low))
    if other.low < 0 <= other.high or other.high == 0:
        return ANYTHING  # what is divided by may be 0 or -0, which makes either infinity of the same number
    if other.low == 0:
        if one.low >= 0:
            return between(0, math.inf, nan=True).having(one, other)
        return between(-math.inf, 0, nan=True).having(one, other) if one.high <= 0 else ANYTHING
    ends = [_quotient(a, b) for a in _ends(one) for b in _ends(other)]
    return _of_ends(ends, whole=False, nan=one.nan or other.nan or _infinite(one, other)).having(one, other)


def applied(one: Interval, rising: Callable[[float], float], *, whole: bool = False) -> Interval:
    """Return the values of a function that never falls; ends that it does not know are left open at infinity."""
    if one.clock:
        return ANYTHING
    try:
        low, high = rising(one.low), rising(one.high)
    except (ValueError, OverflowError):
        return ANYTHING
    return Interval(low, high, whole=whole, nan=one.nan, reasons=one.reasons)


def _clock_times(one: Interval, other: Interval) -> Interval:
    clocked, plain = (one, other) if one.clock else (other, one)
    if plain.clock or not plain.single:
        return ANYTHING
    rest = times(replace(clocked, clock=0.0), plain)
    return replace(rest, clock=clocked.clock * plain.low)


def _ends(one: Interval) -> tuple[tuple[float, bool], tuple[float, bool]]:
    return (one.low, one.low_open), (one.high, one.high_open)


def _product(a: tuple[float, bool], b: tuple[float, bool]) -> tuple[float, bool]:
    value = 0.0 if 0 in (a[0], b[0]) else a[0] * b[0]  # nought times infinity is NaN, which is told apart
    closed_nought = (a[0] == 0 and not a[1]) or (b[0] == 0 and not b[1])
    return value, (a[1] or b[1]) and not closed_nought


def _quotient(a: tuple[float, bool], b: tuple[float, bool]) -> tuple[float, bool]:
    value = 0.0 if a[0] == 0 or math.isinf(b[0]) else a[0] / b[0]
    return value, (a[1] or b[1]) and not (a[0] == 0 and not a[1])


def _of_ends(ends: list[tuple[float, bool]], *, whole: bool, nan: bool) -> Interval:
    low = min(ends, key=lambda end: (end[0], end[1]))
    high = max(ends, key=lambda end: (end[0], not end[1]))
    return Interval(low[0], high[0], low[1], high[1], whole, nan)


def _infinite(one: Interval, other: Interval) -> bool:
    """Whether both may be infinite (or one, and the other nought), which arithmetic makes NaN of."""
    return any(math.isinf(end) for each in (one, other) for end in (each.low, each.high))
