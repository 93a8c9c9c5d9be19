"""What a pod says of its probes, from a manifest and from the API, and what differs from version to version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.model import Model
from tocsin.probes.specification import PodSpec, ProbeKind, pod_of_api
from tocsin.probes.versions import (
    CURRENT,
    FACTS,
    JITTER_ALWAYS,
    MANUAL_TRIGGER,
    PROBE_GRACE,
    STARTED_INHERITED,
    Version,
    read_version,
)

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 45
      readinessGates: [{conditionType: example.org/gate}]
      initContainers:
        - {name: once, image: a}
        - name: side
          image: a
          restartPolicy: Always
          startupProbe: {tcpSocket: {port: 1}, periodSeconds: 2}
      containers:
        - name: shop
          image: a
          lifecycle: {preStop: {sleep: {seconds: 5}}}
          livenessProbe:
            {httpGet: {path: /healthz, port: 80}, periodSeconds: 0, failureThreshold: 2,
             terminationGracePeriodSeconds: 7}
          readinessProbe: {exec: {command: [ready]}, successThreshold: 2, timeoutSeconds: 4, initialDelaySeconds: 9}
          startupProbe: {}
"""


def checked(pod: PodSpec) -> None:
    """Check what the pod above says."""
    side, shop = pod.containers
    assert (pod.grace, pod.restart_policy, pod.gates) == (45, "Always", ("example.org/gate",))
    assert (side.name, side.sidecar, side.init) == ("side", True, True)
    assert (shop.name, shop.sidecar, shop.pre_stop) == ("shop", False, 5)
    startup, liveness, readiness = side.probe(ProbeKind.STARTUP), *map(shop.probe, list(ProbeKind)[1:])
    assert startup is not None
    assert liveness is not None
    assert readiness is not None
    assert (startup.period, startup.handler) == (2, "tcpSocket")
    assert (liveness.period, liveness.failures, liveness.grace, liveness.timeout) == (10, 2, 7, 1)
    assert liveness.action == {"path": "/healthz", "port": 80}
    assert (readiness.delay, readiness.successes, readiness.timeout, readiness.grace) == (9, 2, 4, None)
    assert shop.probe(ProbeKind.STARTUP) is None  # it names no handler, and the API refuses that


def test_from_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    (workload,) = Model.of(tmp_path).workloads
    checked(PodSpec.of(workload))


def test_from_the_api() -> None:
    value: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(POD)))
    checked(pod_of_api(value))
    pod = {"apiVersion": "v1", "kind": "Pod", **value["spec"]["template"]}
    checked(pod_of_api(pod))


@pytest.mark.parametrize("value", [{}, {"kind": "Service", "apiVersion": "v1", "spec": {}}])
def test_what_makes_no_pods(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="makes no pods: give a Pod"):
        pod_of_api(value)


@pytest.mark.parametrize(("text", "minor"), [("1.20", 20), ("v1.32.10", 32), ("1.27+", 27), ("v1.36.2-gke.1", 36)])
def test_versions_are_read(text: str, minor: int) -> None:
    assert read_version(text).minor == minor


@pytest.mark.parametrize("text", ["", "2.1", "1", "1.x", "1.19", "1.99", "latest"])
def test_no_version_of_kubernetes(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as 1\.20|is not known"):
        read_version(text)


def test_what_differs() -> None:
    """Each fact has a source; what a gate brings holds in any version."""
    assert len({each.name for each in FACTS}) == len(FACTS)
    assert all(each.source and each.says for each in FACTS)
    holds = {minor: [Version(minor).has(each) for each in (JITTER_ALWAYS, MANUAL_TRIGGER)] for minor in (20, 21)}
    assert holds == {20: [True, False], 21: [False, True]}
    assert [STARTED_INHERITED.holds(minor) for minor in (34, 35, 36, 37)] == [False, True, True, False]
    assert [PROBE_GRACE.holds(minor) for minor in (21, 22)] == [False, True]
    assert Version(21, (PROBE_GRACE.name,)).has(PROBE_GRACE)
    assert str(CURRENT) == "1.36"
