"""All that the numbers of a container's probes come to, for a reader who has a manifest and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.model.workloads import Container, Workload
from tocsin.probes.application import WELL
from tocsin.probes.figures import (
    Figure,
    errors_served,
    noticed,
    out_of_service,
    restarted,
    startup_budget,
    storm,
    when_ready,
)
from tocsin.probes.ground import from_source
from tocsin.probes.prediction import predict
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind
from tocsin.probes.timeline import Timeline, svg
from tocsin.probes.versions import Version
from tocsin.source import Place

HORIZON = 120.0
"""Seconds that a picture shows."""


@dataclass(frozen=True)
class Outlook:
    """What a kubelet of a version would do with a container."""

    name: str
    place: Place
    spec: ContainerSpec
    version: Version
    figures: Mapping[str, Figure]
    """By question, in the order in which they are told."""


def outlook(workload: Workload, container: Container, version: Version) -> Outlook:
    """Return what the numbers of a container come to."""
    spec = ContainerSpec.of(container)
    setup = Setup(spec, pod=PodSpec.of(workload), version=version)
    name = f"{workload.object.name}/{container.name}"
    return Outlook(name, container.part.place, spec, version, dict(_figures(setup)))


def _figures(setup: Setup) -> Iterator[tuple[str, Figure]]:
    known = from_source(setup.version)
    readiness = setup.container.probe(ProbeKind.READINESS)
    yield "ready after its start", when_ready([setup], known)
    yield "may take to start", startup_budget(setup, known)
    if readiness is not None:
        yield "out of its Service after a hang", noticed(readiness, known)
        yield "out of its Service after it refuses", noticed(readiness, known, hangs=False)
    yield "restarted after a hang", restarted(setup, known)
    yield "of no use after a hang", out_of_service(setup, known)
    yield "sent requests that it cannot answer", errors_served(setup, known)
    yield "restarts in an hour if it never gets well", storm(setup, known).restarts


def picture(workload: Workload, container: Container, version: Version) -> str:
    """Return the first minutes of a container that is well, as SVG."""
    setup = Setup(ContainerSpec.of(container), (WELL,), PodSpec.of(workload), version)
    title = f"{workload.object.name}/{container.name}, Kubernetes {version}"
    return svg(Timeline.of_prediction(title, predict(setup, from_source(version), HORIZON)))
