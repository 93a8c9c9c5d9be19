"""What a Grafana's data sources are, and where their addresses lead."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tocsin.artefacts.compose import ComposeService
from tocsin.artefacts.provisioning import DataSource
from tocsin.model.flows import role_of
from tocsin.model.grafana import Grafana
from tocsin.part import Part
from tocsin.source import nearest

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.processes import Process

DEFAULT_PORTS = {"prometheus": 9090, "alertmanager": 9093}
"""The ports of programs whose command line says no other (`--web.listen-address`)."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DIRECT = frozenset({"direct"})
_OPERATED = frozenset({"prometheus-operated", "alertmanager-operated", "thanos-ruler-operated"})
"""Services that an operator makes."""


@dataclass(frozen=True, slots=True)
class DeadAddress:
    """An address of a data source under which nobody answers."""

    source: DataSource
    part: Part
    """What says the address."""
    message: str


def dead_addresses(grafana: Grafana) -> Iterator[DeadAddress]:
    """Yield each address of a data source that leads nowhere, as far as the folder shows it."""
    for source in grafana.data_sources:
        text, unset, said = grafana.expanded(source.url)
        if unset:
            if grafana.environment_known:
                names = " and ".join(unset)
                known = nearest(unset[0], grafana.environment)
                meant = f"; did you mean {' or '.join(known)}?" if known else ""
                message = f"{grafana.subject} sets no variable {names}, so {source.name} has no address{meant}"
                yield DeadAddress(source, source.url, message)
            continue
        try:
            address = urlsplit(text)
            host, port = address.hostname or "", address.port
        except ValueError:
            continue
        if not host or "$" in text or "{" in text or source.part.string("access") in _DIRECT:
            continue
        port = port or (443 if address.scheme == "https" else 80)
        found = _of_compose(grafana, host, port) if grafana.service else _of_cluster(grafana, source.type, host, port)
        if found:
            yield DeadAddress(source, said, f"{source.name} asks {text}, and {found}")


def _of_compose(grafana: Grafana, host: str, port: int) -> str:
    service, compose = grafana.service, grafana.compose
    if service is None or compose is None:
        return ""
    if host in _LOOPBACK:
        own = not service.network_mode and service.part.string("network_mode") == ""
        return (
            f"that is the container of {service.name} itself, where nothing else runs" if own and port != 3000 else ""
        )
    if "." in host or service.network_mode or service.part.get("extra_hosts") or service.part.get("external_links"):
        return ""
    files = [file for file in grafana.model.compose_files if file.directory == compose.directory]
    beside = [each for file in files for each in file.services.values()]
    links = {part.text.rpartition(":")[2] for part in service.part.list("links")}
    names = {name for each in beside for name in each.names} | links
    if host in names:
        called = [each for each in compose.services.values() if host in each.names]  # before those of other files
        called = called or [each for each in beside if host in each.names and _says(each)]
        listening = {_listening(_process(grafana.model, each)) for each in called}
        ports = ", ".join(str(number) for number in sorted(listening))
        return f"{host} listens on {ports} there" if ports and 0 not in listening and port not in listening else ""
    outside = any(part.get("external") for file in files for _, part in file.part.get("networks").items())
    meant = nearest(host, names, most=1) if _near(host, names) else []
    if (outside and not meant) or not all(file.part.get("include").value is None for file in files):
        return ""
    return f"no service is called {host}" + (f"; did you mean {meant[0]}?" if meant else "")


def _near(host: str, names: Collection[str]) -> bool:
    return any(abs(len(host) - len(name)) <= 3 and host[:3] == name[:3] for name in nearest(host, names))


def _says(service: ComposeService) -> bool:
    """Whether a service says what runs in it: one of an overriding file may not."""
    return bool(service.part.get("image") or service.part.get("command") or service.part.get("build"))


def _process(model: Model, service: ComposeService) -> Process | None:
    same = (p for p in model.processes if p.part.route == service.part.route and p.file == service.part.file)
    return next(same, None)


def _listening(process: Process | None) -> int:
    """Return the port on which a program listens; 0 if that is not known."""
    if process is None or process.part.get("build"):
        return 0
    said = process.flag("web.listen-address")
    if said is None:
        return DEFAULT_PORTS.get(process.program, 0)
    number = said.rpartition(":")[2]
    return int(number) if number.isdecimal() and len(number) <= 5 else 0


_CLUSTER = re.compile(r"(?P<name>[a-z0-9-]+)(?:\.(?P<namespace>[a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?\.?)?)?")


def _of_cluster(grafana: Grafana, kind: str, host: str, port: int) -> str:
    model, workload = grafana.model, grafana.process.workload
    match = _CLUSTER.fullmatch(host)
    if workload is None or match is None or host in _LOOPBACK or match["name"] in _OPERATED:
        return ""
    own = model.cluster.namespaces(workload)
    namespaces = frozenset({match["namespace"]}) if match["namespace"] else own
    services = model.services.named(match["name"], namespaces)
    if services:
        ports = {int(each.number) for service in services for each in service.ports if each.number}
        if ports and port not in ports and not model.cluster.patched(services[0].object):
            shown = ", ".join(map(str, sorted(ports)))
            return f"the Service {match['name']} has no port {port} (it has {shown})"
        return ""
    near = [s for s in model.services.all if not namespaces or not s.namespaces or s.namespaces & namespaces]
    names = {service.name for service in near}
    if model.cluster.hidden("Service") or not namespaces or not names:
        return ""
    if any(model.references.ungoverned(match["name"], namespace) for namespace in namespaces):
        return ""  # a StatefulSet misses it too: it is the Service that is called otherwise
    runs = [s.name for s in near if s.pods and all(role_of(pod) == kind for pod in s.pods)]
    if not _near(match["name"], names) and (len(runs) != 1 or not own):
        return ""
    meant = runs[0] if len(runs) == 1 else nearest(match["name"], names, most=1)[0]
    return f"no Service of {' or '.join(sorted(namespaces))} has that name; did you mean {meant}?"
