"""A sum among what is summed."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_value, sense
from tocsin.exposition.sense.vocabulary.metrics import is_information, labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Leave the sum out: `sum without (...)` makes it; or give it a metric of its own.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 3
shop_orders_total{country="BE"} 1
shop_orders_total{country="total"} 4
""",
        at='country="total"',
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 3
shop_orders_total{country="BE"} 1
"""
    ),
    of_names=True,
)
def total_among_values(family: FamilyDigest) -> Iterator[Remark]:
    """Every `sum()` over the label counts twice.

    (prometheus.io/docs/instrumenting/writing_exporters: labels; no total among the values.)
    """
    if is_information(family):
        return
    for label in labels_of(family):
        total = next((value for value in label.digest.values if value.lower() == "total"), None)
        if total is not None and len(label.digest.values) > 1:
            yield of_value(label, total, f"the label {label.label} of {label.name.name} has a value for the total")
