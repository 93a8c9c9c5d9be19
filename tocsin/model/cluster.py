"""The Kubernetes objects of a folder as they would stand together in a cluster: by name, by namespace, by selector."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import port_number
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.kustomizations import Entry, Kustomizations, entries_of
from tocsin.model.selectors import selects
from tocsin.model.workloads import Container, Workload
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that the API server gives each namespace, with its name."""
UNNAMESPACED = frozenset(
    {
        "Namespace", "Node", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding", "PriorityClass",
        "IngressClass", "CustomResourceDefinition", "APIService", "CSIDriver", "RuntimeClass", "PodSecurityPolicy",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
    }
)  # fmt: skip
"""Kinds that stand in no namespace."""
_PORTS_OF_OPERATED: Mapping[str, Mapping[str, int]] = {
    "Prometheus": {"web": 9090, "reloader-web": 8080},
    "PrometheusAgent": {"web": 9090, "reloader-web": 8080},
    "Alertmanager": {"web": 9093, "reloader-web": 8080},
}
"""The ports of the pods that the Prometheus operator makes (pkg/prometheus, pkg/alertmanager: makeStatefulSetSpec)."""
_OF_CONTROLLERS = (
    "pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "job-name",
    "controller-uid",
)  # fmt: skip
"""Labels that controllers give pods beyond those of the template."""


@dataclass(frozen=True)
class Port:
    """A port that a container declares."""

    part: Part
    name: str
    number: int
    protocol: str


@dataclass(frozen=True)
class Pod:
    """The pods of one object: all alike."""

    object: KubernetesObject
    namespaces: frozenset[str]
    """The namespaces that they may be in; none if the files do not say."""
    labels: Mapping[str, str]
    labels_whole: bool
    """Whether these are all of their labels, those of controllers left out."""
    host_network: bool = False
    workload: Workload | None = None
    """What says what runs in them; None where an operator decides that."""

    @property
    def subject(self) -> str:
        """The name path by which findings know them."""
        return self.object.subject

    @property
    def containers(self) -> tuple[Container, ...]:
        """Their containers, those that only begin left out."""
        return tuple(c for c in self.workload.containers if not c.init) if self.workload else ()

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """The ports that their containers declare; a sidecar's too."""
        found = []
        for container in self.workload.containers if self.workload else ():
            for part in container.part.list("ports"):
                number = port_number(part.string("containerPort"))
                if number is not None:
                    found.append(Port(part, part.string("name"), number, part.string("protocol") or "TCP"))
        return tuple(found)

    def port(self, wanted: str, protocol: str = "TCP") -> int | None:
        """Return the number of a port that is written as a number or as a name; None if no such name is declared."""
        if wanted.isdigit():
            return port_number(wanted)
        if self.workload is None and wanted in _PORTS_OF_OPERATED.get(self.object.kind, {}):
            return _PORTS_OF_OPERATED[self.object.kind][wanted]
        return next((p.number for p in self.ports if p.name == wanted and p.protocol == protocol), None)

    def selected_by(self, selector: Part) -> bool | None:
        """Tell whether a label selector selects them; None if that depends on what the files do not say."""
        answer = selects(selector, self.labels)
        if answer is False and not self.labels_whole:
            return None
        return None if answer is False and names_of_selector(selector) & set(_OF_CONTROLLERS) else answer


def names_of_selector(selector: Part) -> set[str]:
    """Return the names of the labels that a selector looks at."""
    names = {key for key, _ in selector.get("matchLabels").items()}
    return names | {part.string("key") for part in selector.list("matchExpressions")}


@dataclass(frozen=True)
class Holder:
    """A ConfigMap or a Secret: which keys it has."""

    kind: str
    name: str
    namespaces: frozenset[str]
    entries: tuple[Entry, ...]
    whole: bool
    """Whether it has no other key."""
    part: Part
    """Where it stands."""
    keys_part: Part
    """Where its keys are listed."""


