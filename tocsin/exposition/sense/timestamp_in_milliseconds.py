"""Moments that are a thousand times too far."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.finding import Severity

UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
FROM, TO = 1e9, 3e9
"""The years 2001 to 2065. What is beyond them in each unit is no moment: Prometheus itself exports the highest integer
as the lowest timestamp of an empty database."""


@sense(
    severity=Severity.ERROR,
    fix="Export seconds: divide milliseconds by 1,000, nanoseconds by 1,000,000,000.",
    bad=Body(
        """\
# HELP shop_backup_timestamp_seconds The last backup.
# TYPE shop_backup_timestamp_seconds gauge
shop_backup_timestamp_seconds 1.7e+12
""",
        at="shop_backup_timestamp_seconds 1.7e+12",
    ),
    good=Body(
        """\
# HELP shop_backup_timestamp_seconds The last backup.
# TYPE shop_backup_timestamp_seconds gauge
shop_backup_timestamp_seconds 1.7e+09
# HELP shop_lease_seconds How long a lease lasts; the highest integer, for ever.
# TYPE shop_lease_seconds gauge
shop_lease_seconds 9.223372036854776e+18
"""
    ),
)
def timestamp_in_milliseconds(family: FamilyDigest) -> Iterator[Remark]:
    """`time() - x` is far below zero, so that an alert on an old backup or a stale import can never ring.

    (prometheus.io/docs/practices/instrumentation: timestamps, not time since; base unit seconds.)
    """
    for name in family.names.values():
        if not name.name.endswith("_seconds"):
            continue
        unit = next((unit for unit, many in UNITS.items() if FROM <= name.maximum / many <= TO), None)
        moment = name.name.endswith(("_timestamp_seconds", "_time_seconds"))
        if unit == "milliseconds" or (unit is not None and moment):
            yield Remark(name.line, name.name, f"{name.name} is up to {name.maximum:g}: {unit}, it seems, not seconds")
