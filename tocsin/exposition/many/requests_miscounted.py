"""Requests that are counted twice, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Counted, Counter, Record, told
from tocsin.finding import Severity

_HEAD = "# TYPE http_requests_total counter\nhttp_requests_total "
_BEFORE, _ONCE, _TWICE = told(f"{_HEAD}5\n", f"{_HEAD}25\n", f"{_HEAD}45\n")
_GOOD = Counted("/orders", 20, Counter("http_requests_total"), _BEFORE, _ONCE)


@across(
    severity=Severity.ERROR,
    fix="Register one middleware for the metric, in one place; of a proxy and the program, let each count its own.",
    bad=Record(counted=(replace(_GOOD, after=_TWICE),)),
    good=Record(counted=(_GOOD,)),
)
def requests_miscounted(counted: Counted, reading: Reading) -> Iterator[Remark]:
    """Rates, error ratios and what is paid for by them are wrong by the same factor, and look right all the time.

    (prometheus.io/docs/practices/instrumentation: online-serving systems.)
    """
    before, after = reading.sum(counted.before, counted.counter), reading.sum(counted.after, counted.counter)
    name = str(counted.counter)
    if after is None:
        yield Remark(
            name,
            f"{name} has no series after {counted.requests} requests for {counted.path}",
            fix="Mend the metric's name or labels under `endpoints` in system.yaml, or count these requests.",
        )
        return
    rose, sent = after - (before or 0.0), counted.requests
    times = rose / sent
    if rose == sent or (not counted.alone and rose > sent and not times.is_integer()):
        return
    said = f"{name} rose by {rose:g} for {sent} requests for {counted.path}"
    if times.is_integer() and times > 1:
        yield Remark(name, f"{said}: each was counted {times:.0f} times")
    elif rose == 0:
        yield Remark(
            name, f"{said}: none was counted", fix="Count each request when it is answered, whatever comes of it."
        )
    elif 0 < rose < sent:
        yield Remark(name, f"{said}: {sent - rose:g} were not counted", fix="Collect from all workers and handlers.")
    else:
        yield Remark(name, said)
