"""The flags that Prometheus and Alertmanager know, by version.

Read off the programs themselves (`--help` of Prometheus 2.42, 2.53 and 3.5 and of Alertmanager 0.25, 0.28 and 0.33, and
what they take without showing it), and off prometheus/prometheus, cmd/prometheus/main.go, for what is newer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PROMETHEUS = """
    agent alertmanager.drain-notification-queue-on-shutdown alertmanager.notification-batch-size
    alertmanager.notification-queue-capacity alertmanager.timeout auto-gomaxprocs auto-gomemlimit
    auto-gomemlimit.ratio config.auto-reload-interval config.file enable-feature help help-long log.format
    log.level query.lookback-delta query.max-concurrency query.max-samples query.timeout
    rules.alert.for-grace-period rules.alert.for-outage-tolerance rules.alert.resend-delay
    rules.max-concurrent-evals scrape.adjust-timestamps scrape.discovery-reload-interval
    scrape.name-escaping-scheme scrape.timestamp-tolerance storage.agent.no-lockfile storage.agent.path
    storage.agent.retention.max-time storage.agent.retention.min-time storage.agent.use-lockfile
    storage.agent.wal-compression storage.agent.wal-compression-type storage.agent.wal-segment-size
    storage.agent.wal-truncate-frequency storage.remote.flush-deadline storage.remote.read-concurrent-limit
    storage.remote.read-max-bytes-in-frame storage.remote.read-sample-limit
    storage.tsdb.allow-overlapping-blocks storage.tsdb.block-reload-interval
    storage.tsdb.delay-compact-file.path storage.tsdb.delayed-compaction.max-percent
    storage.tsdb.head-chunks-write-queue-size storage.tsdb.max-block-chunk-segment-size
    storage.tsdb.max-block-duration storage.tsdb.min-block-duration storage.tsdb.no-lockfile storage.tsdb.path
    storage.tsdb.retention storage.tsdb.retention.percentage storage.tsdb.retention.size
    storage.tsdb.retention.time storage.tsdb.samples-per-chunk storage.tsdb.use-lockfile
    storage.tsdb.wal-compression storage.tsdb.wal-compression-type storage.tsdb.wal-segment-size version
    web.config.file web.console.libraries web.console.templates web.cors.origin web.enable-admin-api
    web.enable-lifecycle web.enable-remote-write-receiver web.external-url web.listen-address
    web.local-assets web.max-connections web.max-notifications-subscribers web.page-title web.read-timeout
    web.remote-write-receiver.accepted-protobuf-messages web.route-prefix web.user-assets
"""
_ALERTMANAGER = """
    alerts.gc-interval alerts.per-alertname-limit auto-gomemlimit.ratio cluster.advertise-address
    cluster.allow-insecure-public-advertise-address-discovery cluster.gossip-interval cluster.label
    cluster.listen-address cluster.peer cluster.peer-name cluster.peer-timeout cluster.peers-resolve-timeout
    cluster.probe-interval cluster.probe-timeout cluster.pushpull-interval cluster.reconnect-interval
    cluster.reconnect-timeout cluster.settle-timeout cluster.tcp-timeout cluster.tls-config config.file
    data.maintenance-interval data.retention dispatch.maintenance-interval dispatch.start-delay enable-feature
    help help-long log.format log.level log.silences silences.max-silence-size-bytes silences.max-silences
    storage.path version web.config.file web.external-url web.get-concurrency
    web.listen-address web.route-prefix web.systemd-socket web.timeout web.ui-path
"""
KNOWN: Mapping[str, frozenset[str]] = {
    "prometheus": frozenset(_PROMETHEUS.split()),
    "alertmanager": frozenset(_ALERTMANAGER.split()),
}
"""Every flag of every version that is known, hidden ones too."""
REMOVED: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "prometheus": {
        "alertmanager.timeout": (3, 0),
        "storage.tsdb.allow-overlapping-blocks": (3, 0),
        "storage.tsdb.retention": (3, 0),
    },
    "alertmanager": {},
}
"""The version from which on a flag is refused (prometheus.io/docs/prometheus/latest/migration)."""
OF_SERVER = ("storage.tsdb.", "storage.remote.read-", "rules.alert.", "query.", "alertmanager.notification-queue")
"""How the flags begin that Prometheus refuses as an agent."""
OF_AGENT = ("storage.agent.",)
"""How the flags begin that it refuses as a server."""
NOT_YET: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "prometheus": dict.fromkeys(
        (
            "agent",
            "alertmanager.drain-notification-queue-on-shutdown",
            "alertmanager.notification-batch-size",
            "auto-gomaxprocs",
            "auto-gomemlimit",
            "config.auto-reload-interval",
            "web.max-notifications-subscribers",
            "web.remote-write-receiver.accepted-protobuf-messages",
        ),
        (2, 53),
    )
    | {"auto-gomemlimit.ratio": (2, 42), "rules.max-concurrent-evals": (2, 42)},
    "alertmanager": dict.fromkeys(
        (
            "auto-gomemlimit.ratio",
            "cluster.label",
            "enable-feature",
            "silences.max-silence-size-bytes",
            "silences.max-silences",
        ),
        (0, 25),
    )
    | dict.fromkeys(
        (
            "alerts.per-alertname-limit",
            "cluster.peer-name",
            "cluster.peers-resolve-timeout",
            "dispatch.maintenance-interval",
            "dispatch.start-delay",
            "log.silences",
        ),
        (0, 28),
    ),
}
"""The newest version that is known to refuse a flag, because it did not have it yet."""
NEWEST: Mapping[str, tuple[int, int]] = {"prometheus": (3, 5), "alertmanager": (0, 33)}
"""The newest version whose flags are all known."""
OLDEST: Mapping[str, tuple[int, int]] = {"prometheus": (2, 0), "alertmanager": (0, 15)}
"""The first version that reads its flags as all later ones do."""
_TAG = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.\d+)?(?:[-+].*)?")


def version_of(tag: str) -> tuple[int, int] | None:
    """Return the version that an image's tag says; None if it says none."""
    found = _TAG.fullmatch(tag)
    return (int(found[1]), int(found[2])) if found else None
