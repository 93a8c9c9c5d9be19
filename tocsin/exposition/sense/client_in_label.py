"""What clients say of themselves."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.identifiers import is_browser
from tocsin.exposition.sense.vocabulary.metrics import is_information, labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export a class of clients from a closed list, as `browser`, `bot`, `other`; or none.",
    bad=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{user_agent="Mozilla/5.0 (X11; Linux x86_64)"} 1
""",
        at="user_agent",
    ),
    good=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{client="browser"} 1
"""
    ),
)
def client_in_label(family: FamilyDigest) -> Iterator[Remark]:
    """Clients write into it what they like: each new text is a new series for ever.

    (prometheus.io/docs/practices/naming: no labels with high cardinality.)
    """
    if is_information(family):
        return
    for label in labels_of(family):
        found = next((value for value in label.digest.values if is_browser(value)), None)
        if found is not None:
            message = f"the label {label.label} of {label.name.name} holds what clients say of themselves"
            yield of_label(label, message, line=label.digest.values[found], column=1)
