"""Each of the known anti-patterns of Kubernetes probes is found, by its check and on its line; a healthy twin is clean.

The rows A01 to A72 are those of a survey of the kubelet's behaviour: each is one change to a healthy manifest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.checks import checks
from tocsin.finding import Finding, Severity
from tocsin.model import Model

CHECKS = checks()
HERE = "# here"
"""Marks the lines on which the check must find something, and nowhere else."""
SHOP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  replicas: 3
  minReadySeconds: 5
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8080"
    spec:
      terminationGracePeriodSeconds: 30
      initContainers:
        - name: migrate
          image: shop:1
          command: [/migrate]
        - name: proxy
          image: proxy:1
          restartPolicy: Always
          ports: [{name: proxy, containerPort: 9000}]
          resources: {requests: {cpu: 50m, memory: 32Mi}}
          startupProbe:
            tcpSocket: {port: 9000}
            periodSeconds: 2
            failureThreshold: 30
      containers:
        - name: shop
          image: shop:1
          command: [uvicorn, "shop:app", --host, "0.0.0.0", --port, "8080"]
          ports:
            - {name: http, containerPort: 8080}
          env:
            - {name: MODE, value: production}
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {cpu: "1", memory: 512Mi}
          startupProbe:
            httpGet: {path: /started, port: http}
            periodSeconds: 5
            failureThreshold: 24
          readinessProbe:
            httpGet: {path: /ready, port: http}
            periodSeconds: 5
            timeoutSeconds: 2
          livenessProbe:
            httpGet: {path: /live, port: http}
            timeoutSeconds: 5
          lifecycle: {preStop: {sleep: {seconds: 5}}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports:
    - {port: 80, targetPort: http}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 6
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop, namespace: shop}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {matchLabels: {app: shop}}
"""
STARTUP = """\
          startupProbe:
            httpGet: {path: /started, port: http}
            periodSeconds: 5
            failureThreshold: 24
"""
READINESS = """\
          readinessProbe:
            httpGet: {path: /ready, port: http}
            periodSeconds: 5
            timeoutSeconds: 2
"""
LIVENESS = """\
          livenessProbe:
            httpGet: {path: /live, port: http}
            timeoutSeconds: 5
"""
LIVE, READY = "httpGet: {path: /live, port: http}", "httpGet: {path: /ready, port: http}"
STOP = "          lifecycle: {preStop: {sleep: {seconds: 5}}}\n"
DATABASE = """\
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - {name: db, image: "postgres:17", ports: [{containerPort: 5432}], readinessProbe: {tcpSocket: {port: 5432}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  selector: {app: db}
  ports: [{port: 5432}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: shop}
spec:
  podSelector: {matchLabels: {app: shop}}
  policyTypes: [Egress]
  egress:
    - ports: [{port: 53, protocol: UDP}]
    - to: [{podSelector: {matchLabels: {app: db}}}]
      ports: [{port: 5432}]
"""
MESH = """\
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: shop}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: migrate
          image: shop:1
          livenessProbe:
            exec: {command: [test, -f, /tmp/alive]}
"""
AGENT = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers:
        - name: agent
          image: agent:1
          ports: [{containerPort: 8080}]
          livenessProbe:
            httpGet: {path: /healthz, port: 8080}
"""
RULES = """\
groups:
  - name: pods
    rules:
      - alert: PodCrashLooping
        expr: max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1
        for: 15m
      - alert: PodNotReady
        expr: kube_pod_status_ready{condition="false"} == 1
        for: 15m
