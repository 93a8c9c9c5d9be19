"""Paths with numbers in them."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.identifiers import PATHS, without_numbers
from tocsin.exposition.sense.vocabulary.metrics import exporter_of, labels_of
from tocsin.exposition.sense.vocabulary.quoting import discreet
from tocsin.finding import Severity

ENOUGH = 3
"""So many paths that differ in a number alone."""


@sense(
    severity=Severity.WARNING,
    fix="Export the route's template (`/orders/{id}`), and one value for all that has no route.",
    bad=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{path="/orders/17"} 1
shop_requests_total{path="/orders/18"} 1
shop_requests_total{path="/orders/19"} 1
""",
        at="/orders/17",
    ),
    good=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{path="/orders/{id}"} 3
"""
    ),
)
def number_in_path(family: FamilyDigest) -> Iterator[Remark]:
    """Each new path is a new series for ever, and whoever asks for paths that are none makes as many as they like.

    (prometheus.io/docs/practices/naming: no labels with high cardinality.)
    """
    if exporter_of(family) is not None:
        return
    for label in labels_of(family):
        if label.label.lower() not in PATHS:
            continue
        alike: dict[str, int] = {}
        for value in label.digest.values:
            template = without_numbers(value)
            if "{}" in template and "{}" not in value:
                alike[template] = alike.get(template, 0) + 1
        template, count = max(alike.items(), key=lambda item: item[1], default=("", 0))
        if count >= ENOUGH:
            yield of_label(
                label, f"{count} values of {label.label} are {discreet(template)[:80]} with different numbers"
            )
