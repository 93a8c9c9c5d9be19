"""Restarts that the start of the process does not tell."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Restarted, told
from tocsin.exposition.many.record.snapshot import START
from tocsin.finding import Severity

_HEAD = "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds "
_OLD, _SAME, _NEW = told(f"{_HEAD}1700000000\n", f"{_HEAD}1700000000\n", f"{_HEAD}1700000015\n")


@across(
    severity=Severity.ERROR,
    fix="Export when this process started, not its container, its first process, or the program's last release.",
    bad=Record(restarted=(Restarted(_OLD, _SAME),)),
    good=Record(restarted=(Restarted(_OLD, _NEW),)),
)
def restart_not_told(restarted: Restarted, reading: Reading) -> Iterator[Remark]:
    """An alert on restarts (`changes(process_start_time_seconds[1h]) > 3`) cannot ring, and uptimes are too long.

    (prometheus.io/docs/instrumenting/writing_clientlibs: process metrics.)
    """
    if not (restarted.before.whole and restarted.after.whole):
        return
    before, after = reading.of(restarted.before).start, reading.of(restarted.after).start
    if before is not None and after is not None and after <= before:
        yield Remark(START, f"after a restart the process still says that it started at {after:.3f}")
