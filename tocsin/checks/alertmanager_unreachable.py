"""Prometheus configurations that tell no Alertmanager, or one that is not where they look for it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.prometheus import discoveries
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.processes import Process, interpolated
from tocsin.model.services import Address
from tocsin.model.stacks import Stack
from tocsin.part import Part
from tocsin.source import nearest, offered

LISTENS = 9093
"""The port of Alertmanager's API if `--web.listen-address` does not say another (cmd/alertmanager/main.go)."""
_COMPOSE = """services:
  prometheus:
    image: prom/prometheus
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml", "./rules.yml:/etc/prometheus/rules.yml"]
  alertmanager:
    image: prom/alertmanager
"""
_RULES = "groups:\n- name: a\n  rules:\n  - {alert: Down, expr: up == 0}\n"
_PROMETHEUS = """global: {scrape_interval: 15s}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - static_configs:
    - targets: ["alertmanager:%s"]
scrape_configs: []
"""


@check(
    severity=Severity.ERROR,
    fix="Name the Alertmanager's service, with the port on which it listens.",
    bad=Example(
        {"docker-compose.yml": _COMPOSE, "rules.yml": _RULES, "prometheus.yml": _PROMETHEUS % 9094},
        at="alertmanager:9094",
    ),
    good=Example({"docker-compose.yml": _COMPOSE, "rules.yml": _RULES, "prometheus.yml": _PROMETHEUS % 9093}),
)
def alertmanager_unreachable(stack: Stack, model: Model) -> Iterator[Remark]:
    """Alerts fire inside of Prometheus and nobody is told: they are sent to no Alertmanager, or to where there is none.

    (Prometheus: docs/configuration, alertmanager_config; what cannot be delivered is dropped, notifier/manager.go.)
    """
    alerting = [rule for rule in stack.rules if rule.alerting]
    items = [item for item in stack.prometheus.alertmanagers if discoveries(item)]
    if not items:
        if alerting and not (stack.object and stack.object.part.get("spec", "additionalAlertManagerConfigs")):
            yield from _none(stack, model, len(alerting))
        return
    if stack.object is not None:
        yield from _operated(stack.object, model)
    for item in items:
        for found in discoveries(item):
            for target in found.part.list("targets") if found.static else ():
                yield from _target(target, item, stack, model)


def _none(stack: Stack, model: Model, alerts: int) -> Iterator[Remark]:
    config = stack.prometheus.part
    there = [p for p in model.processes if p.program == "alertmanager"]
    known = bool(there or model.alertmanager_configs)
    part = config.get("alerting") if "alerting" in config else config.get("rule_files")
    beside = f", although the system has one ({there[0].subject})" if there else ""
    yield at_key(
        part,
        f"This Prometheus evaluates {alerts} alert{'s' if alerts != 1 else ''} and names no Alertmanager under "
        f"`alerting.alertmanagers`{beside}",
        subject=f"{stack.subject}/alerting",
        severity=Severity.ERROR if known else Severity.WARNING,
        fix="List the Alertmanagers under `alerting.alertmanagers`.",
    )


def _operated(server: KubernetesObject, model: Model) -> Iterator[Remark]:
    """Yield the Services and ports that an operator's Prometheus tells, where its Alertmanager is behind another.

    (prometheus-operator.dev/docs/api-reference/api, AlertmanagerEndpoints: `name` is that of the Endpoints object,
    which is the Service's; the operator itself makes the Service `alertmanager-operated`, with the port `web`.)
    """
    own = model.cluster.namespaces(server)
    for item in server.part.list("spec", "alerting", "alertmanagers"):
        name, port = item.get("name"), item.get("port")
        where = frozenset({item.string("namespace")} - {""}) or own
        managers = [m for m in model.cluster.of("Alertmanager") if model.cluster.namespaces(m) == where]
        if not managers or len(where) != 1 or not name.text or name.text == "alertmanager-operated":
            continue
        subject = f"{server.subject}/alerting/{name.text}"
        services = model.services.named(name.text, where)
        there = sorted(s.name for s in model.services.all if any(pod.object in managers for pod in s.pods))
        if not services and there and not model.cluster.hidden("Service"):
            known = [*there, "alertmanager-operated"]
            said = f"there is no Service `{name.text}` in {next(iter(where))}; before {managers[0].subject} stand"
            yield at(name, f"{said} {' and '.join(known)}", subject=subject)
        ports = {each.name for service in services for each in service.ports}
        if len(services) == 1 and port.text and not port.text.isdigit() and port.text not in ports:
            said = f"the Service {name.text} has no port `{port.text}`; {offered(port.text, sorted(ports - {''}))}"
            yield at(port, said, subject=subject, related=(services[0].object.part.get("spec", "ports").key_place,))


