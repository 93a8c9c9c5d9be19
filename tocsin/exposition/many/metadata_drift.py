"""Types and texts that change."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.many import Remark, across
from tocsin.exposition.many.record.comparing import restarted, steps
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record, Watched, told
from tocsin.finding import Severity

_SAMPLE = "shop_carts 3\n"


@across(
    severity=Severity.WARNING,
    fix="Declare each metric in one place, with one TYPE, HELP and UNIT.",
    bad=Record(
        watched=(Watched(told(f"# TYPE shop_carts gauge\n{_SAMPLE}", f"# TYPE shop_carts counter\n{_SAMPLE}")),)
    ),
    good=Record(watched=(Watched(told(f"# TYPE shop_carts gauge\n{_SAMPLE}", f"# TYPE shop_carts gauge\n{_SAMPLE}")),)),
)
def metadata_drift(watched: Watched, reading: Reading) -> Iterator[Remark]:
    """Who reads the metadata, a dashboard or a rule's author, is told another thing at each scrape; a type is an error.

    (prometheus.io/docs/instrumenting/exposition_formats; prometheus/prometheus, scrape: metadata cache.)
    """
    said: set[tuple[str, str]] = set()
    for earlier, later in steps([scrape for scrape in watched.scrapes if scrape.whole]):
        before, now = reading.of(earlier), reading.of(later)
        if restarted(before, now) or before.families == now.families or earlier.syntax is not later.syntax:
            continue
        for name in before.families.keys() & now.families.keys():
            for part in ("type", "help", "unit"):
                old, new = getattr(before.families[name], part), getattr(now.families[name], part)
                if old != new and (name, part) not in said:
                    said.add((name, part))
                    message = f"the {part.upper()} of {name} was {_shown(old)}, and is {_shown(new)} in the next scrape"
                    yield Remark(name, message, Severity.ERROR if part == "type" else None)


def _shown(text: str | None) -> str:
    return "missing" if text is None else f'"{text[:60]}"'
