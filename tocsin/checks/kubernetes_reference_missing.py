"""A name of another object that no object of the folder has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.references import Reference, ingress_backends
from tocsin.source import offered

_ACCOUNT = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: exporter, namespace: monitoring}
---
"""
_POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: exporter, namespace: monitoring}
spec:
  selector: {matchLabels: {app: exporter}}
  template:
    metadata: {labels: {app: exporter}}
    spec:
      serviceAccountName: NAME
      containers: [{name: exporter, image: exporter:1}]
"""
_SIBLINGS = 3
"""So many others of a kind that a whole build names and holds make the one that it does not hold a slip."""
_WHOLE = frozenset({"ConfigMap", "ServiceAccount", "Role", "ClusterRole", "Service", "Deployment", "StatefulSet"})
"""Kinds that are kept with what names them; Secrets and volumes are often made elsewhere."""
_CONSEQUENCE = {
    "ServiceAccount": "its pods are refused",
    "PriorityClass": "its pods are refused",
    "ConfigMap": "its pods do not start",
    "Secret": "its pods do not start",
    "PersistentVolumeClaim": "its pods are never scheduled",
    "Service": "it leads nowhere",
    "Role": "nobody gets the rights",
    "ClusterRole": "nobody gets the rights",
}


@check(
    severity=Severity.ERROR,
    fix="Name an object that there is, in the namespace in which it is looked for.",
    bad=Example({"exporter.yaml": _ACCOUNT + _POD.replace("NAME", "exporters")}, at="serviceAccountName: exporters"),
    good=Example({"exporter.yaml": _ACCOUNT + _POD.replace("NAME", "exporter")}),
    origin="kube-linter non-existent-service-account",
)
def kubernetes_reference_missing(model: Model) -> Iterator[Remark]:
    """Whatever names it does not start, scales nothing, grants nothing or leads nowhere.

    (kubernetes.io/docs: a pod whose ServiceAccount, ConfigMap, Secret or claim is not there is refused or waits; an
    autoscaler whose target is not there scales nothing; a binding with a role or a subject that is not there grants
    nothing; the Service that a StatefulSet names gives its pods their names in DNS.)
    """
    yield from _missing_names(model)
    yield from _missing_keys(model)
    yield from _missing_ports(model)
    yield from _selects_nothing(model)


def _missing_names(model: Model) -> Iterator[Remark]:
    told: set[tuple[str, str, frozenset[str]]] = set()
    for one in model.references.all:
        key = (one.kind, one.name, one.namespaces)
        if key in told or one.key is not None or model.references.found(one) or model.cluster.hidden(one.kind):
            continue
        remark = _missing(one, model)
        if remark is not None:
            told.add(key)
            yield remark


def _missing(one: Reference, model: Model) -> Remark | None:
    if one.kind == "Service" and one.field == "serviceName":
        return _governing(one, model)
    where = f" in namespace {next(iter(one.namespaces))}" if len(one.namespaces) == 1 else ""
    named = f"{one.by.kind} {one.by.name} names {one.kind} {one.name}, which is not there{where}"
    elsewhere = model.references.elsewhere(one)
    if elsewhere and (one.field == "subjects" or (one.kind, one.name) not in model.references.named_in(elsewhere)):
        if one.by.part.file in model.cluster.kustomizations.namespaces:
            return None
        return _remark(one, f"{named}; there is one in namespace {' and '.join(sorted(elsewhere))}")
    twin = model.references.twin(one)
    if twin is not None:
        return _remark(one, f"{named}: {_consequence(one)}. Did you mean {twin}?")
    if one.kind in _WHOLE and model.references.alone_missing(one, _SIBLINGS):
        message = f"{named}, though all else that its kustomization names is"
        return _remark(one, message, severity=Severity.WARNING)
    return None


def _consequence(one: Reference) -> str:
    """Return what follows for whatever names something that is not there."""
    if one.by.group == "monitoring.coreos.com":
        return f"the operator leaves {one.by.kind} {one.by.name} out of what it writes"
    if one.key is not None:
        return f"the pods of {one.by.name} do not start"
    return _CONSEQUENCE.get(one.kind, "it does nothing")


def _governing(one: Reference, model: Model) -> Remark | None:
    """Judge the name of the Service of a StatefulSet: there is another one that selects its pods."""
    pods = [pod for pod in model.cluster.pods if pod.object is one.by]
    found = {service.name for pod in pods for service in model.services.of_pod(pod)}
    if not found:
        return None
    used = model.references.pod_name_used(one.by.name, one.name)
    suffix = f", and `{used}` is asked for" if used else ""
    offer = offered(one.name, sorted(found))
    message = (
        f"StatefulSet {one.by.name} names the Service {one.name}, which is not there, so its pods have no names in DNS"
    )
    message += f"{suffix}: {offer}"
    return _remark(one, message, severity=Severity.ERROR if used else Severity.WARNING)


def _missing_keys(model: Model) -> Iterator[Remark]:
    for one in model.references.all:
        if one.key is None or not one.key.text or "$" in one.key.text:
            continue
        holders = model.cluster.held(one.kind, one.name, one.namespaces)
        if not holders or not all(holder.whole and holder.entries for holder in holders):
            continue
        keys = {entry.key for holder in holders for entry in holder.entries}
        if one.key.text not in keys:
            message = (
                f"{one.kind} {one.name} has no key {one.key.text}, so {_consequence(one)}: "
                f"{offered(one.key.text, sorted(keys))}"
            )
            yield at(one.key, message, subject=f"{one.by.subject}/{one.name}/{one.key.text}")


def _missing_ports(model: Model) -> Iterator[Remark]:
    for ingress in model.cluster.of("Ingress"):
        for name, port in ingress_backends(ingress.part):
            services = model.services.named(name.text, model.cluster.namespaces(ingress))
            known = {str(p.number) for s in services for p in s.ports} | {p.name for s in services for p in s.ports}
            if port.text and known - {""} and port.text not in known:
                names = sorted(known - {""})
                message = f"Service {name.text} has no port {port.text}: {offered(port.text, names)}"
                yield at(port, message, subject=f"{ingress.subject}/{name.text}")


def _selects_nothing(model: Model) -> Iterator[Remark]:
    """Yield what is meant for pods that there are and selects none of them."""
    if any(model.cluster.hidden(kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "Pod")):
        return
    for one in model.cluster.of("PodDisruptionBudget", "NetworkPolicy"):
        selector = one.part.get("spec", "selector" if one.kind == "PodDisruptionBudget" else "podSelector")
        selected, sure = model.cluster.pods_selected(selector, one)
        pairs = dict(selector.get("matchLabels").items())
        if selected or not sure or not pairs or selector.get("matchExpressions") or model.cluster.patched(one):
            continue
        meant = model.cluster.meant(pairs, one.name, model.cluster.namespaces(one))
        if meant is not None:
            pod, wrong = meant
            message = (
                f"{one.kind} {one.name} selects `{wrong.key}: {wrong.text}`, and no pod has that; "
                f"those of {pod.object.kind} {pod.object.name} have `{wrong.key}: {pod.labels.get(wrong.key, '')}`"
            )
            yield at(wrong, message, subject=one.subject, severity=Severity.WARNING)


def _remark(one: Reference, message: str, **more: Any) -> Remark:
    return at(one.part, message, subject=f"{one.by.subject}/{one.kind}/{one.name}", **more)
