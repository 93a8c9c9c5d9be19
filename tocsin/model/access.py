"""What a service account may ask the API server for, by the roles and bindings of a folder.

(kubernetes.io/docs/reference/access-authn-authz/rbac; k8s.io/api, rbac/v1.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model.cluster import Cluster, Pod


@dataclass(frozen=True)
class Grant:
    """The rules of a role that some binding grants."""

    role: KubernetesObject
    rules: tuple[Part, ...]
    namespaces: frozenset[str] | None
    """Where; None for everywhere."""


@dataclass(frozen=True)
class Access:
    """What a pod's account may do."""

    grants: tuple[Grant, ...]
    whole: bool
    """Whether there is some binding, and the folder has every role that is bound."""

    def allows(self, group: str, resource: str, verbs: Iterable[str], namespace: str | None) -> bool:
        """Tell whether all verbs are allowed on a resource in a namespace; None: in all of them."""
        return all(any(_grants(grant, group, resource, verb, namespace) for grant in self.grants) for verb in verbs)


def access(cluster: Cluster, pod: Pod) -> Access:
    """Return what the account of a pod may do."""
    spec = pod.workload.pod.get("spec") if pod.workload else pod.object.part.get("spec")
    account = spec.string("serviceAccountName") or spec.string("serviceAccount") or "default"
    grants: list[Grant] = []
    whole = True
    for binding in cluster.of("ClusterRoleBinding", "RoleBinding"):
        if not _binds(binding, account, pod.namespaces):
            continue
        kind, name = binding.part.string("roleRef", "kind"), binding.part.string("roleRef", "name")
        here = cluster.namespaces(binding)
        roles = cluster.near(cluster.named(kind, name, here if kind == "Role" else ()), binding.part.file)
        whole = whole and bool(roles) and not any(cluster.patched(role) or _aggregated(role) for role in roles)
        everywhere = binding.kind == "ClusterRoleBinding"
        grants += [Grant(role, role.part.list("rules"), None if everywhere else here) for role in roles]
    return Access(tuple(grants), whole and bool(grants))


def _binds(binding: KubernetesObject, account: str, namespaces: frozenset[str]) -> bool:
    for subject in binding.part.list("subjects"):
        if subject.string("kind") == "ServiceAccount" and subject.string("name") == account:
            where = subject.string("namespace") or binding.namespace
            if not where or not namespaces or where in namespaces:
                return True
        if subject.string("kind") == "Group" and subject.string("name").startswith("system:serviceaccounts"):
            return True
    return False


def _aggregated(role: KubernetesObject) -> bool:
    return bool(role.part.get("aggregationRule"))


def _grants(grant: Grant, group: str, resource: str, verb: str, namespace: str | None) -> bool:
    if grant.namespaces is not None and (namespace is None or (grant.namespaces and namespace not in grant.namespaces)):
        return False
    return any(
        _holds(rule, "apiGroups", group)
        and _holds(rule, "resources", resource)
        and _holds(rule, "verbs", verb)
        and not rule.list("resourceNames")
        for rule in grant.rules
    )


def _holds(rule: Part, key: str, value: str) -> bool:
    said = {part.text for part in rule.list(key)}
    return value in said or "*" in said
