"""Durations without a unit."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.units import ABBREVIATIONS, unit_of
from tocsin.finding import Severity

QUANTITIES = ("duration", "latency", "elapsed", "uptime")


@sense(
    severity=Severity.INFO,
    fix="Export seconds, and end the name in `_seconds`.",
    bad=Body(
        """\
# HELP shop_checkout_duration Time to check out.
# TYPE shop_checkout_duration gauge
shop_checkout_duration 120
""",
        at="TYPE shop_checkout_duration",
    ),
    good=Body(
        """\
# HELP shop_checkout_duration_seconds Time to check out.
# TYPE shop_checkout_duration_seconds gauge
shop_checkout_duration_seconds 0.12
"""
    ),
)
def unit_missing(family: FamilyDigest) -> Iterator[Remark]:
    """Who writes a threshold has to guess whether it is in seconds or in milliseconds.

    (prometheus.io/docs/practices/naming: a suffix that describes the unit.)
    """
    words = family.name.removesuffix("_total").split("_")
    if words[-1] in QUANTITIES and unit_of(family.name) is None and not {*words} & {*ABBREVIATIONS}:
        yield of_family(family, f"{family.name} does not say in which unit")
