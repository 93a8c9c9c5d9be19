"""The grammars that a `/metrics` body is read by, and what a server does with it."""

from __future__ import annotations

from enum import StrEnum


class Syntax(StrEnum):
    """The grammar of a body, which its Content-Type names."""

    TEXT = "text"
    """The Prometheus text format 0.0.4."""
    OPENMETRICS = "openmetrics"
    """OpenMetrics 1.0."""


class Generation(StrEnum):
    """Prometheus servers that parse alike, by the release that stands for them."""

    V2_42 = "prometheus-2.42"
    """Before quoted names."""
    V2_53 = "prometheus-2.53"
    """Reads quoted names, and refuses those that need the quotes."""
    V3_5 = "prometheus-3.5"
    """Names may be any UTF-8."""


class Ingest(StrEnum):
    """What a server does with a whole scrape."""

    ACCEPT = "accept"
    REJECT = "reject"
    """All samples are lost, and `up` is 0."""
    CRASH = "crash"
    """The server's process ends."""
