"""The numbers of probes, as the kubelet applies them; the scenarios are those of its own tests and of its worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model import Model
from tocsin.model.probes import Timing, seconds
from tocsin.part import Part
from tocsin.source import read_document


def timing(text: str) -> Timing:
    """Return the numbers of a probe."""
    return Timing.of(Part.whole(read_document(text, "a.yaml")).get("probe"))


@pytest.mark.parametrize(
    "text",
    [
        "probe: {}",
        "probe:",
        "probe: 7",
        "probe: {periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0, successThreshold: 0}",
        "probe: {periodSeconds: [1]}",
        "probe: {periodSeconds: -3, initialDelaySeconds: -1}",
    ],
)
def test_what_is_left_out_has_its_default(text: str) -> None:
    """A zero too; and what is nonsense is refused elsewhere."""
    assert timing(text) == Timing(delay=0, period=10, timeout=1, failures=3, successes=1)


@pytest.mark.parametrize(
    ("text", "soonest"),
    [
        ("probe: {periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3}", 21),
        ("probe: {periodSeconds: 5, timeoutSeconds: 10, failureThreshold: 3}", 30),
        ("probe: {failureThreshold: 1, timeoutSeconds: 7}", 7),
    ],
)
def test_a_hang_is_noticed(text: str, soonest: float) -> None:
    """Attempts never overlap: with a timeout longer than the period they follow each other without a pause."""
    assert timing(text).soonest == soonest


def test_a_start_has_one_period_less_than_attempts_times_period() -> None:
    """The first attempt is made at once: 30 attempts 10 s apart end after 290 s and a timeout."""
    assert timing("probe: {periodSeconds: 10, failureThreshold: 30, timeoutSeconds: 1}").budget == 291
    assert timing("probe: {initialDelaySeconds: 15, failureThreshold: 1, timeoutSeconds: 1}").budget == 16


@given(st.integers(1, 999), st.integers(1, 999), st.integers(1, 99), st.integers(0, 999))
def test_soonest_before_latest(period: int, timeout: int, failures: int, delay: int) -> None:
    probe = timing(
        f"probe: {{periodSeconds: {period}, timeoutSeconds: {timeout}, failureThreshold: {failures}, "
        f"initialDelaySeconds: {delay}}}"
    )
    assert timeout <= probe.soonest <= probe.latest
    assert probe.budget >= probe.delay + probe.timeout
    assert probe.patience == failures * period


def test_seconds() -> None:
    assert [seconds(each) for each in (7, 90, 600, 1200.0, 601, 0.5)] == [
        "7 s",
        "90 s",
        "10 min",
        "20 min",
        "601 s",
        "0.5 s",
    ]


POD = """\
apiVersion: v1
kind: Pod
metadata: {name: shop, labels: {app: shop}}
spec:
  hostNetwork: true
  initContainers:
    - {name: first, image: a}
    - {name: side, image: a, restartPolicy: Always}
  containers:
    - name: shop
      image: shop:1
      command: [shop]
      args: [--port, "8080"]
      env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
      ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]
      livenessProbe: {httpGet: {path: "/health/Ready?full=1", port: http}}
      readinessProbe: {tcpSocket: {port: 8080}, exec: {command: [a]}}
      startupProbe: {grpc: {port: 99}}
"""


def test_a_workload(tmp_path: Path) -> None:
    """What the manifest says, and what follows from what it leaves out."""
    (tmp_path / "pod.yaml").write_text(POD)
    (pod,) = Model.of(tmp_path).workloads
    assert (pod.replicas, pod.grace, pod.restart_policy, pod.host_network, pod.runs_on) == (1, 30, "Always", True, True)
    assert [(each.name, each.init, each.sidecar) for each in pod.containers] == [
        ("first", True, False), ("side", True, True), ("shop", False, False)
    ]  # fmt: skip
    assert [each.name for each in pod.running] == ["side", "shop"]
    shop = pod.running[1]
    assert [(each.name, each.number, each.protocol) for each in shop.ports] == [
        ("http", 8080, "TCP"),
        ("dns", 53, "UDP"),
    ]
    assert shop.texts == ("shop", "--port", "8080", "1")
    startup, liveness, readiness = shop.probes
    assert (liveness.handler, liveness.port_number, liveness.scheme) == ("httpGet", 8080, "HTTP")
    assert (liveness.steps, liveness.asks_readiness) == (("health", "ready"), True)
    assert (readiness.handlers, readiness.handler, readiness.port_number) == (("exec", "tcpSocket"), "", None)
    assert (startup.handler, startup.port_number, startup.path, startup.scheme) == ("grpc", 99, "", "")


@pytest.mark.parametrize(
    ("api", "kind", "holds"),
    [
        ("apps/v1", "Deployment", True), ("argoproj.io/v1alpha1", "Rollout", True), ("v1", "DeploymentConfig", True),
        ("apps.openshift.io/v1", "DeploymentConfig", True), ("serving.knative.dev/v1", "Service", True),
        ("v1", "Service", False), ("example.org/v1", "Deployment", False),
    ],
)  # fmt: skip
def test_what_makes_pods(api: str, kind: str, holds: bool, tmp_path: Path) -> None:
    """The API group counts: a kind may be anybody's."""
    spec = "{template: {spec: {containers: [{image: b}]}}}"
    text = f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n"
    (tmp_path / "a.yaml").write_text(text)
    assert bool(Model.of(tmp_path).workloads) is holds


def test_patches_are_no_objects(tmp_path: Path) -> None:
    """A file that a kustomization names as a patch, and a piece of a workload without an image."""
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]\npatches: [{path: overlay/named.yaml}]\n")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "named.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: NodePort}\n"
    )
    (tmp_path / "a.yaml").write_text(POD)
    spec = "{template: {spec: {containers: [{name: a}]}}}"
    piece = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {spec}\n"
    (tmp_path / "piece.yaml").write_text(piece)
    model = Model.of(tmp_path)
    assert [each.kind for each in model.objects] == ["Pod"]
    assert sorted(each.kind for each in model.patches) == ["Deployment", "Service"]


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: a, ports: [{name: http, containerPort: 80}]}]}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {0}, namespace: {1}}}
spec: {{selector: {{app: {2}}}, ports: [{{port: 80, targetPort: {3}}}]}}
"""
SCALING = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: a}
spec: {selector: {matchLabels: {app: shop}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: a}
spec: {scaleTargetRef: {kind: Deployment, name: shop}}
"""


def test_what_belongs_together(tmp_path: Path) -> None:
    """By selector and namespace; of two variants of one workload, a budget and an autoscaler mean the nearer."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "deployment.yaml").write_text(DEPLOYMENT)
    (tmp_path / "one" / "scaling.yaml").write_text(SCALING)
    services = (("a", '""', "shop", "http"), ("b", "x", "shop", 81), ("c", "x", "other", 80))
    (tmp_path / "services.yaml").write_text("---\n".join(SERVICE.format(*each) for each in services))
    model = Model.of(tmp_path)
    one, two = model.workloads
    (budget,) = model.objects_of("PodDisruptionBudget")
    assert [each.name for each in model.belonging.services(one)] == ["a", "b"]
    assert [each.name for each, _ in model.belonging.served(two.running[0])] == ["a"]
    assert model.belonging.guarded(budget) == (one,)
    assert [len(model.belonging.autoscalers(each)) for each in (one, two)] == [1, 0]
    assert [len(model.belonging.budgets(each)) for each in (one, two)] == [1, 0]
