"""The type in a name."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.units import has_word
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Take the type from the name; the line TYPE says it.",
    bad=Body(
        """\
# HELP shop_orders_gauge Orders at the moment.
# TYPE shop_orders_gauge gauge
shop_orders_gauge 3
""",
        at="TYPE shop_orders_gauge",
    ),
    good=Body(
        """\
# HELP shop_orders Orders at the moment.
# TYPE shop_orders gauge
shop_orders 3
"""
    ),
    origin="promlint",
    of_names=True,
)
def type_in_name(family: FamilyDigest) -> Iterator[Remark]:
    """The name becomes wrong on the day that the type changes, and dashboards and alerts hold the name.

    (promlint; prometheus.io/docs/practices/naming.)
    """
    if family.type in ("counter", "gauge", "histogram", "summary") and has_word(family.name.lower(), family.type):
        yield of_family(family, f"{family.name} holds its type, {family.type}")
