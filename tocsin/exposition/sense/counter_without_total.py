"""Counters that are not called so."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.digest import Digest, FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="End the name in `_total`.",
    bad=Body(
        """\
# HELP shop_orders Orders that were paid.
# TYPE shop_orders counter
shop_orders 3
""",
        at="TYPE shop_orders",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
    ),
    origin="promlint",
    of_names=True,
)
def counter_without_total(family: FamilyDigest, scrape: Digest) -> Iterator[Remark]:
    """Who writes a query takes it for a gauge, and compares a number that only grows; OpenMetrics renames it.

    (promlint; prometheus.io/docs/practices/naming; OpenMetrics 1.0: the sample of a counter ends in `_total`.)
    """
    if scrape.syntax is Syntax.TEXT and family.type == "counter" and not family.name.endswith("_total"):
        yield of_family(family, f"the counter {family.name} does not end in _total")
