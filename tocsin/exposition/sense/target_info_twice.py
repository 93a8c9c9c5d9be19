"""More than one word on the target."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.exposition.sense.vocabulary.targets import OF_PROMETHEUS
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export one `target_info`, with all its labels.",
    bad=Body(
        """\
# HELP target_info The target.
# TYPE target_info gauge
target_info{service_name="shop"} 1
target_info{service_name="cart"} 1
""",
        at="target_info{",
    ),
    good=Body(
        """\
# HELP target_info The target.
# TYPE target_info gauge
target_info{service_name="shop"} 1
"""
    ),
)
def target_info_twice(scrape: Digest, collected: bool) -> Iterator[Remark]:
    """Joins with it match two series, so that the query fails.

    A collector that tells of several targets gives each its `job` and `instance`. (OpenMetrics 1.0: target metadata.)
    """
    names = [
        name for family in scrape.families.values() for name in family.names.values() if name.name == "target_info"
    ]
    for name in names:
        collected = collected or all(label in name.labels for label in OF_PROMETHEUS)
        if name.count > 1 and not collected:
            yield Remark(name.line, name.name, f"there are {name.count} target_info of one target")
