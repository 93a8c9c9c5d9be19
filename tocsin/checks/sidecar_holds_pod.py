"""A sidecar whose probe decides for the whole pod."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.probes import seconds
from tocsin.model.workloads import Container

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  initContainers:
    - name: proxy
      image: proxy:1
      restartPolicy: Always
      startupProbe:
        tcpSocket: {{port: 9000}}
        periodSeconds: 2
        failureThreshold: {failures}
  containers:
    - {{name: shop, image: "shop:1"}}
"""
_SHORT, _VERY_SHORT = 30.0, 10.0
"""Seconds for a start that are little, and too little for a busy node."""


@check(
    severity=Severity.INFO,
    fix="Give its startup more attempts (`failureThreshold`), or leave the probe to the containers that serve.",
    bad=Example({"pod.yaml": _POD.format(failures=3)}, at="startupProbe"),
    good=Example({"pod.yaml": _POD.format(failures=60)}),
)
def sidecar_holds_pod(container: Container, model: Model) -> Iterator[Remark]:
    """Until its startup has succeeded no later container is started, and while it is not ready, the pod is not.

    (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers; pkg/kubelet/kuberuntime/kuberuntime_container.go,
    computeInitContainerActions; pkg/kubelet/status/generate.go: restartable init containers count for readiness.)
    """
    if not container.sidecar:
        return
    startup, readiness = container.probe("startupProbe"), container.probe("readinessProbe")
    if startup is not None and startup.timing.budget < _SHORT:
        budget = startup.timing.budget
        told = (
            f"the sidecar `{container.name}` has {seconds(budget)} to start; if it takes longer it is killed and "
            "begins anew, and no container after it is ever started"
        )
        severity = Severity.WARNING if budget < _VERY_SHORT else Severity.INFO
        yield at_key(startup.part, told, subject=startup.subject, severity=severity)
    services = model.belonging.services(container.workload)
    if readiness is not None and services and not model.belonging.served(container):
        told = f"while the sidecar `{container.name}` is not ready, the Service `{services[0].name}` sends nothing"
        yield at_key(readiness.part, told, subject=readiness.subject)
