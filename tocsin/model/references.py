"""What Kubernetes objects name of each other, and what of it is there.

(The API reference of each kind: core/v1 PodSpec, rbac/v1, networking/v1 Ingress, autoscaling/v2, apps/v1 StatefulSet.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.cluster import UNNAMESPACED, together
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.cluster import Cluster, Pod

LIKE = 0.6
"""How alike two names are of which one may be a slip for the other, given that nobody names the other."""
BUILT_IN: Mapping[str, re.Pattern[str]] = {
    "ServiceAccount": re.compile(r"default"),
    "ClusterRole": re.compile(r"cluster-admin|admin|edit|view|system:.*|eks:.*|gce:.*|psp:.*"),
    "Role": re.compile(r"system:.*|extension-apiserver-authentication-reader"),
    "ConfigMap": re.compile(
        r"kube-root-ca\.crt|openshift-service-ca\.crt|extension-apiserver-authentication|coredns|kube-proxy|cluster-info"
    ),
    "PriorityClass": re.compile(r"system-(?:cluster|node)-critical"),
    "Service": re.compile(r"kubernetes|kube-dns|"),
}
"""What every cluster, or that of a great provider, has by itself."""
_NAMED_ANYWHERE = frozenset({"ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "Service"})
"""Kinds that custom resources, addresses and arguments name too, in fields that only they know."""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Reference:
    """One object named by another."""

    by: KubernetesObject
    part: Part
    """The name, where it stands."""
    kind: str
    name: str
    namespaces: frozenset[str]
    """The namespaces in which it is looked for; none if the files do not say, or if its kind has none."""
    field: str
    """What names it, in the words of the manifest."""
    key: Part | None = None
    """The key of the ConfigMap or Secret that is wanted too."""


def references_of_pod(pod: Pod) -> Iterator[Reference]:
    """Yield what the pods of an object cannot start without."""
    if pod.workload is None:
        return
    spec = pod.workload.pod.get("spec")
    account = "serviceAccountName" if spec.get("serviceAccountName") else "serviceAccount"
    found = [
        (spec.get(account), "ServiceAccount", account, None),
        (spec.get("priorityClassName"), "PriorityClass", "priorityClassName", None),
        *(named for volume in spec.list("volumes") for named in _of_volume(volume)),
        *(named for container in pod.workload.containers for named in _of_container(container.part)),
    ]
    for part, kind, field, key in found:
        if part.text:
            yield Reference(pod.object, part, kind, part.text, pod.namespaces, field, key)


_Named = tuple[Part, str, str, Part | None]


def _of_volume(volume: Part) -> Iterator[_Named]:
    yield volume.get("persistentVolumeClaim", "claimName"), "PersistentVolumeClaim", "claimName", None
    for source in (volume, *volume.list("projected", "sources")):
        for field, kind, naming in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            held = source.get(field)
            name = held.get(naming) or held.get("name")
            if held.get("optional").value is not True:
                yield name, kind, field, None
                yield from ((name, kind, f"{field}.items", item.get("key")) for item in held.list("items"))


def _of_container(container: Part) -> Iterator[_Named]:
    for source in container.list("envFrom"):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if source.get(field, "optional").value is not True:
                yield source.get(field, "name"), kind, field, None
    for variable in container.list("env"):
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            held = variable.get("valueFrom", field)
            if held.get("optional").value is not True:
                yield held.get("name"), kind, field, held.get("key")


class References:
    """All references of a folder."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def _cluster(self) -> Cluster:
        return self._model.cluster

    @cached_property
    def all(self) -> tuple[Reference, ...]:
        """Every reference, those of pods first."""
        found = [one for pod in self._cluster.pods for one in references_of_pod(pod)]
        for one in self._cluster.objects:
            found.extend(self._of_object(one))
        return tuple(found)

    def _of_object(self, one: KubernetesObject) -> Iterator[Reference]:
        part, here = one.part, self._cluster.namespaces(one)
        if one.kind == "StatefulSet" and part.string("spec", "serviceName"):
            name = part.get("spec", "serviceName")
            yield Reference(one, name, "Service", name.text, here, "serviceName")
        if one.kind in ("HorizontalPodAutoscaler", "VerticalPodAutoscaler"):
            target = part.get("spec", "scaleTargetRef") or part.get("spec", "targetRef")
            if target.string("kind") in ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet"):
                name = target.get("name")
                yield Reference(one, name, target.string("kind"), name.text, here, f"{target.key}.name")
        if one.kind in ("RoleBinding", "ClusterRoleBinding"):
            yield from _of_binding(one, here)
        if one.group == "monitoring.coreos.com":
            yield from _of_operator(one, here)
        if one.kind == "Ingress":
            yield from (
                Reference(one, name, "Service", name.text, here, "backend") for name, _ in ingress_backends(part)
            )

    def ungoverned(self, name: str, namespace: str) -> bool:
        """Tell whether a StatefulSet counts on a Service that is not there: others that ask for it are right."""
        naming = self._by_target.get(("Service", name), ())
        where = frozenset({namespace} - {""})
        return any(one.field == "serviceName" and together(one.namespaces, where) for one in naming) and not self.there(
            "Service", name, where
        )

    def found(self, reference: Reference) -> bool:
        """Tell whether the folder has what is named, or every cluster does."""
        pattern = BUILT_IN.get(reference.kind)
        if not reference.name or "$" in reference.name or (pattern and pattern.fullmatch(reference.name)):
            return True
        return bool(self.there(reference.kind, reference.name, reference.namespaces))

    def there(self, kind: str, name: str, namespaces: frozenset[str]) -> bool:
        """Tell whether the folder has an object of a kind and a name, in one of some namespaces."""
        if kind in ("ConfigMap", "Secret") and self._cluster.held(kind, name, namespaces):
            return True
        if kind == "Secret" and name in self._made_secrets:
            return True
        return bool(self._cluster.named(kind, name, namespaces)) or (kind, name) in self._of_templates

    @cached_property
    def _of_templates(self) -> frozenset[tuple[str, str]]:
        """The claims that StatefulSets make of their templates."""
        found: set[tuple[str, str]] = set()
        for one in self._cluster.of("StatefulSet"):
            for template in one.part.list("spec", "volumeClaimTemplates"):
                for i in range(10):
                    found.add(("PersistentVolumeClaim", f"{template.string('metadata', 'name')}-{one.name}-{i}"))
        return frozenset(found)

    @cached_property
    def _made_secrets(self) -> frozenset[str]:
        """The Secrets that controllers make of other objects."""
        found: set[str] = set()
        for one in self._cluster.of("Certificate", "ExternalSecret", "SealedSecret", "VaultStaticSecret"):
            routes = (("spec", "secretName"), ("spec", "target", "name"), ("spec", "destination", "name"))
            found.update(text for route in routes if (text := one.part.string(*route)))
            found.add(one.name)
        return frozenset(found)

    @cached_property
    def _texts(self) -> frozenset[str]:
        """Every scalar of the custom resources: what they name stands among them."""
        found: set[str] = set()
        for one in self._cluster.objects:
            group = one.part.string("apiVersion").rpartition("/")[0]
            if "." in group and not group.endswith(".k8s.io"):
                found.update(part.text for part in one.part.walk() if part.text and part.route[-1:] != ("name",))
                found.update(part.text for part in one.part.get("spec").walk() if part.text)
        return frozenset(found)

    def twin(self, reference: Reference) -> str | None:
        """Return the name of an object of the same kind and namespace that nobody names and that may be meant."""
        return max(self._twins(reference), default=(0, None), key=lambda one: one[0])[1]

    def _twins(self, reference: Reference) -> Iterator[tuple[float, str]]:
        for name in self._names(reference.kind, reference.namespaces):
            likeness = alike(reference.name, name)
            spelt = likeness and _bare(reference.name) == _bare(name)
            granted = reference.field == "subjects"
            taken = (
                self._granted(name, reference) if granted else self._named(reference.kind, name, reference.namespaces)
            )
            if likeness and (spelt or not taken):
                yield likeness, name

    def _granted(self, name: str, reference: Reference) -> bool:
        """Tell whether a binding gives an account rights already, or none of ours runs under it."""
        naming = self._by_target.get((reference.kind, name), ())
        near = [one.field for one in naming if together(one.namespaces, reference.namespaces)]
        return "subjects" in near or not near

    def _named(self, kind: str, name: str, namespaces: frozenset[str]) -> bool:
        """Tell whether something uses an object; a binding gives an account rights and uses it not."""
        if kind in _NAMED_ANYWHERE and name in self._texts:
            return True
        naming = self._by_target.get((kind, name), ())
        return any(one.field != "subjects" and together(one.namespaces, namespaces) for one in naming)

    @cached_property
    def _by_target(self) -> Mapping[tuple[str, str], list[Reference]]:
        found: dict[tuple[str, str], list[Reference]] = {}
        for one in self.all:
            found.setdefault((one.kind, one.name), []).append(one)
        return found

    def _names(self, kind: str, namespaces: frozenset[str]) -> set[str]:
        names = {
            one.name
            for one in self._cluster.of(kind)
            if kind in UNNAMESPACED or (self._cluster.namespaces(one) == namespaces)
        }
        for (held, name), ones in self._cluster.holders.items():
            if held == kind and any(one.namespaces == namespaces for one in ones):
                names.add(name)
        return names

    def elsewhere(self, reference: Reference) -> frozenset[str]:
        """Return the namespaces in which there is what is named, though not where it is looked for."""
        found: set[str] = set()
        if reference.namespaces and reference.kind not in UNNAMESPACED:
            for one in self._cluster.named(reference.kind, reference.name):
                found |= self._cluster.namespaces(one)
            for holder in self._cluster.held(reference.kind, reference.name):
                found |= holder.namespaces
        return frozenset(found)

    def named_in(self, namespaces: frozenset[str]) -> frozenset[tuple[str, str]]:
        """Return kind and name of everything that some reference names within some namespaces."""
        return frozenset((one.kind, one.name) for one in self.all if one.namespaces & namespaces)

    def alone_missing(self, reference: Reference, siblings: int) -> bool:
        """Tell whether all but one of what a whole build names of a kind is there, and that is not little."""
        kustomizations = self._cluster.kustomizations
        for root in kustomizations.roots:
            files = kustomizations.files(root)
            inner = [one for name in files if (one := kustomizations.all.get(name)) is not None]
            if reference.by.part.file not in files or any(one.opaque for one in inner):
                continue
            named = {
                (one.name, one.namespaces): self.found(one)
                for one in self.all
                if one.kind == reference.kind and one.by.part.file in files
            }
            missing = [pair for pair, found in named.items() if not found]
            return len(missing) == 1 and len(named) > siblings
        return False

    def pod_name_used(self, name: str, service: str) -> str | None:
        """Return a name in DNS of a pod of a StatefulSet that some file of the folder asks for."""
        pattern = re.compile(rf"\b{re.escape(name)}-\d+\.{re.escape(service)}\b(?:\.[a-z0-9.-]+[a-z0-9])?")
        for file in self._model.folder.files.values():
            if f".{service}" in file.text and (match := pattern.search(file.text)):
                return match[0]
        return None


