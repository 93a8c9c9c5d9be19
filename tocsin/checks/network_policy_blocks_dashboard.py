"""A NetworkPolicy that keeps Grafana from its data sources."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.flows import Blocked

_PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: grafana, namespace: monitoring}
spec:
  selector: {matchLabels: {app: grafana}}
  template:
    metadata: {labels: {app: grafana}}
    spec:
      containers:
        - name: grafana
          image: grafana/grafana:12.1.0
          ports: [{name: http, containerPort: 3000}]
---
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
---
apiVersion: v1
kind: Service
metadata: {name: prometheus, namespace: monitoring}
spec:
  selector: {app: prometheus}
  ports: [{port: 9090}]
---
"""
_SOURCES = """\
apiVersion: 1
datasources:
  - {name: Prometheus, type: prometheus, url: "http://prometheus:9090"}
"""
_POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: prometheus, namespace: monitoring}
spec:
  podSelector: {matchLabels: {app: prometheus}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: grafana}}}]
      ports: [{protocol: TCP, port: PORT}]
"""


@check(
    severity=Severity.WARNING,
    fix="Allow the way on both sides: Egress in the policies of who calls, Ingress in those of who is called.",
    bad=Example(
        {"pods.yaml": _PODS, "sources.yaml": _SOURCES, "policy.yaml": _POLICY.replace("PORT", "9091")}, at="port: 9091"
    ),
    good=Example({"pods.yaml": _PODS, "sources.yaml": _SOURCES, "policy.yaml": _POLICY.replace("PORT", "9090")}),
)
def network_policy_blocks_dashboard(model: Model) -> Iterator[Remark]:
    """Grafana cannot ask its data source, so every panel that uses it is empty.

    (kubernetes.io/docs/concepts/services-networking/network-policies: a pod that some policy selects may only be
    reached, or reach, what the rules of its policies allow; the port is that of the pod, not of a Service.)
    """
    for blocked in model.flows.blocked("dashboard"):
        yield _remark(blocked)
    for blocked in model.flows.nameless("dashboard"):
        yield _remark(blocked)


def _remark(blocked: Blocked) -> Remark:
    part = blocked.denial.part
    said = at_key if blocked.denial.by_key else at
    return said(part, blocked.message, subject=blocked.subject)
