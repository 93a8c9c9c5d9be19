"""Which paths an Ingress has a route for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.model import Model
from tocsin.model.front_door import FrontDoor

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, annotations: {a: b}}
spec:
  rules:
    - host: shop.example.org
      http:
        paths:
          - {path: /api, pathType: Prefix}
          - {path: /, pathType: Exact}
          - {path: /old, pathType: ImplementationSpecific}
    - host: "*.shop.example.org"
      http: {paths: [{path: /only, pathType: Prefix}]}
"""


@pytest.mark.parametrize(
    ("host", "path", "leads"),
    [
        ("shop.example.org", "/", True),
        ("shop.example.org", "/api", True),
        ("shop.example.org", "/api/", True),
        ("shop.example.org", "/api/a/b", True),
        ("shop.example.org", "/apis", False),
        ("shop.example.org", "/other", False),
        ("shop.example.org", "/old/a", True),
        ("shop.example.org", "/older", None),
        ("a.shop.example.org", "/only", True),
        ("a.shop.example.org", "/", False),
        ("a.b.shop.example.org", "/", None),
        ("example.org", "/", None),
    ],
)
def test_a_route(host: str, path: str, leads: bool | None, tmp_path: Path) -> None:
    """By step for a prefix; of a host that is not here, nothing is known."""
    (tmp_path / "ingress.yaml").write_text(INGRESS)
    assert FrontDoor(Model.of(tmp_path)).routes(host, path) is leads


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: b", "nginx.ingress.kubernetes.io/use-regex: 'true'"),
        ("spec:", "spec:\n  defaultBackend: {service: {name: a}}"),
        ("path: /api", "path: /(api|v1)"),
        ('host: "*.shop.example.org"', 'host: ""'),
        ("- host: shop.example.org\n      http:", "- host: shop.example.org\n      none:"),
    ],
)
def test_what_is_not_known(old: str, new: str, tmp_path: Path) -> None:
    """Annotations that rewrite, a default backend, expressions: something else may answer."""
    assert old in INGRESS
    (tmp_path / "ingress.yaml").write_text(INGRESS.replace(old, new))
    assert FrontDoor(Model.of(tmp_path)).routes("shop.example.org", "/other") is None
