"""A volume for one, and a database that locks its folder, under several pods."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.flows import role_of
from tocsin.part import Part

_OBJECTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: monitoring}
spec:
  replicas: 2
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      containers:
        - name: prometheus
          image: prom/prometheus:v3.5.0
          volumeMounts: [{name: data, mountPath: /prometheus}]
      volumes:
        - name: data
          VOLUME
"""
_LOCKED = "Prometheus locks its database"


@check(
    severity=Severity.ERROR,
    fix="Use a StatefulSet with volumeClaimTemplates, so that each pod has a volume of its own.",
    bad=Example(
        {"prometheus.yaml": _OBJECTS.replace("VOLUME", "persistentVolumeClaim: {claimName: prometheus}")},
        at="claimName: prometheus",
    ),
    good=Example({"prometheus.yaml": _OBJECTS.replace("VOLUME", "emptyDir: {}")}),
)
def volume_shared_by_pods(model: Model) -> Iterator[Remark]:
    """All but the first pod never start: their volume is held by the first, or the database in it is locked.

    (kubernetes.io/docs/concepts/storage/persistent-volumes, "Access Modes"; prometheus/prometheus, tsdb/db.go: the
    lock file; kubernetes.io/docs/concepts/workloads/controllers/deployment: a rolling update starts the new pod first.)
    """
    for pod in model.cluster.pods:
        if (
            pod.object.kind != "Deployment"
            or pod.workload is None
            or not pod.labels_whole
            or role_of(pod) != "prometheus"
        ):
            continue
        for claim in _claims(pod):
            replicas = pod.object.part.number("spec", "replicas")
            strategy = pod.object.part.string("spec", "strategy", "type") or "RollingUpdate"
            surge = pod.object.part.string("spec", "strategy", "rollingUpdate", "maxSurge")
            subject = f"{pod.subject}/{claim.text}"
            if replicas is not None and replicas > 1:
                message = f"{pod.object.name} has {replicas:g} pods with the one volume {claim.text}; {_LOCKED}"
                yield at(claim, message, subject=subject)
            elif strategy == "RollingUpdate" and surge not in ("0", "0%"):
                message = f"an update starts the new pod of {pod.object.name} beside the old one; {_LOCKED}"
                fix = "Set strategy.type to Recreate, or use a StatefulSet."
                yield at(claim, message, subject=subject, severity=Severity.WARNING, fix=fix)


def _claims(pod: Pod) -> Iterator[Part]:
    """Yield the claims in which the database lies."""
    if pod.workload is None:
        return
    mounted = {
        mount.string("name")
        for container in pod.containers
        for mount in container.part.list("volumeMounts")
        if mount.get("readOnly").value is not True and not mount.get("subPathExpr")
    }
    for volume in pod.workload.pod.list("spec", "volumes"):
        claim = volume.get("persistentVolumeClaim", "claimName")
        if claim.text and volume.string("name") in mounted:
            yield claim
