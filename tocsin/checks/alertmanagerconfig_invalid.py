"""AlertmanagerConfig objects that the Prometheus operator leaves out, because they contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.part import Part
from tocsin.source import offered

_OBJECT = """apiVersion: monitoring.coreos.com/v1beta1
kind: AlertmanagerConfig
metadata: {name: team, namespace: shop}
spec:
  route: {receiver: %s}
  receivers:
  - {name: chat, webhookConfigs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.ERROR,
    fix="Define what the route names, in the same object.",
    bad=Example({"team.yaml": _OBJECT % "cat"}, at="receiver: cat"),
    good=Example({"team.yaml": _OBJECT % "chat"}),
)
def alertmanagerconfig_invalid(kubernetes_object: KubernetesObject) -> Iterator[Remark]:
    """None of the object's routes takes effect: the operator rejects it and says so only in its own log.

    (prometheus-operator: pkg/alertmanager/validation: a route's receiver and its time intervals must be in the object.)
    """
    if kubernetes_object.kind != "AlertmanagerConfig":
        return
    spec = kubernetes_object.part.get("spec")
    root = spec.get("route")
    if not isinstance(root.value, dict):
        return
    subject = kubernetes_object.subject
    if not root.string("receiver"):
        yield at_key(root, "The first route of an AlertmanagerConfig needs a `receiver`", subject=f"{subject}/route")
    receivers = _names(spec, "receivers")
    intervals = [*_names(spec, "muteTimeIntervals"), *_names(spec, "timeIntervals")]
    for route in _routes(root):
        receiver = route.get("receiver")
        if receiver.text and receiver.text not in receivers and "{{" not in receiver.text:
            message = f"This object has no receiver {receiver.text!r}; {offered(receiver.text, receivers)}"
            yield at(receiver, message, subject=f"{subject}/{receiver.text}")
        for key in ("muteTimeIntervals", "activeTimeIntervals"):
            for name in route.list(key):
                if name.text and name.text not in intervals:
                    message = f"This object has no time interval {name.text!r}; {offered(name.text, intervals)}"
                    yield at(name, message, subject=f"{subject}/{name.text}")


def _names(spec: Part, key: str) -> list[str]:
    return [part.string("name") for part in spec.list(key)]


def _routes(root: Part) -> Iterator[Part]:
    """Yield a route and those under it."""
    waiting = [root]
    while waiting:
        route = waiting.pop()
        yield route
        waiting.extend(reversed(route.list("routes")))
