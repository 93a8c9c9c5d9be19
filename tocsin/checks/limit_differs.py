"""A limit as the application is told of it, beside the one that it is granted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import together
from tocsin.model.limits import Declared, Resource, declared, referred
from tocsin.model.quantities import quantity, shown, size
from tocsin.model.workloads import Container
from tocsin.part import Part
from tocsin.promql.analysis import selectors

_COMPOSE = """\
services:
  shop:
    image: shop:1
    environment: {CPU_LIMIT_CORES: "CORES"}
    deploy: {resources: {limits: {cpus: "1.0"}}}
"""
_RULES = """\
groups:
- name: shop
  rules:
  - alert: CpuNearLimit
    expr: rate(process_cpu_seconds_total[5m]) / shop_cpu_limit_cores > 0.8
"""
_TOLERANCE = Decimal("0.03")
"""Between a megabyte and a mebibyte lie 5 %; less than this is rounding."""
_HEAPS = {
    "-Xmx": re.compile(r"-Xmx(\d+[kmgtKMGT]?)(?=\s|$)"),
    "--max-old-space-size": re.compile(r"--max[-_]old[-_]space[-_]size[= ](\d+)(?=\s|$)"),
    "GOMEMLIMIT": re.compile(r"GOMEMLIMIT=(\d+(?:[KMGT]?i?B)?)(?=\s|$)"),
}
"""How runtimes are told of the memory that they may fill: the JVM, Node.js (in MiB), Go."""


@check(
    severity=Severity.ERROR,
    fix="State the limit that is granted; in Kubernetes take it by a resourceFieldRef, with the divisor of its unit.",
    bad=Example({"compose.yml": _COMPOSE.replace('"CORES"', '"2"'), "rules.yml": _RULES}, at='"2"'),
    good=Example({"compose.yml": _COMPOSE.replace('"CORES"', '"1"'), "rules.yml": _RULES}),
)
def limit_differs(model: Model) -> Iterator[Remark]:
    """Alerts that compare use with the stated limit ring too late, or too early, or never.

    (kubernetes.io/docs/concepts/workloads/pods/downward-api: a resourceFieldRef is divided by its divisor and rounded
    up, and a container without that limit is told what the node has; compose-spec, deploy: resources.)
    """
    for one in declared(model):
        if abs(one.stated - one.granted) > one.granted * _TOLERANCE:
            yield at(one.part, _differs(one), subject=one.subject, severity=_severity(model, one.claim.resource))
    for pod in model.cluster.pods:
        for container in pod.containers:
            if pod.labels_whole:
                yield from _not_granted(model, container, pod.namespaces)
                yield from _heap_of_container(container)
    for compose in model.compose_files:
        for service in compose.services.values():
            texts = [(part, f"{name}={value}") for name, (value, part) in service.environment.items() if value]
            texts += [(part, part.text) for part in service.arguments]
            yield from _heap(texts, size(service.memory_limit.text), service.subject)


def _differs(one: Declared) -> str:
    memory = one.claim.resource == "memory"
    stated, granted = shown(one.stated, memory=memory), shown(one.granted, memory=memory)
    if one.rounded:
        return f"{one.claim.name} states {stated}: the limit of {granted} is rounded up to the next whole of its unit"
    return f"{one.claim.name} states {stated}, and what is granted is {granted} ({one.granted_part.place})"


def _severity(model: Model, resource: Resource) -> Severity:
    """Return how bad it is: an error if an alert compares with a limit of that resource."""
    word = re.compile(r"mem" if resource == "memory" else r"cpu|core")
    for rule in model.rules:
        tree = model.tree(rule)
        names = [one.name or "" for one in selectors(tree)] if tree is not None else []
        if any(
            "limit" in name and word.search(name) and not name.startswith(("kube_", "container_")) for name in names
        ):
            return Severity.ERROR
    return Severity.WARNING


def _not_granted(model: Model, container: Container, namespaces: frozenset[str]) -> Iterator[Remark]:
    """Yield limits that a variable takes from a container that has none."""
    if any(together(model.cluster.namespaces(one), namespaces) for one in model.cluster.of("LimitRange")):
        return
    for variable in container.part.list("env"):
        reference = variable.get("valueFrom", "resourceFieldRef")
        section, _, resource = reference.string("resource").partition(".")
        source = referred(reference, container) if section == "limits" and resource in ("cpu", "memory") else None
        name = variable.string("name")
        if source is None or source.part.get("resources", section, resource) or "limit" not in name.lower():
            continue
        if name.upper().startswith("GO"):
            continue
        message = (
            f"{name} takes limits.{resource} of {source.name}, which has no such limit: it states what the node has"
        )
        kind: Resource = "memory" if resource == "memory" else "cpu"
        yield at(
            reference.get("resource"), message, subject=f"{container.subject}/{name}", severity=_severity(model, kind)
        )


def _heap_of_container(container: Container) -> Iterator[Remark]:
    texts = [
        (part.get("value"), f"{part.string('name')}={part.string('value')}") for part in container.part.list("env")
    ]
    texts += [(part, part.text) for part in (*container.part.list("command"), *container.part.list("args"))]
    yield from _heap(texts, quantity(container.part.string("resources", "limits", "memory")), container.subject)


def _heap(texts: list[tuple[Part, str]], limit: Decimal | None, subject: str) -> Iterator[Remark]:
    """Yield runtimes that may fill more memory than their container may have."""
    for part, text in texts if limit else ():
        for flag, pattern in _HEAPS.items():
            found = pattern.search(text) if len(text) < 10_000 else None
            unit = Decimal(2**20) if flag.startswith("--max") else Decimal(1)
            heap = size(found[1]) if found else None
            if heap is not None and limit and heap * unit > limit:
                most, granted = shown(heap * unit, memory=True), shown(limit, memory=True)
                message = f"{flag} lets it fill {most}, and {granted} are granted: it is killed before it clears up"
                yield at(part, message, subject=f"{subject}/{flag}", severity=Severity.WARNING)
