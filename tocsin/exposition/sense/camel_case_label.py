"""Labels in camelCase."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity

CAMEL = re.compile(r"[a-z][A-Z]")


@sense(
    severity=Severity.WARNING,
    fix="Write it in snake_case.",
    bad=Body(
        """\
# HELP shop_orders Orders at the moment.
# TYPE shop_orders gauge
shop_orders{payMethod="card"} 3
""",
        at="payMethod",
    ),
    good=Body(
        """\
# HELP shop_orders Orders at the moment.
# TYPE shop_orders gauge
shop_orders{pay_method="card"} 3
"""
    ),
    origin="promlint",
    of_names=True,
)
def camel_case_label(family: FamilyDigest) -> Iterator[Remark]:
    """Labels are written by heart in queries, and one written wrong groups by nothing, without a word.

    (promlint; prometheus.io/docs/instrumenting/writing_exporters: snake_case.)
    """
    for label in labels_of(family):
        if CAMEL.search(label.label):
            yield of_label(label, f"the label {label.label} of {family.name} is in camelCase")
