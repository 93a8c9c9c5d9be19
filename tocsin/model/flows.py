"""Who of the monitoring has to reach whom, as far as the files say so: scrapes, probes, notifications, dashboards.

Only ways that begin at a pod of the folder are told: nobody else is bound by its NetworkPolicies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from tocsin.artefacts.alertmanager import AlertmanagerConfig
from tocsin.artefacts.compose import image_name, port_number
from tocsin.model.cluster import Pod
from tocsin.model.network import DNS, Denial, Outside
from tocsin.model.processes import content_of
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.stacks import Stack
    from tocsin.model.targets import Target

Purpose = Literal["scrape", "probe", "notification", "gossip", "dashboard"]
ROLES: Mapping[str, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager",),
    "grafana": ("grafana", "grafana-oss", "grafana-enterprise"),
    "blackbox": ("blackbox-exporter", "blackbox_exporter"),
    "kube-state-metrics": ("kube-state-metrics",),
}
"""The last part of the names of the images by which pods are known for what they are."""
_OPERATED = {"Prometheus": "prometheus", "PrometheusAgent": "prometheus", "Alertmanager": "alertmanager"}
HOSTS: Mapping[str, tuple[str, int]] = {
    "pagerduty_configs": ("events.pagerduty.com", 443),
    "slack_configs": ("hooks.slack.com", 443),
    "opsgenie_configs": ("api.opsgenie.com", 443),
    "victorops_configs": ("alert.victorops.com", 443),
    "pushover_configs": ("api.pushover.net", 443),
    "telegram_configs": ("api.telegram.org", 443),
    "webex_configs": ("webexapis.com", 443),
    "wechat_configs": ("qyapi.weixin.qq.com", 443),
}
"""Where an integration sends to unless it is told otherwise (prometheus/alertmanager, config/config.go)."""
_URLS = ("url", "api_url", "webhook_url")
_GOSSIP = 9094
_KUBERNETES = "kubernetes_sd_configs"
_API = Outside("the API server")
_API_PORTS = (6443, 443, 8443, 16443)
"""Where API servers listen: kubeadm's, the great providers', minikube's, MicroK8s's."""
_ORDER: tuple[Purpose, ...] = ("scrape", "probe", "notification", "gossip", "dashboard")
"""What is told first, where one reason keeps several from asking for names."""
_GRAVEST: tuple[Purpose, ...] = ("notification", "scrape", "probe", "gossip", "dashboard")
"""What is told first, where one reason shuts several ways."""


@dataclass(frozen=True)
class Flow:
    """One way that has to be open."""

    purpose: Purpose
    source: Pod
    target: Pod | Outside
    port: int
    origin: Part = field(compare=False)
    """Where the files say so."""
    said: str = field(compare=False)
    """What for, in the reader's words: `job backend`."""
    protocol: str = "TCP"
    named: bool = False
    """Whether a name has to be resolved for it."""


_End = tuple[Pod | Outside, int]


@dataclass(frozen=True)
class Blocked:
    """Ways that are shut for one and the same reason."""

    flows: tuple[Flow, ...]
    denial: Denial

    @property
    def subject(self) -> str:
        """The name path of the policy, or of the pod that the policies isolate."""
        return f"{self.denial.policies[0].object.subject}/{self.denial.pod.object.name}"

    @property
    def lists_nothing(self) -> bool:
        """Whether the folder's policies forbid only: what they allow may stand elsewhere."""
        return not any(policy.rules(self.denial.direction) for policy in self.denial.policies)

    @property
    def message(self) -> str:
        """What may not reach what, and what the policies say instead."""
        flow, denial = self.flows[0], self.denial
        said = list(dict.fromkeys(one.said for one in self.flows))
        others = f" and {len(said) - 1} more" if len(said) > 1 else ""
        way = f"{_called(flow.source)} may not reach {_called(flow.target)} on port {flow.port} ({said[0]}{others})"
        names = " and ".join(dict.fromkeys(policy.object.name for policy in denial.policies))
        into = "out of" if denial.direction == "Egress" else "into"
        several = len(denial.policies) > 1
        let = f"NetworkPolicies {names} let" if several else f"NetworkPolicy {names} lets"
        return (
            f"{way}: {let} {into} {denial.pod.object.kind} {denial.pod.object.name} only what "
            f"{'they list' if several else 'it lists'}, {self._near}"
        )

    @property
    def _near(self) -> str:
        written = self.denial.part.text
        if self.denial.near == "port":
            return f"and the rule for this way says {written}"
        if self.denial.near == "ports":
            return "and the rule for this way leaves the port out"
        if self.denial.near == "none":
            return "and no rule is for this way"
        return (
            f"and the rule for that port admits `{self.denial.part.key}: {written}` only, which no pod has"
            if written
            else ("and the rule for that port is for others")
        )


