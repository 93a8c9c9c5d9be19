"""The Services of a folder: which pods stand behind each, on which port, and under which names they are reached.

(kubernetes.io/docs/concepts/services-networking/service; .../dns-pod-service.)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import port_number
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.cluster import Pod, together
from tocsin.model.selectors import selects_all_of
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model.cluster import Cluster


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service."""

    part: Part
    name: str
    number: int
    protocol: str
    target: str
    """The port of the pod as it is written: a number, or a name; the Service's own number where none is said."""


@dataclass(frozen=True)
class Service:
    """A Service and the pods behind it."""

    object: KubernetesObject
    namespaces: frozenset[str]
    pods: tuple[Pod, ...]
    """The pods of the folder that it surely selects."""
    pods_whole: bool
    """Whether it surely selects no other pod of the folder."""

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.object.subject

    @property
    def name(self) -> str:
        """Its name."""
        return self.object.name

    @property
    def selector(self) -> Part:
        """Which pods it selects; nothing of one whose endpoints somebody else writes."""
        return self.object.part.get("spec", "selector")

    @property
    def headless(self) -> bool:
        """Whether it gives its pods names instead of having an address of its own."""
        return self.object.part.string("spec", "clusterIP") == "None"

    @cached_property
    def ports(self) -> tuple[ServicePort, ...]:
        """Its ports."""
        found = []
        for part in self.object.part.list("spec", "ports"):
            number = port_number(part.string("port"))
            if number is not None:
                target = part.string("targetPort") or str(number)
                found.append(ServicePort(part, part.string("name"), number, part.string("protocol") or "TCP", target))
        return tuple(found)


@dataclass(frozen=True)
class Address:
    """What a name of the cluster's own domain means."""

    services: tuple[Service, ...]
    pod: str = ""
    """The name of the one pod that is meant, where it is one of a headless Service."""


_SUFFIX = re.compile(r"\.svc(?:\.[a-z0-9.-]+)?\.?$")


class Services:
    """All Services of a folder."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def all(self) -> tuple[Service, ...]:
        """Every Service."""
        return tuple(self._service(one) for one in self._cluster.of("Service"))

    def _service(self, one: KubernetesObject) -> Service:
        namespaces = self._cluster.namespaces(one)
        selector = one.part.get("spec", "selector")
        if not selector.value:
            return Service(one, namespaces, (), pods_whole=False)
        near = [pod for pod in self._cluster.pods if together(pod.namespaces, namespaces)]
        answers = [(pod, _selected(selector, pod)) for pod in near]
        return Service(
            one,
            namespaces,
            tuple(pod for pod, answer in answers if answer),
            not self._cluster.patched(one) and all(answer is not None for _, answer in answers),
        )

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Service, ...]]:
        found: dict[str, list[Service]] = {}
        for one in self.all:
            found.setdefault(one.name, []).append(one)
        return {name: tuple(ones) for name, ones in found.items()}

    def named(self, name: str, namespaces: Collection[str] = ()) -> tuple[Service, ...]:
        """Return the Services of a name that may be in one of some namespaces."""
        return tuple(one for one in self._by_name.get(name, ()) if together(one.namespaces, namespaces))

    def address(self, host: str, namespaces: Collection[str] = ()) -> Address | None:
        """Return what a host's name means to a pod of some namespaces; None if it is no Service of the folder.

        `name`, `name.namespace`, `name.namespace.svc` and the whole name, each with a pod's name before it.
        """
        bare = _SUFFIX.sub("", host)
        whole = bare != host
        steps = bare.split(".")
        if len(steps) == 1 and not whole and (found := self.named(steps[0], namespaces)):
            return Address(found)
        for first in (0, 1):
            rest = steps[first:]
            if len(rest) == 2 and (found := self.named(rest[0], {rest[1]})):
                return Address(found, steps[0] if first else "")
        return None

    def of_pod(self, pod: Pod) -> tuple[Service, ...]:
        """Return the Services that surely select a pod."""
        return tuple(one for one in self.all if any(each is pod for each in one.pods))


def _selected(selector: Part, pod: Pod) -> bool | None:
    answer = selects_all_of(selector, pod.labels)
    return None if answer is False and not pod.labels_whole else answer
