"""A container of a cluster on the bench: its pods well, a Job that asks them, changes that are put back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.kubernetes_api import ClusterUnreadable, find_kubeconfig
from tocsin.engines.kubernetes_changes import PLURALS, Changes, Workload, delete_made, in_the_way, leftovers, put_back
from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.behaviour.bench import Scene
from tocsin.probes.cluster import Cluster
from tocsin.probes.cluster_exec import container_command
from tocsin.probes.handlers import Exec, Handler, HttpGet, TcpSocket
from tocsin.probes.handlers.binding import handler_of
from tocsin.probes.handlers.kubelet import Kubelet
from tocsin.probes.incluster.job import AskedProbe, Flow, Plan, RunningJob, asking
from tocsin.probes.incluster.live import Live, LivePod, named, workload_of
from tocsin.probes.incluster.watching import probe_name
from tocsin.probes.specification import ProbeKind, ProbeSpec
from tocsin.probes.versions import Version, read_version
from tocsin.supervisor import Kind, Supervisor
from tocsin.system import InCluster

Power = Literal["ask", "exec", "rollout", "kill", "outage"]
WELL_WITHIN = 300.0
"""Seconds until all pods are ready again after something was done, beside what their probes take."""
MOST_PODS = 5
"""Of a workload's, that are asked at once: a Job that asks many measures itself."""
_EVERY = 0.25


@dataclass(slots=True)
class ClusterBench:
    """A subject in a cluster."""

    scene: Scene
    declared: InCluster
    cluster: Cluster
    changes: Changes
    live: Live
    stop: threading.Event
    version: Version
    """Of its API server, asked once."""

    def may(self, power: Power) -> bool:
        """Tell whether the environment allows something."""
        return power in self.declared.allow

    def lacking(self, power: Power, what: str) -> str:
        """Return why something is not done that is not allowed; empty if it is."""
        if self.may(power):
            return ""
        place = self.scene.system.place("environments", self.scene.name, "cluster")
        return (
            f"{what} in a cluster takes its owner's permission: add `{power}` to `allow` ({place}), and bind"
            " deploy/rbac-prober.yaml"
        )

    def well(self, live: Live | None = None) -> list[LivePod]:
        """Return the pods, once all are there and ready. Raises EngineTrouble if that does not come about."""
        live = live or self.live
        try:
            found = wait_until(live.well, seconds=WELL_WITHIN, what=f"{live.workload}", every=_EVERY, stop=self.stop)
        except DeadlineExceeded as error:
            what = f"not all pods of {live.workload} are ready"
            raise EngineTrouble(what, "the cluster", error.reason, Kind.TIMED_OUT) from error
        return found

    def wait(self, seconds: float, what: str) -> None:
        """Let time pass in which things are watched. Raises Stopped."""
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end, seconds=seconds + 5, what=what, every=_EVERY, stop=self.stop)

    def handlers(self, pod: LivePod) -> tuple[Mapping[ProbeKind, tuple[ProbeSpec, Handler]], Mapping[ProbeKind, str]]:
        """Return what each probe asks of a pod, and why the rest cannot be asked."""
        found: dict[ProbeKind, tuple[ProbeSpec, Handler]] = {}
        unasked: dict[ProbeKind, str] = {}
        for probe in pod.container.probes:
            spec = ProbeSpec.of(probe)
            if spec.handler == "exec" and (why := self.lacking("exec", f"to run the command of its {spec.kind} probe")):
                unasked[spec.kind] = why
                continue
            run = None
            if spec.handler == "exec":
                space = self.live.workload.namespace
                run = container_command(self.cluster.access, space, pod.name, self.live.container, allowed=True)
            try:
                handler = handler_of(
                    spec,
                    pod.address,
                    ports=pod.ports,
                    environment={name: part.text for name, part in pod.container.environment.items()},
                    run=run,
                    kubelet=Kubelet(1, self.version.minor),
                )
            except ValueError as error:
                unasked[spec.kind] = str(error)
            else:
                found[spec.kind] = (spec, handler)
        return found, unasked

    def asked(self, pods: Sequence[LivePod]) -> list[AskedProbe]:
        """Return the probes of some pods that a Job can ask: all but commands."""
        return [
            AskedProbe(probe_name(pod, kind), handler, spec.timeout)
            for pod in pods
            for kind, (spec, handler) in self.handlers(pod)[0].items()
            if not isinstance(handler, Exec)
        ]

    def clients(self, pods: Sequence[LivePod], patience: float) -> tuple[list[Flow], bool]:
        """Return what clients ask of some pods, and whether any answer will do.

        It is the path that system.yaml declares, at the port of a probe, else what a probe asks for.
        """
        path = self.scene.subject.declared.requests
        rate = self.scene.effort.requests / max(1, len(pods))
        found = []
        for pod in pods:
            asked = [each for _, each in self.handlers(pod)[0].values() if isinstance(each, HttpGet | TcpSocket)]
            first = next(iter(sorted(asked, key=lambda each: isinstance(each, TcpSocket))), None)
            if first is None:
                continue
            wanted: HttpGet | TcpSocket = first
            if path is not None:
                wanted = (
                    replace(first, path=path)
                    if isinstance(first, HttpGet)
                    else HttpGet(first.host, first.port, path, ports=first.ports)
                )
            found.append(Flow(pod.name, wanted, rate, patience))
        return found, path is None

    @contextmanager
    def job(self, plan: Plan) -> Iterator[RunningJob]:
        """Have a Job ask while something else is done. Raises EngineTrouble and ClusterUnreadable."""
        with asking(
            self.changes, self.live.workload.namespace, plan, image=self.declared.image, stop=self.stop
        ) as running:
            yield running

    def others_that_are_well(self) -> list[Live]:
        """Return the other workloads of the system that run in the cluster, whose pods are all ready now."""
        found = [self.of(workload_of(each, self.declared)) for each in self.scene.workloads if each.kind in PLURALS]
        return [each for each in found if each.workload != self.live.workload and _is_well(each)]

    def of(self, workload: Workload) -> Live:
        """Return another workload of the cluster."""
        return Live(self.cluster, workload, "")


