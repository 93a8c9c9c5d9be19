"""Labels that are Prometheus' own."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Take the two underscores from its beginning.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{__country="NL"} 3
""",
        at="__country",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 3
"""
    ),
)
def reserved_label(family: FamilyDigest) -> Iterator[Remark]:
    """Labels that begin with `__` are for internal use: relabelling and remote storages drop or misread them.

    (prometheus.io/docs/concepts/data_model: labels.)
    """
    for label in labels_of(family):
        if label.label.startswith("__") and label.label != "__name__":
            yield of_label(label, f"the label {label.label} of {label.name.name} begins with two underscores")
