"""Labels called ."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.exposition.sense.vocabulary.quoting import listed
from tocsin.finding import Severity


@sense(
    severity=Severity.INFO,
    fix="Say of what it is the type: `payment_method`, `record_type`.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{type="card"} 3
""",
        at="type=",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{payment_method="card"} 3
"""
    ),
)
def type_label(scrape: Digest) -> Iterator[Remark]:
    """The word says nothing, and means something else in each metric that has it.

    (prometheus.io/docs/instrumenting/writing_exporters: labels.)
    """
    found = [label for family in scrape.families.values() for label in labels_of(family) if label.label == "type"]
    if found:
        yield of_label(found[0], f"{listed([label.name.name for label in found])}: a label called type")
