"""A probe that speaks HTTP where TLS is spoken, or the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.workloads import Container, Probe

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
        httpGet: {{path: /live, port: http}}
      readinessProbe:
        httpGet: {{path: /ready, port: http{scheme}}}
"""
_TLS = re.compile(r"tls|ssl|https|cert|x509|pki|keystore|secure", re.IGNORECASE)
"""Traces of TLS in how a container is started and what is mounted into it."""
_GRPC_TLS = re.compile(r"grpc(?:[-_.]server)?[-_.](?:tls|ssl)[-_.](?:cert|key|enabled)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"http(?:-\w+)*|(?:\w+-)*http")
_TLS_NAME = re.compile(r"https(?:-\w+)*|(?:\w+-)*https|(?:\w+-)*tls")


@check(
    severity=Severity.ERROR,
    fix="Ask with the scheme that the server speaks on this port.",
    bad=Example({"pod.yaml": _POD.format(scheme=", scheme: HTTPS")}, at="scheme: HTTPS"),
    good=Example({"pod.yaml": _POD.format(scheme="")}),
)
def probe_scheme_mismatch(container: Container) -> Iterator[Remark]:
    """Every attempt fails in the handshake or with 400, so the container is never ready, or restarted for ever.

    (kubernetes.io/docs/concepts/workloads/pods/probes, `scheme`; pkg/probe/http/http.go; Go's and nginx's servers
    answer 400 to plain HTTP on a port of TLS.)
    """
    probes = [probe for probe in container.probes if probe.handler == "httpGet" and probe.scheme in ("HTTP", "HTTPS")]
    told: set[str] = set()
    for probe, other in _contradicting(container, probes):
        told.add(probe.kind)
        yield _remark(
            probe,
            f"the {probe.word} probe speaks {probe.scheme} to port {probe.port_number}, and the {other.word} probe "
            f"{other.scheme}: one of the two always fails",
        )
    for probe in probes:
        reason = _reason(container, probe) if probe.kind not in told else ""
        if reason:
            yield _remark(probe, f"the {probe.word} probe speaks {probe.scheme} to {reason}")
    for probe in container.probes:
        name = probe.port.text if probe.handler == "grpc" else ""
        if name and not probe.action.string("mode") and _TLS_NAME.fullmatch(_name(container, probe)):
            said = f"the {probe.word} probe speaks gRPC without TLS to the port `{_name(container, probe)}`"
            yield at(probe.port, said, subject=probe.subject, severity=Severity.WARNING)
        elif probe.handler == "grpc" and not probe.action.string("mode") and (flag := _grpc_by_tls(container)):
            said = f"the {probe.word} probe speaks gRPC without TLS, and `{container.name}` is told `{flag}`"
            yield at(probe.port, said, subject=probe.subject, severity=Severity.WARNING)


def _grpc_by_tls(container: Container) -> str:
    """Return the flag or the variable by which a container's gRPC server is told to speak TLS; empty if none is."""
    flags = (part.text.partition("=")[0] for part in container.command_line if part.text.startswith("-"))
    names = (name for name, part in container.environment.items() if part.text.lower() not in ("", "false", "0"))
    return next((each for each in (*flags, *names) if _GRPC_TLS.search(each)), "")


def _remark(probe: Probe, message: str) -> Remark:
    scheme = probe.action.get("scheme")
    return at(scheme, message, subject=probe.subject) if scheme else at(probe.port, message, subject=probe.subject)


def _contradicting(container: Container, probes: list[Probe]) -> Iterator[tuple[Probe, Probe]]:
    """Yield each probe that speaks another scheme to a port than the others do, with one of them."""
    by_port: dict[int, list[Probe]] = {}
    for probe in probes:
        if probe.port_number is not None and not probe.action.string("host"):
            by_port.setdefault(probe.port_number, []).append(probe)
    for same in by_port.values():
        schemes = [probe.scheme for probe in same]
        if len(set(schemes)) < 2:
            continue
        secure = _speaks_tls(container, same[0])
        rarer = min(("HTTP", "HTTPS"), key=lambda scheme: (schemes.count(scheme), (scheme == "HTTP") != secure))
        other = next(probe for probe in same if probe.scheme != rarer)
        yield from ((probe, other) for probe in same if probe.scheme == rarer)


def _speaks_tls(container: Container, probe: Probe) -> bool:
    name = _name(container, probe)
    return probe.port_number in (443, 6443, 8443, 9443) or bool(_TLS_NAME.fullmatch(name))


def _name(container: Container, probe: Probe) -> str:
    return next((port.name for port in container.ports if port.number == probe.port_number and port.name), "")


def _reason(container: Container, probe: Probe) -> str:
    name, number = _name(container, probe), probe.port_number
    if probe.scheme == "HTTPS" and (_PLAIN_NAME.fullmatch(name) or number == 80):
        if number in (443, 6443, 8443, 9443) or _has_tls(container):
            return ""
        return f"port `{name or number}`, and nothing in `{container.name}` has to do with TLS"
    if probe.scheme == "HTTP" and _TLS_NAME.fullmatch(name):
        return f"port `{name}` ({number}), which is one of TLS by its name"
    if probe.scheme == "HTTP" and number in (443, 6443) and not name:
        return f"port {number}, which is one of TLS"
    return ""


def _has_tls(container: Container) -> bool:
    texts = [*container.texts, *container.environment]
    texts += [part.text for mount in container.part.list("volumeMounts") for _, part in mount.items()]
    texts += [part.string("name") for part in container.part.list("env")]
    return any(_TLS.search(text) for text in texts) or not (container.command_line or container.environment)
