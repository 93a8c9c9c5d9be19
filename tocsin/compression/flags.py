"""The flags of Prometheus and of Alertmanager's cluster that are times, for compressed time."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.durations import parse_duration, scale_duration

DEFAULTS = {
    "query.lookback-delta": "5m",
    "rules.alert.resend-delay": "1m",
    "rules.alert.for-grace-period": "10m",
    "rules.alert.for-outage-tolerance": "1h",
}
"""What Prometheus does where a flag is not given (cmd/prometheus/main.go)."""


PEER_TIMEOUT = "cluster.peer-timeout"
"""How long each Alertmanager waits for every peer before it in the cluster, before it notifies itself."""
CLUSTER_DEFAULTS = {
    PEER_TIMEOUT: "15s",
    "cluster.pushpull-interval": "1m",
    "cluster.gossip-interval": "200ms",
    "cluster.probe-interval": "1s",
    "cluster.probe-timeout": "500ms",
    "cluster.reconnect-interval": "10s",
}
"""What Alertmanager does where a flag is not given (cmd/alertmanager/main.go)."""
CLUSTER_FLOORS = {
    "cluster.pushpull-interval": "500ms",
    "cluster.gossip-interval": "10ms",
    "cluster.probe-interval": "200ms",
    "cluster.probe-timeout": "100ms",
    "cluster.reconnect-interval": "200ms",
}
"""Below these a busy machine would take a living peer for a dead one. They carry the gossip, which is to be quick
against the peer timeout, as in production; only that one decides whether somebody is told twice."""


def compress_cluster_flags(factor: float) -> dict[str, str]:
    """Return the flags of Alertmanager's cluster that are times, divided by `factor`; names without dashes."""
    found = {}
    for name, default in CLUSTER_DEFAULTS.items():
        scaled = _scaled(name, default, factor)
        floor = CLUSTER_FLOORS.get(name, scaled)
        found[name] = max(scaled, min(floor, default, key=parse_duration), key=parse_duration)
    return found


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
