"""An object for the Prometheus operator that no Prometheus of the folder selects."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.operated import prefix_of, reason_left_out

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
_SELECTING = {"rule": ("Prometheus",), "alertmanagerConfig": ("Alertmanager",)}
"""What selects objects, where it is not every kind of Prometheus."""


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
    prefix = prefix_of(kubernetes_object.kind)
    servers = model.cluster.of(*_SELECTING.get(prefix, ("Prometheus", "PrometheusAgent"))) if prefix else ()
    others = prefix == "rule" and model.cluster.of("ThanosRuler", "VMAlert", "VMAgent")
    if not prefix or not servers or others or model.cluster.patched(kubernetes_object):
        return
    reasons = [reason_left_out(model, server, kubernetes_object) for server in servers]
    if any(reason is None or reason == "" for reason in reasons):
        return
    taken = [one for one in model.cluster.of(kubernetes_object.kind) if _taken(model, servers, one)]
    severity = Severity.ERROR if taken or len(model.cluster.of(kubernetes_object.kind)) == 1 else Severity.WARNING
    message = f"{servers[0].kind} {servers[0].name} does not select it: {reasons[0]}"
    place = kubernetes_object.part.get("kind")
    yield at(place, message, severity=severity, related=(servers[0].part.get("spec").key_place,))


def _taken(model: Model, servers: tuple[KubernetesObject, ...], one: KubernetesObject) -> bool:
    return any(reason_left_out(model, server, one) == "" for server in servers)
