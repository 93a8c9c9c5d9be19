"""Metrics that say nothing of what they are."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.quoting import listed
from tocsin.finding import Severity

MOST = 10
"""So many are told of one by one."""


@sense(
    severity=Severity.WARNING,
    fix="Give the metric a HELP text: one sentence with what is counted, and when.",
    bad=Body(
        """\
# TYPE shop_orders_total counter
shop_orders_total 3
""",
        at="TYPE shop_orders_total",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
    ),
    origin="promlint",
)
def no_help(scrape: Digest, collected: bool) -> Iterator[Remark]:
    """Who reads an alert at night finds no word on what the metric measures.

    Metrics that have no TYPE either are told of together, and so are more than ten. A federation and a Pushgateway
    pass on what they got. (promlint; prometheus.io/docs/instrumenting/writing_exporters: help strings.)
    """
    if collected:
        return
    silent = [family for family in scrape.families.values() if not (family.help or "").strip()]
    typed = [family for family in silent if family.type_line]
    if len(typed) <= MOST:
        yield from (of_family(family, f"{family.name} has no HELP text") for family in typed)
    else:
        names = listed([family.name for family in typed])
        yield of_family(typed[0], f"{len(typed)} metrics have no HELP text: {names}")
    bare = [family for family in silent if not family.type_line and family.names]
    if bare:
        names = listed([family.name for family in bare])
        yield of_family(bare[0], f"{names}: neither HELP nor TYPE")
