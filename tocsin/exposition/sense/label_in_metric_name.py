"""The label in a name."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.exposition.sense.vocabulary.units import has_word
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Take `_by_...` from the name.",
    bad=Body(
        """\
# HELP shop_orders_by_country_total Orders that were paid.
# TYPE shop_orders_by_country_total counter
shop_orders_by_country_total{country="NL"} 3
""",
        at="country=",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 3
"""
    ),
    of_names=True,
)
def label_in_metric_name(family: FamilyDigest) -> Iterator[Remark]:
    """Where the label is summed away, the name says what is no longer so.

    (prometheus.io/docs/practices/naming: do not put the label names in the metric name.)
    """
    for label in labels_of(family):
        if has_word(family.name, f"by_{label.label}"):
            yield of_label(label, f"{family.name} names its label {label.label}")
