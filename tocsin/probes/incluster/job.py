"""The Job that asks: made in the system's namespace, read while it runs, and deleted.

Its program is a part of Tocsin that needs nothing but Python, packed with its plan into a ConfigMap; so any image with
a `python3` will do. It has no account of its own, writes nothing, and runs as nobody (the Pod Security Standard
`restricted`).
"""

from __future__ import annotations

import base64
import io
import json
import secrets
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tocsin.deadline import Unmet, wait_until
from tocsin.engines.kubernetes_api import ClusterUnreadable, KubernetesApi
from tocsin.engines.kubernetes_changes import OURS, Changes
from tocsin.engines.kubernetes_pods import state_of
from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.handlers import GrpcCheck, HttpGet, TcpSocket
from tocsin.probes.incluster.asker import BEGUN, packed

LABEL = "tocsin-asker"
"""`app.kubernetes.io/name` of its pod: what a NetworkPolicy has to let in (deploy/network-policy-asker.yaml)."""
CONTAINER = "asker"
SPACING = 0.1
"""Seconds between two attempts of a probe by a Job: ten times as often as any kubelet asks."""
STARTS_WITHIN = 180.0
"""Seconds until it asks: its image may have to be pulled."""
ENDS_WITHIN = 30.0
LONGEST = 3600
"""Seconds after which the cluster ends it, if nobody else does."""
_KEPT = 300
"""Seconds after its end in which the cluster deletes it, if nobody else does."""
_NOBODY = 65534
_PARTS = ("__init__.py", "probes/__init__.py", "probes/attempt.py", "probes/prober.py", "probes/incluster/__init__.py")
_MAIN = "from tocsin.probes.incluster.asker import main\nmain()\n"


@cache
def program() -> bytes:
    """Return the program, as Python runs it: a zip."""
    home = Path(__file__).parents[2]
    # What binds manifests to handlers needs the model, and none of it is needed here.
    handlers = [each for each in sorted((home / "probes/handlers").glob("*.py")) if each.name != "binding.py"]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (*(home / part for part in _PARTS), home / "probes/incluster/asker.py", *handlers):
            archive.writestr(zipfile.ZipInfo(str(Path("tocsin") / path.relative_to(home))), path.read_bytes())
        archive.writestr(zipfile.ZipInfo("__main__.py"), _MAIN)
    return made.getvalue()


@dataclass(frozen=True, slots=True)
class AskedProbe:
    """A probe of a pod."""

    name: str
    """By which its lines are known."""
    handler: HttpGet | TcpSocket | GrpcCheck
    timeout: float
    """Seconds of one try."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests to a pod, as clients send them."""

    name: str
    handler: HttpGet | TcpSocket | GrpcCheck
    rate: float
    """Requests a second."""
    patience: float
    """For how many seconds one waits for its answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a Job asks."""

    probes: Sequence[AskedProbe]
    spacing: float
    """Seconds between two attempts of a probe."""
    requests: Sequence[Flow] = ()
    seconds: float = LONGEST
    """After which it ends by itself."""

    def written(self) -> str:
        """Return it as the program reads it."""
        probes = [{"name": p.name, "handler": packed(p.handler), "timeout": p.timeout} for p in self.probes]
        flows = [
            {"name": f.name, "handler": packed(f.handler), "rate": f.rate, "patience": f.patience}
            for f in self.requests
        ]
        return json.dumps({"probes": probes, "requests": flows, "spacing": self.spacing, "seconds": self.seconds})


def manifests(name: str, plan: Plan, image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the ConfigMap and the Job."""
    labels = {**OURS, "app.kubernetes.io/name": LABEL}
    files = {
        "metadata": {"name": name, "labels": labels},
        "data": {"plan.json": plan.written()},
        "binaryData": {"asker.zip": base64.b64encode(program()).decode()},
    }
    container = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-I", "/tocsin/asker.zip", "/tocsin/plan.json"],
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tocsin", "mountPath": "/tocsin", "readOnly": True}],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tocsin", "configMap": {"name": name}}],
    }
    job = {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": LONGEST + 60,
            "ttlSecondsAfterFinished": _KEPT,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return files, job


@dataclass(slots=True)
class RunningJob:
    """A Job that asks."""

    api: KubernetesApi
    namespace: str
    name: str
    stop: threading.Event
    _pod: str = field(default="", init=False)

    def begun(self) -> None:
        """Wait until it asks. Raises EngineTrouble with what keeps it from it."""
        try:
            wait_until(self._asks, seconds=STARTS_WITHIN, what="the Job to ask", every=0.3, stop=self.stop)
        except ClusterUnreadable as error:
            raise EngineTrouble("the Job cannot be read", self._where, str(error)) from error

    @property
    def _where(self) -> str:
        return f"Job {self.namespace}/{self.name}"

    def _asks(self) -> bool | Unmet:
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"job-name={self.name}")
        if not found["items"]:
            return Unmet(self._why_no_pod())
        pod = found["items"][0]
        self._pod = pod["metadata"]["name"]
        phase = pod["status"].get("phase")
        if phase == "Failed":
            raise EngineTrouble("the Job ended before it asked", self._where, f"{state_of(pod)}; {self._log()[-500:]}")
        if phase != "Running":
            return Unmet(state_of(pod))
        return any(line["what"] == BEGUN for line in _lines(self._log())) or Unmet("it has not said that it asks")

    def _why_no_pod(self) -> str:
        job = self.api.get(f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{self.name}")
        said = [f"{each.get('reason')}: {each.get('message')}" for each in job["status"].get("conditions") or ()]
        return "; ".join(said) or "it has no pod yet: a quota, or an admission webhook, may refuse it"

    def _log(self) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self._pod}/log"
        return self.api.text(path, container=CONTAINER)

    def lines(self) -> tuple[Mapping[str, Any], ...]:
        """Return what it has said so far. Raises EngineTrouble if a part of that is lost."""
        try:
            found = tuple(_lines(self._log()))
        except ClusterUnreadable as error:
            raise EngineTrouble("what the Job said cannot be read", self._where, str(error)) from error
        if not found or found[0]["what"] != BEGUN:
            said = "the node has thrown away the beginning of its log (containerLogMaxSize); ask less at once"
            raise EngineTrouble("what the Job said is incomplete", self._where, said)
        return found


def _lines(log: str) -> Iterator[Mapping[str, Any]]:
    for text in log.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue  # the last one may not be whole yet; and a runtime may say something of its own
        if isinstance(line, dict) and "what" in line:
            yield line


@contextmanager
def asking(changes: Changes, namespace: str, plan: Plan, *, image: str, stop: threading.Event) -> Iterator[RunningJob]:
    """Run a Job while something else is done; it and its ConfigMap are deleted at the end of `changes`, if not before.

    Raises EngineTrouble if it does not come to ask, and ClusterUnreadable if it may not be made.
    """
    name = f"{LABEL}-{secrets.token_hex(4)}"
    files, job = manifests(name, plan, image)
    with changes.part():
        changes.create(f"/api/v1/namespaces/{namespace}/configmaps", files)
        changes.create(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)
        running = RunningJob(changes.api, namespace, name, stop)
        running.begun()
        yield running
