"""Stack traces in a label."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.identifiers import is_trace
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export the class of the error, from a closed list; the trace belongs into the log.",
    bad=Body(
        """\
# HELP shop_errors_total Errors.
# TYPE shop_errors_total counter
shop_errors_total{error="Traceback (most recent call last):\\\\n  File shop.py"} 1
""",
        at="error=",
    ),
    good=Body(
        """\
# HELP shop_errors_total Errors.
# TYPE shop_errors_total counter
shop_errors_total{error="timeout"} 1
"""
    ),
)
def stack_trace_in_label(family: FamilyDigest) -> Iterator[Remark]:
    """Traces differ in lines and addresses: each is a new series for ever, and tells strangers how the program works.

    (prometheus.io/docs/practices/naming: no labels with high cardinality.)
    """
    for label in labels_of(family):
        found = next((value for value in label.digest.values if is_trace(value)), None)
        if found is not None:
            message = f"the label {label.label} of {label.name.name} holds a stack trace ({len(found)} characters)"
            yield of_label(label, message, line=label.digest.values[found], column=1)
