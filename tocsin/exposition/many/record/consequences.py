"""Findings about a scrape that often follow from another one, so that one disease is told as one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OF_ONE_SCRAPE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "body-of-another-type": ("not-ingested", "not-to-the-letter", "format-not-asked-for"),
        "empty-body": ("no-samples",),
        "not-ingested": ("not-to-the-letter", "no-help"),
        "server-crash": ("not-ingested", "not-to-the-letter", "no-help", "quoted-names-unasked"),
        "timestamp-far-away": ("explicit-timestamps",),
        "timestamp-in-other-unit": ("explicit-timestamps",),
        "timestamp-zero": ("explicit-timestamps",),
    }
)
"""By the check of the cause: the checks of what may follow."""
