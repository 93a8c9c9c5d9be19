"""A system of one container with probes, and the process behind it, as sick as it has to be; and its exercise."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tocsin.model import Model
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.effort import ORDINARY, Effort
from tocsin.probes.behaviour.episode import Episode, read_episodes
from tocsin.probes.behaviour.exercising import exercise, folder_of
from tocsin.probes.behaviour.pulse import Pulse
from tocsin.probes.behaviour.subject import subjects
from tocsin.supervisor import Supervisor
from tocsin.system import load_system

SERVER = Path(__file__).with_name("server.py")
SMALL = replace(
    ORDINARY,
    attempts=20,
    boot=10.0,
    well=20.0,
    outage_attempts=6,
    outage_least=1.5,
    outage_most=6.0,
    before=0.5,
    beyond=5.0,
    restarts=2,
    storm=45.0,
)
"""What is done in a test."""
NAME = "shop/shop"


def probe(path: str, *, period: float = 1, timeout: float = 1, failures: int = 2, **more: Any) -> dict[str, Any]:
    """Return a probe as a manifest has it."""
    times = {"periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures}
    return {"httpGet": {"path": path, "port": "http"}, **times, **more}


PROBES = {"livenessProbe": probe("/live"), "readinessProbe": probe("/ready")}


def process(*arguments: str, **more: Any) -> dict[str, Any]:
    """Return a process that runs the server."""
    command = ["{python}", str(SERVER), "--port", "{port}", *arguments]
    return {"command": command, "jobs": [], "ready": "/started", **more}


def system(
    folder: Path,
    *arguments: str,
    probes: Mapping[str, Any] | None = None,
    container: Mapping[str, Any] | None = None,
    pod: Mapping[str, Any] | None = None,
    grace: float = 2,
    others: Mapping[str, Any] | None = None,
    said: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Model:
    """Write a system whose process `shop` gets such arguments, and read it. JSON is YAML too."""
    port = {"name": "http", "containerPort": 8000}
    shop = {"name": "shop", "image": "shop:1", "ports": [port], **(probes or PROBES), **(container or {})}
    inside = {"terminationGracePeriodSeconds": grace, "containers": [shop], **(pod or {})}
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": inside}
    spec = {"selector": {"matchLabels": {"app": "shop"}}, "template": template}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}
    declared = {
        "schema": 1,
        "name": "shop",
        "artefacts": {"manifests": ["deployment.yaml"]},
        "environments": {
            "local": environment or {"processes": {"shop": process(*arguments), **(others or {})}},
        },
        "probes": {"workloads": {"shop": {"boots": 1, **(said or {})}}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deployment.yaml").write_text(json.dumps(manifest, indent=1))
    (folder / "system.yaml").write_text(json.dumps(declared, indent=1))
    read = load_system(folder)
    return Model.of(read.directory, read)


@asynccontextmanager
async def benched(model: Model, folder: Path, effort: Effort = SMALL) -> AsyncIterator[Bench]:
    """Give the bench of its subject, with nothing started yet but what it needs."""
    assert model.system is not None
    (subject,) = subjects(model, "local")
    scene = Scene(subject, model.system, "local", model.system.environment("local")[1], effort, folder)
    changes = Pulse()
    with Supervisor("bench", folder / "logs", lambda _: changes.beat()) as supervisor:
        bench = Bench(scene, supervisor, changes)
        await bench.open()
        yield bench


def exercised(
    model: Model, folder: Path, only: Sequence[str] | None = None, effort: Effort = SMALL
) -> Mapping[str, Episode]:
    """Exercise it, and return the episodes."""
    exercise(model, "local", folder, now=time.time(), only=only, effort=effort)
    return read_episodes(folder_of(folder, NAME))
