"""A probe in a pod that is meant to end."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model.workloads import Probe

_JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate}}
spec:
  template:
    spec:
      restartPolicy: {policy}
      containers:
        - name: migrate
          image: shop:1
          livenessProbe: {{exec: {{command: [test, -f, /tmp/alive]}}}}
"""


@check(
    severity=Severity.WARNING,
    fix="Limit the time of a job by activeDeadlineSeconds, or let it restart (`restartPolicy: OnFailure`).",
    bad=Example({"job.yaml": _JOB.format(policy="Never")}, at="livenessProbe"),
    good=Example({"job.yaml": _JOB.format(policy="OnFailure")}),
)
def probe_of_job(probe: Probe) -> Iterator[Remark]:
    """A failed liveness probe ends the pod for good, because it is never restarted.

    (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, restart policy; pkg/kubelet/kuberuntime,
    computePodActions.)
    """
    container = probe.container
    never = container.workload.restart_policy == "Never" and not container.part.get("restartPolicy")
    if probe.kind == "livenessProbe" and never:
        yield at_key(probe.part, f"after a failed liveness probe `{container.name}` is killed and not started again")
