"""A path that is asked, and that nobody answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.artefacts.compose import image_name
from tocsin.artefacts.http_routes import Routes, plainly_served
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.applications import Applications, Built
from tocsin.model.front_door import FrontDoor
from tocsin.part import Part
from tocsin.source import Place, nearest, place_within

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: example.org/shop:2
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /readyz, port: http}}
"""
_COMPOSE = """\
services:
  shop:
    image: example.org/shop:2
    build: .
"""
_DOCKERFILE = "FROM python\nCOPY shop shop\nCMD uvicorn shop.main:app\n"
_APP = 'import fastapi\napp = fastapi.FastAPI()\n@app.get("{path}")\ndef ready(): return "ready"\n'
_SERVED = {
    "prometheus": ("/-/healthy", "/-/ready"),
    "alertmanager": ("/-/healthy", "/-/ready"),
    "pushgateway": ("/-/healthy", "/-/ready"),
}
"""What the programs answer of themselves, by the name of their image.

(prometheus.io/docs/prometheus/latest/management_api; prometheus.io/docs/alerting/latest/management_api.)
"""
_HEALTH = re.compile(
    r"/-/|/(?:health|healthz|healthy|ready|readyz|readiness|live|livez|liveness|status/health|ping)/?$"
)
_LOCAL_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]):(\d{1,5})(/[\w./?=&%-]*)")


@dataclass(frozen=True)
class _Asked:
    """A path of an application, and who asks for it."""

    path: str
    who: str
    part: Part
    place: Place
    subject: str


@check(
    severity=Severity.ERROR,
    fix="Ask for a path that is served, or serve this one.",
    bad=Example(
        {
            "k8s/shop.yaml": _DEPLOYMENT,
            "compose.yaml": _COMPOSE,
            "Dockerfile": _DOCKERFILE,
            "shop/main.py": _APP.format(path="/ready"),
        },
        at="path: /readyz",
    ),
    good=Example(
        {
            "k8s/shop.yaml": _DEPLOYMENT,
            "compose.yaml": _COMPOSE,
            "Dockerfile": _DOCKERFILE,
            "shop/main.py": _APP.format(path="/readyz"),
        }
    ),
)
def probe_path_not_served(model: Model) -> Iterator[Remark]:
    """Every attempt gets a 404, so the container is never ready, or restarted for ever, or an alert rings for ever.

    (kubernetes.io/docs/concepts/workloads/pods/probes: a status of 400 and above is a failure; .../ingress, path types:
    what no path matches goes to the default backend.)
    """
    applications = Applications(model)
    asked: dict[Built, list[_Asked]] = {}
    for built, one in (*_probes(model, applications), *_healthchecks(model, applications)):
        asked.setdefault(built, []).append(one)
    for built, questions in asked.items():
        texts = applications.sources(built)
        if not built.dockerfile:
            routes = applications.routes(built)
            yield from _unlike(questions, routes) if routes is not None else ()
            continue
        doubtful = {one.path for one in questions if not plainly_served(texts, one.path)}
        routes = applications.routes(built) if doubtful - {"/metrics"} else None
        if routes is not None:
            yield from _unserved(questions, routes)
    yield from _known_programs(model)
    yield from _from_outside(model)


def _known_programs(model: Model) -> Iterator[Remark]:
    """Yield paths that a program of a known image does not serve."""
    for workload in model.workloads:
        for container in workload.running:
            program = image_name(container.image)
            served = _SERVED.get(program)
            if served is None or any("web.route-prefix" in t or "web.external-url" in t for t in container.texts):
                continue
            for probe in container.probes:
                path = probe.action.get("path")
                if probe.steps and _HEALTH.match(probe.path) and probe.path not in served:
                    known = " and ".join(served[:2])
                    yield at(path, f"{program} serves no {probe.path}; it answers {known}", subject=probe.subject)


