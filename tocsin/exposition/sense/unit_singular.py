"""Units in the singular."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.units import SINGULARS
from tocsin.finding import Severity

NO_UNITS = ("per", "first", "last", "each", "every")
"""Words after which the next is no unit: `per_second`, `time_to_first_byte`."""


@sense(
    severity=Severity.WARNING,
    fix="Write the unit in the plural.",
    bad=Body(
        """\
# HELP shop_checkout_second Time to check out.
# TYPE shop_checkout_second gauge
shop_checkout_second 0.12
""",
        at="TYPE shop_checkout_second",
    ),
    good=Body(
        """\
# HELP shop_checkout_seconds Time to check out.
# TYPE shop_checkout_seconds gauge
shop_checkout_seconds 0.12
# HELP shop_visits_per_second Visits.
# TYPE shop_visits_per_second gauge
shop_visits_per_second 3
"""
    ),
    of_names=True,
)
def unit_singular(family: FamilyDigest) -> Iterator[Remark]:
    """Names are written by heart in queries, with the unit in the plural; this one selects nothing then.

    (prometheus.io/docs/practices/naming: a suffix that describes the unit, in plural form.)
    """
    *before, last = family.name.removesuffix("_total").split("_")
    if last in SINGULARS and before and before[-1] not in NO_UNITS:
        yield of_family(family, f"{family.name} has its unit in the singular; {SINGULARS[last]} is expected")