def _bare(name: str) -> str:
    return re.sub(r"[-_.]", "", name)


def alike(wanted: str, other: str) -> float:
    """Tell how alike two names are, 0 if they are not; two versions, or two of a row, are two things."""
    if _DIGITS.sub("", wanted) == _DIGITS.sub("", other):
        return 0
    ratio = SequenceMatcher(None, wanted, other).ratio()
    parts = ({*wanted.split("-")}, {*other.split("-")})
    return ratio if ratio >= LIKE or (parts[0] < parts[1] or parts[1] < parts[0]) else 0


def _of_binding(one: KubernetesObject, here: frozenset[str]) -> Iterator[Reference]:
    role = one.part.get("roleRef")
    kind = role.string("kind")
    if kind in ("Role", "ClusterRole"):
        yield Reference(
            one, role.get("name"), kind, role.string("name"), here if kind == "Role" else frozenset(), "roleRef"
        )
    for subject in one.part.list("subjects"):
        if subject.string("kind") == "ServiceAccount":
            namespace = subject.string("namespace")
            name = subject.get("name")
            yield Reference(
                one, name, "ServiceAccount", name.text, frozenset({namespace} if namespace else ()), "subjects"
            )


def _of_operator(one: KubernetesObject, here: frozenset[str]) -> Iterator[Reference]:
    """Yield the keys of Secrets and ConfigMaps that an object of the Prometheus operator asks for.

    (prometheus-operator.dev/docs/api-reference/api: each is a SecretKeySelector or a ConfigMapKeySelector, in the
    namespace of the object.)
    """
    for part in one.part.get("spec").walk():
        if isinstance(part.value, dict) and {"name", "key"} <= part.value.keys() <= {"name", "key", "optional"}:
            name, key = part.get("name"), part.get("key")
            if name.text and key.text and part.get("optional").value is not True:
                kind = "ConfigMap" if part.key == "configMap" else "Secret"
                yield Reference(one, name, kind, name.text, here, part.key)
                yield Reference(one, name, kind, name.text, here, part.key, key)


def ingress_backends(part: Part) -> Iterator[tuple[Part, Part]]:
    """Yield the name and the port of each Service that an Ingress leads to."""
    backends = [part.get("spec", "defaultBackend"), part.get("spec", "backend")]
    for rule in part.list("spec", "rules"):
        backends += [path.get("backend") for path in rule.list("http", "paths")]
    for backend in backends:
        if backend.get("service"):
            port = backend.get("service", "port")
            yield backend.get("service", "name"), port.get("name") or port.get("number")
        elif backend.get("serviceName"):
            yield backend.get("serviceName"), backend.get("servicePort")
