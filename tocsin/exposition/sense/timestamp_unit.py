"""Moments without a unit."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, of_family, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Export seconds since 1970, and end the name in `_timestamp_seconds`.",
    bad=Body(
        """\
# HELP shop_backup_timestamp The last backup.
# TYPE shop_backup_timestamp gauge
shop_backup_timestamp 1.7e+09
""",
        at="TYPE shop_backup_timestamp",
    ),
    good=Body(
        """\
# HELP shop_backup_timestamp_seconds The last backup.
# TYPE shop_backup_timestamp_seconds gauge
shop_backup_timestamp_seconds 1.7e+09
"""
    ),
    of_names=True,
)
def timestamp_unit(family: FamilyDigest) -> Iterator[Remark]:
    """Whether `time() - x` is right cannot be seen: the moment may be in seconds or in milliseconds.

    (prometheus.io/docs/practices/naming: `_timestamp_seconds`.)
    """
    if family.type not in ("histogram", "summary", "info", "stateset") and family.name.endswith("_timestamp"):
        yield of_family(family, f"{family.name} does not say in which unit")
