"""Receivers that alerts are routed to and that tell nobody."""

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import ReceiverPart, RoutePart
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import severity_of

_CONFIG = "route: {receiver: team}\nreceivers:\n- name: team # them\n%s"


@check(
    severity=Severity.ERROR,
    fix="Give the receiver an integration; if alerts are to be dropped on purpose, call it `null`.",
    bad=Example({"alertmanager.yml": _CONFIG % ""}, at="# them"),
    good=Example({"alertmanager.yml": _CONFIG % '  webhook_configs: [{url: "http://hook/"}]\n'}),
)
def receiver_without_integration(receiver: ReceiverPart, model: Model) -> Iterator[Remark]:
    """Nobody is told of the alerts that are routed to the receiver: it has a name and no way to tell anybody.

    (Alertmanager: config/config.go accepts a receiver that has only a name; nothing is sent for it.)
    """
    routes = [route for route in receiver.config.routes if route.receiver == receiver.name]
    if receiver.integrations or not receiver.name or not routes or receiver.discards:
        return
    if any(key.endswith("_configs") and part.value for key, part in receiver.part.items()):
        return
    routed = model.routing.of(receiver.config)
    names: list[str] = []
    if routed is not None:
        stays = [taken for route in routes for taken in routed.stays(route)]
        if routed.whole and not stays:
            return
        if stays and all(set(severity_of(taken.facts).values()) == {1} for taken in stays) and _default(routes):
            return
        names = sorted({taken.rule.name for taken in stays})
    told = f" Routed to it: {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}." if names else ""
    yield at_key(
        receiver.part,
        f"Alerts are routed to the receiver {receiver.name!r}, which has no integration: nobody is told.{told}",
        width=max(1, len(f"name: {receiver.name}")),
    )


def _default(routes: list[RoutePart]) -> bool:
    """Whether only the root is meant, where what nobody asked for may be left."""
    return all(route.root for route in routes)
