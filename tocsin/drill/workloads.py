"""Workloads of a cluster that drills are done to: found, and found fit, before anything is done to any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.drill.planning import PlannedDrill
from tocsin.engines.kubernetes_api import ClusterUnreadable, KubernetesApi, find_kubeconfig
from tocsin.engines.kubernetes_changes import PLURALS, SCALED, Workload, in_the_way, leftovers
from tocsin.engines.trouble import EngineTrouble
from tocsin.model import Model
from tocsin.source import Place, offered
from tocsin.stimuli import OnWorkload
from tocsin.supervisor import Kind
from tocsin.system import BadSystem, InCluster, Problem, System

_SHARED = ("hostPID", "shareProcessNamespace")
"""Fields of a pod by which process 1 of its containers is not their own."""


def find_workloads(system: System, environment: str, plans: Iterable[PlannedDrill]) -> Mapping[str, Workload]:
    """Return the workloads that drills are done to, by their names in system.yaml. Nothing is changed.

    Raises BadSystem for those that the cluster does not have or that are not fit for it, and for what another run has
    changed and not put back; EngineTrouble if the cluster cannot be asked.
    """
    asked = [(plan, plan.stimulus) for plan in plans if isinstance(plan.stimulus, OnWorkload)]
    declared = system.environment(environment)[1].cluster
    if not asked or declared is None:
        return {}
    desk = _Desk(system, environment, declared)
    spaces = {stimulus.workload: desk.namespace_of(stimulus.workload) for _, stimulus in asked}
    with opened(system, environment, declared) as api, told(api):
        found = {space: _workloads_in(api, space) for space in set(spaces.values())}
        problems = [problem for space in sorted(found) for problem in desk.changed(api, space)]
    for plan, stimulus in asked:
        problems += desk.unfit(plan, stimulus, spaces[stimulus.workload], found[spaces[stimulus.workload]])
    if problems:
        raise BadSystem(tuple(dict.fromkeys(problems)))
    return {name: found[space][name][0].workload for name, space in spaces.items()}


def unknown_jobs(system: System, plans: Iterable[PlannedDrill], known: Iterable[str]) -> tuple[Problem, ...]:
    """Return the drills on workloads that name a scrape job which Prometheus does not have."""
    names = sorted(set(known))
    return tuple(
        Problem(
            system.place("drills", plan.name, "stimulus"),
            f"drill {plan.name}: Prometheus has no scrape job {job!r}; {offered(job, names)}",
        )
        for plan in plans
        if isinstance(plan.stimulus, OnWorkload) and plan.stimulus.jobs_named
        for job in sorted(plan.stimulus.jobs - set(names))
    )


@contextmanager
def opened(
    system: System, environment: str, declared: InCluster, folder: Path | None = None
) -> Iterator[KubernetesApi]:
    """Give the API of an environment's cluster. Raises BadSystem if its kubeconfig gives none.

    `folder` is for what gives access, and is deleted whatever happens; without it, it is deleted unless we are killed.
    """
    try:
        kubeconfig = find_kubeconfig(declared.kubeconfig, system.directory)
        api = KubernetesApi(kubeconfig, declared.context, folder)
    except ClusterUnreadable as error:
        raise BadSystem((Problem(system.place("environments", environment, "cluster"), str(error)),)) from error
    with api:
        yield api


@contextmanager
def told(api: KubernetesApi) -> Iterator[None]:
    """Turn what the cluster does not give into EngineTrouble."""
    try:
        yield
    except ClusterUnreadable as error:
        raise EngineTrouble(
            "the cluster does not give what is asked", api.access.server, str(error), Kind.ANSWERED
        ) from error


@dataclass(frozen=True, slots=True)
class _Found:
    """A workload as the API has it."""

    workload: Workload
    spec: Mapping[str, Any]

    @property
    def pod(self) -> Mapping[str, Any]:
        """What its pods are to be."""
        template: Mapping[str, Any] = self.spec["template"]["spec"]
        return template

    @property
    def containers(self) -> list[str]:
        """The names of the containers of its pods."""
        return [str(each["name"]) for each in self.pod["containers"]]


def _workloads_in(api: KubernetesApi, namespace: str) -> Mapping[str, list[_Found]]:
    """Return the workloads of a namespace by name; kinds may share one. Raises ClusterUnreadable."""
    found: dict[str, list[_Found]] = {}
    for kind, plural in PLURALS.items():
        for each in api.get(f"/apis/apps/v1/namespaces/{namespace}/{plural}")["items"]:
            name = str(each["metadata"]["name"])
            found.setdefault(name, []).append(_Found(Workload(kind, namespace, name), each["spec"]))
    return found


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where it is looked whether workloads are fit for what is to be done to them."""

    system: System
    name: str
    declared: InCluster

    def _place(self) -> Place:
        return self.system.place("environments", self.name, "cluster")

    def namespace_of(self, workload: str) -> str:
        """Return where a workload is: as the environment says, else as its manifest does."""
        if self.declared.namespace:
            return self.declared.namespace
        made = Model.of(self.system.directory, self.system).workloads
        spaces = sorted({each.namespace or "default" for each in made if each.object.name == workload})
        if len(spaces) > 1:
            said = f"the manifests have {workload} in {' and in '.join(spaces)}; say which is meant: `namespace: NAME`"
            raise BadSystem((Problem(self._place(), said),))
        return spaces[0] if spaces else "default"

    def changed(self, api: KubernetesApi, namespace: str) -> Iterator[Problem]:
        """Yield what another run has changed in a namespace and not put back."""
        for each in leftovers(api, namespace):
            said = f"{each.workload} is not as its owners want it: {in_the_way(each.workload, each.told)}"
            yield Problem(self._place(), said)

    def unfit(
        self, plan: PlannedDrill, stimulus: OnWorkload, namespace: str, known: Mapping[str, Sequence[_Found]]
    ) -> Iterator[Problem]:
        """Yield why a drill cannot be done to the workload that it names."""
        place = self.system.place("drills", plan.name, "stimulus")
        same = known.get(stimulus.workload, ())
        if len(same) != 1:
            said = f"drill {plan.name}: the cluster has no workload {stimulus.workload!r} in namespace {namespace}"
            if same:
                kinds = " and a ".join(each.workload.kind for each in same)
                said = f"drill {plan.name}: {stimulus.workload!r} is both a {kinds} in namespace {namespace}"
                yield Problem(place, f"{said}, so it is not known which is meant; rename one")
            else:
                yield Problem(place, f"{said}; {offered(stimulus.workload, sorted(known))}")
            return
        (one,) = same
        reasons = _unscalable(one) if stimulus.container is None else _unendable(one, stimulus.container)
        yield from (Problem(place, f"drill {plan.name}: {one.workload} {said}") for said in reasons)


def _unscalable(found: _Found) -> Iterator[str]:
    """Yield why a workload cannot be taken its pods."""
    if found.workload.kind not in SCALED:
        yield f"cannot be scaled to no pods: only a {' and a '.join(SCALED)} can"
    elif found.spec.get("replicas", 1) == 0:
        yield "has no pods to be taken; scale it up first"


def _unendable(found: _Found, container: str) -> Iterator[str]:
    """Yield why the main process of a workload's container cannot be told to end."""
    if container and container not in found.containers:
        yield f"has no container {container!r}; {offered(container, found.containers)}"
    for name in _SHARED:
        if found.pod.get(name):
            yield f"has `{name}: true`, so that process 1 is not its container's own; it must not be told to end"
