"""Ratios that are percentages."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.exposition.sense.vocabulary.metrics import UNTYPED
from tocsin.finding import Severity

HIGHEST = 1.5
"""A CPU's use may come out a little over 1; half as much again does not."""
UNBOUNDED = frozenset(
    {
        *("compression", "compressed", "compress", "amplification", "overcommit", "commit", "oversubscription"),
        *("deduplication", "dedup", "replication", "speedup", "aspect", "noise", "fanout", "load", "growth"),
        *("expansion", "leverage", "quick", "current", "fill", "relative", "burn", "price", "turnover", "pressure"),
    }
)
"""Of what a ratio may well be over 1."""


@sense(
    severity=Severity.WARNING,
    fix="Divide by 100 before exporting, or call it what it is.",
    bad=Body(
        """\
# HELP shop_pool_used_ratio Connections in use.
# TYPE shop_pool_used_ratio gauge
shop_pool_used_ratio 87
""",
        at="shop_pool_used_ratio 87",
    ),
    good=Body(
        """\
# HELP shop_pool_used_ratio Connections in use.
# TYPE shop_pool_used_ratio gauge
shop_pool_used_ratio 0.87
# HELP shop_compression_ratio Size before to size after.
# TYPE shop_compression_ratio gauge
shop_compression_ratio 7.5
"""
    ),
    of_names=True,
)
def ratio_out_of_range(family: FamilyDigest) -> Iterator[Remark]:
    """A ratio is read as a number from 0 to 1: an alert above 0.9 rings all the time, and a panel shows 8,700 %.

    (prometheus.io/docs/practices/naming: base units; ratio, from 0 to 1.)
    """
    if family.type not in ("gauge", *UNTYPED) or {*family.name.split("_")} & UNBOUNDED:
        return
    for name in family.names.values():
        if name.name.endswith("_ratio") and name.maximum > HIGHEST:
            percent = ", as a percentage would be" if name.maximum <= 100 else ""
            yield Remark(name.line, name.name, f"{name.name} is up to {name.maximum:g}{percent}")
