"""Alertmanager's groups that were there before a drill: what joins one waits for its next interval, not `group_wait`.

A stack of ours is fresh, and has none. On a system that runs already, Prometheus tells Alertmanager of a resolved
alert again for 15 minutes (rules/alerting.go, resolvedRetention), and each time its group is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tocsin.artefacts.alertmanager import RouteNode, Routing
from tocsin.drill.timeline import AlertInstance, alert_instances, snapshots_of
from tocsin.evidence import Evidence

ALL = "..."
"""What groups by every label (Alertmanager, dispatch/route.go)."""


def waiting_terms(
    evidence: Evidence, routing: Routing | None, route: RouteNode | None, instance: AlertInstance | None
) -> dict[str, float]:
    """Return what may pass, in seconds, from an alert's arrival at Alertmanager to its notification, by name."""
    if route is None:
        return {"group_wait": 0.0}
    if routing is None or instance is None or not joins_a_group(evidence, routing, route, instance):
        return {"group_wait": route.group_wait}
    return {"group_wait": 0.0, "group_interval, of a group that was there": route.group_interval}


def joins_a_group(evidence: Evidence, routing: Routing, route: RouteNode, instance: AlertInstance) -> bool:
    """Tell whether an alert that takes `route` came into a group that may have been there already."""
    if evidence.manifest is None or evidence.manifest.ours or instance.first_firing is None:
        return False
    beyond = _beyond(evidence, instance)
    own = {**beyond, **instance.labels}
    return any(
        route in routing.routes(labels) and _group(route, labels) == _group(route, own)
        for earlier in _earlier(evidence, instance.first_firing)
        for labels in [{**beyond, **earlier}]
    )


def _beyond(evidence: Evidence, instance: AlertInstance) -> dict[str, str]:
    """Return the labels that an alert has in Alertmanager alone: those that Prometheus adds to all that it sends."""
    found: dict[str, str] = {}
    for _, alert in snapshots_of(evidence, instance):
        labels = alert.get("labels")
        if isinstance(labels, dict):
            found |= {str(k): str(v) for k, v in labels.items() if k not in instance.labels}
    return found


def _earlier(evidence: Evidence, moment: float) -> Iterator[Mapping[str, str]]:
    """Yield the labels of every alert that fired before `moment`, in the drill or in the time before it."""
    for line in evidence.alertmanager:
        if line.get("event") == "rang":
            yield {str(k): str(v) for k, v in dict(line.get("labels") or {}).items()}
    for other in alert_instances(evidence):
        if other.first_firing is not None and other.first_firing < moment:
            yield other.labels


def _group(route: RouteNode, labels: Mapping[str, str]) -> dict[str, str]:
    if ALL in route.group_by:
        return dict(labels)
    return {name: labels.get(name, "") for name in route.group_by}
