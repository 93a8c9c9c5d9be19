"""What makes pods, with its containers and their probes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.probes import HANDLERS, Timing
from tocsin.part import Part

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_TEMPLATE = ("spec", "template")
_TEMPLATES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): (),
    ("", "ReplicationController"): _TEMPLATE,
    ("", "PodTemplate"): ("template",),
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("extensions", "Deployment"): _TEMPLATE,
    ("extensions", "DaemonSet"): _TEMPLATE,
    ("extensions", "ReplicaSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("argoproj.io", "Rollout"): _TEMPLATE,
    ("apps.openshift.io", "DeploymentConfig"): _TEMPLATE,
    ("", "DeploymentConfig"): _TEMPLATE,
    ("serving.knative.dev", "Service"): _TEMPLATE,
    ("serving.knative.dev", "Configuration"): _TEMPLATE,
}
"""Where the pod stands in each kind of object that makes some, by API group and kind."""

_READINESS = re.compile(r"ready|readyz|readiness")
_DEPENDENCY = re.compile(
    r"db|databases?|dependency|dependencies|deps|downstreams?|upstreams?|redis|postgres|mysql|kafka|deep|full"
)

DEFAULT_GRACE = 30.0
"""Seconds between the word to end and the end, where a pod does not say.

(pkg/apis/core/v1/defaults.go, SetDefaults_PodSpec.)
"""


@dataclass(frozen=True)
class Probe:
    """One probe of a container."""

    kind: str
    """`startupProbe`, `livenessProbe` or `readinessProbe`."""
    part: Part
    container: Container

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.container.subject}/{self.kind}"

    @property
    def word(self) -> str:
        """Its kind in a sentence: `liveness`."""
        return self.kind.removesuffix("Probe")

    @cached_property
    def handlers(self) -> tuple[str, ...]:
        """What it does; of a valid one, exactly one of HANDLERS."""
        return tuple(name for name in HANDLERS if self.part.get(name).value is not None)

    @property
    def handler(self) -> str:
        """What it does; empty if that is not one thing."""
        return self.handlers[0] if len(self.handlers) == 1 else ""

    @property
    def action(self) -> Part:
        """What stands under its handler."""
        return self.part.get(self.handler) if self.handler else Part(self.part.document, self.part.route)

    @cached_property
    def timing(self) -> Timing:
        """When it acts."""
        return Timing.of(self.part)

    @property
    def port(self) -> Part:
        """The port that it asks, as it was written; of an `exec`, nothing."""
        return self.action.get("port")

    @cached_property
    def port_number(self) -> int | None:
        """The number of the port that it asks; None if it asks none, or one whose name the container does not know."""
        return self.container.port_number(self.port)

    @property
    def path(self) -> str:
        """The path that it asks for; empty if it is not HTTP."""
        return (self.action.string("path") or "/") if self.handler == "httpGet" else ""

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of its path, in small letters, without a query."""
        return tuple(step for step in self.path.partition("?")[0].lower().split("/") if step)

    @property
    def asks_readiness(self) -> bool:
        """Whether its path, by its name, answers whether the server is ready."""
        return bool(self.steps) and _READINESS.fullmatch(self.steps[-1]) is not None

    @property
    def asks_dependency(self) -> bool:
        """Whether its path, by its name, answers for something that lies behind the server."""
        return len(self.steps) > 1 and _DEPENDENCY.fullmatch(self.steps[-1]) is not None

    @property
    def asks_more_than_life(self) -> bool:
        """Whether its path answers for more than that the process lives."""
        return self.asks_readiness or self.asks_dependency

    @property
    def scheme(self) -> str:
        """`HTTP` or `HTTPS`; empty if it is not HTTP."""
        return (self.action.string("scheme") or "HTTP").upper() if self.handler == "httpGet" else ""

    @cached_property
    def command(self) -> tuple[str, ...]:
        """The command that it runs; of another handler, none."""
        return tuple(part.text for part in self.part.list("exec", "command"))


@dataclass(frozen=True)
class Port:
    """A port that a container declares."""

    part: Part

    @property
    def name(self) -> str:
        """Its name; empty if it has none."""
        return self.part.string("name")

    @property
    def number(self) -> int | None:
        """Its number; None if it is none."""
        number = self.part.number("containerPort")
        return int(number) if number is not None and number.is_integer() else None

    @property
    def protocol(self) -> str:
        """`TCP`, `UDP` or `SCTP`."""
        return self.part.string("protocol") or "TCP"