"""


def below(probe: str, *lines: str) -> tuple[str, str]:
    """Return the change that adds lines to what a probe does."""
    return probe + "\n", probe + "\n" + "".join(f"            {line}\n" for line in lines)


Change = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """An anti-pattern: how a healthy system becomes one that has it, and which check must say so."""

    id: str
    check: str
    changes: tuple[Change, ...]
    severity: Severity
    before: tuple[Change, ...] = ()
    """Changes that make a healthy system of another kind."""
    files: Mapping[str, str] = field(default_factory=lambda: {"shop.yaml": SHOP})

    def good(self) -> dict[str, str]:
        """Return the healthy system."""
        return changed(dict(self.files), self.before)

    def bad(self) -> dict[str, str]:
        """Return the system that has it."""
        return changed(self.good(), self.changes)


def changed(files: dict[str, str], changes: tuple[Change, ...]) -> dict[str, str]:
    """Return files with each change made, in whichever file it applies."""
    for old, new in changes:
        assert any(old in text for text in files.values()), f"nothing to change: {old!r}"
        files = {name: text.replace(old, new) for name, text in files.items()}
    return files


def here(old: str, new: str) -> Change:
    """Return a change whose line is the one to be found."""
    return old, f"{new} {HERE}"


def mark(line: str) -> Change:
    """Return no change but that the line is the one to be found."""
    return here(line, line)


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
GRPC: tuple[Change, ...] = (
    (
        "            - {name: http, containerPort: 8080}\n",
        "            - {name: http, containerPort: 8080}\n            - {name: grpc, containerPort: 9443}\n",
    ),
    (LIVE, "grpc: {port: 9443}"),
)
STATEFUL: tuple[Change, ...] = (
    ("kind: Deployment", "kind: StatefulSet"),
    ("  replicas: 3\n", "  replicas: 3\n  serviceName: shop\n"),
    ("  selector: {app: shop}\n", "  clusterIP: None\n  publishNotReadyAddresses: true\n  selector: {app: shop}\n"),
    (READY, "httpGet: {path: /health/cluster, port: http}"),
)
MESHED: tuple[Change, ...] = (
    ("      labels: {app: shop}\n", '      labels: {app: shop, sidecar.istio.io/inject: "true"}\n'),
    ("      annotations:\n", '      annotations:\n        sidecar.istio.io/rewriteAppHTTPProbers: "true"\n'),
)


def to_exec(command: str) -> Change:
    """Return the change that makes liveness run a command."""
    return LIVE, f"exec: {{command: {command}}}"


GATED: tuple[Change, ...] = (
    (
        "      initContainers:\n",
        """\
      readinessGates:
        - conditionType: cloud.google.com/load-balancer-neg-ready
      initContainers:
