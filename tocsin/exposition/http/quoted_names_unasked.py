"""Names that need quotes, told to who cannot read them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@behaviour(
    severity=Severity.ERROR,
    fix="Write such names only where Accept says `escaping=allow-utf-8`, and underscores for the rest elsewhere.",
    bad=Exchange(lambda _: Reply(b'{"shop.orders"} 1\n')),
    good=Exchange(),
)
def quoted_names_unasked(asked: Asked) -> Iterator[Note]:
    """Prometheus 2 drops the whole scrape for one of them, and `up` is 0.

    (prometheus.io/docs/instrumenting/content_negotiation, Escaping Scheme.)
    """
    for name in ("accept-text", "prometheus-2.53"):
        answer, digest = asked.answers.get(name), asked.digest(name)
        if answer is None or digest is None or "allow-utf-8" in answer.accept:
            continue
        quoted = sorted(
            each for family in digest.families.values() for each in family.names if not _NAME.fullmatch(each)
        )
        if quoted:
            yield Note(f"asked for {answer.accept!r}, it answers with {', '.join(quoted[:5])}", series=quoted[0])
            return
