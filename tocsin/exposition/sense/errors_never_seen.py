"""Errors that nobody has counted yet."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity

OUTCOMES = ("result", "outcome", "success")
GOOD = frozenset({"success", "succeeded", "successful", "ok", "true"})
WORDS = ("error", "errors", "failed", "failure", "failures", "exceptions")


@sense(
    severity=Severity.INFO,
    fix="Create the series of failures when the program starts, so that it is exported as 0.",
    bad=Body(
        """\
# HELP shop_payments_total Payments.
# TYPE shop_payments_total counter
shop_payments_total{result="success"} 3
""",
        at="result=",
    ),
    good=Body(
        """\
# HELP shop_payments_total Payments.
# TYPE shop_payments_total counter
shop_payments_total{result="success"} 3
shop_payments_total{result="failure"} 0
"""
    ),
)
def errors_never_seen(family: FamilyDigest) -> Iterator[Remark]:
    """The first error makes the series with the value 1: `increase()` over it is 0, so that it rings for nobody.

    (prometheus.io/docs/practices/instrumentation: avoid missing metrics.)
    """
    if family.type != "counter":
        return
    if not family.names and {*family.name.split("_")} & {*WORDS}:
        yield of_family(family, f"{family.name} is declared and has no series yet")
    for label in labels_of(family):
        values = {value.lower() for value in label.digest.values}
        if label.label in OUTCOMES and values and values <= GOOD and not label.digest.more:
            yield of_label(label, f"{label.name.name} counts successes, and has no series yet for what fails")
