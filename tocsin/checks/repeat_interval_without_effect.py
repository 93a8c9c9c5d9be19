"""Intervals of repetition that Alertmanager cannot keep."""

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import RoutePart
from tocsin.checks import Example, Remark, at, check
from tocsin.durations import format_duration, parse_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.part import Part

_RETENTION = 120 * 3600.0
"""What `--data.retention` is if it is not given (Alertmanager, cmd/alertmanager/main.go)."""
_CONFIG = """route:
  receiver: chat
  group_interval: 5m
  repeat_interval: %s
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.WARNING,
    fix="Make `repeat_interval` a multiple of `group_interval`, and shorter than `--data.retention`.",
    bad=Example({"alertmanager.yml": _CONFIG % "1m"}, at="repeat_interval: 1m"),
    good=Example({"alertmanager.yml": _CONFIG % "10m"}),
)
def repeat_interval_without_effect(route: RoutePart, model: Model) -> Iterator[Remark]:
    """Notifications are repeated at other times than the file says, which a heartbeat's receiver takes for silence.

    Whether to repeat is asked every `group_interval`; and when the record of a notification is deleted, after
    `--data.retention`, the next one is sent as if it were the first.
    (Alertmanager: docs/configuration.md, group_interval and repeat_interval.)
    """
    written = route.part.get("repeat_interval") or route.part.get("group_interval")
    repeat, interval = route.seconds("repeat_interval"), route.seconds("group_interval")
    if not written or not repeat or not interval:
        return
    if repeat < interval:
        yield _remark(
            route,
            written,
            f"A notification to {route.receiver!r} is repeated every {format_duration(interval)} and not every "
            f"{format_duration(repeat)}: whether to repeat is asked each `group_interval`",
        )
    elif route.part.get("repeat_interval"):
        kept = _retention(route, model)
        if repeat > (kept or _RETENTION):
            yield _remark(
                route,
                written,
                f"A notification to {route.receiver!r} is repeated after {format_duration(kept or _RETENTION)} and not "
                f"after {format_duration(repeat)}: Alertmanager forgets it then (--data.retention)",
                Severity.WARNING if kept else Severity.INFO,
            )


def _remark(route: RoutePart, part: Part, message: str, severity: Severity = Severity.WARNING) -> Remark:
    return at(part, message, subject=f"{route.subject}/{part.key}", severity=severity)


def _retention(route: RoutePart, model: Model) -> float | None:
    """Return for how long an Alertmanager keeps what it told, the longest of several; None if none is described."""
    found: list[float] = []
    for notifications in model.notifications:
        if notifications.config.part.document is route.part.document:
            for process in notifications.processes:
                try:
                    found.append(parse_duration(process.flag("data.retention") or "120h"))
                except ValueError:
                    found.append(float("inf"))
    return max(found, default=None)