@dataclass(frozen=True)
class Container:
    """One container of a pod, init containers included."""

    part: Part
    workload: Workload
    init: bool
    ephemeral: bool = False

    @cached_property
    def name(self) -> str:
        """Its name."""
        return self.part.string("name")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.workload.subject}/{self.name}"

    @property
    def sidecar(self) -> bool:
        """Whether it is an init container that runs as long as the pod does."""
        return self.init and self.part.string("restartPolicy") == "Always"

    @property
    def image(self) -> str:
        """Its image."""
        return self.part.string("image")

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        """Its probes."""
        return tuple(Probe(kind, self.part.get(kind), self) for kind in PROBES if self.part.get(kind))

    def probe(self, kind: str) -> Probe | None:
        """Return its probe of a kind."""
        return next((probe for probe in self.probes if probe.kind == kind), None)

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """The ports that it declares."""
        return tuple(Port(part) for part in self.part.list("ports"))

    def port_number(self, port: Part) -> int | None:
        """Return the number of a port that is named or numbered; None if it is a name that is not declared."""
        if isinstance(port.value, str):
            named = next((each.number for each in self.ports if each.name == port.value), None)
            return named if named is not None or not port.value.isdecimal() else _whole(float(port.value[:6]))
        number = port.number()
        return _whole(number) if number is not None else None

    @cached_property
    def command_line(self) -> tuple[Part, ...]:
        """Its command and arguments, as far as the manifest says them."""
        return (*self.part.list("command"), *self.part.list("args"))

    @cached_property
    def environment(self) -> Mapping[str, Part]:
        """Its environment's literal values by name."""
        return {
            part.string("name"): part.get("value")
            for part in self.part.list("env")
            if part.string("name") and part.get("value")
        }

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every scalar of it that may say how it is started: command, arguments, environment."""
        return (*(part.text for part in self.command_line), *(part.text for part in self.environment.values()))


@dataclass(frozen=True)
class Workload:
    """An object that makes pods."""

    object: KubernetesObject
    pod: Part
    """The pod or its template: `metadata` and `spec`."""

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.object.subject

    @property
    def kind(self) -> str:
        """The kind of the object."""
        return self.object.kind

    @property
    def namespace(self) -> str:
        """Its namespace; empty if the manifest does not say."""
        return self.object.namespace

    @property
    def knative(self) -> bool:
        """Whether Knative makes the pods, which fills in ports and probes by rules of its own."""
        return self.object.group == "serving.knative.dev"

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        return self.pod.strings("metadata", "labels")

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        """The annotations of its pods."""
        return self.pod.strings("metadata", "annotations")

    @property
    def spec(self) -> Part:
        """The pod's specification."""
        return self.pod.get("spec")

    @property
    def replicas(self) -> float | None:
        """How many pods it makes, where it says so; a pod is one."""
        return 1.0 if self.kind == "Pod" else self.object.part.number("spec", "replicas")

    @property
    def restart_policy(self) -> str:
        """What happens to a container that ended: `Always`, `OnFailure` or `Never`."""
        return self.spec.string("restartPolicy") or "Always"

    @property
    def runs_on(self) -> bool:
        """Whether its pods are meant to run until they are told to end, unlike those of a job."""
        return self.kind not in ("Job", "CronJob") and self.restart_policy == "Always"

    @property
    def host_network(self) -> bool:
        """Whether its pods share the network of their node."""
        return self.spec.get("hostNetwork").value is True

    @property
    def grace(self) -> float:
        """Seconds between the word to end and the end."""
        given = self.spec.number("terminationGracePeriodSeconds")
        return given if given is not None and given >= 0 else DEFAULT_GRACE

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Its containers, init containers first; those that are put into a running pod last."""
        return tuple(self._containers())

    def _containers(self) -> Iterator[Container]:
        for part in self.spec.list("initContainers"):
            yield Container(part, self, init=True)
        for part in self.spec.list("containers"):
            yield Container(part, self, init=False)
        for part in self.spec.list("ephemeralContainers"):
            yield Container(part, self, init=False, ephemeral=True)

    @cached_property
    def running(self) -> tuple[Container, ...]:
        """The containers that run as long as the pod does."""
        return tuple(each for each in self.containers if each.sidecar or not (each.init or each.ephemeral))


def _whole(number: float) -> int | None:
    return int(number) if number.is_integer() else None


def workloads(objects: Iterable[KubernetesObject]) -> tuple[Workload, ...]:
    """Return those of the objects that make pods."""
    found = ((each, _TEMPLATES.get((each.group, each.kind))) for each in objects)
    made = (Workload(each, each.part.get(*route)) for each, route in found if route is not None)
    return tuple(each for each in made if isinstance(each.spec.value, dict))
