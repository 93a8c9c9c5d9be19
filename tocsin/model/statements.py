"""What a text says of an alert's numbers: what agrees with its rules, and what contradicts them beyond doubt."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Literal

from tocsin.artefacts.prose import Claim, Dimension, claims
from tocsin.artefacts.rules import Rule
from tocsin.model.alert_numbers import Alert
from tocsin.promql import Binary, Call, Expr, selectors, unwrapped, walk
from tocsin.promql.thresholds import Threshold, numbers_of
from tocsin.promql.units import unit_of
from tocsin.source import Place

Quantity = Literal["threshold", "duration"]

_TIMES = re.compile(r"second|latency|duration|delay|age|lag|time|_ms\b|milli", re.IGNORECASE)
_PERCENT = re.compile(r"percent|pct|utili[sz]ation|usage", re.IGNORECASE)
_UNITS: Mapping[Dimension, tuple[str, ...]] = {
    "share": ("ratio", "seconds/s"),
    "time": ("seconds",),
    "bytes": ("bytes",),
    "count": (),
}
"""The units of expressions that a text's dimension may be of."""
_MOST_CLAIMS = 200
"""Numbers of one text that are compared with each other."""
_TOLERANCE = 0.005
"""How far two numbers may lie apart that are one: 7.2 % and 0.0720."""


@dataclass(frozen=True)
class Witness:
    """A number that something else says of an alert."""

    quantity: Quantity
    value: float
    """In the unit of the rule's own number."""
    text: str
    """As it is written there."""
    source: str
    """What says it: `the runbook`, `the panel Latency`."""
    where: Callable[[], Place] = field(repr=False, compare=False)
    width: int
    agrees: bool
    against: Threshold | None = None
    """The threshold that it contradicts."""
    rule: Rule | None = field(default=None, repr=False)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.where()


@dataclass(frozen=True)
class Statement:
    """A text about an alert."""

    alert: Alert
    text: str
    source: str
    """What holds it: `the runbook docs/A.md`."""
    where: Callable[[int], Place] = field(repr=False, compare=False)
    """The place of a character of the text."""
    rule: Rule | None = None
    """The one rule that it is about; None if it is about all of the alert's name."""

    def witnesses(self) -> Iterator[Witness]:
        """Yield what it says of the alert's numbers."""
        yield from self._durations()
        yield from self._thresholds()

    @cached_property
    def _claims(self) -> tuple[Claim, ...]:
        return tuple(islice(claims(self.text), _MOST_CLAIMS))

    def _durations(self) -> Iterator[Witness]:
        lasting = [claim for claim in self._claims if claim.kind == "duration"]
        if not lasting:
            return
        alert = self.alert
        known = alert.durations | {value for value in alert.values if value > 0}
        counted = known if alert.values & {60.0, 3600.0, 86400.0} else frozenset()  # in minutes, hours or days
        for claim in lasting:
            agrees = _in(claim.value, known) or _in(claim.written, counted)
            if agrees or (len(lasting) == 1 and max(alert.holds, default=0.0) > 0):
                yield self._witness(claim, claim.value, agrees=agrees)

    def _thresholds(self) -> Iterator[Witness]:
        compared = [claim for claim in self._claims if claim.kind == "threshold"]
        if not compared:
            return
        agreeing = [claim for claim in compared if _known(claim, self.alert)]
        others = [claim for claim in compared if claim not in agreeing]
        for claim in agreeing:
            yield self._witness(claim, claim.value, agrees=True)
        left = [t for t in self.alert.thresholds if t.value != 0 and not any(_means(claim, t) for claim in compared)]
        for claim in others:
            meant = [t for t in left if _same_direction(claim, t) and _comparable(claim, t, self.alert)]
            rivals = [c for c in others if c.direction == claim.direction and c.dimension == claim.dimension]
            if meant and len(rivals) == 1:
                nearest = min(meant, key=lambda threshold: abs(threshold.value - claim.value))
                yield self._witness(claim, _scaled(claim, nearest), agrees=False, against=nearest)

    def _witness(self, claim: Claim, value: float, *, agrees: bool, against: Threshold | None = None) -> Witness:
        width = len(claim.text.split("\n")[0])
        where = partial(self.where, claim.start)
        return Witness(claim.kind, value, claim.text, self.source, where, width, agrees, against, self.rule)


