"""Two services of docker-compose that have to talk to each other and share no network."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.compose import ComposeFile, ComposeService
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.flows import host_and_port
from tocsin.model.processes import Process
from tocsin.part import Part

_COMPOSE = """\
services:
  prometheus:
    image: prom/prometheus:v3.5.0
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml"]
    networks: [monitoring]
  shop:
    image: shop:1
    networks: [NETWORK]
networks: {monitoring: {}, front: {}}
"""
_CONFIG = "global: {}\nscrape_configs:\n- job_name: shop\n  static_configs: [{targets: ['shop:8000']}]\n"


@check(
    severity=Severity.ERROR,
    fix="Put both services into one network.",
    bad=Example({"compose.yml": _COMPOSE.replace("NETWORK", "front"), "prometheus.yml": _CONFIG}, at="shop:8000"),
    good=Example({"compose.yml": _COMPOSE.replace("NETWORK", "monitoring"), "prometheus.yml": _CONFIG}),
)
def compose_networks_apart(model: Model) -> Iterator[Remark]:
    """Neither resolves the other's name, so nothing is scraped, told or shown.

    (docs.docker.com/compose/how-tos/networking: a service is found by its name within the networks that it is in.)
    """
    told: set[tuple[str, str]] = set()
    for process, host, part in _asked(model):
        for compose in model.compose_files:
            own = next((one for one in compose.services.values() if one.part == process.part), None)
            other = next((one for one in compose.services.values() if host in one.names), None)
            if own is None or other is None or other is own or (own.name, other.name) in told:
                continue
            if _apart(model, compose, own, other):
                told.add((own.name, other.name))
                message = f"{own.name} is in {_listed(own)} and {other.name} in {_listed(other)}: they share none"
                yield at(part, message, subject=f"{own.subject}/{other.name}", related=(other.part.place,))


def _asked(model: Model) -> Iterator[tuple[Process, str, Part]]:
    """Yield who asks which host, and where that is said."""
    for target in model.targets:
        if target.kept and target.certain and target.knows("__address__"):
            host, _ = host_and_port(target.address, 80)
            rule = target.relabelled.steps.get("__address__")
            part = target.part if rule is None else rule.part.get("replacement") or rule.part
            yield from ((process, host, part) for process in target.stack.processes)
    for stack in model.stacks:
        for manager in stack.prometheus.alertmanagers:
            for part in (one for group in manager.list("static_configs") for one in group.list("targets")):
                host, _ = host_and_port(part.text, 80)
                yield from ((process, host, part) for process in stack.processes)


def _apart(model: Model, compose: ComposeFile, own: ComposeService, other: ComposeService) -> bool:
    """Tell whether two services share no network, in this file or in one that is merged with it."""
    beside = [one for one in model.compose_files if one.directory == compose.directory]
    sides = []
    for name in (own.name, other.name):
        found = [one.services[name] for one in beside if name in one.services]
        if any(one.network_mode or one.part.get("extends") or one.part.get("links") for one in found):
            return False
        named = [one for one in found if one.part.get("networks")]
        sides.append({network for one in (named or found) for network in one.networks})
    return not sides[0] & sides[1]


def _listed(service: ComposeService) -> str:
    names = ", ".join(service.networks)
    return f"the network{'s' if len(service.networks) > 1 else ''} {names}"
