"""Labels with more than a thousand values."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import MOST_VALUES, FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import is_information, labels_of
from tocsin.finding import Severity

_HEAD = "# HELP shop_orders_total Orders that were paid.\n# TYPE shop_orders_total counter\n"


@sense(
    severity=Severity.WARNING,
    fix="Take the label away, or map its values to a closed list; details belong into logs and traces.",
    bad=Body(
        _HEAD + "".join(f'shop_orders_total{{article="a{n}"}} 1\n' for n in range(MOST_VALUES + 1)), at='article="a0"'
    ),
    good=Body(_HEAD + "".join(f'shop_orders_total{{shelf="s{n}"}} 1\n' for n in range(10))),
    of_names=True,
)
def too_many_label_values(family: FamilyDigest) -> Iterator[Remark]:
    """One scrape of one target has more than a thousand values of one label, and each further label multiplies them.

    (prometheus.io/docs/practices/instrumentation: keep the cardinality of metrics below 10, and investigate over 100.)
    """
    for label in labels_of(family):
        if label.digest.more and len(label.digest.values) >= MOST_VALUES and not is_information(family):
            yield of_label(label, f"the label {label.label} of {label.name.name} has more than {MOST_VALUES} values")
