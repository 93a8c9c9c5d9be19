"""Services, names and references between the objects of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.model import Model
from tocsin.model.references import alike

_OBJECTS = """\
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec:
  selector: {app: a}
  ports: [{name: web, port: 80, targetPort: http}, {name: dns, port: 53, protocol: UDP, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: pods, namespace: shop}
spec: {clusterIP: None, selector: {app: a}, ports: [{port: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a, namespace: shop}
spec:
  serviceName: pods
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
        - {name: a, image: a, ports: [{name: http, containerPort: 8080}], envFrom: [{configMapRef: {name: gone}}]}
  volumeClaimTemplates: [{metadata: {name: data}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {A: "1"}
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Return the model of two Services, their pods and a ConfigMap."""
    (tmp_path / "all.yaml").write_text(_OBJECTS)
    return Model.of(tmp_path)


@pytest.mark.parametrize(
    ("host", "service", "pod"),
    [
        ("plain", "plain", ""),
        ("plain.shop", "plain", ""),
        ("plain.shop.svc", "plain", ""),
        ("plain.shop.svc.cluster.local", "plain", ""),
        ("plain.shop.svc.example.org.", "plain", ""),
        ("a-0.pods.shop.svc.cluster.local", "pods", "a-0"),
        ("plain.other.svc", None, ""),
        ("plain.svc", None, ""),
        ("example.org", None, ""),
        ("", None, ""),
    ],
)
def test_a_name_leads_to_its_service(model: Model, host: str, service: str | None, pod: str) -> None:
    """By every form that the cluster's DNS knows, with the name of a pod before it or not."""
    found = model.services.address(host, {"shop"})

    assert (found.services[0].name if found else None) == service
    assert (found.pod if found else "") == pod


def test_a_port_that_is_a_name_is_one_of_its_protocol(model: Model) -> None:
    """The pods' `http` is TCP."""
    plain = next(one for one in model.services.all if one.name == "plain")

    assert [plain.pods[0].port(port.target, port.protocol) for port in plain.ports] == [8080, None]


def test_references_are_found_and_missed(model: Model) -> None:
    """The Service is there, the ConfigMap is not, and another that nobody names is meant only if it is alike."""
    missing = [one for one in model.references.all if not model.references.found(one)]

    assert [(one.kind, one.name) for one in missing] == [("ConfigMap", "gone")]
    assert model.references.twin(missing[0]) is None
    assert model.references.there("PersistentVolumeClaim", "data-a-0", frozenset({"shop"}))
    assert model.references.there("ConfigMap", "settings", frozenset())


@pytest.mark.parametrize(
    ("wanted", "other", "found"),
    [
        ("back-end", "backend", True),
        ("prometheus", "shop-prometheus", True),
        ("kube-state-metrics", "kube-state", True),
        ("worker-1", "worker-2", False),
        ("prometheus", "grafana", False),
    ],
)
def test_names_are_alike_by_a_slip_not_by_a_number(wanted: str, other: str, found: bool) -> None:
    """Two of a row are two things."""
    assert bool(alike(wanted, other)) is found
