"""Formats that do not tell the same."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.digest import Digest
from tocsin.exposition.http import OPENMETRICS, Exchange, Note, Reply, behaviour
from tocsin.finding import Severity

_MOST = 5


@behaviour(
    severity=Severity.ERROR,
    fix="Write both formats from one registry.",
    bad=Exchange(
        lambda visit: (
            Reply(b"# TYPE shop_visits counter\nshop_visits_total 1\n# EOF\n", OPENMETRICS)
            if visit.accepts("openmetrics")
            else Reply()
        )
    ),
    good=Exchange(),
)
def formats_disagree(asked: Asked) -> Iterator[Note]:
    """Which metrics there are hangs on who asks: another Prometheus, or an agent, sees another system."""
    text, openmetrics = asked.digest("accept-text"), asked.digest("accept-openmetrics")
    if text is None or openmetrics is None or text.syntax is openmetrics.syntax:
        return
    ours, theirs = _names(text), _names(openmetrics)
    for missing, where in ((ours - theirs, "in text and not in OpenMetrics"), (theirs - ours, "in OpenMetrics only")):
        if missing:
            some = ", ".join(sorted(missing)[:_MOST]) + (", ..." if len(missing) > _MOST else "")
            yield Note(f"{len(missing)} {'metric is' if len(missing) == 1 else 'metrics are'} {where}: {some}")


def _names(digest: Digest) -> set[str]:
    """Return the names of the samples, but those of moments of creation, which only one of the formats has."""
    return {
        name.removesuffix("_total")
        for family in digest.families.values()
        for name in family.names
        if not name.endswith("_created")
    }
