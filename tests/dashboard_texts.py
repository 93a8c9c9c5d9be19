"""Dashboards and provisioning files for tests, as small as they can be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.model import Model

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}


def target(expression: str, **more: Any) -> dict[str, Any]:
    """Return a query of a panel."""
    return {"refId": "A", "datasource": PROMETHEUS, "expr": expression} | more


def panel(number: int, *targets: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a panel."""
    return {"id": number, "type": "timeseries", "title": f"Panel {number}", "targets": list(targets)} | more


def dashboard(*panels: Mapping[str, Any], **more: Any) -> str:
    """Return the text of a dashboard, a value a line."""
    return json.dumps({"uid": "a", "title": "A", "schemaVersion": 39, "panels": list(panels)} | more, indent=1)


def model(directory: Path, files: Mapping[str, str]) -> Model:
    """Return the model of a folder with some files."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Model.of(directory)