def _target(target: Part, item: Part, stack: Stack, model: Model) -> Iterator[Remark]:
    host, port = _split(target.text, item)
    if not host or "$" in target.text or "{{" in target.text:
        return
    subject = f"{stack.subject}/alerting/{target.text}"
    composed = [process for process in stack.processes if process.workload is None]
    orchestrated = [process for process in stack.processes if process.workload is not None]
    problem = ""
    if composed:
        problem = _in_compose(host, port, composed[0], model)
    elif orchestrated:
        problem = _in_cluster(host, port, model)
    if problem:
        yield at(target, problem, subject=subject)
        return
    process = _reached(host, composed, model)
    if process is not None:
        yield from _way(item, process, subject)


def _split(target: str, item: Part) -> tuple[str, int]:
    """Return host and port of a target; without one the port is the scheme's."""
    found = re.fullmatch(r"(\[[^\]]+\]|[^:/]+)(?::([0-9]{1,5}))?", target.strip())
    if found is None:
        return "", 0
    default = 443 if item.string("scheme") == "https" else 80
    return found[1].strip("[]").lower().rstrip("."), int(found[2]) if found[2] else default


def _listens(process: Process) -> int:
    """Return the port on which an Alertmanager listens."""
    said = process.flag("web.listen-address")
    port = said.rpartition(":")[2] if said else ""
    return int(port) if port.isascii() and port.isdigit() else LISTENS


# docker-compose


def _names(service: Part, name: str) -> set[str]:
    """Return the names by which other containers reach a service."""
    found = {name, service.string("container_name")}
    for _name, network in service.get("networks").items():  # noqa: PERF102 a part has no values()
        found |= {alias.text for alias in network.list("aliases")}
    return {each.lower() for each in found if each}


def _in_compose(host: str, port: int, prometheus: Process, model: Model) -> str:
    managers = [p for p in model.processes if p.program == "alertmanager" and p.workload is None]
    beside = [process for process in managers if process.file == prometheus.file]
    if host in ("localhost", "127.0.0.1", "::1"):
        shared = prometheus.part.string("network_mode")
        if beside and not shared and not any(p.part.string("network_mode") for p in beside):
            name = beside[0].part.key
            return (
                f"{host} is the container of Prometheus itself; Alertmanager is another, reached as "
                f"{name}:{_listens(beside[0])}"
            )
        return ""
    for process in managers:
        if host in _names(process.part, process.part.key):
            listens = _listens(process)
            web = process.flag("web.config.file")
            if port != listens and not web:
                return f"Alertmanager ({process.subject}) listens on port {listens}, and not on {port}"
            return ""
    return _nobody_composed(host, beside, prometheus, model)


def _nobody_composed(host: str, beside: list[Process], prometheus: Process, model: Model) -> str:
    """Return that a name without dots is that of no container, where an Alertmanager stands beside Prometheus."""
    if not beside or "." in host or prometheus.part.string("network_mode"):
        return ""
    names: set[str] = set()
    for compose in model.compose_files:
        for name, service in compose.part.get("services").items():
            names |= _names(service, interpolated(name))
    for part in (*prometheus.part.list("extra_hosts"), *prometheus.part.list("links"),
                 *prometheus.part.list("external_links")):  # fmt: skip
        names |= {piece.strip().lower() for piece in re.split(r"[:=]", part.text)}
    names |= {key.lower() for key, _ in prometheus.part.get("extra_hosts").items()}
    if host in names or host == "host" or prometheus.part.get("external_links"):
        return ""
    near = nearest(host, names, most=1) or [beside[0].part.key]
    return f"There is no container {host!r} beside Prometheus; is {near[0]}:{_listens(beside[0])} meant?"


# Kubernetes


