"""Routes of an AlertmanagerConfig that the operator's own matcher of the namespace leaves without an alert."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.operated import GROUP, reason_left_out
from tocsin.part import Part
from tocsin.relabelling import matches

_ALERTMANAGER = """apiVersion: monitoring.coreos.com/v1
kind: Alertmanager
metadata: {name: main, namespace: monitoring}
spec:
  alertmanagerConfigSelector: {}
  alertmanagerConfigNamespaceSelector: {}
"""
_ROUTES = """apiVersion: monitoring.coreos.com/v1beta1
kind: AlertmanagerConfig
metadata: {name: team, namespace: shop}
spec:
  route:
    receiver: chat
    matchers:
    - {name: %s, value: till, matchType: "="}
  receivers:
  - {name: chat, webhookConfigs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.ERROR,
    fix="Route alerts of other namespaces in the Alertmanager's own configuration, or set the Alertmanager's "
    "`alertmanagerConfigMatcherStrategy`.",
    bad=Example({"alertmanager.yaml": _ALERTMANAGER, "routes.yaml": _ROUTES % "namespace"}, at="name: namespace"),
    good=Example({"alertmanager.yaml": _ALERTMANAGER, "routes.yaml": _ROUTES % "team"}),
)
def namespace_matcher_misses(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """No alert ever comes to the route: the operator adds a matcher of the object's own namespace to it.

    (prometheus-operator.dev/docs/api-reference/api, AlertmanagerConfigMatcherStrategy: with `OnNamespace`, which is the
    default, "the operator configures the routes to match only alerts that have a `namespace` label equal to the
    namespace of the AlertmanagerConfig resource".)
    """
    if kubernetes_object.kind != "AlertmanagerConfig" or kubernetes_object.group != GROUP:
        return
    namespaces = model.cluster.namespaces(kubernetes_object)
    if len(namespaces) != 1 or not _bound(kubernetes_object, model):
        return
    (namespace,) = namespaces
    for route, above in _routes(kubernetes_object.part.get("spec", "route")):
        wrong = next((m for m in route.list("matchers") if _refuses(m, "namespace", namespace)), None)
        if wrong is not None:
            message = (
                f'the operator adds `namespace="{namespace}"` to this route, and `{_shown(wrong)}` never matches that'
            )
            yield at(wrong.get("name"), message, subject=f"{kubernetes_object.subject}/{wrong.string('value')}")
            continue
        named = next((m for m in route.list("matchers") if m.string("name") == "alertname" and _equals(m)), None)
        alerts = [rule for rule in model.alerts if named is not None and rule.name == named.string("value")]
        if named is not None and alerts and not above and all(_lacks(model, rule, namespace) for rule in alerts):
            message = (
                f'the operator adds `namespace="{namespace}"` to this route, and {alerts[0].name} never has that: '
                "its expression yields no such `namespace`"
            )
            where = alerts[0].expression_place
            subject = f"{kubernetes_object.subject}/{alerts[0].name}"
            yield at_key(named.get("value"), message, subject=subject, related=(where,))


def _bound(one: KubernetesObject, model: Model) -> bool:
    """Whether every Alertmanager that may select an object binds it to its namespace."""
    found = False
    for manager in model.cluster.of("Alertmanager"):
        left_out = reason_left_out(model, manager, one)
        if left_out:
            continue
        spec = manager.part.get("spec")
        strategy = spec.string("alertmanagerConfigMatcherStrategy", "type") or "OnNamespace"
        own = model.cluster.namespaces(manager) == model.cluster.namespaces(one)
        excepted = strategy == "OnNamespaceExceptForAlertmanagerNamespace" and own
        whole = spec.string("alertmanagerConfiguration", "name") == one.name
        if left_out is None or strategy == "None" or excepted or whole:
            return False
        found = True
    return found


def _routes(root: Part) -> Iterator[tuple[Part, bool]]:
    """Yield a route and those under it, each with whether a route above has told of an alert that is named already."""
    waiting = [(root, False)]
    while waiting:
        route, above = waiting.pop()
        yield route, above
        named = above or any(m.string("name") in ("namespace", "alertname") for m in route.list("matchers"))
        waiting.extend((inner, named) for inner in reversed(route.list("routes")))


def _equals(matcher: Part) -> bool:
    return matcher.string("matchType") in ("", "=") and matcher.get("regex").value is not True


def _refuses(matcher: Part, name: str, value: str) -> bool:
    """Whether a matcher surely does not match a value of a label."""
    written, kind = matcher.string("value"), matcher.string("matchType")
    if matcher.string("name") != name or not written or "{{" in written or "$" in written:
        return False
    if kind in ("=~", "!~") or matcher.get("regex").value is True:
        found = matches(written, value)
        return found is not None and found == (kind == "!~")
    return (written == value) == (kind == "!=")


def _lacks(model: Model, rule: Rule, namespace: str) -> bool:
    """Whether an alert surely has no such namespace."""
    return not model.rule_labels.of_alert(rule).of("namespace").possible(namespace)


def _shown(matcher: Part) -> str:
    kind = matcher.string("matchType") or ("=~" if matcher.get("regex").value is True else "=")
    return f'{matcher.string("name")}{kind}"{matcher.string("value")}"'
