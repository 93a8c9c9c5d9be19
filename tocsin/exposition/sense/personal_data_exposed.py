"""Persons in what everybody can read."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest, FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, of_label, sense
from tocsin.exposition.sense.vocabulary.credentials import hint
from tocsin.exposition.sense.vocabulary.metrics import Label, labels_of
from tocsin.exposition.sense.vocabulary.persons import card, mailbox
from tocsin.finding import Severity

KINDS = (("the number of a payment card", card), ("somebody's address of mail", mailbox))
MIXED = 0.5
"""A share of the values: numbers with a right check digit by chance are one in ten."""


@sense(
    severity=Severity.ERROR,
    fix="Take it from the metric, and delete the series where it is stored; count by kind, not by person.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{customer="mary.jones@example.com"} 1
""",
        at="customer=",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{unit="getty@tty1.service"} 1
"""
    ),
)
def personal_data_exposed(scrape: Digest) -> Iterator[Remark]:
    """Labels are copied to every dashboard, alert and long-term store, where nobody can delete one person.

    (Regulation (EU) 2016/679, articles 5 and 17; PCI DSS 3.4 for numbers of cards.)
    """
    for family in scrape.families.values():
        number = card(family.help or "")
        if number is not None:
            message = f"the HELP of {family.name} holds {KINDS[0][0]}: {hint(number)}"
            yield of_family(family, message, line=family.help_line)
        mail = mailbox(family.help or "")
        if mail is not None:
            message = f"the HELP of {family.name} holds {KINDS[1][0]}: {hint(mail)}"
            yield of_family(family, message, line=family.help_line, severity=Severity.WARNING)
        for label in labels_of(family):
            yield from _in_label(family, label)


def _in_label(family: FamilyDigest, label: Label) -> Iterator[Remark]:
    for kind, find in KINDS:
        found = [(value, part) for value in label.digest.values if (part := find(value)) is not None]
        if not found or (find is card and len(found) < MIXED * len(label.digest.values)):
            continue
        value, part = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        message = f"the label {label.label} of {family.name} holds {kind}: {hint(part)}{more}"
        yield of_label(label, message, line=label.digest.values[value], column=1)