def _called(end: Pod | Outside) -> str:
    return end.host if isinstance(end, Outside) else end.object.name


class Flows:
    """All ways of a system."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def all(self) -> tuple[Flow, ...]:
        """Every way, once for each pair of ends, port and purpose."""
        if not self._model.network.policies:
            return ()
        found = (
            *self._scrapes(),
            *self._alerts(),
            *self._gossip(),
            *self._receivers(),
            *self._dashboards(),
        )
        return tuple({_identity(flow): flow for flow in reversed(found)}.values())[::-1]

    def blocked(self, *purposes: Purpose) -> Iterator[Blocked]:
        """Yield what is surely shut, those ways with one reason together, where the first of them is for a purpose."""
        for blocked in self._shut:
            if blocked.flows[0].purpose in purposes:
                yield blocked

    @cached_property
    def _shut(self) -> tuple[Blocked, ...]:
        """What is surely shut, the gravest way of each reason first."""
        found: dict[tuple[str, tuple[object, ...]], list[tuple[Flow, Denial]]] = {}
        for flow in self.all:
            used = {other.port for other in self.all if other.source is flow.source}
            denial = self._model.network.denial(flow.source, flow.target, flow.port, flow.protocol, used=used)
            if denial is not None:
                found.setdefault((denial.part.file, denial.part.route), []).append((flow, denial))
        each = (sorted(pairs, key=lambda pair: _GRAVEST.index(pair[0].purpose)) for pairs in found.values())
        return tuple(Blocked(tuple(flow for flow, _ in pairs), pairs[0][1]) for pairs in each)

    def nameless(self, purpose: Purpose) -> Iterator[Blocked]:
        """Yield the pods that may ask nobody for the names that they need, those with one reason together."""
        for blocked in self._nameless:
            if blocked.flows[0].purpose == purpose:
                yield blocked

    @cached_property
    def _nameless(self) -> tuple[Blocked, ...]:
        found: dict[tuple[str, tuple[object, ...]], list[tuple[Flow, Denial]]] = {}
        for pod in {id(flow.source): flow.source for flow in self.all}.values():
            needs = [flow for flow in self.all if flow.source is pod and flow.named]
            denial = self._model.network.denial(pod, DNS, 53, "UDP") if needs else None
            if denial is not None and self._model.network.surely_nameless(pod):
                first = min(needs, key=lambda flow: _ORDER.index(flow.purpose))
                flow = Flow(first.purpose, pod, DNS, 53, first.origin, f"names such as that of {first.said}", "UDP")
                found.setdefault((denial.part.file, denial.part.route), []).append((flow, denial))
        each = (sorted(pairs, key=lambda pair: _ORDER.index(pair[0].purpose)) for pairs in found.values())
        return tuple(Blocked(tuple(flow for flow, _ in pairs), pairs[0][1]) for pairs in each)

    def unserved(self) -> Iterator[Blocked]:
        """Yield the pods that find their targets by asking the API server, and may not reach it on any of its ports."""
        finders: dict[int, tuple[Pod, Part]] = {}
        for stack in self._model.stacks:
            for part in (one.part for job in stack.jobs for one in job.discoveries if one.mechanism == _KUBERNETES):
                if not part.string("api_server"):
                    pods = self._pods_of(stack)
                    finders |= {id(pod): (pod, part) for pod in pods if id(pod) not in finders}
        for pod in self.of_role("kube-state-metrics"):
            finders[id(pod)] = (pod, pod.object.part)
        for pod, part in finders.values():
            denials = [self._model.network.denial(pod, _API, port) for port in _API_PORTS]
            if all(denials) and denials[0] is not None:
                yield Blocked((Flow("scrape", pod, _API, _API_PORTS[0], part, "what it watches"),), denials[0])

    def _pods_of(self, stack: Stack) -> tuple[Pod, ...]:
        """Return the pods that run a Prometheus."""
        if stack.object is not None:
            return tuple(pod for pod in self._model.cluster.pods if pod.object is stack.object)
        objects = [process.workload for process in stack.processes if process.workload is not None]
        return tuple(p for p in self.of_role("prometheus") if any(p.object.part == one.part for one in objects))

    def of_role(self, role: str) -> tuple[Pod, ...]:
        """Return the pods that are known for what they are."""
        return tuple(pod for pod in self._model.cluster.pods if role_of(pod) == role)

    # Prometheus

    def _scrapes(self) -> Iterator[Flow]:
        for target in self._model.targets:
            if not (target.kept and target.certain):
                continue
            host, port = host_and_port(target.address, 443 if target.scheme == "https" else 80)
            if port is None:
                continue
            said = target.job.said
            for source in self._running(target):
                ends: list[_End] = list(self._ends(host, port, source)) if target.pod is None else []
                if target.pod is not None and (target.job.origin or declares(target.pod, port)):
                    ends = [(target.pod, port)]
                for end, number in ends:
                    origin = target.job.origin.part if target.job.origin else target.part
                    yield Flow("scrape", source, end, number, origin, said, named=target.pod is None)
                    yield from self._probed(target, end, said)

    def _probed(self, target: Target, exporter: Pod | Outside, said: str) -> Iterator[Flow]:
        """Yield what a blackbox exporter asks in its turn."""
        address = target.parameters.get("target", "")
        if not isinstance(exporter, Pod) or role_of(exporter) != "blackbox" or not target.knows("__param_target"):
            return
        scheme = urlsplit(address).scheme
        if scheme in ("http", "https"):
            yield from self._asked("probe", exporter, address, target.part, said)

    def _running(self, target: Target) -> tuple[Pod, ...]:
        """Return the pods that run the Prometheus of a target."""
        found = self._pods_of(target.stack)
        if found or target.stack.processes or target.stack.object:
            return found
        return self.of_role("prometheus") if len(self._model.stacks) == 1 else ()

    def _alerts(self) -> Iterator[Flow]:
        for stack in self._model.stacks:
            sources = self._pods_of(stack)
            for manager in stack.prometheus.alertmanagers:
                for target in (t for group in manager.list("static_configs") for t in group.list("targets")):
                    host, port = host_and_port(target.text, 443 if manager.string("scheme") == "https" else 80)
                    for source in sources if port is not None else ():
                        for end, number in self._ends(host, port or 0, source):
                            yield Flow("notification", source, end, number, target, "alerts", named=True)
                if manager.list("kubernetes_sd_configs") and len(self.of_role("alertmanager")) == 1:
                    end = self.of_role("alertmanager")[0]
                    declared = end.port("web") or end.port("http") or next((p.number for p in end.ports), None)
                    for source in sources if declared else ():
                        origin = manager.get("kubernetes_sd_configs")
                        yield Flow("notification", source, end, declared or 0, origin, "alerts")

    # Alertmanager

    def _gossip(self) -> Iterator[Flow]:
        for pod in self.of_role("alertmanager"):
            replicas = pod.object.part.number("spec", "replicas") or 1
            arguments = [part.text for container in pod.containers for part in container.part.list("args")]
            off = any(text.rstrip("= ").endswith("cluster.listen-address") for text in arguments)
            if replicas > 1 and not off:
                said = next((text for text in arguments if "cluster.listen-address=" in text), "")
                port = port_number(said.rpartition(":")[2]) or _GOSSIP
                origin = pod.object.part.get("spec", "replicas")
                for protocol in ("TCP", "UDP"):
                    yield Flow("gossip", pod, pod, port, origin, "its cluster", protocol)

    def _receivers(self) -> Iterator[Flow]:
        for config in self._model.alertmanager_configs:
            for pod in self._telling(config):
                for receiver in config.part.list("receivers"):
                    said = f"receiver {receiver.string('name')}"
                    for kind, integrations in receiver.items():
                        for integration in integrations.list():
                            yield from self._told(pod, kind, integration, config.part.get("global"), said)

    def _telling(self, config: AlertmanagerConfig) -> list[Pod]:
        running = [p for p in self._model.processes if p.program == "alertmanager" and p.config is not None]
        objects = [
            process.workload
            for process in running
            if process.workload is not None and process.config and content_of(config.part.document, [process.config])
        ]
        return [p for p in self.of_role("alertmanager") if any(p.object.part == one.part for one in objects)]

    def _told(self, pod: Pod, kind: str, integration: Part, common: Part, said: str) -> Iterator[Flow]:
        if kind == "email_configs":
            host, port = host_and_port(integration.string("smarthost") or common.string("smtp_smarthost"), 25)
            for end, number in self._ends(host, port, pod) if port is not None else ():
                yield Flow("notification", pod, end, number, integration, said, named=True)
            return
        written = next((text for key in _URLS if (text := integration.string(key))), "")
        written = written or common.string(f"{kind.removesuffix('_configs')}_api_url")
        if written:
            yield from self._asked("notification", pod, written, integration, said)
        elif kind in HOSTS:
            host, port = HOSTS[kind]
            yield Flow("notification", pod, Outside(host), port, integration, said, named=True)

    # Grafana

    def _dashboards(self) -> Iterator[Flow]:
        for pod in self.of_role("grafana"):
            values = {
                part.string("name"): part.string("value")
                for container in pod.containers
                for part in container.part.list("env")
            }
            for source in self._model.data_sources:
                if (source.part.string("access") or "proxy") == "proxy" and len(self.of_role("grafana")) == 1:
                    url = _filled(source.url.text, values)
                    yield from self._asked("dashboard", pod, url, source.url, f"data source {source.name}")

    # Names

    def _asked(self, purpose: Purpose, source: Pod, url: str, origin: Part, said: str) -> Iterator[Flow]:
        """Yield the way to what a URL names."""
        try:
            parts = urlsplit(url)
            port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
            host = parts.hostname or ""
        except ValueError:
            return
        for end, number in self._ends(host, port, source) if port and host else ():
            yield Flow(purpose, source, end, number, origin, said, named=True)

    def _ends(self, host: str, port: int, source: Pod) -> Iterator[tuple[Pod | Outside, int]]:
        """Yield what a host and a port mean to a pod: the pods behind a Service with their own port, or the world."""
        address = self._model.services.address(host, source.namespaces)
        if address is not None:
            for service in address.services:
                for one in service.ports:
                    for pod in service.pods if one.number == port or service.headless else ():
                        if service.headless:
                            yield pod, port
                        elif (number := pod.port(one.target, one.protocol)) is not None:
                            yield pod, number
        elif _in_the_world(host):
            yield Outside(host), port


def _identity(flow: Flow) -> tuple[object, ...]:
    end = flow.target.host if isinstance(flow.target, Outside) else id(flow.target)
    return flow.purpose, id(flow.source), end, flow.port, flow.protocol


def role_of(pod: Pod) -> str | None:
    """Return what a pod is known for, by the images of its containers."""
    if pod.workload is None:
        return _OPERATED.get(pod.object.kind)
    names = {image_name(container.part.string("image")) for container in pod.containers}
    return next((role for role, images in ROLES.items() if names & set(images)), None)


def declares(pod: Pod, port: int) -> bool:
    """Tell whether a pod declares a port, or none at all, so that it may listen anywhere."""
    return not pod.ports or any(one.number == port for one in pod.ports)


def host_and_port(address: str, default: int) -> tuple[str, int | None]:
    """Return host and port of an address as scrapes have them; the port is None if it is none."""
    bare = address.partition("://")[2] or address
    bare = bare.partition("/")[0]
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]"):
        return bare.strip("[]"), default
    return host.strip("[]"), port_number(port)


_LOCAL = re.compile(
    r"localhost|.*\.(?:svc|local|localhost|internal|lan|corp|home|intranet|test|invalid)\.?|.*\.svc\..*"
)


def _in_the_world(host: str) -> bool:
    """Tell whether a host is surely no pod: it has a public name. An address may be that of anything."""
    return "." in host and not host.replace(".", "").isdigit() and ":" not in host and not _LOCAL.fullmatch(host)


_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)
