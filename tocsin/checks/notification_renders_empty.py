"""Notification templates that show labels or annotations which the alerts do not have."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import RoutePart
from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.notifications import Inline, Notifications
from tocsin.model.routing import RoutedAlerts, Taken
from tocsin.part import Part
from tocsin.source import Place, offered
from tocsin.templates.typing import Use

_RULES = """groups:
- name: a
  rules:
  - {alert: Down, expr: up == 0, annotations: {summary: It is down.}}
"""
_PROMETHEUS = """global: {scrape_interval: 15s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
scrape_configs: []
"""
_ROUTES = """route:
  receiver: chat
  group_by: [%s]
receivers:
- name: chat
  slack_configs:
  - {api_url_file: /secrets/url, title: '{{ .GroupLabels.alertname }}'}
"""


@check(
    severity=Severity.WARNING,
    fix="Show what the alerts have, or give it to them: in `group_by`, or among the rules' annotations.",
    bad=Example(
        {"rules.yml": _RULES, "prometheus.yml": _PROMETHEUS, "alertmanager.yml": _ROUTES % "job"}, at="group_by: [job]"
    ),
    good=Example({"rules.yml": _RULES, "prometheus.yml": _PROMETHEUS, "alertmanager.yml": _ROUTES % "alertname"}),
)
def notification_renders_empty(model: Model) -> Iterator[Remark]:
    """Who reads the notification finds an empty place where the text should say what is wrong, or where.

    GroupLabels holds the labels of `group_by` alone; a label or an annotation that an alert lacks is the empty string.
    (Alertmanager: template/template.go, Data; the option missingkey=zero.)
    """
    for notifications in model.notifications:
        routed = model.routing.of(notifications.config)
        said: set[tuple[str, int, int, str]] = set()
        for inline in notifications.inline:
            for remark in _remarks(inline, notifications, routed):
                key = (remark.place.file, remark.place.line, remark.place.column, remark.subject)
                if key not in said:
                    said.add(key)
                    yield remark


def _remarks(inline: Inline, notifications: Notifications, routed: RoutedAlerts | None) -> Iterator[Remark]:
    reading = notifications.reading(inline)
    if reading is None or inline.integration is None:
        return
    receiver = inline.integration.receiver
    routes = [route for route in notifications.config.routes if route.receiver == receiver.name]
    asked = {(use.of, use.name) for use in reading.uses if not use.alone}
    stays = [taken for route in routes for taken in routed.stays(route)] if routed is not None else []
    for use in reading.uses:
        place, width = notifications.place(inline, use.inside, use.span)
        if use.of == "GroupLabels":
            if (use.of, use.name) not in asked:
                yield from _ungrouped(use, routes, place, routed)
        elif routed is not None and routed.whole and stays:
            message = _absent(use, stays, receiver.name)
            if message and not (use.of == "Labels" and (use.of, use.name) in asked):
                inside = f"template/{use.inside}" if use.inside else inline.subject
                subject = f"{inside}/{use.of}.{use.name}"
                yield Remark(place, message, width=width, subject=subject)


def _ungrouped(use: Use, routes: list[RoutePart], place: Place, routed: RoutedAlerts | None) -> Iterator[Remark]:
    """Yield the groupings by which the template's receiver is told and that lack a label which it shows."""
    seen: set[tuple[str | int, ...]] = set()
    for route in routes:
        if routed is not None and routed.whole and not routed.stays(route):
            continue
        grouping = route.inherited("group_by") or route.config.part.get("route")
        if "..." in route.group_by or use.name in route.group_by or grouping.route in seen:
            continue
        seen.add(grouping.route)
        by = f"groups by {', '.join(route.group_by)}" if route.group_by else "does not group by any label"
        yield _remark(use, route, grouping, f"The template shows GroupLabels.{use.name}, and this {by}", place)


def _remark(use: Use, route: RoutePart, grouping: Part, message: str, place: Place) -> Remark:
    return at_key(
        grouping,
        f"{message}, so what {route.receiver!r} is told has an empty place there",
        subject=f"{'/'.join(map(str, grouping.route))}/{use.name}",
        related=(place,),
        fix=f"Add `{use.name}` to `group_by`, or show CommonLabels.{use.name}, which is there if all alerts share it.",
    )


def _absent(use: Use, stays: list[Taken], receiver: str) -> str:
    """Return what is wrong with a label or an annotation that no alert of a receiver has; nothing if one may."""
    if use.of in ("CommonAnnotations", "Annotations"):
        rules: list[Rule] = list({id(taken.rule): taken.rule for taken in stays}.values())
        names = {name for rule in rules for name in rule.annotations}
        if use.name in names:
            return ""
        known = sorted(names)
        return (
            f"No rule whose alerts go to {receiver!r} has an annotation `{use.name}`, so this is always empty; "
            f"{offered(use.name, known)}"
        )
    if use.of in ("CommonLabels", "Labels") and all(taken.facts.surely_absent(use.name) for taken in stays):
        return f"No alert that goes to {receiver!r} has a label `{use.name}`, so this is always empty"
    return ""
