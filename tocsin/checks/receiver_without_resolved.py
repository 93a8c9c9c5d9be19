"""Receivers that open incidents and never close them."""

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import ReceiverPart
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model

INCIDENTS = frozenset({"pagerduty", "opsgenie", "victorops", "incidentio", "jira", "signl4", "jsm"})
"""Integrations that keep an incident open until they are told that it has ended."""
_CONFIG = (
    "route: {receiver: pager}\nreceivers:\n- name: pager\n  pagerduty_configs:\n"
    "  - routing_key_file: /secrets/key\n    send_resolved: %s\n"
)


@check(
    severity=Severity.WARNING,
    fix="Set `send_resolved: true`.",
    bad=Example({"alertmanager.yml": _CONFIG % "false"}, at="send_resolved: false"),
    good=Example({"alertmanager.yml": _CONFIG % "true"}),
)
def receiver_without_resolved(receiver: ReceiverPart, model: Model) -> Iterator[Remark]:
    """Incidents stay open after their alerts have ended, and the next alert of the group joins the old one unheard.

    (PagerDuty Events API v2 and Opsgenie's alias: while an incident of the same key is open, a new trigger only adds to
    it. Alertmanager: docs/configuration.md, send_resolved.)
    """
    for integration in receiver.integrations:
        if integration.kind not in INCIDENTS or integration.sends_resolved or _heartbeat(receiver, model):
            continue
        yield at(
            integration.part.get("send_resolved"),
            f"{receiver.name!r} never tells {integration.kind} that an alert has ended, so its incidents stay open",
            subject=integration.subject,
        )


def _heartbeat(receiver: ReceiverPart, model: Model) -> bool:
    """Whether only a heartbeat comes here, which has no end to tell of."""
    routed = model.routing.of(receiver.config)
    routes = [route for route in receiver.config.routes if route.receiver == receiver.name]
    names = {each.matcher.value.lower() for route in routes for each in route.matchers}
    if routed is not None:
        names |= {taken.rule.name.lower() for route in routes for taken in routed.stays(route)}
    return bool(names) and all(any(word in name for word in ("watchdog", "deadman", "heartbeat")) for name in names)
