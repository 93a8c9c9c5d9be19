"""Series of one metric with different labels."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.exposition.sense.vocabulary.metrics import column_of, is_information
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Give every series of the metric the same labels; where one does not apply, split the metric.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 3
shop_orders_total{country="BE",shop="b"} 1
""",
        at='country="BE"',
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL",shop="a"} 3
shop_orders_total{country="BE",shop="b"} 1
"""
    ),
    of_names=True,
)
def labels_differ(family: FamilyDigest, collected: bool) -> Iterator[Remark]:
    """Grouping and joining by such a label leaves the series without it in a group of their own, or out.

    A note where OpenTelemetry's exporter wrote it: there an attribute that does not apply is left out by design.
    (prometheus.io/docs/instrumenting/writing_clientlibs: labels; OpenMetrics 1.0: label names of a MetricFamily.)
    """
    if is_information(family) or collected:
        return
    told: set[str] = set()
    for name in family.names.values():
        for label, digest in name.labels.items():
            if label in ("le", "quantile", *told) or digest.series >= name.count or not digest.values:
                continue
            told.add(label)
            line = next(iter(digest.values.values()))
            yield Remark(
                line,
                name.name,
                f"{digest.series} of {name.count} series of {name.name} have the label {label}",
                column_of(name, line, f"{label}="),
                severity=Severity.INFO if "otel_scope_name" in name.labels else None,
            )
