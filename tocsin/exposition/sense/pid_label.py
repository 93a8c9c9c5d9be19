"""A series for each process."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import is_information, labels_of
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Declare the gauge with `multiprocess_mode` `livesum`, `livemax`, `livemin` or `mostrecent`.",
    bad=Body(
        """\
# HELP shop_in_progress Multiprocess metric
# TYPE shop_in_progress gauge
shop_in_progress{pid="4711"} 1
shop_in_progress{pid="4712"} 1
""",
        at="pid=",
    ),
    good=Body(
        """\
# HELP shop_in_progress Multiprocess metric
# TYPE shop_in_progress gauge
shop_in_progress 2
"""
    ),
    of_names=True,
)
def pid_label(family: FamilyDigest) -> Iterator[Remark]:
    """Each worker that is restarted is a new series for ever, and in some modes the dead ones are exported on.

    (prometheus.github.io/client_python/multiprocess: gauges.)
    """
    if is_information(family):
        return
    for label in labels_of(family):
        if label.label == "pid" and all(value.isdigit() for value in label.digest.values):
            message = f"{label.name.name} has a series for each process ({len(label.digest.values)} now)"
            yield of_label(label, message)
