"""Labels that the target has already."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import Label, labels_of
from tocsin.exposition.sense.vocabulary.quoting import listed
from tocsin.exposition.sense.vocabulary.targets import OF_PROMETHEUS
from tocsin.finding import Severity


@sense(
    severity=Severity.ERROR,
    fix="Leave `job` and `instance` to Prometheus; call yours by what it is, as `batch_job`.",
    bad=Body(
        """\
# HELP shop_imports_total Imports.
# TYPE shop_imports_total counter
shop_imports_total{job="nightly"} 3
""",
        at="job=",
    ),
    good=Body(
        """\
# HELP shop_imports_total Imports.
# TYPE shop_imports_total counter
shop_imports_total{import="nightly"} 3
"""
    ),
)
def target_label_exposed(scrape: Digest, collected: bool) -> Iterator[Remark]:
    """Prometheus renames it to `exported_job` or `exported_instance`, and rules that select or join by it find nothing.

    With `honor_labels: true` it is kept, and takes the place of the target's own: right for a Pushgateway and a
    federation, which are told and no more. (prometheus.io/docs: scrape_config, honor_labels.)
    """
    found: dict[str, list[Label]] = {}
    for family in scrape.families.values():
        for label in labels_of(family):
            if label.label in OF_PROMETHEUS and any(label.digest.values):
                found.setdefault(label.label, []).append(label)
    for name, labels in found.items():
        metrics = listed([label.name.name for label in labels])
        if collected:
            message = f"{metrics}: the label {name} is of another target; the scrape needs honor_labels: true"
            yield of_label(labels[0], message, severity=Severity.INFO, fix="Set `honor_labels: true` in the scrape.")
        else:
            yield of_label(labels[0], f"{metrics}: the label {name} becomes exported_{name}")