""",
    ),
)
METRICS_PORT: tuple[Change, ...] = (
    (
        "            - {name: http, containerPort: 8080}\n",
        "            - {name: http, containerPort: 8080}\n            - {name: metrics, containerPort: 9102}\n",
    ),
)
FROM_MAP: tuple[Change, ...] = (
    ("          env:\n", "          envFrom: [{configMapRef: {name: shop, optional: true}}]\n          env:\n"),
)
ROWS = (
    Row("A01", "probe-field-invalid", (below(LIVE, f"successThreshold: 2 {HERE}"),), ERROR),
    Row("A02", "probe-field-invalid", (below(READY, f"terminationGracePeriodSeconds: 5 {HERE}"),), ERROR),
    Row("A02 zero", "probe-field-invalid", (below(LIVE, f"terminationGracePeriodSeconds: 0 {HERE}"),), ERROR),
    Row("A03", "probe-field-invalid", (below(LIVE, f"tcpSocket: {{port: http}} {HERE}"),), ERROR),
    Row(
        "A03 none",
        "probe-field-invalid",
        ((LIVENESS, f"          livenessProbe: {HERE}\n            timeoutSeconds: 5\n"),),
        ERROR,
    ),
    Row(
        "A03 header",
        "probe-field-invalid",
        (here(LIVE, "httpGet: {path: /live, port: http, httpHeaders: [{name: X_A, value: b}]}"),),
        ERROR,
    ),
    Row("A03 negative", "probe-field-invalid", (below(LIVE, f"periodSeconds: -5 {HERE}"),), ERROR),
    Row("A04", "probe-field-invalid", (here(LIVE, 'httpGet: {path: /live, port: "8080"}'),), ERROR),
    Row(
        "A05",
        "probe-field-invalid",
        (
            (
                "command: [/migrate]\n",
                f"command: [/migrate]\n          livenessProbe: {{tcpSocket: {{port: 1}}}} {HERE}\n",
            ),
        ),
        ERROR,
    ),
    Row("A06", "probe-port-undeclared", (here(LIVE, "httpGet: {path: /live, port: htpp}"),), ERROR),
    Row("A07", "probe-field-invalid", (here(LIVE, "grpc: {port: http}"),), ERROR),
    Row("A08", "probe-host-set", (here(LIVE, "httpGet: {path: /live, port: http, host: 10.0.0.7}"),), ERROR),
    Row("A09", "probe-zero-replaced", (here("timeoutSeconds: 5", "timeoutSeconds: 0"),), WARNING),
    Row("A10", "readiness-probe-missing", ((READINESS, ""), mark("        - name: shop")), ERROR),
    Row("A11", "liveness-probe-missing", ((LIVENESS, ""), mark("        - name: shop")), INFO),
    Row(
        "A12",
        "liveness-like-readiness",
        (here(LIVE, "httpGet: {path: /ready, port: 8080}"), ("timeoutSeconds: 5", "periodSeconds: 5")),
        ERROR,
    ),
    Row(
        "A13",
        "liveness-like-readiness",
        (here(LIVE, "httpGet: {path: /ready, port: 8080}"), ("timeoutSeconds: 5", "periodSeconds: 8")),
        INFO,
    ),
    Row("A14", "liveness-checks-dependency", (here(LIVE, "httpGet: {path: /health/db, port: http}"),), ERROR),
    Row("A15", "liveness-too-impatient", (below(LIVE, f"failureThreshold: 1 {HERE}"),), ERROR),
    Row("A16", "liveness-too-impatient", (mark("livenessProbe:"), ("timeoutSeconds: 5", "periodSeconds: 2")), WARNING),
    Row("A17", "probe-timeout-misfit", (here("timeoutSeconds: 5", "timeoutSeconds: 20"),), WARNING),
    Row(
        "A18",
        "probe-timeout-misfit",
        (('limits: {cpu: "1"', "limits: {cpu: 100m"), here("timeoutSeconds: 5", "timeoutSeconds: 1")),
        WARNING,
        before=((STARTUP, ""),),
    ),
    Row(
        "A18 exec",
        "probe-timeout-misfit",
        (to_exec("[python3, /health.py]"), here("timeoutSeconds: 5", "timeoutSeconds: 1")),
        WARNING,
    ),
    Row(
        "A19",
        "liveness-before-startup",
        ((STARTUP, ""), below(READY, "initialDelaySeconds: 120"), mark("livenessProbe:")),
        WARNING,
    ),
    Row("A20", "startup-probe-missing", ((STARTUP, ""), below(LIVE, f"initialDelaySeconds: 300 {HERE}")), WARNING),
    Row("A21", "probe-delay-from-start", (below(LIVE, f"initialDelaySeconds: 60 {HERE}"),), INFO),
    Row(
        "A22",
        "startup-budget-over-progress-deadline",
        (here("failureThreshold: 24", "failureThreshold: 240"),),
        WARNING,
    ),
    Row("A23", "probe-asks-neighbour", (here("tcpSocket: {port: 9000}", "tcpSocket: {port: 8080}"),), ERROR),
    Row("A23 main", "probe-asks-neighbour", (here(LIVE, "httpGet: {path: /live, port: 9000}"),), WARNING),
    Row(
        "A24",
        "sidecar-holds-pod",
        (
            ("startupProbe:\n            tcp", f"startupProbe: {HERE}\n            tcp"),
            ("failureThreshold: 30", "failureThreshold: 4"),
        ),
        WARNING,
    ),
    Row(
        "A25",
        "sidecar-holds-pod",
        (
            (
                "failureThreshold: 30\n",
                f"failureThreshold: 30\n          readinessProbe: {HERE}\n            tcpSocket: {{port: 9000}}\n",
            ),
        ),
        INFO,
    ),
    Row("A26", "probe-port-undeclared", (here(LIVE, "httpGet: {path: /live, port: 8081}"),), ERROR),
    Row(
        "A26 protocol",
        "probe-port-undeclared",
        (
            ("containerPort: 8080}", "containerPort: 8080, protocol: UDP}"),
            (READY, "httpGet: {path: /ready, port: 9000}"),
            ("path: /started, port: http", "path: /started, port: 9000"),
            here(LIVE, "httpGet: {path: /live, port: 8080}"),
        ),
        WARNING,
    ),
    Row("A27", "readiness-port-not-served", (here(READY, "tcpSocket: {port: 9102}"),), WARNING, before=METRICS_PORT),
    Row(
        "A28",
        "service-without-endpoints",
        (here("- {port: 80, targetPort: http}", "- {port: 80, targetPort: web}"),),
        ERROR,
    ),
    Row(
        "A29",
        "readiness-ignored",
        (("  selector: {app: shop}\n", f"  publishNotReadyAddresses: true {HERE}\n  selector: {{app: shop}}\n"),),
        WARNING,
    ),
    Row(
        "A30",
        "readiness-needs-peers",
        (("  publishNotReadyAddresses: true\n", ""), mark("path: /health/cluster, port: http}")),
        WARNING,
        before=STATEFUL,
    ),
    Row("A31", "probe-scheme-mismatch", (here(READY, "httpGet: {path: /ready, port: http, scheme: HTTPS}"),), ERROR),
    Row(
        "A32",
        "probe-redirected",
        (mark(LIVE), mark(READY), ('"false"', '"true"')),
        INFO,
        before=(("{name: MODE, value: production}", '{name: SECURE_SSL_REDIRECT, value: "false"}'),),
    ),
    Row("A33", "probe-path-rewritten", (here(LIVE, 'httpGet: {path: "//live", port: http}'),), WARNING),
    Row("A34", "probe-path-costly", (here(LIVE, "httpGet: {path: /metrics, port: http}"),), WARNING),
    Row("A35", "probe-path-costly", (here(LIVE, "httpGet: {path: /events, port: http}"),), WARNING),
    Row(
        "A36",
        "probe-header-secret",
        (here(LIVE, "httpGet: {path: /live, port: http, httpHeaders: [{name: Authorization, value: abc}]}"),),
        WARNING,
    ),
    Row("A37", "probe-host-set", (here(LIVE, "httpGet: {path: /live, port: http, host: shop.example.org}"),), ERROR),
    Row("A38", "exec-command-not-runnable", (here(*to_exec('[cat, /alive, "|", grep, ok]')),), ERROR),
    Row(
        "A38 distroless",
        "exec-command-not-runnable",
        (
            ("image: shop:1\n          command: [uv", "image: gcr.io/distroless/python3\n          command: [uv"),
            here(*to_exec("[curl, -f, http://localhost:8080/live]")),
        ),
        ERROR,
    ),
    Row("A39", "probe-cannot-fail", (here(*to_exec('[curl, -s, "http://localhost:8080/live"]')),), WARNING),
    Row(
        "A40",
        "exec-probe-costly",
        (here("timeoutSeconds: 5", "periodSeconds: 5"),),
        INFO,
        before=(to_exec("[test, -f, /alive]"),),
    ),
    Row(
        "A41",
        "probe-leaves-processes",
        (here("{command: [sh, -c, /check]}", '{command: [sh, -c, "nohup /check &"]}'),),
        INFO,
        before=(to_exec("[sh, -c, /check]"),),
    ),
    Row("A41 process", "liveness-proves-little", (here(*to_exec("[pgrep, -f, uvicorn]")),), INFO),
    Row("A42", "exec-command-not-runnable", (here(*to_exec('[pg_isready, -U, "$(USER)"]')),), ERROR, before=FROM_MAP),
    Row(
        "A42 env",
        "exec-command-not-runnable",
        (here(*to_exec('[pg_isready, -U, "$(USER)"]')),),
        ERROR,
        before=(
            ("{name: MODE, value: production}", "{name: USER, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"),
        ),
    ),
    Row(
        "A43",
        "probe-scheme-mismatch",
        (("{name: grpc,", "{name: grpc-tls,"), mark("grpc: {port: 9443}")),
        WARNING,
        before=GRPC,
    ),
    Row(
        "A43 flag",
        "probe-scheme-mismatch",
        (('--port, "8080"', '--port, "8080", --grpc-tls-cert=/tls.crt'), mark("grpc: {port: 9443}")),
        WARNING,
        before=GRPC,
    ),
    Row("A44", "grpc-probe-hides-refusal", (here("timeoutSeconds: 5", "timeoutSeconds: 8"),), INFO, before=GRPC),
    Row(
        "A45",
        "server-bound-to-loopback",
        (
            here(
                'command: [uvicorn, "shop:app", --host, "0.0.0.0", --port, "8080"]',
                'command: [uvicorn, "shop:app", --host, "127.0.0.1", --port, "8080"]',
            ),
        ),
        ERROR,
    ),
    Row(
        "A46",
        "liveness-proves-little",
        ((READY, "tcpSocket: {port: http}"), here(LIVE, "tcpSocket: {port: http}")),
        WARNING,
    ),
    Row(
        "A47",
        "probe-refused-by-mesh",
        (
            ('Probers: "true"', 'Probers: "false"'),
            ("startupProbe:\n            http", f"startupProbe: {HERE}\n            http"),
            mark("readinessProbe:"),
            mark("livenessProbe:"),
        ),
        ERROR,
        before=MESHED,
        files={"shop.yaml": SHOP + MESH},
    ),
    Row(
        "A48",
        "network-policy-blocks-probe",
        (("      ports: [{port: 5432}]\n", "      ports: [{port: 5433}]\n"), mark("pg_isready, -h, db]}")),
        ERROR,
        before=((READY, "exec: {command: [pg_isready, -h, db]}"),),
        files={"shop.yaml": SHOP + DATABASE},
    ),
    Row(
        "A49",
        "grace-period-misfit",
        (here("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 600"),),
        WARNING,
    ),
    Row("A50", "grace-period-misfit", (below(LIVE, f"terminationGracePeriodSeconds: 4 {HERE}"),), WARNING),
    Row("A51", "grace-period-misfit", (below(LIVE, f"terminationGracePeriodSeconds: 60 {HERE}"),), INFO),
    Row("A52", "grace-period-misfit", (here(STOP.rstrip(), STOP.rstrip().replace("5", "30")),), ERROR),
    Row(
        "A53",
        "requests-lost-at-shutdown",
        ((STOP, ""), here("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 2")),
        WARNING,
    ),
    Row("A54", "readiness-too-patient", (below(READY, f"failureThreshold: 24 {HERE}"),), INFO),
    Row("A55", "readiness-flaps", (below(READY, "successThreshold: 3", f"failureThreshold: 1 {HERE}"),), INFO),
    Row("A56", "readiness-shared-dependency", (here(READY, "httpGet: {path: /health/db, port: http}"),), WARNING),
    Row("A57", "hpa-ignores-starting-pods", (below(READY, f"initialDelaySeconds: 360 {HERE}"),), WARNING),
    Row("A58", "hpa-minimum-one", (here("minReplicas: 2", "minReplicas: 1"),), WARNING),
    Row("A59", "pdb-blocks-drain", (here("maxUnavailable: 1", "maxUnavailable: 0"),), ERROR),
    Row(
        "A60",
        "pdb-blocks-drain",
        (
            ("  unhealthyPodEvictionPolicy: AlwaysAllow\n", ""),
            ("spec:\n  maxUnavailable", f"spec: {HERE}\n  maxUnavailable"),
        ),
        INFO,
    ),
    Row(
        "A60 said",
        "pdb-blocks-drain",
        (here("EvictionPolicy: AlwaysAllow", "EvictionPolicy: IfHealthyBudget"),),
        WARNING,
    ),
    Row(
        "A61",
        "pdb-counts-unready",
        (
            (STARTUP, ""),
            (READINESS, ""),
            ("          startupProbe:\n            tcp", "          livenessProbe:\n            tcp"),
            (
                "AlwaysAllow\n  selector: {matchLabels: {app: shop}}",
                f"AlwaysAllow\n  selector: {{matchLabels: {{app: shop}}}} {HERE}",
            ),
        ),
        WARNING,
    ),
    Row("A62", "readiness-flaps", (("  minReadySeconds: 5\n", ""), below(READY, f"failureThreshold: 1 {HERE}")), INFO),
    Row(
        "A63",
        "readiness-gate-unset",
        (here("cloud.google.com/load-balancer-neg-ready", "shop.example.org/warm"),),
        INFO,
        before=GATED,
    ),
    Row(
        "A63 misspelt",
        "readiness-gate-unset",
        (here("load-balancer-neg-ready", "load-balancer-neg-raedy"),),
        WARNING,
        before=GATED,
    ),
    Row("A64", "probe-of-job", (("OnFailure", "Never"), mark("livenessProbe:")), WARNING, files={"job.yaml": JOB}),
    Row(
        "A65",
        "crash-loop-never-shown",
        (here("failureThreshold: 24", "failureThreshold: 100"),),
        WARNING,
        files={"shop.yaml": SHOP, "rules.yaml": RULES},
    ),
    Row(
        "A66",
        "alert-rings-during-start",
        (("== 1\n        for: 15m", f"== 1\n        for: 1m {HERE}"),),
        INFO,
        files={"shop.yaml": SHOP, "rules.yaml": RULES},
    ),
    Row("A67", "scrape-annotation-misfit", (here('prometheus.io/port: "8080"', 'prometheus.io/port: "8088"'),), INFO),
    Row(
        "A67 scheme",
        "scrape-annotation-misfit",
        (
            (
                ' prometheus.io/scrape: "true"',
                f' prometheus.io/scheme: https {HERE}\n        prometheus.io/scrape: "true"',
            ),
        ),
        WARNING,
    ),
    Row(
        "A68",
        "exec-probe-costly",
        (("memory: 512Mi", "memory: 96Mi"), mark("[java, -jar, /check.jar]}")),
        WARNING,
        before=(to_exec("[java, -jar, /check.jar]"),),
    ),
    Row(
        "A69",
        "probe-header-unexpected",
        (here(LIVE, "httpGet: {path: /live, port: http, httpHeaders: [{name: Accept-Encoding, value: gzip}]}"),),
        INFO,
    ),
    Row(
        "A69 twice",
        "probe-header-unexpected",
        (
            here(
                LIVE, "httpGet: {path: /live, port: http, httpHeaders: [{name: X-A, value: a}, {name: x-a, value: b}]}"
            ),
        ),
        INFO,
    ),
    Row("A70", "probe-all-defaults", (("            timeoutSeconds: 5\n", ""), mark("livenessProbe:")), INFO),
    Row("A71", "startup-budget-over-progress-deadline", (below(READY, f"failureThreshold: 150 {HERE}"),), INFO),
    Row(
        "A72",
        "probe-answered-by-node",
        (("          ports: [{containerPort: 8080}]\n", ""), mark("port: 8080}")),
        INFO,
        files={"agent.yaml": AGENT},
    ),
)


def findings(row: Row, files: dict[str, str], directory: Path) -> Iterator[Finding]:
    """Yield what the row's check says of a system."""
    yield from CHECKS[row.check].findings(written(files, directory))


