"""Which Services, disruption budgets and autoscalers belong to which workloads, by their selectors and references.

A folder may hold several systems, or one in several variants; of those that fit, the nearest in the tree of files are
meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.selectors import selects, selects_all_of
from tocsin.model.workloads import Container, Workload
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model


class Belonging:
    """What of a system's objects belongs together."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._services_of: dict[int, tuple[KubernetesObject, ...]] = {}

    def services(self, workload: Workload) -> tuple[KubernetesObject, ...]:
        """Return the Services that select a workload's pods."""
        known = self._services_of.get(id(workload.object))
        if known is None:
            known = tuple(self._selecting(workload))
            self._services_of[id(workload.object)] = known
        return known

    def _selecting(self, workload: Workload) -> Iterator[KubernetesObject]:
        # By one label of each selector, so that a thousand of both are no million of questions.
        for label in workload.labels.items():
            for service in self._services_by_label.get(label, ()):
                selector = service.part.get("spec", "selector")
                if workload.object.near(service) and selects_all_of(selector, workload.labels):
                    yield service

    @cached_property
    def _services_by_label(self) -> Mapping[tuple[str, str], list[KubernetesObject]]:
        found: dict[tuple[str, str], list[KubernetesObject]] = {}
        for service in self._model.objects_of("Service"):
            first = next(iter(service.part.strings("spec", "selector").items()), None)
            if first is not None and service.group == "":
                found.setdefault(first, []).append(service)
        return found

    def served(self, container: Container) -> tuple[tuple[KubernetesObject, Part], ...]:
        """Return the Services, with the port, that send to a port of a container."""
        return tuple(
            (service, port)
            for service in self.services(container.workload)
            for port in service.part.list("spec", "ports")
            if _reaches(port, container)
        )

    def budgets(self, workload: Workload) -> tuple[KubernetesObject, ...]:
        """Return the disruption budgets over a workload's pods."""
        return tuple(each for each in self._model.objects_of("PodDisruptionBudget") if workload in self.guarded(each))

    def guarded(self, budget: KubernetesObject) -> tuple[Workload, ...]:
        """Return the workloads whose pods a disruption budget counts; of several of one name, those nearest to it."""
        selector = budget.part.get("spec", "selector")
        label = next(iter(selector.strings("matchLabels").items()), None)
        found = (
            each for each in (self._model.workloads if label is None else self._by_label.get(label, ()))
            if each.runs_on and budget.near(each.object) and selects(selector, each.labels)
        )  # fmt: skip
        return _nearest_of_each(budget.file, found)

    def scaled(self, autoscaler: KubernetesObject) -> tuple[Workload, ...]:
        """Return the workload that an autoscaler scales: one, or several that cannot be told apart, or none."""
        target = autoscaler.part.get("spec", "scaleTargetRef")
        candidates = self._by_name.get((target.string("kind"), target.string("name")), ())
        return _nearest_of_each(autoscaler.file, (each for each in candidates if autoscaler.near(each.object)))

    def autoscalers(self, workload: Workload) -> tuple[KubernetesObject, ...]:
        """Return the autoscalers of a workload."""
        autoscalers = self._model.objects_of("HorizontalPodAutoscaler")
        return tuple(each for each in autoscalers if workload in self.scaled(each))

    def patched(self, workload: Workload, holds: Callable[[Part], bool]) -> bool:
        """Tell whether a patch of a workload may have a container of which something holds."""
        if self._model.cluster.patched(workload.object):
            return True  # by a kustomization, and perhaps in a way that only running it would tell
        return any(
            holds(container)
            for patch in self._model.patches
            if patch.kind == workload.kind and patch.name in (workload.object.name, "")
            for container in patch.part.list("spec", "template", "spec", "containers")
        )

    @cached_property
    def _by_label(self) -> Mapping[tuple[str, str], list[Workload]]:
        found: dict[tuple[str, str], list[Workload]] = {}
        for workload in self._model.workloads:
            for label in workload.labels.items():
                found.setdefault(label, []).append(workload)
        return found

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], list[Workload]]:
        found: dict[tuple[str, str], list[Workload]] = {}
        for workload in self._model.workloads:
            found.setdefault((workload.kind, workload.object.name), []).append(workload)
        return found


def _reaches(port: Part, container: Container) -> bool:
    target = port.get("targetPort") or port.get("port")
    if isinstance(target.value, str):
        return any(each.name == target.value for each in container.ports)
    number = container.port_number(target)
    return any(each.number == number for each in container.ports) if number is not None else False


def _nearest_of_each(file: str, found: Iterable[Workload]) -> tuple[Workload, ...]:
    """Return the workloads nearest to a file, of each name the nearest only."""
    by_name: dict[tuple[str, str], list[Workload]] = {}
    for each in found:
        by_name.setdefault((each.kind, each.object.name), []).append(each)
    nearest: list[Workload] = []
    for same in by_name.values():
        best = max(shared_folders(file, each.object.file) for each in same)
        nearest.extend(each for each in same if shared_folders(file, each.object.file) == best)
    return tuple(nearest)


def shared_folders(one: str, other: str) -> int:
    """Return how near two files are: how many folders they share from the top, and more than any if they are one."""
    if one == other:
        return 1000
    shared = 0
    for left, right in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if left != right:
            break
        shared += 1
    return shared
