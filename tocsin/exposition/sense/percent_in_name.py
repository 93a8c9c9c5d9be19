"""Percentages."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export a ratio from 0 to 1, and end the name in `_ratio`; what shows it makes it a percentage.",
    bad=Body(
        """\
# HELP shop_pool_used_percent Connections in use.
# TYPE shop_pool_used_percent gauge
shop_pool_used_percent 87
""",
        at="TYPE shop_pool_used_percent",
    ),
    good=Body(
        """\
# HELP shop_pool_used_ratio Connections in use.
# TYPE shop_pool_used_ratio gauge
shop_pool_used_ratio 0.87
"""
    ),
    of_names=True,
)
def percent_in_name(family: FamilyDigest) -> Iterator[Remark]:
    """Thresholds and panels for ratios are a hundred times off on it.

    (prometheus.io/docs/practices/naming: base units; a percentage is a ratio from 0 to 1.)
    """
    if family.name.endswith(("_percent", "_percents", "_percentage", "_pct")):
        yield of_family(family, f"{family.name} is a percentage; the base unit is a ratio from 0 to 1")
