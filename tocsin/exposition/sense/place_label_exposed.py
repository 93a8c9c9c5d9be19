"""Labels of where the target runs."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_value, sense
from tocsin.exposition.sense.vocabulary.quoting import value_of
from tocsin.exposition.sense.vocabulary.targets import ENVIRONMENTS, OF_PLACES, spreads
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Give it to the target, in the scrape's configuration or by relabelling, and take it from the metrics.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{region="eu-west-1"} 3
""",
        at="region=",
    ),
    good=Body(
        """\
# HELP shop_buckets Buckets, wherever they are.
# TYPE shop_buckets gauge
shop_buckets{region="eu-west-1"} 3
shop_buckets{region="eu-west-2"} 1
"""
    ),
)
def place_label_exposed(scrape: Digest, collected: bool) -> Iterator[Remark]:
    """It clashes with the label of that name that targets get, and becomes `exported_...` on the day they do.

    A label with several values is of what is measured, and not of the target. (prometheus.io/docs/instrumenting/
    writing_exporters: target labels, not static scraped labels.)
    """
    if collected:
        return
    spread = spreads(scrape)
    for label, where in spread.labels.items():
        value = where.constant
        if value is None or where.families < min(3, spread.families):
            continue
        if label in OF_PLACES or (label == "stage" and value.lower() in ENVIRONMENTS):
            message = f'the label {label} is "{value_of(label, value)}" on all that have it ({where.samples} series)'
            yield of_value(where.first, value, message)