def near(one: float, other: float, tolerance: float = 0.0) -> bool:
    """Tell whether two numbers are one, but for rounding."""
    return abs(one - other) <= max(tolerance, _TOLERANCE) * max(abs(one), abs(other))


def _in(value: float, known: Collection[float]) -> bool:
    return any(near(value, each) for each in known)


def _readings(claim: Claim) -> set[float]:
    """Return the numbers that an expression may hold for what a text says."""
    found = {claim.value, claim.written}
    if claim.dimension == "share":
        found |= {1 - claim.value, 100 - claim.written}
    elif claim.dimension == "time":
        found |= {claim.value * 1e3, claim.value / 60, claim.value / 3600, claim.value / 86400}
    elif claim.dimension == "bytes":
        found |= {claim.written * 2.0**power for power in (10, 20, 30, 40)} | {claim.value / 2.0**20, claim.value / 1e6}
    else:
        found |= {claim.value / 100, claim.value / 60, claim.value + 1, claim.value - 1}
    return found


def _known(claim: Claim, alert: Alert) -> bool:
    numbers = alert.values | (alert.durations if claim.dimension in ("time", "count") else frozenset())
    return any(near(reading, number, claim.rounding) for reading in _readings(claim) for number in numbers)


def _means(claim: Claim, threshold: Threshold) -> bool:
    return any(near(reading, threshold.value, claim.rounding) for reading in _readings(claim))


def _same_direction(claim: Claim, threshold: Threshold) -> bool:
    """Tell whether both speak of too much, or both of too little: less than 5 % free is more than 95 % used."""
    return threshold.over == (claim.direction == "over") or _complement(claim, threshold)


def _complement(claim: Claim, threshold: Threshold) -> bool:
    """Tell whether a text speaks of what is left where the rule computes what is used, or the other way round."""
    measured = unwrapped(threshold.measured)
    turned = threshold.over != (claim.direction == "over")
    whole = isinstance(measured, Binary) and measured.op == "-" and bool({1.0, 100.0} & numbers_of(measured.left))
    return claim.dimension == "share" and turned and whole


def _comparable(claim: Claim, threshold: Threshold, alert: Alert) -> bool:
    """Tell whether a threshold is surely of the dimension that a text speaks of."""
    if claim.bare:
        return claim.written > 0
    unit = unit_of(threshold.measured, alert.model.recorded_units)
    names = " ".join(name for s in selectors(threshold.measured) if (name := s.name))
    if unit is not None and unit.kind not in ("count", "count/s"):
        return unit.kind in _UNITS[claim.dimension]
    if claim.dimension == "share":
        share = 0 < threshold.value <= 1 and _divides(threshold.measured)
        hundred = 100 in numbers_of(threshold.measured)
        return share or (threshold.value > 1 and (hundred or bool(_PERCENT.search(names))))
    if claim.dimension == "time":
        clock = any(isinstance(node, Call) and node.function == "time" for node in walk(threshold.measured))
        return unit is None and (clock or bool(_TIMES.search(names)))
    return claim.dimension == "count" and claim.written > 0 and not _divides(threshold.measured)


def _divides(expr: Expr) -> bool:
    return any(isinstance(node, Binary) and node.op == "/" for node in walk(expr))


def _scaled(claim: Claim, threshold: Threshold) -> float:
    if claim.dimension != "share":
        return claim.value
    value, whole = (claim.written, 100.0) if threshold.value > 1 else (claim.value, 1.0)
    return whole - value if _complement(claim, threshold) else value
