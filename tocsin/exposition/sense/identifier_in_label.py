"""Labels that never come to an end."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.identifiers import ACCOUNTS, EVENTS, NAMELIKE, identifier
from tocsin.exposition.sense.vocabulary.metrics import Label, exporter_of, is_information, labels_of
from tocsin.finding import Severity

MANY = 20
"""So many different accounts of one kind are more than a program itself has."""


@sense(
    severity=Severity.WARNING,
    fix="Take the label away; identifiers belong into logs, traces and exemplars.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{cart="0b6cf1a4-8f5e-4d0a-9f0e-0d9a3f1b7c11"} 1
shop_orders_total{cart="5e0f8a5c-3c0f-4f5e-8a52-c1a0f0f7be02"} 1
""",
        at="cart=",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 2
"""
    ),
)
def identifier_in_label(family: FamilyDigest) -> Iterator[Remark]:
    """Each new value is a new series for ever: memory grows until Prometheus, or the program, is killed for it.

    (prometheus.io/docs/practices/naming: no labels with high cardinality, such as user ids.)
    """
    if is_information(family) or exporter_of(family) is not None:
        return
    for label in labels_of(family):
        if (found := _unbounded(family, label)) is not None:
            what, severity = found
            yield of_label(label, f"the label {label.label} of {label.name.name} holds {what}", severity=severity)


def _unbounded(family: FamilyDigest, label: Label) -> tuple[str, Severity] | None:
    """Return what makes a label unbounded, and how sure that is."""
    values = [value for value in label.digest.values if value]
    name = label.label.lower()
    events = family.type in ("counter", "histogram", "summary")
    if name in EVENTS and values:
        return "an identifier of its own for each event", Severity.WARNING
    if name in ACCOUNTS and len(values) >= (MANY if name in NAMELIKE else 3):
        return f"{len(values)} accounts", Severity.WARNING
    kinds = [kind for value in values if (kind := identifier(value))]
    if len(kinds) >= 2 and len(kinds) >= 0.8 * len(values):
        return f"{len(kinds)} {kinds[0]}", Severity.WARNING if events or len(kinds) >= MANY else Severity.INFO
    return None
