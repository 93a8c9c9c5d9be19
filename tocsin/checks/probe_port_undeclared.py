"""A port that is asked, and that the container does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.compose import ComposeFile, ComposeService, within
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.applications import Applications
from tocsin.model.listening import listening
from tocsin.model.workloads import Container, Port, Probe
from tocsin.part import Part
from tocsin.source import offered, place_within

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      ports: [{{name: http, containerPort: 8080}}]
      readinessProbe:
        httpGet: {{path: /ready, port: {port}}}
"""
_LOCAL_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0):(\d{1,5})")
_EXPOSED = re.compile(r"^\s*EXPOSE\s+(.+)$", re.MULTILINE | re.IGNORECASE)


@check(
    severity=Severity.ERROR,
    fix="Ask a port of the container, or declare this one.",
    bad=Example({"pod.yaml": _POD.format(port="htpp")}, at="port: htpp"),
    good=Example({"pod.yaml": _POD.format(port="http")}),
    origin="kube-linter liveness-port, kube-linter readiness-port, kube-linter startup-port",
)
def probe_port_undeclared(model: Model) -> Iterator[Remark]:
    """A name that the container does not declare makes every attempt an error that counts neither way.

    Readiness then never comes, and liveness never acts. Of a number, the kubelet asks whatever listens there.
    (Kubernetes: pkg/probe/util.go, ResolveContainerPort; pkg/kubelet/prober/prober.go, errors are discarded.)
    """
    applications = Applications(model)
    for workload in model.workloads:
        for container in workload.containers:
            if workload.knative or model.belonging.patched(workload, lambda patch: bool(patch.get("ports"))):
                continue
            for probe in container.probes:
                yield from _probe(probe, applications)
            yield from _hooks(container)
    for compose in model.compose_files:
        for service in compose.services.values():
            yield from _healthcheck(service, compose, model)


def _probe(probe: Probe, applications: Applications) -> Iterator[Remark]:
    container, port = probe.container, probe.port
    if isinstance(port.value, str):
        if probe.port_number is None and not re.search(r"[${<]", port.value):
            told = _unknown_name(container, port, f"the {probe.word} probe")
            yield at(port, told, subject=probe.subject)
        return
    number = probe.port_number
    declared = [each for each in container.ports if each.number is not None]
    shared = [each for other in container.workload.running for each in other.ports]
    if number is None or not declared or any(each.number == number and each.protocol == "TCP" for each in shared):
        return
    if any(each.number == number for each in declared):
        told = f"the {probe.word} probe asks port {number} by TCP, which is declared for UDP or SCTP only"
        yield at(port, told, subject=probe.subject, severity=Severity.WARNING)
        return
    severity = _surely_wrong(probe, number, declared, applications)
    if severity is not None:
        known = ", ".join(str(each.number) for each in declared)
        told = f"the {probe.word} probe asks port {number}; `{container.name}` has {known}"
        yield at(port, told, subject=probe.subject, severity=severity)


def _surely_wrong(probe: Probe, number: int, declared: list[Port], applications: Applications) -> Severity | None:
    """Return how sure it is that nobody listens on a number that is not declared; None if it may well be so.

    A container need not declare a port, and many do not declare the one that only probes ask. So something else must
    speak against it: that the other probes ask a declared port, and the server is told that or a source of the folder
    serves the path; or a slip of the pen.
    """
    container, numbers = probe.container, {each.number for each in declared}
    if _mentioned(number, container):
        return None
    others = [each.port_number for each in container.probes if each is not probe and each.port_number is not None]
    told = any(place.port in numbers for place in listening(container.command_line, container.environment))
    if told and others and all(each in numbers for each in others):
        # Variables that stand elsewhere may make it listen on one more port.
        return Severity.WARNING if container.part.list("envFrom") else Severity.ERROR
    elsewhere = (other for other in container.workload.running if other is not container)
    agreed = bool(others) and all(each in numbers for each in others)
    if agreed and applications.serve(probe.path) and not any(_mentioned(number, each) for each in elsewhere):
        return Severity.WARNING
    return Severity.WARNING if any(_slip(number, each.number or 0) for each in declared) else None


def _hooks(container: Container) -> Iterator[Remark]:
    for hook in ("postStart", "preStop"):
        port = container.part.get("lifecycle", hook, "httpGet", "port")
        if isinstance(port.value, str) and container.port_number(port) is None and "$" not in port.value:
            told = _unknown_name(container, port, hook)
            yield at(port, told, subject=f"{container.subject}/{hook}")


def _unknown_name(container: Container, port: Part, who: str) -> str:
    names = [each.name for each in container.ports if each.name]
    others = [c.name for c in container.workload.containers if any(p.name == port.text for p in c.ports)]
    hint = f"it is a port of `{others[0]}`, and only a container's own count" if others else offered(port.text, names)
    return f"{who} asks the port `{port.text}`, which `{container.name}` does not declare; {hint}"


def _slip(number: int, declared: int) -> bool:
    """Tell whether one number is the other with two neighbouring digits swapped, or a digit lost or doubled."""
    one, other = str(number), str(declared)
    if len(one) == len(other):
        swapped = (one[:i] + one[i + 1] + one[i] + one[i + 2 :] for i in range(len(one) - 1))
        return one != other and other in swapped
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    lost = (longer[:i] + longer[i + 1 :] for i in range(len(longer)))
    return len(shorter) >= 3 and len(longer) == len(shorter) + 1 and shorter in lost


def _mentioned(number: int, container: Container) -> bool:
    word = re.compile(rf"(?<!\d){number}(?!\d)")
    texts = [*container.texts, *container.workload.annotations.values()]
    return any(word.search(text) for text in texts)


def _healthcheck(service: ComposeService, compose: ComposeFile, model: Model) -> Iterator[Remark]:
    test = service.healthcheck.get("test")
    known = _image_ports(service, compose, model)
    if not known or service.network_mode:
        return
    known |= {each.target for each in service.ports} | set(service.exposed)
    texts = [word for word, _ in service.words] + [value or "" for value, _ in service.environment.values()]
    for part in test.list() or ((test,) if test.text else ()):
        for found in _LOCAL_URL.finditer(part.text):
            number = int(found[1])
            if number in known or any(re.search(rf"(?<!\d){number}(?!\d)", text) for text in texts):
                continue
            said = " and ".join(str(each) for each in sorted(known)[:3])
            told = f"the health check asks port {number}; the server of `{service.name}` listens on {said}"
            place = place_within(model.text(part.file), part.place, part.text, found.start(1))
            exact = place != part.place
            yield Remark(place, told, width=len(found[1]) if exact else 1, subject=f"{service.subject}/healthcheck")


def _image_ports(service: ComposeService, compose: ComposeFile, model: Model) -> set[int]:
    """Return the ports that the Dockerfile of a service names; none if it is not in the folder."""
    build = service.part.get("build")
    context = compose.path(build.text or build.string("context"))
    if context is None:
        return set()
    name = within(context, build.string("dockerfile") or "Dockerfile")
    text = model.folder.text(name) if name else None
    if not text:
        return set()
    exposed = [word.partition("/")[0] for found in _EXPOSED.finditer(text) for word in found[1].split()]
    numbers = {int(word) for word in exposed if word.isdecimal() and len(word) < 6}
    if not numbers:
        return set()
    # A Dockerfile that names other numbers of a port's kind may start more than it exposes.
    return numbers | {int(found) for found in re.findall(r"(?<![\d.])\d{4,5}(?![\d.])", text)}
