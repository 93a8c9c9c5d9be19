"""A liveness probe that fails when something else does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.listening import LOOPBACK
from tocsin.model.workloads import Probe

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      livenessProbe:
        httpGet: {{path: {path}, port: 8080}}
"""
_FRAMEWORKS = {
    "/actuator/health": ("Spring Boot", "/actuator/health/liveness"),
    "/q/health": ("Quarkus", "/q/health/live"),
}
"""Paths that answer for everything an application uses, and what answers for the process alone.

(docs.spring.io, Actuator, Kubernetes Probes; quarkus.io/guides/smallrye-health.)
"""
_CLIENTS = re.compile(
    r"""(?x)
    \b(?:curl|wget)\b[^|;&]*?\bhttps?://(?P<url>[\w.-]+)
    | \b(?:pg_isready|psql|mysqladmin|mysql|mariadb|mongo|mongosh|redis-cli)\b
      [^|;&]*?\s(?:-h|--host)[=\s]*(?P<host>[\w.-]+)
    | \bnc\b(?:\s+-\w+)*\s+(?P<nc>[A-Za-z][\w.-]+)\s+\d+
    """
)


@check(
    severity=Severity.ERROR,
    fix="Let liveness ask the process alone, and readiness for what it needs.",
    bad=Example({"pod.yaml": _POD.format(path="/health/ready")}, at="/health/ready"),
    good=Example({"pod.yaml": _POD.format(path="/health/live")}),
)
def liveness_checks_dependency(probe: Probe, model: Model) -> Iterator[Remark]:
    """When that is slow or away, every replica is restarted at once, which mends nothing and is an outage.

    (kubernetes.io/docs/concepts/workloads/pods/probes: a liveness probe must tell a failure that a restart mends;
    Spring Boot, Actuator: the liveness probe should not depend on external systems.)
    """
    if probe.kind != "livenessProbe" or not probe.container.workload.runs_on:
        return
    if probe.handler == "exec":
        yield from _of_command(probe, model)
        return
    path = probe.action.get("path")
    framework = _FRAMEWORKS.get("/" + "/".join(probe.steps))
    if probe.asks_readiness:
        told = f"liveness asks `{path.text}`, which answers whether it can serve, not whether it lives"
        yield at(path, told)
    elif probe.asks_dependency:
        yield at(path, f"liveness asks `{path.text}`, which answers for {probe.steps[-1]} and not for the process")
    elif framework:
        told = f"`{path.text}` of {framework[0]} answers for everything that the application uses"
        fix = f"Ask {framework[1]}."
        yield at(path, told, severity=Severity.WARNING, fix=fix)


def _of_command(probe: Probe, model: Model) -> Iterator[Remark]:
    words = probe.part.list("exec", "command")
    line = " ".join(part.text for part in words)
    for found in _CLIENTS.finditer(line[:4000]):
        host = found["url"] or found["host"] or found["nc"] or ""
        if _elsewhere(host, probe, model):
            part = next((part for part in words if host in part.text), probe.part)
            yield at(part, f"liveness of `{probe.container.name}` asks {host}, which is another system")


def _elsewhere(host: str, probe: Probe, model: Model) -> bool:
    """Tell whether a name surely means something else than the pod itself: a Service of the folder, not its own."""
    if not host or LOOPBACK.fullmatch(host) or host == "0.0.0.0":
        return False
    own = {service.name for service in model.belonging.services(probe.container.workload)}
    name = host.partition(".")[0]
    return name not in own and name != probe.container.workload.object.name and name in _services(model)


def _services(model: Model) -> frozenset[str]:
    return frozenset(each.name for each in model.objects_of("Service"))
