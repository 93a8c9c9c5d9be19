"""A readiness probe that waits for peers that cannot be found before it succeeds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Probe, Workload

_MANIFEST = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: store}}
spec:
  serviceName: store
  replicas: 3
  selector: {{matchLabels: {{app: store}}}}
  template:
    metadata: {{labels: {{app: store}}}}
    spec:
      containers:
        - name: store
          image: store:1
          readinessProbe: {{httpGet: {{path: /health/cluster, port: 8080}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: store}}
spec:
  clusterIP: None
  publishNotReadyAddresses: {all}
  selector: {{app: store}}
  ports: [{{port: 8080}}]
"""
_CLUSTER = re.compile(r"\b(?:cluster|quorum)\b|wsrep|cluster_health|cluster-health", re.IGNORECASE)


@check(
    severity=Severity.WARNING,
    fix="Set publishNotReadyAddresses on the headless Service, and `podManagementPolicy: Parallel`.",
    bad=Example({"store.yaml": _MANIFEST.format(all="false")}, at="/health/cluster"),
    good=Example({"store.yaml": _MANIFEST.format(all="true")}),
)
def readiness_needs_peers(workload: Workload, model: Model) -> Iterator[Remark]:
    """None gets ready before the others are found, and none is found before it is ready: the cluster never forms.

    (kubernetes.io/docs/concepts/workloads/controllers/statefulset, pod management and stable network ID;
    .../services-networking/dns-pod-service: names of pods need publishNotReadyAddresses before they are ready.)
    """
    if workload.kind != "StatefulSet" or (workload.replicas or 1) < 2:
        return
    name = workload.object.part.string("spec", "serviceName")
    governing = [each for each in model.belonging.services(workload) if each.name == name]
    if len(governing) != 1 or governing[0].part.get("spec", "publishNotReadyAddresses").value is True:
        return
    for container in workload.running:
        probe = container.probe("readinessProbe")
        if probe is not None and _CLUSTER.search(_text(probe)):
            told = f"`{container.name}` is ready when its cluster is, and the Service `{name}` names ready pods only"
            there = probe.action.get("path")
            yield (at if there else at_key)(there or probe.part, told, subject=probe.subject)


def _text(probe: Probe) -> str:
    return probe.path or " ".join(probe.command)[:4000]
