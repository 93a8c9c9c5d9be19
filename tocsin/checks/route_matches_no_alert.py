"""Routes whose matchers no alert of the system meets."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import RoutePart, WrittenMatcher
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import LADDER, RoutedAlerts, all_met, answer
from tocsin.source import nearest

_RULES = """groups:
- name: a
  rules:
  - {alert: Down, expr: up == 0, labels: {severity: critical}}
  - {alert: Slow, expr: latency > 1, labels: {severity: warning}}
"""
_PROMETHEUS = """global: {scrape_interval: 15s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
scrape_configs: []
"""
_ROUTES = """route:
  receiver: chat
  routes:
  - matchers: ['severity="%s"']
    receiver: pager
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
- {name: pager, webhook_configs: [{url: "http://pager/"}]}
"""


@check(
    severity=Severity.ERROR,
    fix="Match what the rules set, or remove the route.",
    bad=Example(
        {"rules.yml": _RULES, "prometheus.yml": _PROMETHEUS, "alertmanager.yml": _ROUTES % "page"},
        at='severity="page"',
    ),
    good=Example({"rules.yml": _RULES, "prometheus.yml": _PROMETHEUS, "alertmanager.yml": _ROUTES % "critical"}),
)
def route_matches_no_alert(model: Model) -> Iterator[Remark]:
    """Alerts that were meant for the route's receiver are told to somebody else, and nobody notices.

    An alert that matches no child of a route stays with the route itself, in the end with the root's receiver.
    (Alertmanager: docs/configuration.md, route; dispatch/route.go, Match. Prometheus: rules/alerting.go for the labels
    that an alert has.)
    """
    for config, routed in model.routing.each():
        for route in config.routes:
            if route.root or not route.matchers or not routed.enters(_above(route)) or routed.enters(route):
                continue
            if any(receiver.discards for receiver in config.receivers if receiver.name == route.receiver):
                continue
            found = _never(route, routed)
            if found is not None:
                yield found


def _above(route: RoutePart) -> RoutePart:
    part = route.part
    return RoutePart(type(part).whole(part.document).get(*part.route[:-2]), route.config)


def _never(route: RoutePart, routed: RoutedAlerts) -> Remark | None:
    above = routed.enters(_above(route))
    asked = [each.matcher for each in route.matchers]
    if any(all_met(asked, taken.facts) is not False for taken in above):
        return None  # an earlier sibling takes them all
    for written in route.matchers:
        matcher = written.matcher
        if any(answer(matcher, taken.facts.of(matcher.label)) is not False for taken in above):
            continue
        severity = _severity(written, route, routed) if routed.whole else _misspelt(written, routed)
        if severity is None:
            return None
        message = f"No alert that comes here has {written.shown}, so {route.receiver!r} hears of nothing by this route"
        return at(written.part, f"{message}: {_values(written, routed)}", subject=route.subject, severity=severity)
    if not routed.whole:
        return None
    shown = " and ".join(each.shown for each in route.matchers)
    message = f"No alert has both {shown}, so {route.receiver!r} hears of nothing by this route"
    return at(route.matchers[0].part, message, subject=route.subject)


def _severity(written: WrittenMatcher, route: RoutePart, routed: RoutedAlerts) -> Severity:
    """Tell whether alerts that are meant go elsewhere, or whether there only are none of the kind yet.

    The latter is so of a usual severity if no rule sets one as bad, and where every alert has a route of its own.
    """
    rung = LADDER.get(written.matcher.value.lower())
    known = routed.values(written.matcher.label) or frozenset()
    if rung is not None and rung not in {LADDER.get(value.lower()) for value in known}:
        return Severity.WARNING
    return Severity.ERROR if routed.stays(_above(route)) else Severity.WARNING


def _values(written: WrittenMatcher, routed: RoutedAlerts) -> str:
    label = written.matcher.label
    known = routed.values(label)
    if known is None:
        return f"no rule gives `{label}` such a value"
    if not known:
        return f"no rule sets `{label}`"
    if len(known) > 12 or written.matcher.operator != "=":
        near = nearest(written.matcher.value, known)
        return f"the rules set {label} to {', '.join(near) if near else f'{len(known)} other values'}"
    near = nearest(written.matcher.value, known, most=1)
    return f"the rules set {label} to {', '.join(sorted(known))}{f'; did you mean {near[0]}?' if near else ''}"


def _misspelt(written: WrittenMatcher, routed: RoutedAlerts) -> Severity | None:
    """Tell whether a value is so like one that the rules set that it must be meant, though other rules may exist."""
    known = routed.values(written.matcher.label)
    if not known or written.matcher.operator != "=":
        return None
    meant = written.matcher.value.lower().replace("-", "").replace("_", "")
    like = [value for value in known if value.lower().replace("-", "").replace("_", "") == meant]
    return Severity.WARNING if like else None
