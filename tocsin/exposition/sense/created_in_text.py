"""Moments of creation, as gauges."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.metrics import samples_of
from tocsin.finding import Severity


@sense(
    severity=Severity.INFO,
    fix="In Python, set PROMETHEUS_DISABLE_CREATED_SERIES=true, or call disable_created_metrics().",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
# HELP shop_orders_created Orders that were paid.
# TYPE shop_orders_created gauge
shop_orders_created 1.7e+09
""",
        at="TYPE shop_orders_created",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
    ),
)
def created_in_text(scrape: Digest) -> Iterator[Remark]:
    """In the text format each is a gauge of its own beside its counter, stored for ever and read by nobody.

    (prometheus.github.io/client_python/instrumenting: disabling `_created` metrics.)
    """
    if scrape.syntax is not Syntax.TEXT:
        return
    stems = {
        family.name.removesuffix("_total")
        for family in scrape.families.values()
        if family.type in ("counter", "histogram", "summary")
    }
    found = [
        family
        for family in scrape.families.values()
        if family.name.endswith("_created") and family.name.removesuffix("_created") in stems
    ]
    if found:
        yield of_family(found[0], f"{samples_of(found)} series tell when others were created")