def together(one: Collection[str], other: Collection[str]) -> bool:
    """Tell whether two things may be in the same namespace, where each may be in some, or nobody knows in which."""
    return not one or not other or bool(set(one) & set(other))


class Cluster:
    """The objects of a folder."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.kustomizations = Kustomizations(model.folder)

    @cached_property
    def objects(self) -> tuple[KubernetesObject, ...]:
        """Every object that is one: what stands in a patch is a piece of another."""
        patches = self.kustomizations.patch_files
        return tuple(one for one in self._model.objects if one.part.file not in patches)

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[KubernetesObject, ...]]:
        found: dict[str, list[KubernetesObject]] = {}
        for one in self.objects:
            found.setdefault(one.kind, []).append(one)
        return {kind: tuple(ones) for kind, ones in found.items()}

    def of(self, *kinds: str) -> tuple[KubernetesObject, ...]:
        """Return the objects of some kinds."""
        return tuple(one for kind in kinds for one in self._by_kind.get(kind, ()))

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], tuple[KubernetesObject, ...]]:
        found: dict[tuple[str, str], list[KubernetesObject]] = {}
        for one in self.objects:
            found.setdefault((one.kind, one.name), []).append(one)
        return {pair: tuple(ones) for pair, ones in found.items()}

    def named(self, kind: str, name: str, namespaces: Collection[str] = ()) -> tuple[KubernetesObject, ...]:
        """Return the objects of a kind and a name that may be in one of some namespaces."""
        found = self._by_name.get((kind, name), ())
        return tuple(one for one in found if kind in UNNAMESPACED or together(self.namespaces(one), namespaces))

    def namespaces(self, one: KubernetesObject) -> frozenset[str]:
        """Return the namespaces that an object may be in; none if the files do not say."""
        put = self.kustomizations.namespaces.get(one.part.file)
        return put or frozenset({one.namespace} if one.namespace else ())

    def patched(self, one: KubernetesObject) -> bool:
        """Tell whether a kustomization changes an object, so that its manifest does not tell all of it."""
        patched = self.kustomizations.patched
        return bool(patched) and any(pair in patched for pair in ((one.kind, one.name), (one.kind, ""), ("", "")))

    def hidden(self, kind: str) -> bool:
        """Tell whether an unrendered template of the folder makes objects of a kind: they may be called anything."""
        return kind in self._hidden

    @cached_property
    def _hidden(self) -> frozenset[str]:
        found = set()
        for file in self._model.sorted.templates:
            for line in file.text.split("\n"):
                key, colon, value = line.partition(":")
                if colon and key.strip() == "kind":
                    found.add(value.strip())
        return frozenset(found)

    def namespace_labels(self, name: str) -> tuple[Mapping[str, str], bool]:
        """Return the labels of a namespace, and whether these are all of them."""
        known = {NAMESPACE_NAME: name}
        for one in self.named("Namespace", name):
            return one.part.strings("metadata", "labels") | known, not self.patched(one)
        return known, False

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods of every object that makes some, those of the operator's Prometheus and Alertmanager too."""
        patches = self.kustomizations.patch_files
        found = [
            Pod(
                workload.object,
                self.namespaces(workload.object),
                workload.pod.strings("metadata", "labels"),
                not self.patched(workload.object),
                workload.pod.get("spec", "hostNetwork").value is True,
                workload,
            )
            for workload in self._model.workloads
            if workload.object.part.file not in patches
        ]
        for one in self.of("Prometheus", "PrometheusAgent", "Alertmanager"):
            found.append(Pod(one, self.namespaces(one), _operated(one), labels_whole=False))
        return tuple(found)

    def pods_selected(self, selector: Part, by: KubernetesObject) -> tuple[list[Pod], bool]:
        """Return the pods that a label selector of an object selects, and whether there surely are no more here."""
        near = [pod for pod in self.pods if together(pod.namespaces, self.namespaces(by))]
        answers = [(pod, pod.selected_by(selector)) for pod in near]
        return [pod for pod, answer in answers if answer], all(answer is not None for _, answer in answers)

    def meant(self, pairs: Mapping[str, Part], name: str, namespaces: frozenset[str]) -> tuple[Pod, Part] | None:
        """Return the pods for which the labels of a selector were surely meant that selects none, and the wrong label.

        `name` is that of the object that selects. But for a slip it would select them: the values are alike, or the
        two are called alike and nothing fits.
        """
        found = []
        for pod in self.pods:
            if pod.workload is not None and pod.namespaces == namespaces:
                different = {key: part for key, part in pairs.items() if pod.labels.get(key) != part.text}
                likeness = _likeness(different, pod, by_name=name == pod.object.name and len(different) == len(pairs))
                if likeness:
                    found.append((likeness, pod, next(iter(different.values()))))
        return max(found, key=lambda one: one[0])[1:] if found else None

    @cached_property
    def holders(self) -> Mapping[tuple[str, str], tuple[Holder, ...]]:
        """The ConfigMaps and Secrets by kind and name, of manifests and of generators."""
        found: dict[tuple[str, str], list[Holder]] = {}
        for one in (*self._own_holders(), *self._generated_holders()):
            found.setdefault((one.kind, one.name), []).append(one)
        return {pair: tuple(ones) for pair, ones in found.items()}

    def _own_holders(self) -> Iterator[Holder]:
        for one in self.of("ConfigMap", "Secret"):
            field = "stringData" if one.part.get("stringData") else "data"
            part = one.part.get(field) or one.part.get("metadata", "name")
            whole = not self.patched(one)
            yield Holder(one.kind, one.name, self.namespaces(one), entries_of(one.part), whole, one.part, part)

    def _generated_holders(self) -> Iterator[Holder]:
        for one in self.kustomizations.generators:
            keys = next((part for field in ("files", "literals", "envs") if (part := one.part.get(field))), one.part)
            yield Holder(one.kind, one.name, one.namespaces, one.entries, one.whole, one.part, keys)

    def held(self, kind: str, name: str, namespaces: Collection[str] = ()) -> tuple[Holder, ...]:
        """Return the ConfigMaps or Secrets of a name that may be in one of some namespaces."""
        return tuple(one for one in self.holders.get((kind, name), ()) if together(one.namespaces, namespaces))

    def near(self, found: Collection[KubernetesObject], to: str) -> list[KubernetesObject]:
        """Return those objects that stand nearest to a file: in it, else beside it, else anywhere."""
        folder = PurePosixPath(to).parent
        same = [one for one in found if one.part.file == to]
        return same or [one for one in found if PurePosixPath(one.part.file).parent == folder] or list(found)


