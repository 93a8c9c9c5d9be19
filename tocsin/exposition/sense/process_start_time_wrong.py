"""Programs that start in the future."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.finding import Severity

SKEW = 60.0
"""Seconds by which clocks may differ."""
FIRST = 1e9
"""September 2001; what is less is an uptime."""
FAR = 1e11
"""More are milliseconds, which another check tells of."""


@sense(
    severity=Severity.ERROR,
    fix="Export the moment of the start in seconds since 1970, by a clock that is synchronised.",
    bad=Body(
        """\
# HELP process_start_time_seconds When the process started.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 3600
""",
        at="process_start_time_seconds 3600",
    ),
    good=Body(
        """\
# HELP process_start_time_seconds When the process started.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
"""
    ),
)
def process_start_time_wrong(family: FamilyDigest, now: float | None) -> Iterator[Remark]:
    """Uptimes come out below zero or as decades, and restarts are seen where there are none.

    (prometheus.io/docs/instrumenting/writing_clientlibs: process metrics; seconds since the Unix epoch.)
    """
    name = family.names.get("process_start_time_seconds")
    if name is None or name.minimum > name.maximum:
        return
    if now is not None and now + SKEW < name.maximum < FAR:
        yield Remark(name.line, name.name, f"{name.name} is {name.maximum - now:.0f} s in the future")
    elif name.minimum < FIRST:
        yield Remark(name.line, name.name, f"{name.name} is {name.minimum:g}, which is no moment of our days")
