"""A probe that is sent elsewhere instead of being answered."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Container, Probe
from tocsin.part import Part

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      env: [{{name: SECURE_SSL_REDIRECT, value: "{redirects}"}}]
      readinessProbe:
        httpGet: {{path: /, port: 8080}}
"""
_TO_TLS = re.compile(r"(?:\w+_)?(?:SSL_REDIRECT|FORCE_SSL|FORCE_HTTPS|HTTPS_REDIRECT|REDIRECT_TO_HTTPS|HTTPS_ONLY)")
_TO_HOST = re.compile(r"(?:\w+_)?ENFORCE_DOMAIN")
_YES = frozenset({"true", "1", "yes", "on"})
_ANNOTATION = re.compile(r".*/(?:app-root|(?:force-)?ssl-redirect)")


@check(
    severity=Severity.INFO,
    fix="Ask for a path that answers by itself, or send the header that keeps the server from redirecting.",
    bad=Example({"pod.yaml": _POD.format(redirects="true")}, at="path: /"),
    good=Example({"pod.yaml": _POD.format(redirects="false")}),
)
def probe_redirected(container: Container, model: Model) -> Iterator[Remark]:
    """A redirect to another host counts as success whatever is behind it; one to TLS at a port without it, as failure.

    (Kubernetes: pkg/probe/http/http.go, RedirectChecker: only a redirect to the same host name is followed, on whatever
    port and scheme; any other one is judged as it is, and 3xx is a success with a warning.)
    """
    for probe in container.probes:
        if probe.handler == "httpGet" and probe.scheme == "HTTP" and probe.kind != "startupProbe":
            yield from _probe(container, probe, model)


def _probe(container: Container, probe: Probe, model: Model) -> Iterator[Remark]:
    headers = {part.string("name").lower() for part in probe.action.list("httpHeaders")}
    where = probe.action.get("path") or probe.port
    for name, value in container.environment.items():
        tls = _TO_TLS.fullmatch(name) and "x-forwarded-proto" not in headers
        host = _TO_HOST.fullmatch(name) and "host" not in headers and not probe.path.startswith("/api/health")
        if value.text.lower() in _YES and (tls or host):
            aim = "to https" if tls else "to its own host name"
            told = (
                f"`{name}` has `{container.name}` redirect {aim}, and so perhaps its {probe.word} probe of {probe.path}"
            )
            yield at(where, told, subject=probe.subject)
            return
    if probe.path == "/" and "host" not in headers:
        found = _annotated(container, model)
        if found is not None:
            ingress, part = found
            told = (
                f"the Ingress `{ingress.name}` redirects by `{part.key}`, so / of `{container.name}` may be redirected "
                "too, and a redirect says nothing of the server"
            )
            yield at(where, told, subject=probe.subject, related=(part.place,))


def _annotated(container: Container, model: Model) -> tuple[KubernetesObject, Part] | None:
    """Return an Ingress that leads to a container and redirects, and the annotation that says so."""
    names = {service.name for service, _ in model.belonging.served(container)}
    for ingress in model.objects_of("Ingress") if names else ():
        backends = {part.text for part in ingress.part.get("spec").walk() if part.key in ("name", "serviceName")}
        for key, part in ingress.part.get("metadata", "annotations").items():
            if names & backends and _ANNOTATION.fullmatch(key) and part.text not in ("false", ""):
                return ingress, part
    return None
