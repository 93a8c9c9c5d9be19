"""Series of processes that are gone."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.reading import Reading, stem
from tocsin.exposition.many.record.scrapes import Record, Restarted, told
from tocsin.finding import Severity

_HEAD = "# TYPE shop_in_progress gauge\n"
_BEFORE = f'{_HEAD}shop_in_progress{{pid="4711"}} 2\n'
_BOTH = f'{_BEFORE}shop_in_progress{{pid="4801"}} 1\n'
_NEW = f'{_HEAD}shop_in_progress{{pid="4801"}} 1\n'
_OLD = told(_BEFORE)[0]


@across(
    severity=Severity.ERROR,
    fix="Wipe PROMETHEUS_MULTIPROC_DIR at the start, call `mark_process_dead` when a worker ends, and give gauges a "
    "`live...` mode.",
    bad=Record(restarted=(Restarted(_OLD, told(_BOTH)[0]),)),
    good=Record(restarted=(Restarted(_OLD, told(_NEW)[0]),)),
    explains=("pid-label",),
)
def processes_pile_up(restarted: Restarted, reading: Reading) -> Iterator[Remark]:
    """Each restart adds series for ever, and sums count what processes did that are dead.

    (prometheus.github.io/client_python/multiprocess: gauges.)
    """
    if not (restarted.before.whole and restarted.after.whole):
        return
    taken = reading.of(restarted.after)
    for family in dict.fromkeys(stem(name, taken) for name in taken.shape.names):
        before, after = (reading.values(each, (), family) for each in (restarted.before, restarted.after))
        old, new = before.labels.get("pid", set()), after.labels.get("pid", set())
        if old & new and new - old:
            gone = b", ".join(sorted(old & new)[:5]).decode(errors="replace")
            yield Remark(family, f"after a restart {family} still has series of the processes of before: {gone}")
