"""Sums of no histogram."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.metrics import UNTYPED
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Take another ending: `_sum` is reserved for the sum of a histogram or a summary.",
    bad=Body(
        """\
# HELP shop_order_sum Orders at the moment.
# TYPE shop_order_sum gauge
shop_order_sum 3
""",
        at="TYPE shop_order_sum",
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
def sum_suffix_reserved(family: FamilyDigest) -> Iterator[Remark]:
    """The metric is taken for the sum of a histogram or a summary; in OpenMetrics it clashes with one.

    (promlint; OpenMetrics 1.0: suffixes.)
    """
    if family.type not in ("histogram", "summary", "gaugehistogram", *UNTYPED) and family.name.endswith("_sum"):
        yield of_family(family, f"the {family.type} {family.name} ends in _sum")
