"""Buckets of no histogram."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.metrics import UNTYPED
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Take another ending: `_bucket` is reserved for a histogram's buckets.",
    bad=Body(
        """\
# HELP shop_order_bucket Orders at the moment.
# TYPE shop_order_bucket gauge
shop_order_bucket 3
""",
        at="TYPE shop_order_bucket",
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
def bucket_suffix_reserved(family: FamilyDigest) -> Iterator[Remark]:
    """The metric is taken for a histogram's buckets; in OpenMetrics it clashes with one.

    (promlint; OpenMetrics 1.0: suffixes.)
    """
    if family.type not in ("histogram", "gaugehistogram", *UNTYPED) and family.name.endswith("_bucket"):
        yield of_family(family, f"the {family.type} {family.name} ends in _bucket")
