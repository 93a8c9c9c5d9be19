"""Notifications seen by Alertmanager's own counter, where there is no sink: who was told, when that can be told.

`alertmanager_notifications_total` counts by kind of integration. So it names a receiver only where no other has that
kind, and an alert only where the receiver has one group of alerts at that moment. Anything else is not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.artefacts.alertmanager import Integration, Routing
from tocsin.artefacts.exposition import samples_of
from tocsin.engines.alertmanager import AlertmanagerApi

COUNTER = "alertmanager_notifications_total"


def told_apart(routing: Routing) -> dict[str, Integration]:
    """Return the receivers that the counter tells apart, each with its only integration."""
    kinds = Counter(i.kind for receiver in routing.receivers.values() for i in receiver.integrations)
    return {
        name: receiver.integrations[0]
        for name, receiver in routing.receivers.items()
        if len(receiver.integrations) == 1 and kinds[receiver.integrations[0].kind] == 1
    }


@dataclass(frozen=True, slots=True)
class _Look:
    """The counters and the groups of alerts, as they were told between two moments."""

    began: float
    ended: float
    counts: Mapping[str, float]
    groups: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
    """By receiver, the groups of alerts that are neither inhibited nor silenced."""


@dataclass(slots=True)
class CountedNotifications:
    """Looks at the counters again and again, and makes of each increment the notification that it must have been."""

    api: AlertmanagerApi
    receivers: Mapping[str, Integration]
    clock: Callable[[], float]
    undecided: str = ""
    """An increment that several alerts could have caused; empty if there was none."""
    _last: _Look | None = None
    _firing: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    """By receiver, the alerts that it was told of and not yet that they are over, by fingerprint."""
    _found: list[Mapping[str, Any]] = field(default_factory=list)

    def look(self) -> Sequence[Mapping[str, Any]]:
        """Look once, and return every notification so far. Raises EngineTrouble."""
        last, now = self._last, self._now()
        self._last = now
        if last is not None:
            for receiver, integration in self.receivers.items():
                if now.counts.get(integration.kind, 0.0) > last.counts.get(integration.kind, 0.0):
                    self._take(receiver, integration, last, now)
        return list(self._found)

    def _now(self) -> _Look:
        began = self.clock()
        counts: Counter[str] = Counter()
        for labels, value in samples_of(self.api.metrics()):
            if labels["__name__"] == COUNTER:
                counts[labels.get("integration", "")] += int(value)
        groups: dict[str, list[list[Mapping[str, Any]]]] = {}
        for group in self.api.groups():
            active = [a for a in group["alerts"] if a["status"]["state"] == "active"]
            if active:
                groups.setdefault(group["receiver"]["name"], []).append(active)
        return _Look(began, self.clock(), dict(counts), groups)

    def _take(self, receiver: str, integration: Integration, last: _Look, now: _Look) -> None:
        """Make of an increment between two looks what it tells: of what fires now, and of what is over."""
        seen = [*last.groups.get(receiver, ()), *now.groups.get(receiver, ())]
        if len(_disjoint(seen)) > 1:
            self.undecided = f"{COUNTER} grew while receiver {receiver} had several groups of alerts"
            return
        firing = {str(a["fingerprint"]): a for group in now.groups.get(receiver, ()) for a in group}
        known = self._firing.setdefault(receiver, {})
        over = {each: alert for each, alert in known.items() if each not in firing}
        begun = {each: alert for each, alert in firing.items() if each not in known}
        # The increment lies between the looks. Each moment is the end that the budget cannot be missed by.
        if begun:
            self._tell(receiver, integration, last.began, "firing", begun.values())
        if over and integration.send_resolved:
            self._tell(receiver, integration, now.ended, "resolved", over.values())
        self._firing[receiver] = firing

    def _tell(
        self, receiver: str, integration: Integration, time: float, status: str, alerts: Iterable[Mapping[str, Any]]
    ) -> None:
        told = [{"status": status, "labels": a["labels"], "fingerprint": a["fingerprint"]} for a in alerts]
        payload = {"status": status, "receiver": receiver, "alerts": told}
        self._found.append(
            {
                "time": time,
                "receiver": receiver,
                "integration": integration.kind,
                "index": integration.index,
                "payload": payload,
                "by": COUNTER,
            }
        )


def _disjoint(groups: Sequence[Sequence[Mapping[str, Any]]]) -> list[set[str]]:
    """Return groups of alerts as sets of fingerprints, those that share an alert joined."""
    found: list[set[str]] = []
    for group in groups:
        prints = {str(a["fingerprint"]) for a in group}
        sharing = [other for other in found if other & prints]
        found = [other for other in found if other not in sharing] + [prints.union(*sharing)]
    return found
