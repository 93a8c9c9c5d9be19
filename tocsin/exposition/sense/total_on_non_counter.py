"""What is called a counter and is none."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.metrics import UNTYPED
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Make it a counter if it only grows; else take `_total` from its name.",
    bad=Body(
        """\
# HELP shop_carts_total Carts that are open.
# TYPE shop_carts_total gauge
shop_carts_total 3
""",
        at="TYPE shop_carts_total",
    ),
    good=Body(
        """\
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts 3
"""
    ),
    origin="promlint",
    of_names=True,
)
def total_on_non_counter(family: FamilyDigest) -> Iterator[Remark]:
    """Who writes a query takes it for a counter; `rate()` of a gauge takes each fall for a restart.

    (promlint; prometheus.io/docs/practices/naming.)
    """
    if family.type not in ("counter", *UNTYPED) and family.name.endswith("_total"):
        yield of_family(family, f"the {family.type} {family.name} ends in _total")