def _in_cluster(host: str, port: int, model: Model) -> str:
    address = model.services.address(host)
    if address is None:
        return _no_service(host, model)
    reached = [service for service in address.services if service.ports]
    if not reached or not address.services:
        return ""
    pods = [pod for service in reached for pod in service.pods]
    absent = _absent_pod(address, pods)
    if absent:
        return absent
    open_ports = {each.number for service in reached for each in service.ports}
    if any(service.headless for service in reached):
        open_ports |= {each.number for pod in pods for each in pod.ports}
        open_ports |= {_listens(p) for p in model.processes if p.program == "alertmanager" and p.workload is not None}
    if port not in open_ports:
        shown = ", ".join(map(str, sorted(open_ports)))
        return f"The Service {reached[0].name!r} has no port {port}; it has {shown}"
    return ""


def _no_service(host: str, model: Model) -> str:
    """Return that there is no such Service, where one that there is differs by a letter or by its namespace."""
    managers = {id(p.pod) for p in model.processes if p.program == "alertmanager" and p.workload is not None}
    if not managers or not re.search(r"\.svc(?:\.|$)", host):
        return ""
    steps = re.sub(r"\.svc.*$", "", host).split(".")
    if len(steps) > 1 and model.references.ungoverned(steps[-2], steps[-1]):
        return ""
    for service in model.services.all:
        spaces = sorted(service.namespaces)
        if service.name in steps[:-1] and len(spaces) == 1 and spaces[0] != steps[-1] and steps[-2] == service.name:
            same = [other for other in model.services.all if steps[-1] in other.namespaces]
            if same:
                return f"The Service {service.name!r} is in the namespace {spaces[0]!r}, and not in {steps[-1]!r}"
    names = {service.name for service in model.services.all if steps[-1] in service.namespaces}
    near = nearest(steps[-2], names, most=1) if len(steps) > 1 and names else []
    return f"There is no Service {steps[-2]!r} in {steps[-1]!r}; is {near[0]!r} meant?" if near else ""


def _absent_pod(address: Address, pods: list[Pod]) -> str:
    """Return that a pod of a StatefulSet is not there, by its number or its name."""
    if not address.pod or len(pods) != 1 or pods[0].object.kind != "StatefulSet":
        return ""
    name, _, number = address.pod.rpartition("-")
    replicas = pods[0].object.part.number("spec", "replicas")
    count = 1 if replicas is None else int(replicas)
    if name != pods[0].object.name or not number.isdigit():
        return f"The StatefulSet behind it makes no pod {address.pod!r}; its pods are {pods[0].object.name}-0 and so on"
    if int(number) >= count and pods[0].object.part.get("spec", "replicas"):
        return f"There is no pod {address.pod!r}: {pods[0].object.name} has {count} replicas, counted from 0"
    return ""


# The way to the API


def _reached(host: str, composed: list[Process], model: Model) -> Process | None:
    """Return the Alertmanager behind a name, where there is no doubt."""
    managers = [p for p in model.processes if p.program == "alertmanager"]
    if composed:
        found = [p for p in managers if p.workload is None and host in _names(p.part, p.part.key)]
    else:
        address = model.services.address(host)
        objects = {id(pod.object.part.document) for s in address.services for pod in s.pods} if address else set[int]()
        found = [p for p in managers if p.workload is not None and id(p.workload.part.document) in objects]
    return found[0] if len(found) == 1 else None


def _way(item: Part, process: Process, subject: str) -> Iterator[Remark]:
    prefix = process.flag("web.route-prefix")
    if prefix is None:
        prefix = urlsplit(process.flag("web.external-url") or "").path
    served, asked = _path(prefix), _path(item.string("path_prefix"))
    if "$" not in prefix and served != asked:
        part = item.get("path_prefix")
        message = f"Alertmanager ({process.subject}) serves its API under {served}, and is asked under {asked}"
        yield at(part, message, subject=subject) if part else at_key(item, message, subject=subject)
    if item.string("scheme") == "https" and not process.flag("web.config.file"):
        message = f"Alertmanager ({process.subject}) has no --web.config.file, so it does not speak https"
        yield at(item.get("scheme"), message, subject=subject)
    version = re.search(r":v?([0-9]+)\.([0-9]+)\.", interpolated(process.part.string("image")))
    if item.string("api_version") == "v1" and version and (int(version[1]), int(version[2])) >= (0, 27):
        message = f"Alertmanager {version[1]}.{version[2]} has no API v1 any more: it went with 0.27"
        yield at(item.get("api_version"), message, subject=subject, fix="Set `api_version: v2`, or leave it out.")


def _path(text: str) -> str:
    return posixpath.normpath(f"/{text.strip().strip('/')}")
