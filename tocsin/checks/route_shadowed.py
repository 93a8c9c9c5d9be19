"""Routes that are never reached, because an earlier one takes everything that they match."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig, RoutePart
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import RoutedAlerts, all_met, narrowed
from tocsin.promql.labels import LabelFacts

_CONFIG = """route:
  receiver: chat
  routes:
  - matchers: ['severity=~"critical|error"']
    receiver: pager
    %s
  - matchers: ['severity="error"']
    receiver: errors
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
- {name: pager, webhook_configs: [{url: "http://pager/"}]}
- {name: errors, webhook_configs: [{url: "http://errors/"}]}
"""


@check(
    severity=Severity.ERROR,
    fix="Put the narrower route first, or set `continue: true` on the earlier one.",
    bad=Example({"alertmanager.yml": _CONFIG % ""}, at='severity="error"'),
    good=Example({"alertmanager.yml": _CONFIG % "continue: true"}),
)
def route_shadowed(alertmanager: AlertmanagerConfig, model: Model) -> Iterator[Remark]:
    """Nothing comes to the route's receiver: routes are tried in order, and the first that matches takes the alert.

    Only `continue: true` lets the routes after it have the alert too.
    (Alertmanager: docs/configuration.md, route; dispatch/route.go, Match.)
    """
    if not alertmanager.readable:
        return
    routed = model.routing.of(alertmanager)
    for route in alertmanager.routes:
        for i, child in enumerate(route.children):
            earlier = next((other for other in route.children[:i] if _takes_all(other, child)), None)
            if earlier is not None:
                yield _remark(child, earlier, "everything that this one matches")
            elif routed is not None and routed.whole:
                yield from _by_alerts(child, routed)


def _takes_all(earlier: RoutePart, later: RoutePart) -> bool:
    """Whether whatever meets the later route's matchers meets the earlier's."""
    if earlier.goes_on:
        return False
    facts = narrowed(LabelFacts(), [each.matcher for each in later.matchers])
    return not facts.nothing and all_met([each.matcher for each in earlier.matchers], facts) is True


def _by_alerts(route: RoutePart, routed: RoutedAlerts) -> Iterator[Remark]:
    taken = routed.taken_before(route)
    if routed.enters(route) or not taken:
        return
    names = sorted({rule.name for rule, _ in taken})
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    yield _remark(route, taken[0][1], f"every alert that this one matches ({shown})")


def _remark(route: RoutePart, earlier: RoutePart, what: str) -> Remark:
    line = earlier.part.place.line
    before = " and ".join(each.shown for each in earlier.matchers) or "no matchers at all"
    same = route.receiver == earlier.receiver and not route.children and not earlier.children
    message = f"The route before it in line {line}, with {before}, takes {what}, so {route.receiver!r} is not told"
    severity = Severity.ERROR
    if same:
        severity = Severity.WARNING
        message = f"The route before it in line {line}, with {before}, takes {what} and tells {route.receiver!r} too"
    related = (earlier.part.place,)
    if route.matchers:
        return at(route.matchers[0].part, message, subject=route.subject, severity=severity, related=related)
    return at_key(route.part, message, subject=route.subject, severity=severity, related=related, width=1)