def written(files: dict[str, str], directory: Path) -> Model:
    """Return the model of some files."""
    for name, text in files.items():
        (directory / name).write_text(text)
    return Model.of(directory)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_it_is_found_where_it_stands(row: Row, tmp_path: Path) -> None:
    """On the marked lines and on no other, with the severity that is due to it."""
    files = row.bad()
    marked = {
        (name, number)
        for name, text in files.items()
        for number, line in enumerate(text.split("\n"), start=1)
        if line.endswith(HERE)
    }

    found = list(findings(row, files, tmp_path))

    assert marked
    assert {(each.place.file, each.place.line) for each in found} == marked, found
    assert {each.severity for each in found} == {row.severity}


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_the_healthy_twin_is_clean(row: Row, tmp_path: Path) -> None:
    """The check itself says nothing, and no other one warns."""
    model = written(row.good(), tmp_path)

    assert list(CHECKS[row.check].findings(model)) == []
    everything = [finding for check in CHECKS.values() for finding in check.findings(model)]
    assert [each for each in everything if each.severity is not Severity.INFO] == []


def test_a_name_that_cannot_be_resolved_is_found(tmp_path: Path) -> None:
    """Where the way itself is free, but not that to the cluster's name server."""
    row = next(row for row in ROWS if row.id == "A48")
    files = changed(row.good(), (("    - ports: [{port: 53, protocol: UDP}]\n", ""),))

    found = list(findings(row, files, tmp_path))

    assert [each.severity for each in found] == [Severity.ERROR]
    assert "asks for the address of db" in found[0].message


