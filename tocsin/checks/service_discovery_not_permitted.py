"""A Prometheus that asks the API server for what it may not list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import together
from tocsin.model.processes import Process
from tocsin.part import Part

_CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: m}
data:
  prometheus.yml: |
    global: {}
    scrape_configs:
    - job_name: pods
      kubernetes_sd_configs: [{role: pod}]
"""
_POD = """apiVersion: v1
kind: Pod
metadata: {name: prometheus, namespace: m}
spec:
  serviceAccountName: prometheus
  containers:
  - name: prometheus
    image: prom/prometheus
    volumeMounts: [{name: config, mountPath: /etc/prometheus}]
  volumes: [{name: config, configMap: {name: config}}]
"""
_RBAC = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: prometheus}}
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [{verbs}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: prometheus}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus}}
subjects: [{{kind: ServiceAccount, name: prometheus, namespace: m}}]
"""
_CORE = ""
_NEEDS = {
    "pod": ((_CORE, "pods"),),
    "service": ((_CORE, "services"),),
    "endpoints": ((_CORE, "endpoints"), (_CORE, "services"), (_CORE, "pods")),
    "endpointslice": (("discovery.k8s.io", "endpointslices"), (_CORE, "services"), (_CORE, "pods")),
    "node": ((_CORE, "nodes"),),
    "ingress": (("networking.k8s.io", "ingresses"),),
}
"""What each role lists and watches: group and resource (prometheus/prometheus, discovery/kubernetes/kubernetes.go)."""
_VERBS = ("list", "watch")


@check(
    severity=Severity.ERROR,
    fix="Grant Prometheus' service account list and watch on what its discovery asks for, and let it have a token.",
    bad=Example({"config.yaml": _CONFIG, "pod.yaml": _POD, "rbac.yaml": _RBAC.format(verbs="get")}, at="verbs: [get]"),
    good=Example({"config.yaml": _CONFIG, "pod.yaml": _POD, "rbac.yaml": _RBAC.format(verbs="list, watch")}),
)
def service_discovery_not_permitted(model: Model) -> Iterator[Remark]:
    """Kubernetes refuses to answer, so the job has no target at all, and no `up` tells of it.

    (prometheus/prometheus, discovery/kubernetes/kubernetes.go: what a role lists and watches, with the token of the
    pod's service account; kubernetes.io/docs/reference/access-authn-authz/rbac.)
    """
    for stack in model.stacks:
        asked: dict[str, tuple[str, frozenset[str]]] = {}
        for job in stack.jobs:
            for each in job.discoveries:
                if each.mechanism == "kubernetes_sd_configs" and not _has_credentials(each.part):
                    names = frozenset(name.text for name in each.part.list("namespaces", "names"))
                    asked.setdefault(each.part.string("role"), (job.name, names))
        for process in stack.processes:
            if process.workload is None or process.pod is None or not asked:
                continue
            yield from _without_token(model, process, asked)
            yield from _refused(model, process, asked)


def _has_credentials(part: Part) -> bool:
    return any(
        part.get(key) for key in ("api_server", "kubeconfig_file", "authorization", "basic_auth", "bearer_token")
    )


def _account(process: Process) -> str:
    pod = process.pod
    said = pod.string("spec", "serviceAccountName") or pod.string("spec", "serviceAccount") if pod else ""
    return said or "default"


def _without_token(model: Model, process: Process, asked: dict[str, tuple[str, frozenset[str]]]) -> Iterator[Remark]:
    assert process.pod is not None  # noqa: S101 asked for by the caller
    spec = process.pod.get("spec")
    own = spec.get("automountServiceAccountToken")
    projected = any(
        source.get("serviceAccountToken")
        for volume in spec.list("volumes")
        for source in volume.list("projected", "sources")
    )
    accounts = _named(model, process, "ServiceAccount", _account(process))
    theirs = accounts[0].part.get("automountServiceAccountToken") if len(accounts) == 1 else None
    off = (
        own
        if own.value is False
        else theirs
        if own.value is None and theirs is not None and theirs.value is False
        else None
    )
    if off is not None and not projected:
        job = next(iter(asked.values()))[0]
        message = f"{process.subject} gets no token, and job `{job}` has to ask the API server for its targets"
        yield at(off, message, subject=f"{process.subject}/token")


def _named(model: Model, process: Process, kind: str, name: str) -> list[KubernetesObject]:
    assert process.workload is not None  # noqa: S101 asked for by the caller
    return list(model.cluster.named(kind, name, model.cluster.namespaces(process.workload)))


@dataclass(frozen=True)
class _Grant:
    role: KubernetesObject
    namespaces: frozenset[str]
    """Where it is granted; everywhere, if none is said."""
    everywhere: bool


def _refused(model: Model, process: Process, asked: dict[str, tuple[str, frozenset[str]]]) -> Iterator[Remark]:
    bindings = [each for each in model.cluster.of("ClusterRoleBinding", "RoleBinding") if _binds(model, each, process)]
    grants: list[_Grant] = []
    for binding in bindings:
        kind, name = binding.part.string("roleRef", "kind"), binding.part.string("roleRef", "name")
        where = frozenset() if kind == "ClusterRole" else model.cluster.namespaces(binding)
        roles = model.cluster.named(kind, name, where)
        if len(roles) != 1 or model.cluster.patched(roles[0]) or roles[0].part.get("aggregationRule"):
            return
        everywhere = binding.kind == "ClusterRoleBinding"
        grants.append(_Grant(roles[0], frozenset() if everywhere else model.cluster.namespaces(binding), everywhere))
    if not grants:
        yield from _unbound(model, process, asked)
        return
    for role, (job, names) in asked.items():
        for group, resource in _NEEDS.get(role, ()):
            if not any(_suffices(grant, group, resource, names) for grant in grants):
                yield _remark(process, grants, (job, role, names), (group, resource))


def _binds(model: Model, binding: KubernetesObject, process: Process) -> bool:
    assert process.workload is not None  # noqa: S101 asked for by the caller
    namespaces = model.cluster.namespaces(process.workload)
    for subject in binding.part.list("subjects"):
        if subject.string("kind") == "Group" and subject.string("name").startswith("system:"):
            return True
        where = {subject.string("namespace")} - {""}
        same = subject.string("kind") == "ServiceAccount" and subject.string("name") == _account(process)
        if same and (not where or together(where, namespaces) or _moved(model, binding)):
            return True
    return False


def _moved(model: Model, one: KubernetesObject) -> bool:
    """Whether kustomize writes another namespace over the subjects of a binding."""
    return bool(model.cluster.kustomizations.namespaces.get(one.part.file))


def _suffices(grant: _Grant, group: str, resource: str, names: frozenset[str]) -> bool:
    if not grant.everywhere and not names:
        return False
    if not grant.everywhere and grant.namespaces and not grant.namespaces & names:
        return False
    groups = {group, "extensions"} if resource == "ingresses" else {group}
    granted: set[str] = set()
    for rule in grant.role.part.list("rules"):
        said = {part.text for part in rule.list("apiGroups")}
        resources = {part.text for part in rule.list("resources")}
        if (
            (said & groups or "*" in said)
            and (resource in resources or "*" in resources)
            and not rule.get("resourceNames")
        ):
            granted |= {part.text for part in rule.list("verbs")}
    return "*" in granted or granted.issuperset(_VERBS)


def _remark(
    process: Process, grants: list[_Grant], what: tuple[str, str, frozenset[str]], needed: tuple[str, str]
) -> Remark:
    job, role, names = what
    group, resource = needed
    near = [
        r
        for grant in grants
        for r in grant.role.part.list("rules")
        if resource in {p.text for p in r.list("resources")}
    ]
    part = near[0].get("verbs") if near else grants[0].role.part.get("metadata", "name")
    shown = f"{resource}.{group}" if group else resource
    has = f"only {', '.join(p.text for p in near[0].list('verbs'))}" if near else "no verb"
    scope = "" if any(grant.everywhere for grant in grants) else f" in {_shown(names)}"
    message = (
        f"job `{job}` (role {role}) has to list and watch {shown}{scope}; {grants[0].role.kind} {grants[0].role.name} "
        f"grants {_account(process)} {has}"
    )
    return at(part, message, subject=f"{process.subject}/{shown}")


def _shown(namespaces: frozenset[str]) -> str:
    if not namespaces:
        return "all namespaces"
    return f"the namespace{'s' * (len(namespaces) > 1)} {', '.join(sorted(namespaces))}"


def _unbound(model: Model, process: Process, asked: dict[str, tuple[str, frozenset[str]]]) -> Iterator[Remark]:
    """Yield that nothing is granted, where a binding is surely meant for this service account."""
    name = _account(process)
    for binding in model.cluster.of("ClusterRoleBinding", "RoleBinding"):
        for subject in binding.part.list("subjects"):
            same = subject.string("kind") == "ServiceAccount" and subject.string("name") == name
            where = frozenset({subject.string("namespace")})
            if same and subject.string("namespace") and model.references.there("ServiceAccount", name, where):
                job = next(iter(asked.values()))[0]
                own = ", ".join(sorted(model.cluster.namespaces(process.workload))) if process.workload else ""
                message = (
                    f"{binding.kind} {binding.name} grants to `{name}` of the namespace {subject.string('namespace')}, "
                    f"and {process.subject} runs in {own}: job `{job}` may not ask for its targets"
                )
                yield at(subject.get("namespace"), message, subject=f"{process.subject}/{binding.name}")
                return
