"""A probe that asks another container of the pod."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.commands import asked
from tocsin.model.listening import LOOPBACK
from tocsin.model.workloads import Container, Probe, Workload
from tocsin.part import Part

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  initContainers:
    - name: proxy
      image: proxy:1
      restartPolicy: Always
      ports: [{{containerPort: 9000}}]
      startupProbe:
        tcpSocket: {{port: {port}}}
  containers:
    - name: shop
      image: shop:1
      ports: [{{containerPort: 8080}}]
"""
_CHECKER = re.compile(r"liveness|health|probe")
_OF_MESH = "/app-health/"
"""Where Istio puts the probes that it asks itself."""


@check(
    severity=Severity.WARNING,
    fix="Let each container's probe ask that container.",
    bad=Example({"pod.yaml": _POD.format(port=8080)}, at="port: 8080"),
    good=Example({"pod.yaml": _POD.format(port=9000)}),
)
def probe_asks_neighbour(workload: Workload) -> Iterator[Remark]:
    """The wrong container is restarted for the failure of another, or waits for one that waits for it.

    (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers: what comes after a sidecar is started when its
    startup probe has succeeded; the containers of a pod share its address and its ports.)
    """
    for container in workload.running:
        for probe in container.probes:
            if probe.kind != "readinessProbe" and not probe.action.string("host"):
                yield from _probe(workload, container, probe)


def _probe(workload: Workload, container: Container, probe: Probe) -> Iterator[Remark]:
    for port, part in _ports(probe):
        if part is None or any(each.number == port for each in container.ports) or _mentions(container, port):
            continue
        owners = [other for other in workload.running if _declares(other, port)]
        if len(owners) != 1:
            continue
        other = owners[0]
        if _answers_for(other, container, probe):
            continue
        later = workload.running.index(other) > workload.running.index(container)
        if container.sidecar and later and probe.kind == "startupProbe":
            told = (
                f"the sidecar `{container.name}` has started when port {port} answers, which is one of "
                f"`{other.name}`, and that is started after the sidecar: the pod never starts"
            )
            yield at(part, told, subject=probe.subject, severity=Severity.ERROR)
        else:
            told = f"the {probe.word} probe of `{container.name}` asks port {port}, which is one of `{other.name}`"
            yield at(part, told, subject=probe.subject)
        return


def _answers_for(other: Container, container: Container, probe: Probe) -> bool:
    """Tell whether a container is there to answer for another: CSI's livenessprobe, the sidecar of kube-dns."""
    checker = _CHECKER.search(f"{other.name} {other.image.rpartition('/')[2]}") is not None
    return checker or any(container.name in step for step in probe.steps if container.name)


def _ports(probe: Probe) -> Iterator[tuple[int, Part | None]]:
    if probe.handler == "exec":
        for each in asked(probe.part.list("exec", "command")):
            if LOOPBACK.fullmatch(each.host):
                yield each.port, each.part
    elif probe.port_number is not None and isinstance(probe.port.value, int) and not probe.path.startswith(_OF_MESH):
        yield probe.port_number, probe.port


def _declares(container: Container, port: int) -> bool:
    return any(each.number == port and each.protocol == "TCP" for each in container.ports)


def _mentions(container: Container, port: int) -> bool:
    """Tell whether a container's own words name a port, so that it may listen there without declaring it."""
    return any(re.search(rf"(?<!\d){port}(?!\d)", text) for text in container.texts)
