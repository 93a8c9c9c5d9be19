"""Labels that grow with what strangers send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import restarted
from tocsin.exposition.many.record.reading import Reading, Values, stem
from tocsin.exposition.many.record.scrapes import Grown, Record, told
from tocsin.finding import Severity

HEAD_BYTES = 3 * 1024
"""About what a series costs in the head: twice 732 bytes, 32 a label, 120 a value and the name twice; with chunks and
index some 3 KiB (robustperception.io: How much RAM does Prometheus 2.x need for cardinality and ingestion?)."""
SHARE = 0.1
"""So many new values for each new input are growth; fewer are a list that is not complete yet."""
LEAST = 3
MOST_SPELLED = 10_000
"""So many new series are looked at by name."""


def _after(count: int) -> str:
    lines = (f'http_requests_total{{path="/no-such-page/{n}",code="404"}} 1\n' for n in range(count))
    return "# TYPE http_requests_total counter\n" + "".join(lines)


_ALIKE = '# TYPE http_requests_total counter\nhttp_requests_total{path="none",code="404"} 20\n'
_SCRAPES = told(_after(1), _after(11), _after(21))
_BAD = Grown("GET /no-such-page/{unique}", 10, *_SCRAPES)


@dataclass(frozen=True, slots=True)
class Growth:
    """What a family gained."""

    family: str
    label: str
    """The one with the most new values."""
    new: int
    """Of its values."""
    series: int
    product: int
    """Series when each value of each label has met all others."""
    example: str


@across(
    severity=Severity.ERROR,
    fix="Take the label away, or let it have a closed list of values: the route's template, and one for all the rest.",
    bad=Record(grown=(_BAD,)),
    good=Record(grown=(replace(_BAD, before=_SCRAPES[0], middle=told(_ALIKE)[0], after=told(_ALIKE)[0]),)),
    explains=("scrape-slows-with-series",),
)
def series_grow(grown: Grown, reading: Reading) -> Iterator[Remark]:
    """Whoever can send requests can make as many series as they like, until the program or Prometheus is killed for it.

    (prometheus.io/docs/practices/naming: no labels with high cardinality, such as what comes from users.)
    """
    if not (grown.middle.whole and grown.after.whole) or restarted(reading.of(grown.middle), reading.of(grown.after)):
        return
    for found in growths(grown, reading):
        each = 1000 * found.series / grown.inputs
        yield Remark(
            found.family,
            f"{grown.inputs} requests {grown.asked}, each of them new, made {found.series} new series of "
            f"{found.family}: {found.new} new values of the label {found.label}, as {found.example}. A thousand make "
            f"{each:,.0f} series, or about {each * HEAD_BYTES / 2**20:,.1f} MiB in each Prometheus; by the values that "
            f"labels have already, {found.product:,} are possible",
        )


def growths(grown: Grown, reading: Reading) -> list[Growth]:
    """Return the families with a label that has new values for new inputs."""
    middle, after = reading.of(grown.middle), reading.of(grown.after)
    new = {*after.shape.keys} - {*middle.shape.keys}
    names: dict[str, int] = {}
    examples: dict[str, str] = {}
    for series in reading.spelled(grown.after, {*list(new)[:MOST_SPELLED]}).values():
        family = stem(series.name, after)
        names[family] = names.get(family, 0) + 1
        examples.setdefault(family, series.selector)
    found = []
    for family, count in names.items():
        before, now = (reading.values(scrape, (), family) for scrape in (grown.middle, grown.after))
        label, gained = _grown_most(before, now)
        if gained >= max(LEAST, SHARE * grown.inputs):
            found.append(Growth(family, label, gained, count, now.product, examples[family]))
    return found


def _grown_most(before: Values, now: Values) -> tuple[str, int]:
    gains: Sequence[tuple[int, str]] = [
        (len(values - before.labels.get(label, set())), label) for label, values in now.labels.items()
    ]
    gained, label = max(gains, default=(0, ""))
    return label, gained
