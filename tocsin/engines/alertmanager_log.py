"""Read Alertmanager's JSON debug log: what it received, when it flushed a group, whom it notified.

Three generations are understood: 0.25 (go-kit: ts, alert as text), 0.28 (slog: time, the alert as an object) and 0.33
(slog; flushes and notifications count alerts by name and no longer name each).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

FINGERPRINT_PREFIX = 7
"""Digits of a fingerprint that Alertmanager's log shows."""

_ALERT = re.compile(r"(?P<name>.*?)\[(?P<fingerprint>[0-9a-f]{7})\]\[(?P<state>active|resolved)\](?: |$)")


class AlertmanagerEventKind(StrEnum):
    """What Alertmanager did."""

    RECEIVED = "received"
    FLUSHED = "flushed"
    NOTIFIED = "notified"
    NOTIFY_FAILED = "notify_failed"
    MUTED = "muted"
    """A group was not told of because of the time of day; the line does not name it."""


_KINDS = {
    "Received alert": AlertmanagerEventKind.RECEIVED,
    "flushing": AlertmanagerEventKind.FLUSHED,
    "Notify success": AlertmanagerEventKind.NOTIFIED,
    "Notifications not sent, route is within mute time": AlertmanagerEventKind.MUTED,
    "Notifications not sent, route is not within active time": AlertmanagerEventKind.MUTED,
    "Notify attempt failed, will retry later": AlertmanagerEventKind.NOTIFY_FAILED,
    "Notify for alerts failed": AlertmanagerEventKind.NOTIFY_FAILED,
}


@dataclass(frozen=True, slots=True)
class LoggedAlert:
    """An alert as the log names it."""

    name: str
    fingerprint: str
    """The first seven digits: see `fingerprint`."""
    state: str
    """active or resolved"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerEvent:
    """One line of the log that matters to an alert."""

    time: float
    """Unix time in seconds, to the millisecond."""
    kind: AlertmanagerEventKind
    alerts: tuple[LoggedAlert, ...] = ()
    """Those that the line names; none in a notification of 0.25, nor in a flush of 0.33."""
    receiver: str = ""
    integration: str = ""
    """As webhook[0]."""
    group: str = ""
    """Key of the aggregation group, as {}:{alertname="Down"}; empty where the log does not tell it."""
    attempts: int = 0
    error: str = ""


def events(lines: Iterable[str]) -> Iterator[AlertmanagerEvent]:
    """Yield the events of a log; lines of another kind, or that are no JSON (a panic), are passed over."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        kind = _KINDS.get(record.get("msg", "")) if isinstance(record, dict) else None
        if kind is not None:
            yield _event(kind, record)


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the fingerprint of an alert's labels as Prometheus and Alertmanager compute it (FNV-1a, 64 bits).

    Of github.com/prometheus/common/model/signature.go: names in order, each name and value followed by 0xff.
    """
    value = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _event(kind: AlertmanagerEventKind, record: Mapping[str, Any]) -> AlertmanagerEvent:
    time = _unix(record.get("ts") or record["time"])
    group = record.get("aggrGroup")
    return AlertmanagerEvent(
        time=time,
        kind=kind,
        alerts=_alerts(record, time),
        receiver=record.get("receiver", ""),
        integration=record.get("integration", ""),
        group=group if isinstance(group, str) else "",  # 0.28 writes {} for it in a flush
        attempts=int(record.get("attempts") or 0),
        error=str(record.get("err", "")),
    )


def _alerts(record: Mapping[str, Any], time: float) -> tuple[LoggedAlert, ...]:
    alert = record.get("alert")
    if isinstance(alert, dict):
        labels = alert["labels"]
        ends = _unix(alert["endsAt"]) if not alert["endsAt"].startswith("0001-") else float("inf")
        state = "resolved" if ends <= time else "active"
        return (LoggedAlert(labels.get("alertname", ""), fingerprint(labels)[:FINGERPRINT_PREFIX], state),)
    text = alert or str(record.get("alerts", "")).removeprefix("[").removesuffix("]")
    return tuple(LoggedAlert(match["name"], match["fingerprint"], match["state"]) for match in _ALERT.finditer(text))


def _unix(moment: str) -> float:
    """Return the unix time of an RFC 3339 moment; Go writes up to nine digits of a second, Python reads six."""
    whole, dot, rest = moment.partition(".")
    if dot:
        digits = re.match(r"\d*", rest)
        count = len(digits[0]) if digits else 0
        moment = f"{whole}.{rest[: min(count, 6)]}{rest[count:]}"
    return datetime.fromisoformat(moment).timestamp()
