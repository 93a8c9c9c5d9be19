"""Answers that are compressed for who cannot unpack them."""

from __future__ import annotations

from collections.abc import Iterator
from gzip import compress

from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import IDENTITY
from tocsin.exposition.http import BODY, Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.WARNING,
    fix="Compress only where the request's Accept-Encoding has gzip.",
    bad=Exchange(lambda _: Reply(compress(BODY), headers=(("Content-Encoding", "gzip"),))),
    good=Exchange(),
)
def gzip_unasked(asked: Asked) -> Iterator[Note]:
    """A job with `enable_compression: false`, and most other tools, cannot read it."""
    answer = asked.answers.get(IDENTITY)
    if answer and answer.scraped.kept and answer.scraped.header("Content-Encoding") not in ("", "identity"):
        said = answer.scraped.header("Content-Encoding")
        yield Note(f"asked with `Accept-Encoding: identity`, it answers {said}")
