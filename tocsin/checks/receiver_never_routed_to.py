"""Receivers that no route names."""

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import ReceiverPart
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.source import nearest

_CONFIG = """route:
  receiver: chat
  routes:
  - {matchers: ['severity="critical"'], receiver: %s}
receivers:
- name: chat
  webhook_configs: [{url: "http://chat/"}]
- name: pager # wakes somebody
  webhook_configs: [{url: "http://pager/"}]
"""


@check(
    severity=Severity.ERROR,
    fix="Route to the receiver what it is meant for, or remove it.",
    bad=Example({"alertmanager.yml": _CONFIG % "chat"}, at="# wakes somebody"),
    good=Example({"alertmanager.yml": _CONFIG % "pager"}),
)
def receiver_never_routed_to(receiver: ReceiverPart) -> Iterator[Remark]:
    """Nobody is ever told by way of the receiver, however severe an alert is: no route leads to it.

    (Alertmanager: config/config.go asks that a route's receiver exists, not that a receiver has a route.)
    """
    used = {route.receiver for route in receiver.config.routes}
    if not used or not receiver.name or receiver.name in used or not receiver.integrations:
        return
    known = {each.name for each in receiver.config.receivers}
    if used - known:
        return  # some route names a receiver wrongly, this one perhaps: the configuration is refused for that
    kinds = ", ".join(sorted({each.kind for each in receiver.integrations}))
    near = nearest(receiver.name, used, most=1)
    more = f"; the routes name {', '.join(sorted(used))}" if not near else f"; one names {near[0]!r}"
    yield at_key(
        receiver.part,
        f"No route leads to the receiver {receiver.name!r} ({kinds}){more}",
        width=max(1, len(f"name: {receiver.name}")),
    )
