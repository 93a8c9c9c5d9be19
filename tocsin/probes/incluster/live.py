"""A workload as it runs in a cluster: its pods, their addresses, and what its probes really are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.deadline import Unmet
from tocsin.engines.kubernetes_api import ClusterUnreadable
from tocsin.engines.kubernetes_changes import Workload
from tocsin.engines.kubernetes_pods import has_ended, is_leaving, is_ready, selector_of, state_of, unsettled
from tocsin.engines.trouble import EngineTrouble
from tocsin.model.workloads import Container, workloads
from tocsin.model.workloads import Workload as Made
from tocsin.part import Part
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.cluster import Cluster
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeSpec
from tocsin.source import Document
from tocsin.supervisor import Kind
from tocsin.system import InCluster


@dataclass(frozen=True)
class LivePod:
    """A pod of a workload."""

    name: str
    uid: str
    address: str
    """`status.podIP`; empty as long as it has none."""
    ready: bool
    leaving: bool
    """Whether it is deleted."""
    state: str
    """What its status says of why it does not run."""
    container: Container
    """The one that is looked at, as the API server has it, defaults filled in."""

    @property
    def ports(self) -> Mapping[str, int]:
        """The named ports of the container."""
        return {each.name: each.number for each in self.container.ports if each.name and each.number is not None}


def named(subject: Subject, declared: InCluster) -> Workload:
    """Return the workload of a subject as the cluster knows it."""
    return workload_of(subject.workload, declared)


def workload_of(made: Made, declared: InCluster) -> Workload:
    """Return a workload of the manifests as the cluster knows it."""
    return Workload(made.kind, declared.namespace or made.namespace or "default", made.object.name)


def read_as_workload(value: Mapping[str, Any], kind: str, version: str) -> Any:
    """Return what makes pods, or a pod, of the API; lists do not tell the kind of what they hold."""
    document = Document("the API's answer", {"kind": kind, "apiVersion": version, **value}, {}, {})
    return workloads([KubernetesObject(Part.whole(document))])[0]


@dataclass(frozen=True, slots=True)
class Live:
    """A workload in a cluster, and one container of it."""

    cluster: Cluster
    workload: Workload
    container: str
    """Its name; empty for the first."""

    def object(self) -> Mapping[str, Any]:
        """Return the workload as the API has it. Raises EngineTrouble if there is none that can be read."""
        try:
            found: Mapping[str, Any] = self.cluster.get(self.workload.path)
        except (ClusterUnreadable, ValueError) as error:
            said = f"{error}. Is `namespace` of the environment's `cluster` right, and are the manifests applied?"
            raise EngineTrouble("the workload cannot be read", str(self.workload), said, Kind.ANSWERED) from error
        return found

    def pods(self) -> list[LivePod]:
        """Return its pods, those that are leaving too. Raises EngineTrouble."""
        selector = selector_of(self.object())
        path = f"/api/v1/namespaces/{self.workload.namespace}/pods"
        try:
            items = self.cluster.get(path, labelSelector=selector)["items"]
        except ClusterUnreadable as error:
            raise EngineTrouble("the pods cannot be read", str(self.workload), str(error), Kind.ANSWERED) from error
        return [pod for each in items if (pod := self.pod(each)) is not None]

    def pod(self, value: Mapping[str, Any]) -> LivePod | None:
        """Return a pod of the API; None if it lacks the container, or has done its work."""
        if has_ended(value):
            return None
        read = read_as_workload(value, "Pod", "v1")
        wanted = (each for each in read.running if each.name == self.container or not self.container)
        container = next(wanted, None)
        if container is None:
            return None
        meta = value["metadata"]
        return LivePod(
            name=meta["name"],
            uid=meta["uid"],
            address=value["status"].get("podIP") or "",
            ready=is_ready(value),
            leaving=is_leaving(value),
            state=state_of(value),
            container=container,
        )

    def well(self) -> list[LivePod] | Unmet:
        """Return its pods if they are all there and ready, and none is on its way in or out."""
        found, pods = self.object(), self.pods()
        status = found.get("status") or {}
        why = unsettled(found, {each.name: "" if each.ready and not each.leaving else each.state for each in pods})
        updated = status.get("updatedNumberScheduled", status.get("updatedReplicas", 0))
        if not why and updated != len(pods):
            why = f"{updated} of {len(pods)} pods are of the newest template"
        return Unmet(why) if why else pods

    def differences(self, subject: Subject) -> tuple[str, ...]:
        """Return in what the container's probes in the cluster differ from those of its manifest."""
        live = read_as_workload(self.object(), self.workload.kind, "apps/v1")
        container = next((each for each in live.running if each.name == self.container), None)
        if container is None:
            return (f"no container {self.container!r} runs in {self.workload}",)
        found = list(_probe_differences(subject.spec, ContainerSpec.of(container)))
        grace, declared = PodSpec.of(live).grace, subject.pod.grace
        if grace != declared:
            found.append(f"terminationGracePeriodSeconds is {grace:g} in the cluster, and {declared:g} in the manifest")
        return tuple(found)


def _probe_differences(declared: ContainerSpec, live: ContainerSpec) -> Iterator[str]:
    for kind in dict.fromkeys(each.kind for each in (*declared.probes, *live.probes)):
        mine, theirs = declared.probe(kind), live.probe(kind)
        if mine is None or theirs is None:
            yield f"{kind}: {'only in the cluster' if mine is None else 'only in the manifest'}"
            continue
        one, other = _values(mine), _values(theirs)
        for key in one.keys() | other.keys():
            if one.get(key) != other.get(key):
                yield f"{kind}: {key} is {other.get(key)} in the cluster, and {one.get(key)} in the manifest"


def _values(probe: ProbeSpec) -> dict[str, Any]:
    """Return what a probe says, as the API server fills it in."""
    defaults = {"httpGet": {"path": "/", "scheme": "HTTP"}, "grpc": {"service": ""}}.get(probe.handler, {})
    action = {key: value for key, value in probe.action.items() if value not in (None, "", [], ())}
    return {
        **{f"{probe.handler}.{key}": value for key, value in {**defaults, **action}.items()},
        "initialDelaySeconds": probe.delay,
        "periodSeconds": probe.period,
        "timeoutSeconds": probe.timeout,
        "failureThreshold": probe.failures,
        "successThreshold": probe.successes,
        "terminationGracePeriodSeconds": probe.grace,
    }
