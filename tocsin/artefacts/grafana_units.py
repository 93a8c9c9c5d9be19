"""The units in which Grafana shows numbers (packages/grafana-data/src/valueFormats/categories.ts)."""

from __future__ import annotations

from collections.abc import Mapping

_BINARY = {"k": 2.0**10, "m": 2.0**20, "g": 2.0**30, "t": 2.0**40, "p": 2.0**50}
_DECIMAL = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}


def _units() -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {
        "percent": ("ratio", 100.0),
        "percentunit": ("ratio", 1.0),
        "s": ("seconds", 1.0),
        "dtdurations": ("seconds", 1.0),
        "clocks": ("seconds", 1.0),
        "ms": ("seconds", 1e3),
        "dtdurationms": ("seconds", 1e3),
        "clockms": ("seconds", 1e3),
        "µs": ("seconds", 1e6),
        "ns": ("seconds", 1e9),
        "m": ("seconds", 1 / 60),
        "h": ("seconds", 1 / 3600),
        "d": ("seconds", 1 / 86400),
        "bytes": ("bytes", 1.0),
        "decbytes": ("bytes", 1.0),
        "bits": ("bytes", 8.0),
        "decbits": ("bytes", 8.0),
        "Bps": ("bytes/s", 1.0),
        "binBps": ("bytes/s", 1.0),
        "bps": ("bytes/s", 8.0),
        "binbps": ("bytes/s", 8.0),
        "dateTimeAsIso": ("timestamp", 1e3),
        "dateTimeAsIsoNoDateIfToday": ("timestamp", 1e3),
        "dateTimeAsUS": ("timestamp", 1e3),
        "dateTimeAsUSNoDateIfToday": ("timestamp", 1e3),
        "dateTimeAsLocal": ("timestamp", 1e3),
        "dateTimeAsLocalNoDateIfToday": ("timestamp", 1e3),
        "dateTimeAsSystem": ("timestamp", 1e3),
        "dateTimeFromNow": ("timestamp", 1e3),
    }
    for letter, size in _BINARY.items():
        found[f"{letter}bytes"] = ("bytes", 1 / size)
        found[f"{letter.upper()}iBs"] = ("bytes/s", 1 / size)
        found[f"{letter.upper()}ibits"] = ("bytes/s", 8 / size)
    for letter, size in _DECIMAL.items():
        found[f"dec{letter}bytes"] = ("bytes", 1 / size)
        found[f"{letter.upper()}Bs"] = ("bytes/s", 1 / size)
        found[f"{letter.upper()}bits"] = ("bytes/s", 8 / size)
    return found


UNITS: Mapping[str, tuple[str, float]] = _units()
"""What each unit measures, and how many of it make one of the base unit. Those that say nothing of it are left out."""

TITLES: Mapping[str, str] = {
    "percent": "percent (0-100)",
    "percentunit": "percent (0.0-1.0)",
    "s": "seconds",
    "ms": "milliseconds",
    "µs": "microseconds",
    "ns": "nanoseconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "bytes": "bytes (IEC)",
    "decbytes": "bytes (SI)",
    "bits": "bits (IEC)",
    "decbits": "bits (SI)",
    "Bps": "bytes a second",
    "binBps": "bytes a second",
    "bps": "bits a second",
    "binbps": "bits a second",
}
"""What some are called in Grafana's own list."""
