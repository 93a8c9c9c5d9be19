"""A peer of Alertmanager's cluster that there is not."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.compose import interpolated
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.flows import host_and_port
from tocsin.model.processes import Process, split
from tocsin.part import Part
from tocsin.source import offered

_COMPOSE = """\
services:
  first:
    image: prom/alertmanager:v0.28.1
    command: [--config.file=/etc/alertmanager/alertmanager.yml, "--cluster.peer=PEER:9094"]
  second:
    image: prom/alertmanager:v0.28.1
"""
_PEER = "cluster.peer"


@check(
    severity=Severity.WARNING,
    fix="Name the other Alertmanagers as their containers know them, with the port of the gossip (9094).",
    bad=Example({"compose.yml": _COMPOSE.replace("PEER", "secnd")}, at="--cluster.peer=secnd:9094"),
    good=Example({"compose.yml": _COMPOSE.replace("PEER", "second")}),
)
def alertmanager_peer_missing(model: Model) -> Iterator[Remark]:
    """Alertmanagers that do not know each other tell every alert twice, and a silence holds on one of them only.

    (prometheus/alertmanager, README.md, "High availability": --cluster.peer names the initial peers.)
    """
    for process in model.processes:
        if process.program == "alertmanager":
            for part, host, port in _peers(process):
                message = (
                    _of_compose(model, process, host)
                    if process.workload is None
                    else _of_pods(model, process, host, port)
                )
                if message:
                    yield at(part, message, subject=f"{process.subject}/{host}")


def _peers(process: Process) -> Iterator[tuple[Part, str, int]]:
    words = [(part, word) for part in process.arguments for word in split(part)]
    for i, (part, word) in enumerate(words):
        bare = word.lstrip("-")
        following = words[i + 1] if i + 1 < len(words) else (part, "")
        said, value = (part, bare.partition("=")[2]) if bare.startswith(f"{_PEER}=") else following
        if word.startswith("-") and bare.partition("=")[0] == _PEER and "$" not in value:
            host, port = host_and_port(interpolated(value), 9094)
            if host and port:
                yield said, host, port


def _of_compose(model: Model, process: Process, host: str) -> str:
    own = [compose for compose in model.compose_files if compose.part.file == process.file]
    beside = [c for c in model.compose_files if own and c.directory == own[0].directory]
    names = {name for compose in beside for service in compose.services.values() for name in service.names}
    if not names or host in names or "." in host or host == "localhost" or process.part.get("network_mode"):
        return ""
    others = names - {process.part.key}
    return f"no service is called {host}: {offered(host, sorted(others or names))}"


def _of_pods(model: Model, process: Process, host: str, port: int) -> str:
    namespaces = model.cluster.namespaces(process.workload) if process.workload else frozenset()
    address = model.services.address(host, namespaces)
    if address is None:
        near = [one.name for one in model.services.all if one.namespaces == namespaces]
        name = host.split(".")[1] if "." in host else host
        space = next(iter(namespaces), "")
        pods = [p for p in model.cluster.pods if process.workload is not None and p.object is process.workload]
        known = [one.name for pod in pods for one in model.services.of_pod(pod)]
        return (
            f"no Service is called {name}: {offered(name, known)}"
            if known and name not in near and "svc" in host and not model.references.ungoverned(name, space)
            else ""
        )
    service = address.services[0]
    if address.pod and not service.headless:
        return f"{address.pod} has no name: only a headless Service names its pods, and {service.name} is none"
    base, _, number = address.pod.rpartition("-")
    owners = [pod.object for pod in service.pods if pod.object.kind == "StatefulSet" and pod.object.name == base]
    replicas = owners[0].part.get("spec", "replicas").value if owners else None
    if isinstance(replicas, int) and number.isdigit() and len(number) < 6 and int(number) >= replicas:
        return f"there is no pod {address.pod}: {base} has {replicas} replicas, counted from 0"
    ports = {one.number for one in service.ports}
    if ports and port not in ports and not service.headless:
        return f"the Service {service.name} has no port {port}: there are {', '.join(map(str, sorted(ports)))}"
    return ""
