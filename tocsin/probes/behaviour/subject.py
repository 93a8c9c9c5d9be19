"""A container with probes, and the process of an environment that stands for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.model import Model
from tocsin.model.workloads import Container, Workload
from tocsin.probes.behaviour.leaving import PreStop, pre_stop_of
from tocsin.probes.handlers import Exec, Handler
from tocsin.probes.handlers.binding import handler_of
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind, ProbeSpec
from tocsin.source import Place
from tocsin.system import Probed

IN_CLUSTER = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods are found, and made anew, in a cluster."""


@dataclass(frozen=True)
class Subject:
    """What is probed."""

    workload: Workload
    container: Container
    process: str
    """Of the environment's processes, or of its addresses."""
    declared: Probed
    """What system.yaml says of it."""

    @property
    def name(self) -> str:
        """As case ids and folders of evidence have it: `backend/app`."""
        return f"{self.workload.object.name}/{self.container.name}"

    @property
    def place(self) -> Place:
        """Where the container stands."""
        return self.container.part.place

    @property
    def pod(self) -> PodSpec:
        """What of its pod matters."""
        return PodSpec.of(self.workload)

    @property
    def spec(self) -> ContainerSpec:
        """What of it matters; its preStop takes as long as it says, where it does nothing but wait."""
        return replace(ContainerSpec.of(self.container), pre_stop=self.pre_stop.seconds)

    @property
    def pre_stop(self) -> PreStop:
        """What its preStop hook does."""
        return pre_stop_of(self.container)

    @property
    def pre_stop_unknown(self) -> str:
        """Why its preStop hook cannot be imitated; empty if it can."""
        return self.pre_stop.unknown

    def probe_place(self, kind: ProbeKind) -> Place:
        """Return where a probe of it stands; the container's place if it has none."""
        probe = self.container.probe(f"{kind}Probe")
        return probe.part.place if probe else self.place

    def handler(self, kind: ProbeKind, port: int, *, host: str = "127.0.0.1", directory: Path = Path("/")) -> Handler:
        """Return what a probe asks of the process, which listens on `port` of `host`.

        Ports that `ports` of system.yaml maps are asked where it says; commands start in `directory`. Raises ValueError
        if there is no such probe, or no handler that is known here, or if it runs a command and system.yaml does not
        say which one stands for it: what a manifest says is meant for the container, not for this machine.
        """
        spec = self.spec.probe(kind)
        if spec is None:
            raise ValueError(f"{self.name} has no {kind} probe")
        if spec.handler != "exec":
            return handler_of(self._here(spec, port), host)
        command = self.declared.commands.get(kind.value)
        if not command:
            raise ValueError(
                f"the {kind} probe of {self.name} ({self.probe_place(kind)}) runs a command in its container, which is"
                f" not run here; name one that does the same on this machine: `commands: {{{kind}: [...]}}` under"
                f" `probes: workloads: {self.workload.object.name}:` in system.yaml"
            )
        known = {"{python}": sys.executable, "{port}": str(port)}
        return Exec(tuple(_filled(each, known) for each in command), directory=directory)

    def _here(self, spec: ProbeSpec, port: int) -> ProbeSpec:
        """Return a probe that asks this machine in place of a pod."""
        asked = str(spec.action.get("port", ""))
        action = {key: value for key, value in spec.action.items() if key != "host"}
        return replace(spec, action={**action, "port": self.declared.ports.get(asked, port)})


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def subjects(model: Model, environment: str) -> Iterator[Subject]:
    """Yield the containers with probes that an environment has a process or an address for.

    In a cluster these are all that run until they are told to end. Else the process is the one that `probes:` of
    system.yaml names, else the one of the container's or the workload's name.
    """
    if model.system is None:
        return
    declared = model.system.environment(environment)[1]
    known: Mapping[str, object] = declared.processes or declared.addresses
    for workload in model.workloads:
        for container in workload.running:
            said = _said(model, workload, container)
            if declared.cluster is not None:
                if container.probes and workload.kind in IN_CLUSTER:
                    yield Subject(workload, container, workload.object.name, said)
                continue
            process = next((each for each in (said.process, container.name, workload.object.name) if each in known), "")
            if container.probes and process:
                yield Subject(workload, container, process, said)


def _said(model: Model, workload: Workload, container: Container) -> Probed:
    if model.system is None:
        return Probed()
    said = model.system.declaration.probes.workloads
    return said.get(f"{workload.object.name}/{container.name}") or said.get(workload.object.name) or Probed()
