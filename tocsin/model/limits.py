"""What a container is granted, and what its variables say that it is granted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Literal

from tocsin.model.quantities import quantity, size
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.artefacts.compose import ComposeService
    from tocsin.model import Model
    from tocsin.model.workloads import Container

Resource = Literal["cpu", "memory"]
_CLAIM = re.compile(
    r"(?:(?:CONTAINER|POD|K8S|KUBERNETES|RESOURCES?)_)?(?:(?P<one>CPU|CORES|MEM|MEMORY)_LIMITS?|LIMITS?_(?P<two>CPU|MEM|MEMORY))"
    r"(?:_(?P<unit>CORES?|CPUS?|MILLICORES?|MILLICPUS?|BYTES?|KB|KIB|MB|MIB|GB|GIB))?",
    re.IGNORECASE,
)
"""Names of variables that can only mean the limit of the container; `PHP_MEMORY_LIMIT` is that of something inside."""
_UNITS = {
    "CORE": Decimal(1), "CPU": Decimal(1), "MILLICORE": Decimal("0.001"), "MILLICPU": Decimal("0.001"),
    "BYTE": Decimal(1), "KB": Decimal(10**3), "MB": Decimal(10**6), "GB": Decimal(10**9), "KIB": Decimal(2**10),
    "MIB": Decimal(2**20), "GIB": Decimal(2**30),
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A variable whose name says that it holds a limit of the container."""

    name: str
    resource: Resource
    unit: Decimal | None
    """What 1 stands for, in cores or bytes; None if its name does not say."""


def claim(name: str) -> Claim | None:
    """Return what a variable's name says that it holds; None if it is no limit."""
    found = _CLAIM.fullmatch(name)
    if found is None:
        return None
    word = (found["one"] or found["two"]).upper()
    unit = (found["unit"] or "").upper()
    unit = unit if unit in _UNITS else unit.removesuffix("S")
    return Claim(name, "memory" if word.startswith("MEM") else "cpu", _UNITS.get(unit))


@dataclass(frozen=True)
class Declared:
    """A limit as a variable states it, beside what is granted."""

    claim: Claim
    part: Part
    """Where it is stated."""
    stated: Decimal
    granted: Decimal
    granted_part: Part
    subject: str
    rounded: bool = False
    """Whether Kubernetes makes it of the granted one, up to the next whole."""


def declared(model: Model) -> Iterator[Declared]:
    """Yield every stated limit of a container of which the granted one is known."""
    for compose in model.compose_files:
        for service in compose.services.values():
            yield from _of_service(service)
    for pod in model.cluster.pods:
        for container in pod.containers:
            if pod.labels_whole:
                yield from _of_container(container)


def _of_service(service: ComposeService) -> Iterator[Declared]:
    for name, (value, part) in service.environment.items():
        said = claim(name)
        if said is None or value is None or "$" in value:
            continue
        limit = service.memory_limit if said.resource == "memory" else service.cpu_limit
        granted = size(limit.text) if said.resource == "memory" else quantity(limit.text)
        stated = _stated(value, said)
        if granted and stated is not None:
            yield Declared(said, part, stated, granted, limit, f"{service.subject}/{name}")


def _of_container(container: Container) -> Iterator[Declared]:
    for variable in container.part.list("env"):
        said = claim(variable.string("name"))
        reference = variable.get("valueFrom", "resourceFieldRef")
        if said is None:
            continue
        limit = container.part.get("resources", "limits", said.resource)
        granted, subject = quantity(limit.text), f"{container.subject}/{said.name}"
        if variable.string("value") and granted:
            stated = _stated(variable.string("value"), said)
            if stated is not None:
                yield Declared(said, variable.get("value"), stated, granted, limit, subject)
        elif reference and said.unit is not None and referred(reference, container) is container:
            yield from _converted(reference, said, granted, limit, subject)


def referred(reference: Part, container: Container) -> Container | None:
    """Return the container whose resources a variable takes; None if there is none of that name."""
    name = reference.string("containerName")
    found = (one for one in container.workload.containers if one.name == name)
    return container if not name or name == container.name else next(found, None)


def _converted(reference: Part, said: Claim, granted: Decimal | None, limit: Part, subject: str) -> Iterator[Declared]:
    """Yield what Kubernetes makes of a limit: divided by the divisor, and up to the next whole number."""
    written = reference.string("divisor")
    divisor = quantity(written) if written else Decimal(1)
    if not granted or reference.string("resource") != f"limits.{said.resource}" or said.unit is None:
        return
    divisor = Decimal(1) if not divisor or divisor <= 0 else divisor
    whole = (granted / divisor).to_integral_value(ROUND_CEILING)
    part = reference.get("divisor") if written else reference.get("resource")
    yield Declared(said, part, whole * said.unit, granted, limit, subject, rounded=divisor == said.unit)


def _stated(value: str, said: Claim) -> Decimal | None:
    text = value.strip()
    if said.unit is not None and re.fullmatch(r"\d+(?:\.\d+)?", text) and len(text) < len("1" * 25):
        return Decimal(text) * said.unit
    if said.unit is None and said.resource == "memory" and not text[-1:].isalpha():
        return None
    return quantity(text) if said.unit is None else None