def _probes(model: Model, applications: Applications) -> Iterator[tuple[Built, _Asked]]:
    for workload in model.workloads:
        for container in workload.running:
            built = applications.of_image(container.image)
            asked = [probe.path for probe in container.probes if probe.handler == "httpGet" and probe.steps]
            if built is None and image_name(container.image) not in _SERVED:
                built = applications.only(asked)
            if built is None or len(container.ports) > 1:
                continue
            for probe in container.probes:
                path = probe.action.get("path")
                if probe.handler == "httpGet" and path.text.startswith("/") and not probe.action.string("host"):
                    who = f"the {probe.word} probe of `{container.name}`"
                    yield built, _Asked(path.text, who, path, path.place, probe.subject)


def _healthchecks(model: Model, applications: Applications) -> Iterator[tuple[Built, _Asked]]:
    for compose in model.compose_files:
        for service in compose.services.values():
            built = applications.of_service(service, compose)
            test = service.healthcheck.get("test")
            for part in (test.list() or ((test,) if test.text else ())) if built else ():
                for found in _LOCAL_URL.finditer(part.text):
                    place = place_within(model.text(part.file), part.place, part.text, found.start(2))
                    who = f"the health check of `{service.name}`"
                    if built is not None:
                        yield built, _Asked(found[2], who, part, place, f"{service.subject}/healthcheck")


def _unlike(questions: list[_Asked], routes: Routes) -> Iterator[Remark]:
    """Yield paths that the one application of the folder does not serve, where one that it serves is like them."""
    known = [path for path in routes.paths() if "{" not in path and "<" not in path]
    missing = [one for one in questions if not routes.serves(one.path) and nearest(one.path, known, most=1)]
    yield from _unserved(missing, routes)


def _unserved(questions: list[_Asked], routes: Routes) -> Iterator[Remark]:
    missing: dict[str, list[_Asked]] = {}
    for one in questions:
        if not routes.serves(one.path) and not one.path.startswith("/metrics"):
            missing.setdefault(one.path, []).append(one)
    wanted = {one.path for one in questions}
    known = routes.paths()
    for path, askers in missing.items():
        near = nearest(path, [each for each in known if "{" not in each and "<" not in each], most=1)
        whose = " and ".join(dict.fromkeys(one.who for one in askers))
        told = f"{whose} {'asks' if len(askers) == 1 else 'ask'} for {path}, which the application does not serve"
        if near and near[0] not in wanted and len({one.part.file for one in askers}) > 1:
            # Several files agree on the path, and nobody asks for the one that is like it: the source has changed.
            route = known[near[0]]
            told += f"; it serves {near[0]}"
            related = tuple(one.place for one in askers)
            yield Remark(route.place, told, width=route.width, subject=askers[0].subject, related=related)
            continue
        told += f"; did you mean {near[0]}?" if near else ""
        for one in askers:
            yield Remark(one.place, told, width=len(path), subject=one.subject)


def _from_outside(model: Model) -> Iterator[Remark]:
    """Yield addresses that a blackbox exporter asks, and for which the Ingress of their host has no route."""
    door = FrontDoor(model)
    for part, subject in _blackbox_targets(model):
        try:
            address = urlsplit(part.text)
        except ValueError:
            continue
        if address.scheme not in ("http", "https") or not address.hostname:
            continue
        if door.routes(address.hostname, address.path or "/") is False:
            known = door.shown(address.hostname)
            told = f"{address.hostname} has no route for {address.path or '/'}; there are {known}"
            yield at(part, told, subject=f"{subject}/{part.text}")


def _blackbox_targets(model: Model) -> Iterator[tuple[Part, str]]:
    for config in model.prometheus_configs:
        for job in config.part.list("scrape_configs"):
            relabelled = any(step.string("target_label") == "__param_target" for step in job.list("relabel_configs"))
            if relabelled or job.string("metrics_path") == "/probe":
                for group in job.list("static_configs"):
                    yield from ((part, job.string("job_name")) for part in group.list("targets"))
    for thing in model.objects_of("Probe"):
        if thing.group == "monitoring.coreos.com":
            yield from ((part, thing.subject) for part in thing.part.list("spec", "targets", "staticConfig", "static"))
