"""Names in camelCase."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.finding import Severity

CAMEL = re.compile(r"[a-z][A-Z]")


@sense(
    severity=Severity.WARNING,
    fix="Write it in snake_case.",
    bad=Body(
        """\
# HELP shop_openOrders Orders at the moment.
# TYPE shop_openOrders gauge
shop_openOrders 3
""",
        at="TYPE shop_openOrders",
    ),
    good=Body(
        """\
# HELP shop_open_orders Orders at the moment.
# TYPE shop_open_orders gauge
shop_open_orders 3
"""
    ),
    origin="promlint",
    of_names=True,
)
def camel_case_name(family: FamilyDigest) -> Iterator[Remark]:
    """Names are written by heart in queries, and one written wrong selects nothing, without a word.

    (promlint; prometheus.io/docs/instrumenting/writing_exporters: snake_case.)
    """
    if CAMEL.search(family.name):
        yield of_family(family, f"{family.name} is in camelCase")
