"""Credentials in what everybody can read."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest, FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, of_label, sense
from tocsin.exposition.sense.vocabulary.credentials import credential, credentials, hint
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.ERROR,
    fix="Revoke the credential, take it from the metric, and delete the series where it is stored.",
    bad=Body(
        """\
# HELP shop_database_up Whether the database answers.
# TYPE shop_database_up gauge
shop_database_up{url="postgres://shop:correct-horse@db:5432/shop"} 1
""",
        at="url=",
    ),
    good=Body(
        """\
# HELP shop_database_up Whether the database answers.
# TYPE shop_database_up gauge
shop_database_up{url="postgres://db:5432/shop"} 1
"""
    ),
)
def credential_exposed(scrape: Digest) -> Iterator[Remark]:
    """Who may look at a dashboard or gets an alert's mail can sign in with it, and it is stored for months.

    (prometheus.io/docs/operating/security: secrets in metrics are not protected.)
    """
    for family in scrape.families.values():
        yield from _in_texts(family)
        for label in labels_of(family):
            found: dict[str, list[tuple[str, str]]] = {}
            for value in label.digest.values:
                if (one := credential(label.label, value)) is not None:
                    found.setdefault(one[0], []).append((one[1], value))
            for kind, those in found.items():
                secret, value = those[0]
                more = f", and {len(those) - 1} more" if len(those) > 1 else ""
                message = f"the label {label.label} of {label.name.name} holds {kind}: {hint(secret)}{more}"
                yield of_label(label, message, line=label.digest.values[value], column=1)


def _in_texts(family: FamilyDigest) -> Iterator[Remark]:
    for kind, secret in credentials(family.name):
        yield of_family(family, f"a metric's name holds {kind}: {hint(secret)}")
    for kind, secret in credentials(family.help or ""):
        yield of_family(family, f"the HELP of {family.name} holds {kind}: {hint(secret)}", line=family.help_line)
    for label in labels_of(family):
        for kind, secret in credentials(label.label):
            yield of_label(label, f"the name of a label of {family.name} holds {kind}: {hint(secret)}")
