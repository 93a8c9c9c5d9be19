"""A probe that anything on the node may answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Probe, Workload

_POD = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec:
      hostNetwork: true
      containers:
        - name: agent
          image: agent:1
{ports}          livenessProbe: {{httpGet: {{path: /healthz, port: 8080}}}}
"""
_GENERIC = frozenset({80, 443, 3000, 5000, 8000, 8001, 8080, 8081, 8082, 8443, 8888, 9000, 9090, 9091, 9443, 10250})
"""Ports that many programs take when they are told none."""


@check(
    severity=Severity.INFO,
    fix="Declare the port (then the scheduler keeps others away from it), and take one that is the program's own.",
    bad=Example({"agent.yaml": _POD.format(ports="")}, at="port: 8080"),
    good=Example({"agent.yaml": _POD.format(ports="          ports: [{containerPort: 8080}]\n")}),
)
def probe_answered_by_node(probe: Probe, model: Model) -> Iterator[Remark]:
    """On the node's own network another process may have the port, and answers in place of this container.

    (kubernetes.io/docs/concepts/workloads/pods/probes: the kubelet asks the pod's address, which with hostNetwork is
    the node's; a containerPort is a port of the node then, which the scheduler gives to one pod only,
    pkg/apis/core/v1/defaults.go.)
    """
    container, number = probe.container, probe.port_number
    workload = container.workload
    if not workload.host_network or number is None or _declared(workload, number):
        return
    rivals = [other for other in model.workloads if _rival(workload, other, number)]
    if rivals:
        told = (
            f"the {probe.word} probe of `{container.name}` asks port {number} of the node without declaring it, and "
            f"{rivals[0].kind} {rivals[0].object.name} uses that port of the node too"
        )
        yield at(probe.port, told, severity=Severity.WARNING, related=(rivals[0].object.part.place,))
    elif number in _GENERIC and not _mentions(workload, number):
        told = f"the {probe.word} probe of `{container.name}` asks port {number} of the node, which it does not declare"
        yield at(probe.port, told)


def _declared(workload: Workload, number: int) -> bool:
    return any(each.number == number for container in workload.running for each in container.ports)


def _mentions(workload: Workload, number: int) -> bool:
    return any(re.search(rf"(?<!\d){number}(?!\d)", text) for container in workload.running for text in container.texts)


def _rival(workload: Workload, other: Workload, number: int) -> bool:
    """Tell whether another workload surely takes the port of every node on which it runs, beside this one."""
    same = (other.kind, other.object.name) == (workload.kind, workload.object.name)
    return (
        not same
        and "DaemonSet" in (other.kind, workload.kind)
        and other.host_network
        and other.object.file.rpartition("/")[0] == workload.object.file.rpartition("/")[0]
        and _declared(other, number)
    )
