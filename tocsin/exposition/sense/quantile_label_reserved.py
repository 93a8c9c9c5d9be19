"""The label of quantiles, where there are none."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import UNTYPED, labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Make it a summary, or give the label another name.",
    bad=Body(
        """\
# HELP shop_order_bytes Size of orders.
# TYPE shop_order_bytes gauge
shop_order_bytes{quantile="1"} 3
""",
        at="quantile=",
    ),
    good=Body(
        """\
# HELP shop_order_bytes Size of orders.
# TYPE shop_order_bytes gauge
shop_order_bytes{upto="1"} 3
"""
    ),
    origin="promlint",
)
def quantile_label_reserved(family: FamilyDigest) -> Iterator[Remark]:
    """The label `quantile` is that of quantiles: functions and servers read it as a number, and may rewrite it.

    (promlint; prometheus.io/docs/instrumenting/exposition_formats.)
    """
    if family.type in ("summary", *UNTYPED):
        return
    for label in labels_of(family, bounds=True):
        if label.label == "quantile":
            yield of_label(label, f"the {family.type} {family.name} has the label quantile")
