"""Addresses of clients."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.credentials import hint
from tocsin.exposition.sense.vocabulary.metrics import exporter_of, is_information, labels_of
from tocsin.exposition.sense.vocabulary.persons import VAGUE, client_address
from tocsin.finding import Severity


@sense(
    severity=Severity.ERROR,
    fix="Take the label away; which client it was belongs into an access log.",
    bad=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{client_ip="93.184.216.34"} 1
""",
        at="client_ip",
    ),
    good=Body(
        """\
# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{peer="10.0.0.7:9094"} 1
"""
    ),
)
def client_address_exposed(family: FamilyDigest) -> Iterator[Remark]:
    """An address tells of a person, is copied to every dashboard, and each new one is a new series for ever.

    A warning where all of them are of a private network. (Regulation (EU) 2016/679, recital 30.)
    """
    if is_information(family) or exporter_of(family) is not None:
        return
    for label in labels_of(family):
        found = {value: a for value in label.digest.values if (a := client_address(label.label, value)) is not None}
        vague = label.label.lower() in VAGUE
        if not found or (vague and len(found) < 3):
            continue
        public = not vague and any(address.is_global for address in found.values())
        value = next(iter(found))
        yield of_label(
            label,
            f"the label {label.label} of {label.name.name} holds {len(found)} addresses of clients: {hint(value)}",
            severity=Severity.ERROR if public else Severity.WARNING,
            line=label.digest.values[value],
            column=1,
        )
