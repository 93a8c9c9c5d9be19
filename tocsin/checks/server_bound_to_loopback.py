"""A server that listens where nobody else can reach it."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.compose import ComposeService
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.listening import Listening, listening
from tocsin.model.workloads import Container

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      command: [uvicorn, "shop:app", --host, {host}, --port, "8000"]
      readinessProbe:
        httpGet: {{path: /ready, port: 8000}}
"""


@check(
    severity=Severity.ERROR,
    fix="Let it listen on 0.0.0.0 (or [::]).",
    bad=Example({"pod.yaml": _POD.format(host="127.0.0.1")}, at="127.0.0.1"),
    good=Example({"pod.yaml": _POD.format(host='"0.0.0.0"')}),
)
def server_bound_to_loopback(model: Model) -> Iterator[Remark]:
    """Probes, scrapes and Services come to the address of the pod, where nobody listens, and are refused.

    (kubernetes.io/docs/concepts/workloads/pods/probes: the kubelet connects to the pod's IP address;
    kubernetes.io/docs/tasks/debug/debug-application/debug-service.)
    """
    for workload in model.workloads:
        for container in workload.running:
            places = listening(container.command_line, container.environment)
            yield from _container(container, places, model)
    for compose in model.compose_files:
        for service in compose.services.values():
            variables = {name: part for name, (value, part) in service.environment.items() if value is not None}
            if not service.network_mode and not service.part.list("environment"):
                words = (*service.part.list("entrypoint"), *service.arguments)
                yield from _service(service, listening(words, variables))


def _container(container: Container, places: tuple[Listening, ...], model: Model) -> Iterator[Remark]:
    open_to_all = {each.port for each in places if not each.loopback}
    for place in places:
        port = place.port if place.port is not None else _only_port(container)
        if not place.loopback or port is None or port in open_to_all:
            continue
        asked = _asked(container, port, model)
        if asked:
            said = f"listens on {place.host}:{port}" + (" when it is told no host" if place.implied else "")
            yield at(place.part, f"`{container.name}` {said}, and {asked}", subject=container.subject)


def _only_port(container: Container) -> int | None:
    return container.ports[0].number if len(container.ports) == 1 else None


def _asked(container: Container, port: int, model: Model) -> str:
    """Return who asks a port of a container by the pod's address; empty if nobody is known to."""
    for probe in container.probes:
        if probe.port_number == port and not probe.action.string("host"):
            return f"its {probe.word} probe asks the pod's address, port {port}"
    annotations = container.workload.annotations
    if annotations.get("prometheus.io/scrape") == "true" and annotations.get("prometheus.io/port") == str(port):
        return f"Prometheus is told to scrape the pod's address, port {port}"
    for service, target in model.belonging.served(container):
        number = container.port_number(target.get("targetPort") or target.get("port"))
        if number == port:
            return f"the Service `{service.name}` sends to the pod's address, port {port}"
    return ""


def _service(service: ComposeService, places: tuple[Listening, ...]) -> Iterator[Remark]:
    open_to_all = {each.port for each in places if not each.loopback}
    published = {each.target for each in service.ports}
    for place in places:
        if place.loopback and place.port in published and place.port not in open_to_all:
            said = f"listens on {place.host}:{place.port}" + (" when it is told no host" if place.implied else "")
            told = f"`{service.name}` {said} of its container, so the published port {place.port} leads nowhere"
            yield at(place.part, told, subject=service.subject)
