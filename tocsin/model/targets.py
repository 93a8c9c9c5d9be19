"""The targets that scrape jobs find in a folder: discovered labels through relabelling to those that series carry.

What service discovery would find is read from static configurations, file_sd files and Kubernetes manifests. Other
mechanisms ask somebody who is not in the folder. The labels are those of prometheus/prometheus, discovery/kubernetes
(pod.go, service.go, endpoints.go, endpointslice.go, node.go, ingress.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.prometheus import Discovery, ScrapeJob
from tocsin.durations import format_duration
from tocsin.model.cluster import Pod, Port
from tocsin.model.services import Service
from tocsin.model.stacks import Stack, named_files
from tocsin.part import Part
from tocsin.relabelling import Relabelled, Step, address_problem, relabel, steps, target_labels
from tocsin.source import Document

if TYPE_CHECKING:
    from tocsin.model import Model

_MOST_TARGETS = 20_000
"""Of one system; more are not told."""
_MOST_REPLICAS = 10
_NOWHERE = Part(Document("", None, {}, {}))
"""Where that stands which every cluster has, and no file."""


@dataclass(frozen=True)
class Target:
    """One target that a job discovers in the folder."""

    job: ScrapeJob
    stack: Stack = field(repr=False)
    discovery: Discovery = field(repr=False)
    part: Part = field(repr=False)
    """Where it stands: the item of `targets`, the pod's template, the Service."""
    discovered: Mapping[str, str] = field(repr=False)
    """Its labels before relabelling. An address of a pod is a sample of what it may be (203.0.113.0/24)."""
    relabelled: Relabelled = field(repr=False)
    """Its labels after relabelling, with those that begin with two underscores."""
    object: KubernetesObject | None = field(default=None, repr=False)
    """The object of Kubernetes that it is, or is part of."""
    pod: Pod | None = field(default=None, repr=False)

    @property
    def kept(self) -> bool:
        """Whether it is scraped, as far as is known: see `certain`."""
        return self.relabelled.kept

    @property
    def dropped_by(self) -> Step | None:
        """The rule that drops it."""
        return self.relabelled.dropped_by

    @property
    def certain(self) -> bool:
        """Whether it is known that it is kept or dropped."""
        return self.relabelled.certain

    @cached_property
    def _final(self) -> Relabelled:
        return target_labels(self.relabelled)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that its series carry."""
        return self._final.labels

    @property
    def unknown(self) -> frozenset[str]:
        """Those of its labels whose value is only a sample."""
        return self._final.unknown

    @property
    def open(self) -> bool:
        """Whether it may carry further labels."""
        return self._final.open

    @property
    def address(self) -> str:
        """Host and port that are asked."""
        return self.relabelled.labels.get("__address__", "")

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.relabelled.labels.get("__scheme__", "") or "http"

    @property
    def path(self) -> str:
        """The path that is asked."""
        return self.relabelled.labels.get("__metrics_path__", "")

    @property
    def problem(self) -> str:
        """Why Prometheus gives it up though it was kept; empty if it does not."""
        return address_problem(self.relabelled.labels) if self.kept else ""

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the request, each with its first value."""
        prefix = "__param_"
        return {n[len(prefix) :]: v for n, v in self.relabelled.labels.items() if n.startswith(prefix)}

    def knows(self, *names: str) -> bool:
        """Whether the values of some labels, after relabelling, are those that they will have."""
        return not self.relabelled.unknown.intersection(names)


def targets(model: Model) -> tuple[Target, ...]:
    """Return the targets of every stack."""
    found: list[Target] = []
    for stack in model.stacks:
        for job in stack.jobs:
            for discovery in job.discoveries:
                rules = steps(job.relabelling)
                for one in _discovered(model, stack, discovery):
                    found.append(_target(stack, job, discovery, rules, one))
                    if len(found) >= _MOST_TARGETS:
                        return tuple(found)
    return tuple(found)


