"""Every behaviour of tests/probe_endpoints as a real kubelet takes it: one pod serves all, and one more asks each.

A readiness probe asks the serving pod by its `host`; how attempts end is read as in single_attempts. Kubernetes 1.20
has no grpc probe, so those behaviours are left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.parity.recording import Run
from tests.parity.runner import NAMESPACE, Workbench
from tests.parity.scenario import Scenario, ScriptedProbe
from tests.parity.single_attempts import WATCHED, outcome
from tests.probe_endpoints import server
from tests.probe_endpoints.server import BEHAVIOURS
from tocsin.deadline import Unmet, wait_until

BASE = 20000
NAME = "endpoints"
ASKED = {name: each for name, each in BEHAVIOURS.items() if each.handler != "grpc"}
RECORDED = Path(__file__).with_name("endpoints-1.20.json")
TIMEOUT = 1


def serving(bench: Workbench) -> Sequence[Scenario]:
    """Start the pod that serves, and return the scenarios that ask it."""
    files = {"metadata": {"name": NAME}, "data": {"server.py": Path(server.__file__).read_text()}}
    bench.create("configmaps", files)
    bench.create("pods", _pod(bench.image))
    address = wait_until(lambda: _address(bench), seconds=120, what="the endpoints to be served", every=0.3)
    return scenarios(address)


def scenarios(address: str) -> tuple[Scenario, ...]:
    """Return a pod for each behaviour, whose readiness asks it at this address."""
    found = []
    for position, (name, behaviour) in enumerate(BEHAVIOURS.items()):
        if name in ASKED:
            probe = ScriptedProbe(
                "readiness", behaviour.handler, period=2, timeout=TIMEOUT, host=address, port=BASE + position
            )
            found.append(Scenario(name.replace(".", "-"), "endpoints", (probe,), watched=WATCHED))
    return tuple(found)


def _pod(image: str) -> dict[str, Any]:
    command = ["python3", "-I", "-S", "/srv/server.py", "--host", "0.0.0.0", "--base", str(BASE), "--forever"]
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "volumeMounts": [{"name": "server", "mountPath": "/srv"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": BASE}, "periodSeconds": 1},
    }
    spec = {
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "volumes": [{"name": "server", "configMap": {"name": NAME}}],
    }
    return {"metadata": {"name": NAME}, "spec": spec}


def _address(bench: Workbench) -> str | Unmet:
    status = bench.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}")["status"]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    return str(status["podIP"]) if ready else Unmet(f"{NAME} is not ready: {status.get('phase')}")


def outcomes(run: Run) -> dict[str, dict[str, Any]]:
    """Return how attempts ended at each behaviour, and what that is read from."""
    names = {name.replace(".", "-"): name for name in ASKED}
    found = {}
    for each in run.recorded:
        counts = {count.result: count.value for count in each.counts}
        reasons = sorted({event.reason for event in each.events} & {"Unhealthy", "ProbeWarning"})
        said = sorted({event.message for event in each.events if event.reason in reasons})
        ended = outcome(each)
        found[names[each.scenario.name]] = {
            "outcome": None if ended is None else ended.value,
            "counts": counts,
            "events": reasons,
            "said": [text[:200] for text in said[:2]],
        }
    return found


def write(run: Run, path: Path) -> None:
    """Keep a run."""
    value = {"kubelet": run.kubelet, "date": time.strftime("%Y-%m-%d"), "machine": run.machine, "found": outcomes(run)}
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def recorded() -> Mapping[str, Any]:
    """Return the run that is kept beside this file."""
    value: Mapping[str, Any] = json.loads(RECORDED.read_text())
    return value
