"""Info metrics that are not 1."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.exposition.sense.vocabulary.metrics import UNTYPED
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export 1 for what is so now, and leave out what is not.",
    bad=Body(
        """\
# HELP shop_build_info The program.
# TYPE shop_build_info gauge
shop_build_info{version="1.2"} 12
""",
        at="shop_build_info{",
    ),
    good=Body(
        """\
# HELP shop_build_info The program.
# TYPE shop_build_info gauge
shop_build_info{version="1.2"} 1
"""
    ),
    of_names=True,
)
def info_not_one(family: FamilyDigest) -> Iterator[Remark]:
    """Info metrics are joined by multiplication, and what is joined with this one comes out as another number.

    A note where it is 0 or 1: then it says whether something is switched on.
    (OpenMetrics 1.0: the value of an Info is 1; prometheus.io/docs/instrumenting/writing_clientlibs.)
    """
    name = family.names.get(family.name)
    if name is None or family.type not in ("gauge", *UNTYPED) or not family.name.endswith("_info"):
        return
    other = name.maximum if name.maximum != 1 else name.minimum
    if other != 1 and name.minimum <= name.maximum:
        switch = Severity.INFO if (name.minimum, name.maximum) in ((0, 0), (0, 1)) else None
        yield Remark(name.line, name.name, f"{name.name} is {other:g}", severity=switch)
