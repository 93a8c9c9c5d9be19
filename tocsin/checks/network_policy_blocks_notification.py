"""A NetworkPolicy that keeps alerts from Alertmanager, or Alertmanager from its receivers or from its peers."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.flows import Blocked

_PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: monitoring}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      containers:
        - name: prometheus
          image: prom/prometheus:v3.5.0
          ports: [{name: http, containerPort: 9090}]
          volumeMounts: [{name: config, mountPath: /etc/prometheus}]
      volumes: [{name: config, configMap: {name: prometheus}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: alertmanager, namespace: monitoring}
spec:
  selector: {matchLabels: {app: alertmanager}}
  template:
    metadata: {labels: {app: alertmanager}}
    spec:
      containers:
        - name: alertmanager
          image: prom/alertmanager:v0.28.1
          ports: [{name: http, containerPort: 9093}]
---
apiVersion: v1
kind: Service
metadata: {name: alertmanager, namespace: monitoring}
spec:
  selector: {app: alertmanager}
  ports: [{port: 9093}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: monitoring}
data:
  prometheus.yml: |
    scrape_configs: []
    alerting:
      alertmanagers:
        - static_configs: [{targets: ["alertmanager:9093"]}]
---
"""
_POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: alertmanager, namespace: monitoring}
spec:
  podSelector: {matchLabels: {app: alertmanager}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: prometheus}}}]
      ports: [{protocol: TCP, port: PORT}]
"""


@check(
    severity=Severity.ERROR,
    fix="Allow the way on both sides: Egress in the policies of who calls, Ingress in those of who is called.",
    bad=Example({"pods.yaml": _PODS, "policy.yaml": _POLICY.replace("PORT", "9094")}, at="port: 9094"),
    good=Example({"pods.yaml": _PODS, "policy.yaml": _POLICY.replace("PORT", "9093")}),
)
def network_policy_blocks_notification(model: Model) -> Iterator[Remark]:
    """Alerts are lost on their way to Alertmanager, or from there to whoever should hear of them.

    (kubernetes.io/docs/concepts/services-networking/network-policies: a pod that some policy selects may only be
    reached, or reach, what the rules of its policies allow; the port is that of the pod, not of a Service.
    Alertmanagers that do not hear each other tell everything twice, and a silence holds on one of them only.)
    """
    for blocked in model.flows.blocked("notification", "gossip"):
        yield _remark(blocked)
    for blocked in model.flows.nameless("notification"):
        yield _remark(blocked)


def _remark(blocked: Blocked) -> Remark:
    part = blocked.denial.part
    severity = (
        Severity.WARNING if blocked.lists_nothing or all(flow.purpose == "gossip" for flow in blocked.flows) else None
    )
    said = at_key if blocked.denial.by_key else at
    return said(part, blocked.message, subject=blocked.subject, severity=severity)
