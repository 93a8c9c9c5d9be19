"""Buckets of milliseconds for seconds."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_label, sense
from tocsin.exposition.sense.vocabulary.metrics import labels_of
from tocsin.finding import Severity

GO = frozenset((5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0))
PYTHON = GO | {75.0, 750.0, 7500.0}
LADDERS = (GO, PYTHON, PYTHON | {0.0})
"""The default bounds of Prometheus' clients, a thousand times over, and those of OpenTelemetry."""


@sense(
    severity=Severity.WARNING,
    fix="Set bounds in seconds (0.005 to 10), and observe seconds.",
    bad=Body(
        """\
# HELP shop_checkout_seconds Time to check out.
# TYPE shop_checkout_seconds histogram
shop_checkout_seconds_bucket{le="5"} 7
shop_checkout_seconds_bucket{le="10"} 7
shop_checkout_seconds_bucket{le="25"} 7
shop_checkout_seconds_bucket{le="50"} 7
shop_checkout_seconds_bucket{le="100"} 7
shop_checkout_seconds_bucket{le="250"} 7
shop_checkout_seconds_bucket{le="500"} 7
shop_checkout_seconds_bucket{le="1000"} 7
shop_checkout_seconds_bucket{le="2500"} 7
shop_checkout_seconds_bucket{le="5000"} 7
shop_checkout_seconds_bucket{le="10000"} 7
shop_checkout_seconds_bucket{le="+Inf"} 7
shop_checkout_seconds_sum 2.1
shop_checkout_seconds_count 7
""",
        at='le="5"',
    ),
    good=Body(
        """\
# HELP shop_checkout_seconds Time to check out.
# TYPE shop_checkout_seconds histogram
shop_checkout_seconds_bucket{le="0.1"} 3
shop_checkout_seconds_bucket{le="1"} 7
shop_checkout_seconds_bucket{le="+Inf"} 7
shop_checkout_seconds_sum 2.1
shop_checkout_seconds_count 7
"""
    ),
)
def buckets_in_milliseconds(family: FamilyDigest) -> Iterator[Remark]:
    """Every observation falls into the first bucket, or is in milliseconds: no quantile of it is true.

    (OpenTelemetry's default bounds are made for milliseconds, while its durations are in seconds since 2023.)
    """
    if family.type != "histogram" or not family.name.endswith("_seconds"):
        return
    for label in labels_of(family, bounds=True):
        if label.label == "le" and _finite(label.digest.values) in LADDERS:
            yield of_label(label, f"the buckets of {family.name} are those of milliseconds")


def _finite(bounds: dict[str, int]) -> frozenset[float]:
    try:
        return frozenset(bound for text in bounds if (bound := float(text)) != float("inf"))
    except ValueError:
        return frozenset()