@pytest.mark.parametrize(
    "changes",
    [
        [(LIVE, "httpGet: {path: /healthcheck/shop, port: 9000}")],
        [(LIVE, "httpGet: {path: /live, port: 9000}"), ("image: proxy:1", "image: sig-storage/livenessprobe:v2.15.0")],
        [(LIVE, "httpGet: {path: /live, port: 9000}"), ('"8080"]', '"8080", --admin-port, "9000"]')],
    ],
    ids=["by its name", "by its image", "it listens itself"],
)
def test_a_neighbour_may_answer_for_a_container(tmp_path: Path, changes: list[Change]) -> None:
    """Some containers are there for that; and a port need not be declared where it is listened on."""
    model = written(changed({"shop.yaml": SHOP}, tuple(changes)), tmp_path)

    assert list(CHECKS["probe-asks-neighbour"].findings(model)) == []


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, math.inf, 10**400, "", "x", "8080", "${PORT}", [], {}, [None], {"a": None}, [[]]]
)
PROBES = [check for name, check in CHECKS.items() if name in {row.check for row in ROWS}]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_there_no_check_raises(data: st.DataObject, tmp_path: Path) -> None:
    """One value of the manifest is replaced by something that does not belong there."""
    text = SHOP + DATABASE + MESH
    documents = list(yaml.safe_load_all(text))
    container = data.draw(st.sampled_from([each for root in documents for each in holders(root)]))
    key = data.draw(st.sampled_from(sorted(container) if isinstance(container, dict) else range(len(container))))
    container[key] = data.draw(ODD)

    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}).replace("Infinity", "1e999")

    model = written({"shop.yaml": listed}, tmp_path)

    for check in PROBES:
        assert all(finding.message for finding in check.findings(model))


def holders(value: Any) -> Iterator[Any]:
    """Yield every mapping and every list in a value that is not empty, itself included."""
    if isinstance(value, (dict, list)) and value:
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from holders(each)


def test_no_row_is_left_out() -> None:
    """The survey has 72."""
    assert {row.id.partition(" ")[0] for row in ROWS} == {f"A{number:02}" for number in range(1, 73)}
