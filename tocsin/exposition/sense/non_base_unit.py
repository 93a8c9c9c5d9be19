"""Units that are no base units."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.units import unit_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export the base unit (seconds, bytes, meters, grams, joules, celsius) as a float, and name it in the metric.",
    bad=Body(
        """\
# HELP shop_checkout_milliseconds Time to check out.
# TYPE shop_checkout_milliseconds gauge
shop_checkout_milliseconds 120
""",
        at="TYPE shop_checkout_milliseconds",
    ),
    good=Body(
        """\
# HELP shop_checkout_seconds Time to check out.
# TYPE shop_checkout_seconds gauge
shop_checkout_seconds 0.12
"""
    ),
    origin="promlint",
    of_names=True,
)
def non_base_unit(family: FamilyDigest) -> Iterator[Remark]:
    """Metrics in different units are compared, and thresholds copied, a thousand times too high or too low.

    (promlint; prometheus.io/docs/practices/naming: base units.)
    """
    unit = unit_of(family.name)
    if unit is not None and unit[0] != unit[1]:
        yield of_family(family, f"{family.name} is in {unit[0]}; the base unit is {unit[1]}")
