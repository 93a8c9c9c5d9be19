"""One scenario: a pod with probes, what its process does in each of its lives, and for how long it is watched."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.parity import NAME_OF_IMAGE
from tocsin.probes.application import Application
from tocsin.probes.attempt import BODY_HANGS, BROKEN, HANGS, OK, REFUSED, WARNED, Answer, Behaviour, Phase
from tocsin.probes.specification import PodSpec, pod_of_api

PORTS = {"startup": 8083, "liveness": 8081, "readiness": 8082}
SCRIPTS = "server"
"""The ConfigMap with tests/parity/server.py."""
ANSWERS = {
    "ok": OK,
    "404": REFUSED,
    "500": REFUSED,
    "refused": REFUSED,
    "reset": REFUSED,
    "hang": HANGS,
    "body-hang": BODY_HANGS,
    "redirect-away": WARNED,
    "redirect-here": OK,
}
"""What the kubelet makes of the server's actions."""
ALWAYS_IN_ERROR = ("missing-program", "undeclared-port")
"""Handlers that never reach the server."""


@dataclass(frozen=True, slots=True)
class ScriptedProbe:
    """A probe, and how it asks."""

    kind: str
    handler: str
    """`http`, `https`, `tcp`, `exec`, or one of ALWAYS_IN_ERROR."""
    delay: int = 0
    period: int = 1
    timeout: int = 1
    failures: int = 1
    successes: int = 1
    host: str = ""
    """Another host than the pod itself, where given, ..."""
    port: int = 0
    """... and its port."""

    def manifest(self) -> dict[str, Any]:
        """Return it as a pod has it."""
        port = self.port or PORTS[self.kind]
        there = {"host": self.host} if self.host else {}
        actions: dict[str, dict[str, Any]] = {
            "http": {"httpGet": {"path": f"/{self.kind}", "port": port, **there}},
            "https": {"httpGet": {"path": f"/{self.kind}", "port": port, "scheme": "HTTPS", **there}},
            "tcp": {"tcpSocket": {"port": port, **there}},
            "exec": {"exec": {"command": ["python3", "-I", "-S", "/srv/server.py", "ask", str(port)]}},
            "missing-program": {"exec": {"command": ["/there/is/no/such/program"]}},
            "undeclared-port": {"httpGet": {"path": "/", "port": "undeclared"}},
        }
        numbers = {
            "initialDelaySeconds": self.delay,
            "periodSeconds": self.period,
            "timeoutSeconds": self.timeout,
            "failureThreshold": self.failures,
            "successThreshold": self.successes,
        }
        return {**actions[self.handler], **numbers}


@dataclass(frozen=True, slots=True)
class Script:
    """What the process answers to one probe, by seconds since its start or attempt by attempt."""

    phases: tuple[tuple[float, str], ...] = ((0.0, "ok"),)
    attempts: tuple[str, ...] = ()
    beside: str = ""
    """What a second port does, where there is one; a redirect may lead to it."""


@dataclass(frozen=True, slots=True)
class Life:
    """What one process of the container does."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    """By kind of probe; what is not there is always well."""
    exits_at: float | None = None
    exit_code: int = 1
    ignores_sigterm: float = 0.0
    """Seconds from SIGTERM to its end."""

    def script(self, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Return it as the server in the container reads it."""
        probes = {kind: {"port": PORTS[kind], **asdict(self.scripts.get(kind, Script()))} for kind in kinds}
        ends = {"exits_at": self.exits_at, "exit_code": self.exit_code, "ignores_sigterm": self.ignores_sigterm}
        return {"probes": probes, **ends}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One pod with its scripts."""

    name: str
    family: str
    probes: tuple[ScriptedProbe, ...]
    lives: tuple[Life, ...] = (Life(),)
    """In turn; the last stays."""
    init_seconds: float = 0.0
    """How long an init container takes before the container starts."""
    grace: int = 10
    watched: int = 60
    """For how many seconds after its container's first start the pod is watched."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its probes."""
        return tuple(each.kind for each in self.probes)

    def manifest(self, image: str = NAME_OF_IMAGE) -> dict[str, Any]:
        """Return the pod."""
        script = json.dumps({"history": "/history/lines", "lives": [each.script(self.kinds) for each in self.lives]})
        python = ["python3", "-I", "-S", "/srv/server.py"]
        mounts = [{"name": "server", "mountPath": "/srv"}, {"name": "history", "mountPath": "/history"}]
        base = {"image": image, "imagePullPolicy": "IfNotPresent", "volumeMounts": mounts}
        container = {
            **base,
            "name": "app",
            "command": [*python, "serve"],
            "env": [{"name": "SCRIPT", "value": script}],
            "ports": [{"containerPort": port} for port in PORTS.values()],
            **{f"{each.kind}Probe": each.manifest() for each in self.probes},
        }
        spec = {
            "containers": [container],
            "initContainers": [{**base, "name": "init", "command": [*python, "wait", str(self.init_seconds)]}],
            "terminationGracePeriodSeconds": self.grace,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "dnsPolicy": "Default",  # where there is no DNS, the other policies are an event at each sync
            "volumes": [{"name": "server", "configMap": {"name": SCRIPTS}}, {"name": "history", "emptyDir": {}}],
        }
        if not self.init_seconds:
            del spec["initContainers"]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name}, "spec": spec}

    def pod(self) -> PodSpec:
        """Return what the prediction is given of the pod: read from the manifest, as any other pod's is."""
        return pod_of_api(self.manifest())

    def applications(self) -> tuple[Application, ...]:
        """Return what the prediction is given of the lives."""
        return tuple(self._application(each) for each in self.lives)

    def _application(self, life: Life) -> Application:
        made = Application(
            exits=life.exits_at,
            exit_code=life.exit_code,
            stops_in=None if life.ignores_sigterm > self.grace else life.ignores_sigterm,
        )
        found = {each.kind: _behaviour(each, life.scripts.get(each.kind, Script())) for each in self.probes}
        return replace(
            made,
            startup=found.get("startup", made.startup),
            liveness=found.get("liveness", made.liveness),
            readiness=found.get("readiness", made.readiness),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as it is recorded."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Scenario:
        """Return one that was recorded."""
        lives = tuple(
            Life(**{**life, "scripts": {kind: _script(found) for kind, found in life["scripts"].items()}})
            for life in value["lives"]
        )
        return cls(**{**value, "probes": tuple(ScriptedProbe(**each) for each in value["probes"]), "lives": lives})


def _script(value: Mapping[str, Any]) -> Script:
    phases = tuple((float(since), str(action)) for since, action in value["phases"])
    return Script(phases, tuple(value["attempts"]), value.get("beside", ""))


def answer(action: str) -> Answer:
    """Return what the kubelet makes of an action of the server."""
    if action.startswith("slow:"):
        return Answer(OK.outcome, float(action.partition(":")[2]))
    return ANSWERS[action]


def _behaviour(probe: ScriptedProbe, script: Script) -> Behaviour:
    if probe.handler in ALWAYS_IN_ERROR:
        return Behaviour((Phase(-math.inf, BROKEN),))  # before the process is up, too
    if script.attempts:
        return Behaviour.in_turn(*(answer(each) for each in script.attempts))
    return Behaviour(tuple(Phase(since, answer(action)) for since, action in script.phases))
