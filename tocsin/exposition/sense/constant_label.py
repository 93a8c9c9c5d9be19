"""Labels that say the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import Digest
from tocsin.exposition.sense import Body, Remark, of_value, sense
from tocsin.exposition.sense.vocabulary.quoting import value_of
from tocsin.exposition.sense.vocabulary.targets import OF_PLACES, OF_PROGRAMS, OF_PROMETHEUS, spreads
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Give it to the target, or to an info metric (`shop_build_info`), and take it from the others.",
    bad=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{application="shop"} 3
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts{application="shop"} 3
# HELP shop_visitors Who is there.
# TYPE shop_visitors gauge
shop_visitors{application="shop"} 3
""",
        at="application=",
    ),
    good=Body(
        """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts 3
# HELP shop_build_info The program.
# TYPE shop_build_info gauge
shop_build_info{application="shop",version="1.2"} 1
"""
    ),
)
def constant_label(scrape: Digest, collected: bool) -> Iterator[Remark]:
    """It is of the target, not of what is measured: stored with each series, and in the way of every join.

    Where its name does not say that it is of the program, it is a note: there may be only one of them today.
    (prometheus.io/docs/instrumenting/writing_exporters: target labels, not static scraped labels.)
    """
    spread = spreads(scrape)
    if collected or spread.families < 3:
        return
    for label, where in spread.labels.items():
        value = where.constant
        if value is None or where.samples < spread.samples or label in OF_PLACES or label in OF_PROMETHEUS:
            continue
        severity = Severity.WARNING if label in OF_PROGRAMS else Severity.INFO
        message = (
            f'the label {label} is "{value_of(label, value)}" on all {where.samples} series of {where.families} metrics'
        )
        yield of_value(where.first, value, message, severity=severity)
