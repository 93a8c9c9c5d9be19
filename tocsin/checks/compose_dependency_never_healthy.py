"""A service that waits for the health of one that has no health check."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.compose import ComposeFile, ComposeService
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model

_COMPOSE = """\
services:
  grafana:
    image: grafana/grafana:12.1.0
    depends_on:
      prometheus:
        condition: service_healthy
  prometheus:
    image: prom/prometheus:v3.5.0
"""
_CHECK = """\
    healthcheck:
      test: [CMD, promtool, check, ready, "--url=http://localhost:9090"]
"""
_WITHOUT = frozenset(
    {
        "prom/prometheus", "prom/alertmanager", "prom/node-exporter", "prom/blackbox-exporter", "prom/pushgateway",
        "quay.io/prometheus/prometheus", "quay.io/prometheus/alertmanager", "quay.io/prometheus/node-exporter",
        "quay.io/prometheus/blackbox-exporter", "grafana/grafana", "grafana/grafana-oss", "grafana/loki",
        "grafana/tempo", "grafana/promtail", "postgres", "mysql", "mariadb", "redis", "rabbitmq", "mongo", "nginx",
        "httpd", "memcached", "traefik",
    }
)  # fmt: skip
"""Images whose Dockerfile has no HEALTHCHECK."""


@check(
    severity=Severity.ERROR,
    fix="Give the service that is waited for a health check, or wait for its start only (service_started).",
    bad=Example({"compose.yml": _COMPOSE}, at="condition: service_healthy"),
    good=Example({"compose.yml": _COMPOSE + _CHECK}),
)
def compose_dependency_never_healthy(compose_file: ComposeFile, model: Model) -> Iterator[Remark]:
    """Whatever waits is never started: docker compose gives up on a container that has no health to wait for.

    (compose-spec, 05-services.md, `depends_on` and `healthcheck`; the Dockerfile of each image.)
    """
    merged = [one for one in model.compose_files if one.directory == compose_file.directory]
    for service in compose_file.services.values():
        for name, (condition, part) in service.depends_on.items():
            others = [one.services[name] for one in merged if name in one.services]
            if condition != "service_healthy" or not others:
                continue
            reason = _never(others)
            if reason:
                message = f"{service.name} waits until {name} is healthy, and {reason}"
                said = part.get("condition")
                subject = f"{service.subject}/depends_on/{name}"
                yield at(said, message, subject=subject) if said else at_key(part, message, subject=subject)


def _never(services: list[ComposeService]) -> str:
    """Return why a service is never healthy; empty if it may be."""
    checks = [one.healthcheck for one in services if one.healthcheck]
    if any(one.get("disable").value is True or _none(one.get("test").value) for one in checks):
        return "its health check is switched off"
    plain = not checks and not any(one.part.get("build") or one.part.get("extends") for one in services)
    images = {one.image.partition("@")[0] for one in services if one.image}
    bare = {image.removeprefix("docker.io/").removeprefix("library/").partition(":")[0] for image in images}
    return (
        f"neither its service nor the image {next(iter(bare))} has a health check"
        if plain and bare and bare <= _WITHOUT
        else ""
    )


def _none(test: object) -> bool:
    return test == "NONE" or (isinstance(test, list) and test[:1] == ["NONE"])
