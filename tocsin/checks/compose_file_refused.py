"""A compose file that docker compose refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from tocsin.artefacts.compose import ComposeFile, ComposeMount, ComposeService
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.source import nearest, offered

_COMPOSE = """\
services:
  prometheus:
    image: prom/prometheus:v3.5.0
    depends_on: [NAME]
  alertmanager:
    image: prom/alertmanager:v0.28.1
"""
_WHOLE = ("compose", "docker-compose")
"""Names of files that are read by themselves; others may be laid over one that is elsewhere."""
_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_TESTS = ("NONE", "CMD", "CMD-SHELL")


@check(
    severity=Severity.ERROR,
    fix="Name what the file, or one that is read with it, declares.",
    bad=Example({"compose.yml": _COMPOSE.replace("NAME", "alert-manager")}, at="depends_on"),
    good=Example({"compose.yml": _COMPOSE.replace("NAME", "alertmanager")}),
)
def compose_file_refused(compose_file: ComposeFile, model: Model) -> Iterator[Remark]:
    """Nothing of the file is started.

    (compose-spec, 05-services.md: `depends_on`, `networks`, `volumes`, `configs` and `secrets` name what is declared,
    and a health check's list begins with NONE, CMD or CMD-SHELL; files of one project are merged.)
    """
    merged = [one for one in model.compose_files if one.directory == compose_file.directory]
    if any(one.part.get("include") for one in merged):
        return
    services = {name for one in merged for name in one.services}
    whole = PurePosixPath(compose_file.name).stem in _WHOLE
    for service in compose_file.services.values():
        if not service.part.get("extends"):
            yield from _waits(service, services, whole=whole)
            for section in ("networks", "volumes", "configs", "secrets"):
                names = {name for one in merged for name, _ in one.part.get(section).items()}
                if whole or compose_file.part.get(section):
                    yield from _undeclared(service, section, names)
            yield from _test(service)
    yield from _rings(compose_file)


def _waits(service: ComposeService, services: set[str], *, whole: bool) -> Iterator[Remark]:
    for name, (condition, part) in service.depends_on.items():
        if part.get("required").value is False or "$" in name:
            continue
        if name not in services and (whole or nearest(name, services)):
            message = (
                f"{service.name} waits for the service {name}, which is not declared: {offered(name, sorted(services))}"
            )
            said = at_key if part.value is None or isinstance(part.value, dict) else at
            yield said(part, message, subject=f"{service.subject}/depends_on/{name}")
        elif name in services and condition not in _CONDITIONS:
            message = f"{condition} is no condition: {offered(condition, _CONDITIONS)}"
            yield at(part.get("condition"), message, subject=f"{service.subject}/depends_on/{name}")


def _undeclared(service: ComposeService, section: str, names: set[str]) -> Iterator[Remark]:
    usual = names | ({"default"} if section == "networks" else set())
    if section == "networks":
        part = service.part.get("networks")
        said = [(key, one, True) for key, one in part.items()] + [(one.text, one, False) for one in part.list()]
    else:
        mounts = [mount for mount in service.mounts if _section(mount) == section]
        said = [(mount.source, mount.part, False) for mount in mounts]
    for name, part, by_key in said:
        if name and name not in usual and "$" not in name:
            kind = section.removesuffix("s")
            message = f"{service.name} uses the {kind} {name}, which is not declared"
            message += f": {offered(name, sorted(names))}" if names else f"; there is no `{section}`"
            yield (at_key if by_key else at)(part, message, subject=f"{service.subject}/{section}/{name}")


def _section(mount: ComposeMount) -> str:
    return {"volume": "volumes", "config": "configs", "secret": "secrets"}.get(mount.kind, "")


def _test(service: ComposeService) -> Iterator[Remark]:
    test = service.healthcheck.get("test")
    words = test.list()
    if words and words[0].text not in _TESTS:
        message = f"the health check of {service.name} begins with {words[0].text} instead of CMD or CMD-SHELL"
        yield at(words[0], message, subject=f"{service.subject}/healthcheck")


def _rings(compose: ComposeFile) -> Iterator[Remark]:
    """Yield the services that wait for each other."""
    told: set[frozenset[str]] = set()
    for start in compose.services:
        ring = _ring(compose, start)
        if ring and frozenset(ring) not in told:
            told.add(frozenset(ring))
            part = compose.services[start].part.get("depends_on")
            message = f"{' waits for '.join((*ring, ring[0]))}, so none is ever started"
            yield at_key(part, message, subject=f"compose/{start}/depends_on")


def _ring(compose: ComposeFile, start: str) -> list[str]:
    """Return the services that wait for each other in a ring through one of them; none if there is no ring."""
    before: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        for other in compose.services[name].depends_on:
            if other == start:
                ring = [name]
                while ring[-1] != start:
                    ring.append(before[ring[-1]])
                return ring[::-1]
            if other in compose.services and other not in before:
                before[other] = name
                waiting.append(other)
    return []
