"""Counters that go on with the values of processes that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Counter, Record, Restarted, told
from tocsin.finding import Severity

_HEAD = "# TYPE shop_orders_total counter\nshop_orders_total "
_BEFORE, _KEPT, _LOW = told(f"{_HEAD}40\n", f"{_HEAD}41\n", f"{_HEAD}1\n")
_GOOD = Restarted(_BEFORE, _LOW, (Counter("shop_orders_total"),), 1)


@across(
    severity=Severity.ERROR,
    fix="Empty PROMETHEUS_MULTIPROC_DIR before the program starts: its files outlive the workers that wrote them.",
    bad=Record(restarted=(replace(_GOOD, after=_KEPT),)),
    good=Record(restarted=(_GOOD,)),
    explains=("processes-pile-up",),
)
def restart_keeps_values(restarted: Restarted, reading: Reading) -> Iterator[Remark]:
    """What is counted is added to files that grow with each worker there ever was, and gauges of the dead count too.

    (prometheus.github.io/client_python/multiprocess: the directory must be wiped between runs.)
    """
    if not (restarted.before.whole and restarted.after.whole):
        return
    for counter in restarted.counters:
        before, after = reading.sum(restarted.before, counter), reading.sum(restarted.after, counter)
        if before and after is not None and after > restarted.requests and after >= before:
            now = f"and is {after:g} after it and {restarted.requests} requests"
            yield Remark(str(counter), f"{counter} was {before:g} before the restart, {now}")