def _is_well(live: Live) -> bool:
    try:
        return not isinstance(live.well(), Unmet)
    except (EngineTrouble, ClusterUnreadable):
        return False  # it is not there, or may not be read


def put_back_all(declared: InCluster, directory: Path, namespaces: Sequence[str]) -> Iterator[str]:
    """Put back what other runs have left changed, and yield what that was. Raises ClusterUnreadable."""
    with Cluster(find_kubeconfig(declared.kubeconfig, directory), declared.context) as cluster:
        for namespace in namespaces:
            for each in leftovers(cluster, namespace):
                put_back(cluster, each)
                told = each.told
                yield f"put back: {each.workload}, which Tocsin on {told.get('by')} changed at {told.get('at')}"
            for name in delete_made(cluster, namespace):
                yield f"deleted: Job {namespace}/{name}"


@contextmanager
def opened(scene: Scene, supervisor: Supervisor, folder: Path, stop: threading.Event) -> Iterator[ClusterBench]:
    """Have a subject of a cluster on the bench; whatever was changed is put back at the end.

    What a run of before has left changed is put back first, if that run is known to be over.
    `folder` is for what gives access: nobody else may read it. Raises EngineTrouble and ClusterUnreadable.
    """
    declared = scene.environment.cluster
    if declared is None:
        raise EngineTrouble("there is no cluster", f"environment {scene.name}", "declare it: `cluster: {}`")
    with ExitStack() as held:
        kubeconfig = find_kubeconfig(declared.kubeconfig, scene.system.directory)
        cluster = held.enter_context(Cluster(kubeconfig, declared.context, folder))
        workload = named(scene.subject, declared)
        if declared.allow:
            for each in leftovers(cluster, workload.namespace):
                if not each.abandoned:
                    said = in_the_way(each.workload, each.told)
                    raise EngineTrouble(f"{each.workload} is changed", str(each.workload), said)
                put_back(cluster, each)
        changes = held.enter_context(Changes(cluster, supervisor, folder))
        live = Live(cluster, workload, scene.subject.container.name)
        version = read_version(cluster.version())
        yield ClusterBench(scene, declared, cluster, changes, live, stop, version)
