"""Content-Types that leave out, or get wrong, what the format prescribes."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.asked import Asked
from tocsin.exposition.content_type import BY_TYPE, Parser, media_type
from tocsin.exposition.http import Exchange, Note, Reply, behaviour
from tocsin.finding import Severity

_VERSIONS = {Parser.TEXT: ("0.0.4", "1.0.0"), Parser.OPENMETRICS: ("0.0.1", "1.0.0", "2.0.0")}


@behaviour(
    severity=Severity.WARNING,
    fix="Send `text/plain; version=0.0.4; charset=utf-8`, or "
    "`application/openmetrics-text; version=1.0.0; charset=utf-8`.",
    bad=Exchange(lambda _: Reply(type="text/plain; version=0.0.5; charset=latin-1")),
    good=Exchange(),
)
def content_type_inexact(asked: Asked) -> Iterator[Note]:
    """Prometheus does not look at version and charset today; other readers do, and a later version may.

    (prometheus.io/docs/instrumenting/exposition_formats; OpenMetrics 1.0, Overall Structure.)
    """
    first = asked.first
    if first is None or not first.scraped.kept or not first.scraped.body_bytes:
        return
    found = media_type(first.scraped.header("Content-Type"))
    parser = BY_TYPE.get(found.type)
    if parser is None or parser is Parser.PROTOBUF:
        return
    version, charset = found.parameters.get("version"), found.parameters.get("charset")
    if version is None:
        yield Note(f"{found.type} without a version", severity=Severity.INFO)
    elif version not in _VERSIONS[parser]:
        yield Note(f"version {version!r} of {found.type}: there is none; there are {', '.join(_VERSIONS[parser])}")
    if charset is None:
        yield Note(f"{found.type} without `charset=utf-8`", severity=Severity.INFO)
    elif charset.lower() != "utf-8":
        yield Note(f"charset {charset!r}: every format of Prometheus is UTF-8, and is read as such")