def discovered_here(model: Model, stack: Stack, job: ScrapeJob) -> bool:
    """Whether everything that a job may discover stands in the folder: no target comes from anybody else."""
    for discovery in job.discoveries:
        if discovery.mechanism == "file_sd_configs":
            named = [part.text for part in discovery.part.list("files")]
            if not all(_target_files(model, stack, pattern) for pattern in named):
                return False
        elif not discovery.static:
            return False
    return True


@dataclass(frozen=True)
class _Found:
    """Something discovered."""

    labels: Mapping[str, str]
    part: Part
    unknown: frozenset[str] = frozenset()
    further: bool = False
    object: KubernetesObject | None = None
    pod: Pod | None = None
    certain: bool = True


def _target(stack: Stack, job: ScrapeJob, discovery: Discovery, rules: tuple[Step, ...], one: _Found) -> Target:
    labels = dict(one.labels)
    for name, value in (
        ("job", job.name),
        ("__scrape_interval__", format_duration(job.interval_seconds)),
        ("__scrape_timeout__", format_duration(job.timeout_seconds)),
        ("__metrics_path__", job.metrics_path),
        ("__scheme__", job.scheme),
    ):
        labels.setdefault(name, value)
    for name, values in job.params.items():
        if values:
            labels[f"__param_{name}"] = values[0].text
    relabelled = relabel(labels, rules, unknown=one.unknown, further=one.further)
    if not one.certain:
        relabelled = Relabelled(
            relabelled.labels,
            relabelled.unknown,
            relabelled.open,
            relabelled.dropped_by,
            certain=False,
            steps=relabelled.steps,
        )
    return Target(job, stack, discovery, one.part, labels, relabelled, one.object, one.pod)


def _discovered(model: Model, stack: Stack, discovery: Discovery) -> Iterator[_Found]:
    if discovery.static:
        yield from _listed(discovery.part)
    elif discovery.mechanism == "file_sd_configs":
        for part in discovery.part.list("files"):
            for group in _target_files(model, stack, part.text):
                for one in _listed(group):
                    labels = {**one.labels, "__meta_filepath": group.file}
                    yield _Found(labels, one.part, frozenset({"__meta_filepath"}))
    elif discovery.mechanism == "kubernetes_sd_configs" and not _elsewhere(discovery.part):
        yield from _of_role(model, discovery.part)


def _listed(group: Part) -> Iterator[_Found]:
    """Yield the targets of a group: of a static configuration or of a file."""
    labels = group.strings("labels")
    for part in group.list("targets"):
        if part.text:
            yield _Found({**labels, "__address__": part.text}, part)


def _target_files(model: Model, stack: Stack, pattern: str) -> list[Part]:
    contents = named_files(model, stack.prometheus.file, pattern, stack.processes)
    found: list[Part] = []
    for content in contents:
        file = model.folder.files.get(content.file) if content.part is None else None
        for document in file.documents if file else ():
            found.extend(group for group in Part.whole(document).list() if group.get("targets"))
    return found


# Kubernetes


def _elsewhere(part: Part) -> bool:
    """Whether a discovery asks another cluster than that in which Prometheus runs."""
    return bool(part.string("api_server") or part.string("kubeconfig_file"))


