"""Targets that speak protobuf too."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.content_type import BY_TYPE, Parser, media_type
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity


@behaviour(
    severity=Severity.INFO,
    fix="Nothing, as long as no server asks for it; `promtool check metrics` does not read it either.",
    bad=Exchange(
        lambda visit: (
            Reply(
                b"\x05\n\x03abc",
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
            )
            if visit.accepts("protobuf")
            else Reply()
        )
    ),
    good=Exchange(),
)
def protobuf_offered(asked: Asked) -> Iterator[Note]:
    """With native histograms switched on, Prometheus asks for it; that body is not judged here."""
    answer = asked.answers.get("accept-native")
    if answer and answer.scraped.kept:
        kind = BY_TYPE.get(media_type(answer.scraped.header("Content-Type")).type)
        if kind is Parser.PROTOBUF:
            yield Note("it answers protobuf to whoever prefers it; that body was not judged")
