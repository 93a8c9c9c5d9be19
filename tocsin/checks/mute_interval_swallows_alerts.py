"""Time intervals by which alerts are never told, or by which the most severe are not."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig, RoutePart
from tocsin.artefacts.time_intervals import never, uncovered
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import LADDER, RoutedAlerts, narrowed, severity_of
from tocsin.part import Part
from tocsin.promql.labels import LabelFacts

_CONFIG = """route:
  receiver: chat
  routes:
  - {matchers: ['severity="warning"'], mute_time_intervals: [maintenance]}
time_intervals:
- name: maintenance
  time_intervals:
  - weekdays: [%s]
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""
_FEW = 7
"""Minutes of a week: an interval that ends every day at 23:59 leaves so many."""


@check(
    severity=Severity.ERROR,
    fix="Narrow the interval to the time that is meant, with `weekdays` and `times`.",
    bad=Example({"alertmanager.yml": _CONFIG % '"sunday:saturday"'}, at="sunday:saturday"),
    good=Example({"alertmanager.yml": _CONFIG % '"sunday"'}),
)
def mute_interval_swallows_alerts(alertmanager: AlertmanagerConfig, model: Model) -> Iterator[Remark]:
    """Nobody is told of the route's alerts at all, or, of the most severe ones, not while the interval lasts.

    What is muted is not told later either, unless it still fires when the interval is over.
    (Alertmanager: docs/configuration.md, time_interval, mute_time_intervals and active_time_intervals;
    timeinterval/timeinterval.go, ContainsTime.)
    """
    named = {part.string("name"): part for part in alertmanager.time_intervals}
    routed = model.routing.of(alertmanager)
    for route in alertmanager.routes:
        mutes = [named[p.text] for p in route.part.list("mute_time_intervals") if p.text in named]
        actives = [named[p.text] for p in route.part.list("active_time_intervals") if p.text in named]
        swallowed = _always(route, mutes) or _never_active(route, actives)
        if swallowed is not None:
            yield swallowed
        elif mutes or actives:
            yield from _severe(route, alertmanager, routed)


def _specs(intervals: list[Part]) -> list[Part]:
    return [spec for interval in intervals for spec in interval.list("time_intervals")]


def _always(route: RoutePart, mutes: list[Part]) -> Remark | None:
    specs = _specs(mutes)
    left = uncovered(specs) if specs else _FEW + 1
    if left > _FEW:
        return None
    names = " and ".join(repr(interval.string("name")) for interval in mutes)
    but = f" but for {left} minutes" if left else ""
    return Remark(
        specs[0].place,
        f"{names} covers the whole week{but}, so the alerts of the route to {route.receiver!r} that it mutes are never "
        f"told",
        width=1,
        subject=f"time_intervals/{mutes[0].string('name')}/{route.subject}",
        related=(route.part.place,),
    )


def _never_active(route: RoutePart, actives: list[Part]) -> Remark | None:
    specs = _specs(actives)
    if not actives or any(not never(spec) for spec in specs):
        return None
    why = never(specs[0]) if specs else "it lists no times"
    return at_key(
        route.part.get("active_time_intervals"),
        f"The route to {route.receiver!r} is active only in {actives[0].string('name')!r}, which is never: {why}",
        subject=f"{route.subject}/active_time_intervals",
    )


def _severe(route: RoutePart, config: AlertmanagerConfig, routed: RoutedAlerts | None) -> Iterator[Remark]:
    """Yield a route by which the most severe alerts are not told for a time, and by no other route either."""
    above = [each for each in config.routes if each.part.route == route.part.route[: len(each.part.route)]]
    asked = narrowed(LabelFacts(), [w.matcher for each in above for w in each.matchers])
    values = severity_of(asked)
    names: list[str] = []
    if routed is not None and routed.enters(route):
        stays = [taken for taken in routed.stays(route) if set(severity_of(taken.facts).values()) == {_TOP}]
        names = sorted({taken.rule.name for taken in stays if not _told_elsewhere(taken.rule.name, route, routed)})
        if not names:
            return
    elif not values or set(values.values()) != {_TOP} or _goes_on(route, config):
        return
    key = "mute_time_intervals" if route.part.get("mute_time_intervals") else "active_time_intervals"
    what = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "") if names else "The most severe alerts"
    when = "during" if key.startswith("mute") else "outside of"
    intervals = ", ".join(part.text for part in route.part.list(key))
    yield at_key(
        route.part.get(key),
        f"Nobody is told of {what} {when} {intervals}, and no other route tells of them",
        subject=f"{route.subject}/{key}",
        severity=Severity.WARNING,
        fix="Leave the most severe alerts unmuted, or tell somebody else meanwhile by a route with `continue`.",
    )


_TOP = max(LADDER.values())


def _told_elsewhere(name: str, route: RoutePart, routed: RoutedAlerts) -> bool:
    others = (
        each
        for each in routed.config.routes
        if each.part.route != route.part.route
        and not each.part.list("mute_time_intervals")
        and not each.part.list("active_time_intervals")
    )
    return any(taken.rule.name == name for each in others for taken in routed.stays(each))


def _goes_on(route: RoutePart, config: AlertmanagerConfig) -> bool:
    """Whether a route lets others have its alerts, or one before it may have had them."""
    siblings = [each for each in config.routes if each.part.route[:-1] == route.part.route[:-1] and each.goes_on]
    return bool(siblings) or route.root
