"""Units that are abbreviated."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.exposition.sense.vocabulary.units import ABBREVIATIONS, has_word
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export the base unit, and write it out: `_seconds`, `_bytes`.",
    bad=Body(
        """\
# HELP shop_checkout_ms Time to check out.
# TYPE shop_checkout_ms gauge
shop_checkout_ms 120
""",
        at="TYPE shop_checkout_ms",
    ),
    good=Body(
        """\
# HELP shop_checkout_seconds Time to check out.
# TYPE shop_checkout_seconds gauge
shop_checkout_seconds 0.12
"""
    ),
    origin="promlint",
    of_names=True,
)
def abbreviated_unit(family: FamilyDigest) -> Iterator[Remark]:
    """An abbreviation is read in two ways: `m` is meters and minutes, `b` is bytes and bits.

    (promlint; prometheus.io/docs/practices/naming: base units.)
    """
    unit = next((unit for unit in ABBREVIATIONS if has_word(family.name.lower(), unit)), None)
    if unit is not None:
        yield of_family(family, f"{family.name} abbreviates its unit: {unit}")
