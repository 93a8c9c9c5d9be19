"""An object that the API server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from tocsin import kubernetes_schema
from tocsin.artefacts.kubernetes import PLACEHOLDER, KubernetesObject
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.kubernetes_schema import Refusal, Version
from tocsin.model import Model, admission, pod_security
from tocsin.model.workloads import PROBES, Workload
from tocsin.part import Part

_MANIFEST = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: shop}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: shop}}
  minReplicas: 2
  maxReplicas: {most}
"""
_MOST = 50
"""More remarks on one object would be of no use: it is something else than it says."""
_SKIPPED = frozenset({"CustomResourceDefinition"})
"""Schemas of schemas: large, written by generators, and nothing of them is ours."""
_UNQUOTED_BOOLEANS = re.compile(r"(?:yes|no|on|off|y|n)", re.IGNORECASE)


@check(
    severity=Severity.ERROR,
    fix="Write the object as the API wants it.",
    bad=Example({"hpa.yaml": _MANIFEST.format(most=1)}, at="maxReplicas: 1"),
    good=Example({"hpa.yaml": _MANIFEST.format(most=6)}),
    origin="kube-linter schema-validation",
)
def kubernetes_object_refused(model: Model) -> Iterator[Remark]:
    """The API server refuses the object, or silently drops the field, so what is written never comes to be.

    (Kubernetes: the OpenAPI schema of the version; pkg/apis/*/validation; k8s.io/pod-security-admission; the deprecated
    API migration guide; kubectl validates fields strictly since 1.25.)
    """
    chosen = model.declaration.static.kubernetes
    version = kubernetes_schema.version_for(chosen)
    for thing in model.objects:
        if version is not None and thing.kind not in _SKIPPED:
            yield from _object(thing, version, chosen, model)
    for workload in model.workloads:
        for refusal in admission.refused_pods(workload):
            yield _remark(refusal, workload.subject)
    yield from _by_pod_security(model, version if chosen else None)


def _object(thing: KubernetesObject, version: Version, chosen: str | None, model: Model) -> Iterator[Remark]:
    gvk = kubernetes_schema.gvk_of(thing.part)
    if not kubernetes_schema.serves(version, gvk):
        yield from _unserved(thing, version, chosen)
        return
    encrypted = bool(thing.part.get("sops"))  # what is in it now is not what is applied
    found = kubernetes_schema.refusals(thing.part, version, exact=bool(chosen))
    for refusal in () if encrypted else islice(found, _MOST):
        if any(step in PROBES for step in refusal.part.route) and thing.kind not in ("ConfigMap", "Secret"):
            continue  # a check of its own looks at probes
        if not PLACEHOLDER.search(refusal.part.text) and not _is_name(refusal):
            yield _remark(refusal, thing.subject)
    for part in _unquoted_booleans(thing, model):
        yield at(part, f"`{part.key}: {part.text}` is true or false to Kubernetes, and must be a text",
                 subject=thing.subject, fix=f'Put it in quotes: "{part.text}".')  # fmt: skip
    for refusal in admission.refused(thing):
        yield _remark(refusal, thing.subject)


def _is_name(refusal: Refusal) -> bool:
    """Tell whether it is the object's name that the schema misses: the rules beyond it say so better."""
    return refusal.missing and refusal.message.endswith("no `metadata`, which is required")


def _unserved(thing: KubernetesObject, version: Version, chosen: str | None) -> Iterator[Remark]:
    gvk = kubernetes_schema.gvk_of(thing.part)
    said, api = thing.part.get("apiVersion"), thing.part.string("apiVersion")
    known = [g for g in kubernetes_schema.kinds(version).get(thing.kind, ()) if g[0] == gvk[0]]
    others = known or [g for g in kubernetes_schema.kinds(version).get(thing.kind, ()) if gvk[0] in ("", "extensions")]
    now = " or ".join("/".join(part for part in g[:2] if part) for g in others)
    last = kubernetes_schema.last_served(gvk)
    if last is not None and version > last:
        told = f"{api} of {thing.kind} is gone since Kubernetes {last[0]}.{last[1] + 1}"
        severity = Severity.ERROR if chosen else Severity.WARNING
        yield at(said, told, subject=thing.subject, severity=severity, fix=f"Use {now}." if now else "")
    elif last is None and others and gvk[0] in kubernetes_schema.groups() and not PLACEHOLDER.search(api):
        yield at(said, f"there is no {thing.kind} in {api}", subject=thing.subject, fix=f"Use {now}.")


def _unquoted_booleans(thing: KubernetesObject, model: Model) -> Iterator[Part]:
    """Yield words that YAML 1.1 takes for booleans, where a text must stand: labels, annotations, variables, data."""
    where = [thing.part.get("metadata", "labels"), thing.part.get("metadata", "annotations")]
    where += [thing.part.get("data"), thing.part.get("stringData")] if thing.kind in ("ConfigMap", "Secret") else []
    template = thing.part.get("spec", "template")
    where += [template.get("metadata", "labels"), template.get("metadata", "annotations")]
    values = [value for part in where for _, value in part.items()]
    for kind in ("containers", "initContainers"):
        values += [env.get("value") for c in template.list("spec", kind) for env in c.list("env")]
    for value in values:
        word = isinstance(value.value, str) and _UNQUOTED_BOOLEANS.fullmatch(value.value)
        if word and not value.file.endswith(".json"):
            place = value.place
            line = _lines(model.text(place.file))[place.line - 1 : place.line]
            if line and line[0][place.column - 1 :].startswith(value.value):
                yield value


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    return text.split("\n")


def _by_pod_security(model: Model, version: Version | None) -> Iterator[Remark]:
    enforced: dict[str, set[tuple[str, str]]] = {}
    for each in model.objects_of("Namespace"):
        labels = each.part.get("metadata", "labels")
        pair = labels.string(pod_security.ENFORCE), labels.string(f"{pod_security.ENFORCE}-version")
        enforced.setdefault(each.name, set()).add(pair)
    for workload in model.workloads:
        names = model.cluster.namespaces(workload.object)
        levels = enforced.get(next(iter(names)), set()) if len(names) == 1 else set()
        if len(levels) != 1 or model.cluster.patched(workload.object):
            continue  # in no namespace of the folder, or in one that it has in several variants
        level, policy = next(iter(levels))
        for refusal in pod_security.refused(workload, level, kubernetes_schema.parse_version(policy) or version):
            yield _refused_by_level(refusal, workload, next(iter(names)), level)


def _refused_by_level(refusal: Refusal, workload: Workload, namespace: str, level: str) -> Remark:
    told = f"the namespace `{namespace}` enforces the level {level}, which refuses {refusal.message}"
    fix = "Do without it, or put the workload into a namespace of a level that allows it."
    said = at_key if refusal.missing else at
    return said(refusal.part, told, subject=workload.subject, fix=fix)


def _remark(refusal: Refusal, subject: str) -> Remark:
    if refusal.unknown:
        told = f"{refusal.message}: a strict client refuses it, others drop it silently"
        return at_key(refusal.part, told, subject=subject, severity=Severity.WARNING)
    return (at_key if refusal.missing else at)(refusal.part, refusal.message, subject=subject)
