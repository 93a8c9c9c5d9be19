"""Addresses with their queries."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.identifiers import has_query
from tocsin.exposition.sense.vocabulary.metrics import exporter_of, is_information, labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export the route's template, without what stands behind the question mark.",
    bad=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{path="/search?q=lamp"} 1
""",
        at="/search",
    ),
    good=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{path="/search"} 1
"""
    ),
)
def query_in_label(family: FamilyDigest) -> Iterator[Remark]:
    """Each query is a new series for ever, and what people search for and sign in with stands in every dashboard.

    (prometheus.io/docs/practices/naming: no labels with high cardinality.)
    """
    if is_information(family) or exporter_of(family) is not None:
        return
    for label in labels_of(family):
        found = [value for value in label.digest.values if has_query(value)]
        if found:
            message = f"{len(found)} of {len(label.digest.values)} values of {label.label} are addresses with a query"
            yield of_label(label, message, line=label.digest.values[found[0]], column=1)
