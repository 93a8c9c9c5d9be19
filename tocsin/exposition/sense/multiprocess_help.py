"""HELP texts that several workers lose."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.INFO,
    fix="Nothing in the program: the client library writes it. Keep what metrics mean where alerts are explained.",
    bad=Body(
        """\
# HELP shop_orders_total Multiprocess metric
# TYPE shop_orders_total counter
shop_orders_total 3
""",
        at="shop_orders_total",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
    ),
)
def multiprocess_help(scrape: Digest) -> Iterator[Remark]:
    """Python's client in multiprocess mode has one text for all metrics, so that none says what it measures.

    Exemplars, info metrics, enums and custom collectors are missing in that mode too.
    (prometheus.github.io/client_python/multiprocess: limitations.)
    """
    found = [family for family in scrape.families.values() if family.help == "Multiprocess metric"]
    if found:
        yield of_family(found[0], f"{len(found)} metrics have the HELP text of multiprocess mode")
