"""A liveness probe that a server which hangs passes too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.commands import script
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
        {handler}
"""
_REQUESTS = re.compile(r"(?:\w+-)*(?:https?|web|grpc|api)(?:-\w+)*")
"""Names of ports at which something can be asked for."""
_PROCESS = re.compile(
    r"(?:/usr/bin/|/bin/)?(?:(?:pgrep|pidof)\b[^|;&]*|ps\b[^|;&]*\|\s*[ef]?grep\b[^;&]*|kill\s+-0\b[^|;&]*)"
)
_ASIDE = re.compile(r"[12&]?>+\s{0,9}&?[\w./]+|(?:\|\||&&|;)\s{0,9}(?:exit\s{1,9}\d+|true|false)\b")
"""What is added to a command without changing what it asks."""


@check(
    severity=Severity.WARNING,
    fix="Ask for something that only a server which works can answer: `httpGet`, or `grpc`.",
    bad=Example({"pod.yaml": _POD.format(handler="tcpSocket: {port: http}")}, at="port: http}"),
    good=Example({"pod.yaml": _POD.format(handler="httpGet: {path: /live, port: http}")}),
)
def liveness_proves_little(container: Container, model: Model) -> Iterator[Remark]:
    """The kernel takes connections and the process is in its table whether it answers or not, so a hang is never seen.

    (kubernetes.io/docs/concepts/workloads/pods/probes, tcpSocket: success is that the port is open; listen(2): the
    kernel completes connections up to the backlog by itself.)
    """
    probe = container.probe("livenessProbe")
    if probe is None or not container.workload.runs_on or container.workload.knative:
        return
    if probe.handler == "exec" and _asks_for_process(probe):
        told = f"liveness of `{container.name}` asks whether there is a process, which ends the container by ending"
        yield at_key(probe.part.get("exec"), told, subject=probe.subject, severity=Severity.INFO)
    if probe.handler != "tcpSocket" or not _REQUESTS.fullmatch(_name(container, probe)):
        return
    readiness = container.probe("readinessProbe")
    patched = model.belonging.patched(container.workload, lambda patch: bool(patch.get("readinessProbe")))
    if patched or (readiness is not None and readiness.handler != "tcpSocket"):
        return  # what hangs is at least taken out of the Service
    what = "and readiness too" if readiness is not None else "and nothing else is asked"
    told = f"liveness only connects to `{_name(container, probe)}` of `{container.name}`, {what}: a hang goes unseen"
    yield at(probe.port, told, subject=probe.subject)


def _asks_for_process(probe: Probe) -> bool:
    text = _ASIDE.sub("", script(probe.part.list("exec", "command")))
    return _PROCESS.fullmatch(text.strip()) is not None


def _name(container: Container, probe: Probe) -> str:
    return next((port.name for port in container.ports if port.number == probe.port_number and port.name), "")
