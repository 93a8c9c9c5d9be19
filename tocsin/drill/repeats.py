"""Repeats: how often receivers were told of one alert, where replicas of the engines could tell them more than once.

Alertmanager tells again of a group that something joins, and after `repeat_interval`; neither is a repeat. A repeat
tells nothing that the one before it did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from tocsin.artefacts.alertmanager import RouteNode
from tocsin.drill.timeline import ROUNDING, AlertInstance, is_told
from tocsin.evidence import Evidence, Manifest, Notification

SAID = {"firing": "that it fires", "resolved": "that it is over"}


@dataclass(frozen=True, slots=True)
class Repeat:
    """An integration that was told of an alert more often than it may be."""

    reason: str
    by_timing: bool
    """Whether Alertmanagers did not hear of each other in time, as they may not on a starved machine."""


@dataclass(frozen=True, slots=True)
class _Telling:
    """One time that an integration was told of an alert."""

    time: float
    by: str
    """The Alertmanager, by its name; empty if there is one."""
    labels: Mapping[str, str]


def repeats(
    evidence: Evidence, manifest: Manifest, instance: AlertInstance, route: RouteNode | None
) -> tuple[Repeat, ...]:
    """Return every integration that was told too often; nothing where there is one engine of each kind."""
    if not manifest.replicas:
        return ()
    return tuple(
        _repeat(manifest, f"{instance.name}: {whom} was notified", status, tellings)
        for status in SAID
        for whom, tellings in _told(evidence, instance, status, route).items()
        if len(tellings) > _most(manifest, instance)
    )


def note(evidence: Evidence, manifest: Manifest, instance: AlertInstance | None, route: RouteNode | None) -> str:
    """Return what is to be said of an alert that was told of more than once, as it may be; nothing if it was once."""
    if not manifest.partitioned or instance is None:
        return ""
    parts = [
        f"{whom} got {len(tellings)} notifications {SAID[status]}"
        for status in SAID
        for whom, tellings in _told(evidence, instance, status, route).items()
        if len(tellings) > _times(manifest, instance)
    ]
    return f"{'; '.join(parts)}: the Alertmanagers could not see each other" if parts else ""


def _most(manifest: Manifest, instance: AlertInstance) -> int:
    """Return how often an integration may be told: once each time it fired, and once by each part of a cluster."""
    parts = len([r for r in manifest.replicas if r.engine == "alertmanager"]) if manifest.partitioned else 1
    return _times(manifest, instance) * max(parts, 1)


def _times(manifest: Manifest, instance: AlertInstance) -> int:
    since = manifest.moments.injected or 0.0
    return max(1, len([s for s in instance.spans if s.firing is not None and s.began >= since - ROUNDING]))


def _told(
    evidence: Evidence, instance: AlertInstance, status: str, route: RouteNode | None
) -> dict[str, list[_Telling]]:
    """Return by integration how often it was told of an alert, without what is told again for a reason."""
    by_whom: dict[str, list[Notification]] = {}
    for notification in sorted(evidence.notifications, key=lambda n: n.time):
        whom = f"{notification.receiver} ({notification.integration} {notification.index})"
        by_whom.setdefault(whom, []).append(notification)
    found = {whom: list(_tellings(got, instance, status, route)) for whom, got in by_whom.items()}
    return {whom: tellings for whom, tellings in found.items() if tellings}


def _tellings(
    got: list[Notification], instance: AlertInstance, status: str, route: RouteNode | None
) -> Iterator[_Telling]:
    known: dict[str, frozenset[tuple[str, str]]] = {}
    last: float | None = None
    for notification in got:
        group = str(notification.payload.get("groupKey", ""))
        own = [a for a in notification.alerts if is_told(a, instance)]
        others = frozenset(
            (str(a.get("fingerprint")), str(a.get("status"))) for a in notification.alerts if a not in own
        )
        joined = bool(others - known.get(group, others))
        known[group] = known.get(group, frozenset()) | others
        due = last is not None and route is not None and notification.time - last >= route.repeat_interval
        for alert in own:
            if alert.get("status") == status:
                if not (joined and last is not None) and not due:
                    yield _Telling(notification.time, _sender(notification), dict(alert.get("labels") or {}))
                last = notification.time


def _sender(notification: Notification) -> str:
    """Return the Alertmanager that sent a notification: each of several gives its name for its external URL."""
    return urlsplit(str(notification.payload.get("externalURL", ""))).hostname or ""


def _repeat(manifest: Manifest, who: str, status: str, tellings: list[_Telling]) -> Repeat:
    differing = _differing(tellings)
    times = "twice" if len(tellings) == 2 else f"{len(tellings)} times"
    each = "; ".join(
        f"at {t.time:.2f} s"
        + (f" by {t.by}" if t.by else "")
        + (" of " + ", ".join(f'{n}="{t.labels.get(n, "")}"' for n in differing) if differing else "")
        for t in tellings
    )
    said = f"{who} {times} {SAID[status]} ({each})"
    if differing:
        where = f"; see {manifest.alert_relabelling}" if manifest.alert_relabelling else ""
        cause = (
            f"to Alertmanager these are different alerts, for they differ in {', '.join(differing)}: drop that label"
            f" from what is sent, under `alerting: alert_relabel_configs` with `action: labeldrop`{where}"
        )
        return Repeat(f"{said}: {cause}", by_timing=False)
    senders = list(dict.fromkeys(t.by for t in tellings))
    if len(senders) < len(tellings) and any(a.by == b.by for a, b in pairwise(tellings)):
        return Repeat(f"{said}: the same Alertmanager told it again, with nothing new", by_timing=False)
    cause = (
        f"the second did not know in time that the first had; each waits {manifest.peers_wait_seconds:g} s at most"
        " for those before it in the cluster"
    )
    return Repeat(f"{said}: {cause}", by_timing=True)


def _differing(tellings: list[_Telling]) -> list[str]:
    """Return the labels in which an alert differs from one time to the other."""
    names = sorted({name for t in tellings for name in t.labels})
    return [name for name in names if len({t.labels.get(name) for t in tellings}) > 1]
