"""An object for the Prometheus operator that no Prometheus of the folder selects."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.selectors import selects
from tocsin.part import Part

_PROMETHEUS = """apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main, namespace: monitoring}
spec:
  ruleSelector: {matchLabels: {role: alert-rules}}
"""
_RULES = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {{name: shop, namespace: monitoring, labels: {{role: {role}}}}}
spec:
  groups: [{{name: a, rules: [{{alert: A, expr: up == 0}}]}}]
"""
_SELECTORS = {
    "ServiceMonitor": "serviceMonitor",
    "PodMonitor": "podMonitor",
    "Probe": "probe",
    "PrometheusRule": "rule",
    "ScrapeConfig": "scrapeConfig",
}
"""How the selectors of each kind begin; `Selector` and `NamespaceSelector` follow."""


@check(
    severity=Severity.ERROR,
    fix="Give it the labels that the Prometheus selects by, or let the Prometheus select it.",
    bad=Example({"prometheus.yaml": _PROMETHEUS, "rules.yaml": _RULES.format(role="rules")}, at="kind: PrometheusRule"),
    good=Example({"prometheus.yaml": _PROMETHEUS, "rules.yaml": _RULES.format(role="alert-rules")}),
)
def monitor_not_picked_up(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """No configuration that the operator writes has anything of it, and nothing says so.

    (prometheus-operator.dev/docs/api-reference/api, PrometheusSpec: a selector that is not there selects nothing, an
    empty one everything; a namespace selector that is not there is the namespace of the Prometheus itself.)
    """
    prefix = _SELECTORS.get(kubernetes_object.kind)
    kinds = ("Prometheus",) if prefix == "rule" else ("Prometheus", "PrometheusAgent")
    servers = model.cluster.of(*kinds) if prefix else ()
    others = prefix == "rule" and model.cluster.of("ThanosRuler", "VMAlert", "VMAgent")
    if not prefix or not servers or others or model.cluster.patched(kubernetes_object):
        return
    reasons = [_reason(model, server, kubernetes_object, prefix) for server in servers]
    if any(reason is None or reason == "" for reason in reasons):
        return
    taken = [one for one in model.cluster.of(kubernetes_object.kind) if _taken(model, servers, one, prefix)]
    severity = Severity.ERROR if taken or len(model.cluster.of(kubernetes_object.kind)) == 1 else Severity.WARNING
    message = f"{servers[0].kind} {servers[0].name} does not select it: {reasons[0]}"
    place = kubernetes_object.part.get("kind")
    yield at(place, message, severity=severity, related=(servers[0].part.get("spec").key_place,))


def _taken(model: Model, servers: tuple[KubernetesObject, ...], one: KubernetesObject, prefix: str) -> bool:
    return any(_reason(model, server, one, prefix) == "" for server in servers)


def _reason(model: Model, server: KubernetesObject, one: KubernetesObject, prefix: str) -> str | None:
    """Return why a Prometheus does not select an object; empty if it does, None if that is not known."""
    spec = server.part.get("spec")
    if model.cluster.patched(server) or not isinstance(spec.value, dict):
        return None
    selector, spaces = spec.get(f"{prefix}Selector"), spec.get(f"{prefix}NamespaceSelector")
    if not selector:
        return f"its `{prefix}Selector` is not set, and so selects nothing"
    labels = one.part.strings("metadata", "labels")
    answer = selects(selector, labels)
    if answer is None:
        return None
    if not answer:
        wanted = selector.strings("matchLabels")
        name = next((name for name, value in wanted.items() if labels.get(name) != value), "")
        has = f"`{name}: {labels[name]}`" if name in labels else f"no label `{name}`"
        return (
            f"its `{prefix}Selector` asks for `{name}: {wanted[name]}`, and this has {has}"
            if name
            else (f"its `{prefix}Selector` asks for other labels")
        )
    return _by_namespace(model, server, one, spaces)


def _by_namespace(model: Model, server: KubernetesObject, one: KubernetesObject, spaces: Part) -> str | None:
    own, theirs = model.cluster.namespaces(server), model.cluster.namespaces(one)
    if len(theirs) != 1 or len(own) != 1:
        return None if not spaces or spaces.value else ""
    (namespace,) = theirs
    if not spaces:
        return (
            "" if own == theirs else f"it looks in its own namespace {next(iter(own))} only, and this is in {namespace}"
        )
    labels, whole = model.cluster.namespace_labels(namespace)
    answer = selects(spaces, labels)
    if answer:
        return ""
    return (
        f"the namespace {namespace} lacks the labels that it selects namespaces by"
        if whole and answer is False
        else None
    )
