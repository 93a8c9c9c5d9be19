"""A probe that the API server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.kubernetes import PLACEHOLDER
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.kubernetes_schema import PROBE, parse_version, refused_of, version_for
from tocsin.model import Model
from tocsin.model.workloads import Probe
from tocsin.part import Part

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      ports: [{{name: http, containerPort: 8080}}]
      livenessProbe:
        httpGet: {{path: /live, port: {port}}}
        periodSeconds: 10
"""
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


@check(
    severity=Severity.ERROR,
    fix="Write the field as the API wants it.",
    bad=Example({"pod.yaml": _POD.format(port='"8080"')}, at='port: "8080"'),
    good=Example({"pod.yaml": _POD.format(port="http")}),
)
def probe_field_invalid(probe: Probe, model: Model) -> Iterator[Remark]:
    """The API server refuses the whole object, so nothing of it is rolled out.

    (Kubernetes: pkg/apis/core/validation/validation.go, validateProbe and validateHandler; the OpenAPI schema of the
    version; a quoted port is a name, and a name needs a letter: apimachinery, IsValidPortName.)
    """
    chosen = model.declaration.static.kubernetes
    version = version_for(chosen)
    for refusal in refused_of(probe.part, PROBE, version, exact=bool(chosen)) if version else ():
        if PLACEHOLDER.search(refusal.part.text):
            continue
        if refusal.missing and probe.container.workload.knative:
            continue
        said = at_key if refusal.unknown or refusal.missing else at
        yield said(refusal.part, f"{refusal.message} ({probe.word} probe of `{probe.container.name}`)")
    if isinstance(probe.part.value, dict):
        yield from _whole(probe, chosen)
        yield from _numbers(probe)
        yield from _action(probe)


def _whole(probe: Probe, chosen: str | None) -> Iterator[Remark]:
    container, knative = probe.container, probe.container.workload.knative
    if not probe.handlers and not knative:
        yield at_key(probe.part, f"the {probe.word} probe of `{container.name}` says nothing that it should do",
                     fix="Give it one of httpGet, tcpSocket, grpc and exec.")  # fmt: skip
    for other in probe.handlers[1:]:
        told = f"a probe does one thing; this one has `{probe.handlers[0]}` and `{other}`"
        yield at_key(probe.part.get(other), told, fix="Keep one of the two.")
    if container.ephemeral:
        yield at_key(probe.part, f"`{container.name}` is an ephemeral container, which may have no probes")
    elif container.init and not container.sidecar and not container.part.string("restartPolicy"):
        what = f"`{container.name}` is an init container that ends before the others begin, and may have no probes"
        fix = "Remove the probe, or make it a sidecar with `restartPolicy: Always`."
        yield at_key(probe.part, what, fix=fix)
    elif container.sidecar and chosen and (parse_version(chosen) or (1, 99)) < (1, 28):
        yield at_key(probe.part, f"Kubernetes {chosen} has no sidecars, and no probes in init containers")


def _numbers(probe: Probe) -> Iterator[Remark]:
    for name in _NUMBERS:
        part = probe.part.get(name)
        if (part.number() or 0) < 0:
            yield at(part, f"`{name}` is {part.text}, and may not be negative")
    successes = probe.part.get("successThreshold")
    number = successes.number()
    if probe.kind != "readinessProbe" and number is not None and number > 1:
        told = f"a {probe.word} probe succeeds at the first success; `successThreshold: {successes.text}` is refused"
        yield at(successes, told, fix="Leave successThreshold out.")
    grace = probe.part.get("terminationGracePeriodSeconds")
    if grace and probe.kind == "readinessProbe":
        yield at_key(grace, "a readiness probe ends nothing, so it may have no `terminationGracePeriodSeconds`")
    elif grace.number() is not None and (grace.number() or 0) <= 0:
        yield at(grace, f"`terminationGracePeriodSeconds` of a probe is {grace.text}, and must be more than 0")


def _action(probe: Probe) -> Iterator[Remark]:
    for handler in ("httpGet", "tcpSocket", "grpc"):
        port = probe.part.get(handler, "port")
        told = "" if probe.container.workload.knative or PLACEHOLDER.search(port.text) else _port(port)
        if told:
            yield at(port, told)
    scheme = probe.part.get("httpGet", "scheme")
    if isinstance(scheme.value, str) and scheme.value not in ("HTTP", "HTTPS", "") and "$" not in scheme.value:
        yield at(scheme, f'the scheme "{scheme.value}" is refused; there are HTTP and HTTPS, in capitals')
    for header in probe.part.list("httpGet", "httpHeaders"):
        name = header.get("name")
        if isinstance(name.value, str) and not _HEADER.fullmatch(name.value) and not PLACEHOLDER.search(name.value):
            yield at(name, f'"{name.value}" is no name of a header: letters, digits and dashes are allowed')
    command = probe.part.get("exec")
    if isinstance(command.value, dict) and not command.list("command"):
        yield at_key(command, "`exec` has no command")


def _port(port: Part) -> str:
    if port.number() is not None:
        return "" if 1 <= (port.number() or 0) <= 65535 else f"there is no port {port.text}; they go from 1 to 65535"
    name = port.value
    if not isinstance(name, str) or not name:
        return ""
    if name.isdecimal():
        return f'`port: "{name}"` is in quotes, so it is taken for a name, and a name needs a letter'
    if len(name) > 15:
        return f"the name of a port has 15 characters at most; `{name}` has {len(name)}"
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name):
        return f"`{name}` is no name of a port: small letters, digits and single dashes between them"
    return ""