def sanitized(name: str) -> str:
    """Return a label's name as Prometheus spells it (util/strutil, SanitizeLabelName)."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _of_role(model: Model, part: Part) -> Iterator[_Found]:
    finders = {
        "pod": _pods,
        "service": _services,
        "endpoints": _endpoints,
        "endpointslice": _endpoints,
        "node": _nodes,
        "ingress": _ingresses,
    }
    role = part.string("role")
    wanted = {name.text for name in part.list("namespaces", "names")}
    selected = bool(part.list("selectors"))
    own = part.get("namespaces", "own_namespace").value is True
    for one in finders[role](model, role) if role in finders else ():
        namespace = one.labels.get("__meta_kubernetes_namespace", "")
        unsure = "__meta_kubernetes_namespace" in one.unknown
        if wanted and not own and role != "node" and namespace not in wanted and not unsure:
            continue
        if selected or own or (wanted and unsure):
            one = _Found(one.labels, one.part, one.unknown, one.further, one.object, one.pod, certain=False)  # noqa: PLW2901
        yield one


def _namespace(namespaces: frozenset[str]) -> tuple[str, bool]:
    """Return the namespace of an object, and whether it is known."""
    return (next(iter(sorted(namespaces)), "default"), len(namespaces) == 1)


def _described(prefix: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for kind, pairs in (("label", labels), ("annotation", annotations)):
        for name, value in pairs.items():
            found[f"{prefix}_{kind}_{sanitized(name)}"] = value
            found[f"{prefix}_{kind}present_{sanitized(name)}"] = "true"
    return found


def _pod_labels(pod: Pod, number: int) -> tuple[dict[str, str], set[str], bool]:
    """Return what is discovered of a pod, which of it is only a sample, and whether there may be more."""
    meta = "__meta_kubernetes"
    template = pod.workload.pod if pod.workload else pod.object.part
    namespace, sure = _namespace(pod.namespaces)
    kind = pod.object.kind
    name = f"{pod.object.name}-{number}" if kind == "StatefulSet" else f"{pod.object.name}-7c9d8f6b5-x2x4{number}"
    name = pod.object.name if kind == "Pod" else name
    node = f"node-{number}"
    labels = {
        f"{meta}_namespace": namespace,
        f"{meta}_pod_name": name,
        f"{meta}_pod_ready": "true",
        f"{meta}_pod_phase": "Running",
        f"{meta}_pod_node_name": node,
        f"{meta}_pod_host_ip": "203.0.113.250",
        f"{meta}_pod_uid": f"uid-of-{name}",
        f"{meta}_pod_controller_kind": {"Deployment": "ReplicaSet", "CronJob": "Job", "Pod": ""}.get(kind, kind),
        f"{meta}_pod_controller_name": "" if kind == "Pod" else pod.object.name,
        **_described(f"{meta}_pod", pod.labels, template.strings("metadata", "annotations")),
    }
    unknown = {f"{meta}_pod_{part}" for part in ("ip", "node_name", "host_ip", "uid")}
    if kind not in ("Pod", "StatefulSet"):
        unknown.add(f"{meta}_pod_name")
    if kind in ("Deployment", "CronJob"):
        unknown.add(f"{meta}_pod_controller_name")
    if not sure:
        unknown.add(f"{meta}_namespace")
    return {name: value for name, value in labels.items() if value}, unknown, not pod.labels_whole


def _replicas(pod: Pod) -> int:
    said = pod.object.part.get("spec", "replicas").value
    count = said if isinstance(said, int) and not isinstance(said, bool) else 1
    return min(max(count, 0), _MOST_REPLICAS) if pod.object.kind == "StatefulSet" else min(max(count, 0), 1)


def _address(model: Model, pod: Pod, number: int) -> str:
    """Return an address for a pod that no other has: one of those reserved for documentation (RFC 5737)."""
    index = next((i for i, each in enumerate(model.cluster.pods) if each is pod), 0) * _MOST_REPLICAS + number
    return f"203.0.{113 + index // 250}.{1 + index % 250}"


def _container_labels(port: Port | None, container: Part) -> dict[str, str]:
    meta = "__meta_kubernetes_pod_container"
    labels = {f"{meta}_name": container.string("name"), f"{meta}_image": container.string("image")}
    if port is not None:
        labels |= {f"{meta}_port_number": str(port.number), f"{meta}_port_protocol": port.protocol}
        labels |= {f"{meta}_port_name": port.name} if port.name else {}
    return labels


def _pods(model: Model, _: str) -> Iterator[_Found]:
    for pod in model.cluster.pods:
        if pod.workload is None:
            continue
        for number in range(_replicas(pod)):
            labels, unknown, further = _pod_labels(pod, number)
            address = _address(model, pod, number)
            labels["__meta_kubernetes_pod_ip"] = address
            for container in pod.workload.containers:
                init = {"__meta_kubernetes_pod_container_init": "true" if container.init else "false"}
                ports = [
                    port for port in pod.ports if port.part.route[: len(container.part.route)] == container.part.route
                ]
                for port in ports or (None,):
                    whole = f"{address}:{port.number}" if port else address
                    said = {**labels, **init, **_container_labels(port, container.part), "__address__": whole}
                    part = port.part if port else container.part
                    yield _Found(said, part, frozenset({*unknown, "__address__"}), further, pod.object, pod)


def _service_labels(service: Service) -> tuple[dict[str, str], set[str]]:
    meta = "__meta_kubernetes"
    namespace, sure = _namespace(service.namespaces)
    part = service.object.part
    described = _described(
        f"{meta}_service", part.strings("metadata", "labels"), part.strings("metadata", "annotations")
    )
    labels = {f"{meta}_namespace": namespace, f"{meta}_service_name": service.name, **described}
    return labels, (set() if sure else {f"{meta}_namespace"})


def _services(model: Model, _: str) -> Iterator[_Found]:
    meta = "__meta_kubernetes_service"
    for service in model.services.all:
        labels, unknown = _service_labels(service)
        kind = service.object.part.string("spec", "type") or "ClusterIP"
        for port in service.ports:
            said = {
                **labels,
                f"{meta}_type": kind,
                f"{meta}_port_protocol": port.protocol,
                f"{meta}_port_number": str(port.number),
                f"{meta}_port_name": port.name,
                f"{meta}_cluster_ip": "" if service.headless else "203.0.113.251",
                "__address__": f"{service.name}.{labels['__meta_kubernetes_namespace']}.svc:{port.number}",
            }
            hidden = {*unknown, f"{meta}_cluster_ip"} | ({"__address__"} if unknown else set())
            yield _Found({n: v for n, v in said.items() if v}, port.part, frozenset(hidden), object=service.object)


def _endpoints(model: Model, role: str) -> Iterator[_Found]:
    """Yield the addresses behind Services, and the other ports of the pods that stand there."""
    for service in model.services.all:
        labels, unknown = _service_labels(service)
        labels |= _endpoint_labels(role, service)
        for pod in service.pods:
            for number in range(_replicas(pod)):
                yield from _behind(model, service, pod, (role, number), (labels, unknown))
    yield _api_server(role)


def _endpoint_labels(role: str, service: Service) -> dict[str, str]:
    meta = f"__meta_kubernetes_{role}"
    part = service.object.part
    labels, annotations = part.strings("metadata", "labels"), part.strings("metadata", "annotations")
    if role == "endpointslice":
        labels = {**labels, "kubernetes.io/service-name": service.name}
        return {f"{meta}_name": f"{service.name}-x2x4x", **_described(meta, labels, {}), f"{meta}_address_type": "IPv4"}
    return {f"{meta}_name": service.name, **_described(meta, labels, annotations)}


def _behind(
    model: Model, service: Service, pod: Pod, which: tuple[str, int], known: tuple[dict[str, str], set[str]]
) -> Iterator[_Found]:
    role, number = which
    meta = "__meta_kubernetes_endpointslice" if role == "endpointslice" else "__meta_kubernetes_endpoint"
    pod_labels, pod_unknown, further = _pod_labels(pod, number)
    labels = {**pod_labels, **known[0], f"{meta}_address_target_kind": "Pod"}
    labels |= {f"{meta}_address_target_name": pod_labels["__meta_kubernetes_pod_name"]}
    unknown = {*pod_unknown, *known[1], "__address__", f"{meta}_address_target_name"}
    address = _address(model, pod, number)
    labels["__meta_kubernetes_pod_ip"] = address
    bound: set[int] = set()
    containers = {port.number: port for port in pod.ports}
    for port in service.ports:
        reached = pod.port(port.target, port.protocol)
        if reached is None:
            continue
        bound.add(reached)
        ready = f"{meta}_conditions_ready" if role == "endpointslice" else f"{meta}_ready"
        said = {**labels, f"{meta}_port_name": port.name, f"{meta}_port_protocol": port.protocol, ready: "true"}
        said |= _of_container(pod, containers.get(reached))
        said = {name: value for name, value in said.items() if value}
        yield _Found(
            {**said, "__address__": f"{address}:{reached}"}, port.part, frozenset(unknown), further, service.object, pod
        )
    for extra in pod.ports:
        if extra.number not in bound:
            said = {**labels, **_of_container(pod, extra), "__address__": f"{address}:{extra.number}"}
            yield _Found(said, extra.part, frozenset(unknown), further, service.object, pod)


def _of_container(pod: Pod, port: Port | None) -> dict[str, str]:
    if port is None or pod.workload is None:
        return {}
    for container in pod.workload.containers:
        if port.part.route[: len(container.part.route)] == container.part.route:
            return _container_labels(port, container.part)
    return {}


def _api_server(role: str) -> _Found:
    """Return the endpoint of the API server, which every cluster has."""
    meta = "__meta_kubernetes_endpointslice" if role == "endpointslice" else "__meta_kubernetes_endpoint"
    labels = {
        "__meta_kubernetes_namespace": "default",
        "__meta_kubernetes_service_name": "kubernetes",
        "__meta_kubernetes_service_label_component": "apiserver",
        "__meta_kubernetes_service_labelpresent_component": "true",
        "__meta_kubernetes_service_label_provider": "kubernetes",
        "__meta_kubernetes_service_labelpresent_provider": "true",
        "__meta_kubernetes_endpoints_name": "kubernetes",
        f"{meta}_port_name": "https",
        f"{meta}_port_protocol": "TCP",
        "__address__": "203.0.113.252:6443",
    }
    return _Found(labels, _NOWHERE, frozenset({"__address__"}))


def _nodes(_: Model, __: str) -> Iterator[_Found]:
    meta = "__meta_kubernetes_node"
    labels = {
        f"{meta}_name": "node-0",
        f"{meta}_address_InternalIP": "203.0.113.250",
        f"{meta}_address_Hostname": "node-0",
        f"{meta}_label_kubernetes_io_hostname": "node-0",
        f"{meta}_labelpresent_kubernetes_io_hostname": "true",
        f"{meta}_label_kubernetes_io_os": "linux",
        f"{meta}_labelpresent_kubernetes_io_os": "true",
        "__address__": "203.0.113.250:10250",
        "instance": "node-0",
    }
    unknown = {name for name, value in labels.items() if value not in ("true", "linux")}
    yield _Found(labels, _NOWHERE, frozenset(unknown), further=True)


def _ingresses(model: Model, _: str) -> Iterator[_Found]:
    meta = "__meta_kubernetes_ingress"
    for one in model.cluster.of("Ingress"):
        namespace, sure = _namespace(model.cluster.namespaces(one))
        described = _described(
            meta, one.part.strings("metadata", "labels"), one.part.strings("metadata", "annotations")
        )
        secure = {host.text for tls in one.part.list("spec", "tls") for host in tls.list("hosts")}
        for rule in one.part.list("spec", "rules"):
            host = rule.string("host") or "*"
            for path in rule.list("http", "paths") or (rule,):
                labels = {
                    "__meta_kubernetes_namespace": namespace,
                    f"{meta}_name": one.name,
                    f"{meta}_class_name": one.part.string("spec", "ingressClassName"),
                    f"{meta}_host": host,
                    f"{meta}_path": path.string("path") or "/",
                    f"{meta}_scheme": "https" if host in secure else "http",
                    "__address__": host,
                    **described,
                }
                unknown = frozenset() if sure else frozenset({"__meta_kubernetes_namespace"})
                yield _Found({n: v for n, v in labels.items() if v}, rule, unknown, object=one)
