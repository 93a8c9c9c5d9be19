"""Compressed and plain answers that do not tell the same."""

from __future__ import annotations

from collections.abc import Iterator
from gzip import compress

from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import IDENTITY
from tocsin.exposition.digest import Digest
from tocsin.exposition.http import BODY, Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.ERROR,
    fix="Compress what would have been sent plain; look at a cache between that keeps one of both (`Vary: "
    "Accept-Encoding`).",
    bad=Exchange(
        lambda visit: (
            Reply(compress(b"shop_visits_total 1\n"), headers=(("Content-Encoding", "gzip"),))
            if visit.gzip
            else Reply(BODY)
        )
    ),
    good=Exchange(
        lambda visit: Reply(compress(BODY), headers=(("Content-Encoding", "gzip"),)) if visit.gzip else Reply()
    ),
)
def encodings_disagree(asked: Asked) -> Iterator[Note]:
    """What Prometheus stores is not what anybody sees who looks with curl."""
    first = asked.first
    packed, plain = (asked.digest(first.name) if first else None), asked.digest(IDENTITY)
    if packed is None or plain is None or packed.syntax is not plain.syntax:
        return
    differing = sorted(_names(packed) ^ _names(plain))
    if differing:
        yield Note(f"only one of both has {', '.join(differing[:5])}{', ...' if len(differing) > 5 else ''}")


def _names(digest: Digest) -> set[str]:
    return {name for family in digest.families.values() for name in family.names}