_DIGITS = re.compile(r"\d+")
_LIKE = 0.75
"""How alike two values of a label are of which one may be a slip for the other."""


def _likeness(different: Mapping[str, Part], pod: Pod, *, by_name: bool) -> float:
    """Tell how surely labels were meant for a pod; 0 if they were not.

    A label that is not there at all, beside others that fit, may be given to the pod while it runs, as leaders get it;
    and two values that differ in their digits alone are two versions.
    """
    if not different:
        return 0
    if by_name:
        return 2
    ratios = []
    for key, part in different.items():
        own = pod.labels.get(key, "")
        versions = _DIGITS.sub("", own) == _DIGITS.sub("", part.text)
        ratios.append(0 if versions else SequenceMatcher(None, own, part.text).ratio())
    return min(ratios) if min(ratios) >= _LIKE else 0


def _operated(one: KubernetesObject) -> dict[str, str]:
    """Return the labels that the operator gives the pods of a Prometheus or an Alertmanager.

    (github.com/prometheus-operator/prometheus-operator, pkg/prometheus/server/statefulset.go and
    pkg/alertmanager/operator.go.)
    """
    kind = {"Prometheus": "prometheus", "PrometheusAgent": "prometheus-agent"}.get(one.kind, "alertmanager")
    own = {
        "app.kubernetes.io/name": kind,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        "app.kubernetes.io/instance": one.name,
        kind.removesuffix("-agent"): one.name,
    }
    return one.part.strings("spec", "podMetadata", "labels") | own
