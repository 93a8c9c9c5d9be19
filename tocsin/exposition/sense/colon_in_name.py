"""Names like those of recording rules."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Put underscores in place of the colons.",
    bad=Body(
        """\
# HELP shop:orders_total Orders that were paid.
# TYPE shop:orders_total counter
shop:orders_total 3
""",
        at="TYPE shop:orders_total",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
    ),
    origin="promlint",
)
def colon_in_name(family: FamilyDigest, collected: bool) -> Iterator[Remark]:
    """Colons say that a recording rule has made a metric; who looks for that rule finds none.

    What a federation passes on may hold them. (promlint; prometheus.io/docs/concepts/data_model.)
    """
    if ":" in family.name and not collected:
        yield of_family(family, f"{family.name} holds a colon")
