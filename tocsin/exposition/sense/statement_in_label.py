"""SQL in a label."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.identifiers import is_statement
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export a name or the digest of the normalised statement, from a closed list.",
    bad=Body(
        """\
# HELP shop_queries_total Queries.
# TYPE shop_queries_total counter
shop_queries_total{query="SELECT * FROM orders WHERE id = 17"} 1
""",
        at="query=",
    ),
    good=Body(
        """\
# HELP shop_queries_total Queries.
# TYPE shop_queries_total counter
shop_queries_total{query="order_by_id"} 1
"""
    ),
)
def statement_in_label(family: FamilyDigest) -> Iterator[Remark]:
    """Statements hold values: each is a new series for ever, and what is in the database stands in dashboards.

    (prometheus.io/docs/practices/naming: no labels with high cardinality.)
    """
    for label in labels_of(family):
        found = next((value for value in label.digest.values if is_statement(value)), None)
        if found is not None:
            message = f"the label {label.label} of {label.name.name} holds SQL ({len(found)} characters)"
            yield of_label(label, message, line=label.digest.values[found], column=1)
