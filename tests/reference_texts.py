"""What the tests of the reference system's words and dashboards read: its rules, dashboards and manifests."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SYSTEM = Path(__file__).parents[1] / "fixtures/systems/dharmamind"
RULES = SYSTEM / "monitoring/alert_rules.yml"
RUNBOOKS = sorted((SYSTEM / "docs/runbooks").glob("*.md"))
DASHBOARDS = sorted((SYSTEM / "grafana/dashboards").glob("*.json"))


def page_id(page: Path) -> str:
    """Name a page in a test's name."""
    return page.stem


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Return every rule."""
    return tuple(rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"])


def alerts() -> dict[str, list[dict[str, Any]]]:
    """Return the alerting rules, by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in rules():
        if "alert" in rule:
            found.setdefault(rule["alert"], []).append(rule)
    return found


def dashboard(file: Path) -> dict[str, Any]:
    """Return a dashboard."""
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def panels(file: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without its rows."""
    return [panel for panel in dashboard(file)["panels"] if panel["type"] != "row"]


@cache
def objects() -> tuple[dict[str, Any], ...]:
    """Return every object of the manifests."""
    files = sorted((SYSTEM / "k8s/production").rglob("*.yaml"))
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    return tuple(document for document in documents if document and "metadata" in document)


def exists(kind: str, name: str, namespace: str) -> bool:
    """Whether the manifests make such an object."""
    wanted = (kind, name, namespace)
    return any((o["kind"], o["metadata"]["name"], o["metadata"].get("namespace")) == wanted for o in objects())
