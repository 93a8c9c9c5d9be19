"""Metrics that a package exports of an application in Python which only switches it on.

(trallnag/prometheus-fastapi-instrumentator, src/prometheus_fastapi_instrumentator/metrics.py, `default`;
rycus86/prometheus_flask_exporter, prometheus_flask_exporter/__init__.py, `export_defaults`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.source import Place


@dataclass(frozen=True, slots=True)
class Switched:
    """One series that a package exports by itself, and what switches it on."""

    name: str
    type: str
    labels: frozenset[str]
    place: Place
    buckets: tuple[float, ...] = ()
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The values of a label, where all of them are known."""


_Family = tuple[str, str, tuple[str, ...], tuple[float, ...]]
"""A name, its type, its labels and its buckets."""
_GROUPED = frozenset({"1xx", "2xx", "3xx", "4xx", "5xx"})
"""What prometheus-fastapi-instrumentator makes of a status by itself (should_group_status_codes)."""
_FASTAPI: tuple[_Family, ...] = (
    ("http_requests", "counter", ("handler", "method", "status"), ()),
    ("http_request_size_bytes", "summary", ("handler",), ()),
    ("http_response_size_bytes", "summary", ("handler",), ()),
    ("http_request_duration_highr_seconds", "histogram", (), ()),
    ("http_request_duration_seconds", "histogram", ("handler", "method"), (0.1, 0.5, 1.0)),
)
_FLASK: tuple[_Family, ...] = (
    ("flask_http_request", "counter", ("method", "status"), ()),
    ("flask_http_request_exceptions", "counter", ("method", "status"), ()),
    ("flask_http_request_duration_seconds", "histogram", ("method", "path", "status"), ()),
)
_PARTS = {
    "counter": (("_total", ()),),
    "summary": (("_count", ()), ("_sum", ())),
    "histogram": (("_bucket", ("le",)), ("_count", ()), ("_sum", ())),
}
_SWITCHES = (
    (
        re.compile(r"^\s*(?:from|import)\s+prometheus_fastapi_instrumentator\b", re.MULTILINE),
        re.compile(r"\bInstrumentator\("),
        re.compile(r"\.add\(|metric_namespace|metric_subsystem|custom_labels|latency_lowr_buckets"),
        _FASTAPI,
    ),
    (
        re.compile(r"^\s*(?:from|import)\s+prometheus_flask_exporter\b", re.MULTILINE),
        re.compile(r"\b\w*PrometheusMetrics\w*(?:\.for_app_factory)?\("),
        re.compile(
            r"defaults_prefix|group_by|default_labels|static_labels|default_latency_as_histogram|buckets\s*=|export_defaults"
        ),
        _FLASK,
    ),
)
"""The import, what switches it on, what makes it say something else than by itself, and what it says by itself."""


def switched_on(texts: Mapping[str, str]) -> Iterator[Switched]:
    """Yield the series that packages export by themselves, where no source has them say anything else."""
    for imported, switch, changes, families in _SWITCHES:
        using = {file: text for file, text in texts.items() if imported.search(text)}
        if any(changes.search(text) for text in using.values()):
            continue
        for file, text in using.items():
            found = switch.search(text)
            if found is not None:
                line = text.count("\n", 0, found.start()) + 1
                place = Place(file, line, found.start() - text.rfind("\n", 0, found.start()))
                grouped = families is _FASTAPI and not any("should_group_status" in each for each in using.values())
                yield from _series(families, place, grouped=grouped)
                break


def _series(families: tuple[_Family, ...], place: Place, *, grouped: bool) -> Iterator[Switched]:
    for name, kind, labels, buckets in families:
        for suffix, more in _PARTS[kind]:
            bounds = buckets if suffix == "_bucket" else ()
            values = {"status": _GROUPED} if grouped and "status" in labels else {}
            yield Switched(name + suffix, kind, frozenset({*labels, *more}), place, bounds, values)
