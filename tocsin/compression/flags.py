"""The flags of Prometheus that are times, for compressed time."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.durations import scale_duration

DEFAULTS = {
    "query.lookback-delta": "5m",
    "rules.alert.resend-delay": "1m",
    "rules.alert.for-grace-period": "10m",
    "rules.alert.for-outage-tolerance": "1h",
}
"""What Prometheus does where a flag is not given (cmd/prometheus/main.go)."""


def compress_flags(factor: float, production: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the flags that are times, divided by `factor`; names without dashes.

    `production` are the flags of the production server, with or without their leading dashes; others are left out.
    Without the resend delay, an alert would wait for a whole production minute to be sent again.
    Raises ValueError, naming the flag, if one is no duration.
    """
    given = {name.lstrip("-"): value for name, value in (production or {}).items()}
    return {name: _scaled(name, given.get(name, default), factor) for name, default in DEFAULTS.items()}


def _scaled(name: str, value: str, factor: float) -> str:
    try:
        return scale_duration(value, factor)
    except ValueError as error:
        raise ValueError(f"flag --{name}: {error}") from error
