"""A NetworkPolicy that keeps Prometheus from what it scrapes, or a blackbox exporter from what it probes."""

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
metadata: {name: shop, namespace: monitoring}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: shop:1
          ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: monitoring}
spec:
  selector: {app: shop}
  ports: [{port: 8080}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: monitoring}
data:
  prometheus.yml: |
    scrape_configs:
      - job_name: shop
        static_configs: [{targets: ["shop:8080"]}]
---
"""
_POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: monitoring}
spec:
  podSelector: {matchLabels: {app: shop}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: prometheus}}}]
      ports: [{protocol: TCP, port: PORT}]
"""


@check(
    severity=Severity.ERROR,
    fix="Allow the way on both sides: Egress in the policies of who calls, Ingress in those of who is called.",
    bad=Example({"pods.yaml": _PODS, "policy.yaml": _POLICY.replace("PORT", "8081")}, at="port: 8081"),
    good=Example({"pods.yaml": _PODS, "policy.yaml": _POLICY.replace("PORT", "8080")}),
)
def network_policy_blocks_scrape(model: Model) -> Iterator[Remark]:
    """Whatever is not scraped has no data, and its alerts are blind or ring for ever.

    (kubernetes.io/docs/concepts/services-networking/network-policies: a pod that some policy selects may only be
    reached, or reach, what the rules of its policies allow; the port is that of the pod, not of a Service.)
    """
    for blocked in model.flows.blocked("scrape", "probe"):
        yield _remark(blocked)
    for purpose in ("scrape", "probe"):
        for blocked in model.flows.nameless(purpose):
            yield _remark(blocked)
    for blocked in model.flows.unserved():
        yield _remark(blocked)


def _remark(blocked: Blocked) -> Remark:
    part = blocked.denial.part
    severity = Severity.WARNING if blocked.lists_nothing else None
    said = at_key if blocked.denial.by_key else at
    return said(part, blocked.message, subject=blocked.subject, severity=severity)
