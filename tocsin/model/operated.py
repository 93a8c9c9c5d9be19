"""What the Prometheus operator makes of its objects: the configuration of each Prometheus, with places in the objects.

Sources: prometheus-operator, pkg/prometheus/promcfg.go (what is generated of ServiceMonitor, PodMonitor, Probe and
ScrapeConfig, in which order), pkg/prometheus/server/statefulset.go (what a Prometheus is started with), and
prometheus-operator.dev/docs/api-reference/api (defaults).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tocsin.artefacts.alertmanager import AlertmanagerConfig
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.prometheus import Origin, PrometheusConfig, ScrapeJob
from tocsin.artefacts.rules import Group
from tocsin.model.cluster import together
from tocsin.model.selectors import selects
from tocsin.model.stacks import Stack
from tocsin.model.targets import sanitized
from tocsin.part import Part
from tocsin.relabelling import always_matches, matches, references, step
from tocsin.source import Document, Place, Route

if TYPE_CHECKING:
    from tocsin.model import Model

GROUP = "monitoring.coreos.com"
"""The API group of the operator's objects."""
DEFAULT_INTERVAL = "30s"
"""How often an operator's Prometheus scrapes and evaluates where nothing is said (api-reference, PrometheusSpec)."""
_PREFIXES = {
    "ServiceMonitor": "serviceMonitor",
    "PodMonitor": "podMonitor",
    "Probe": "probe",
    "PrometheusRule": "rule",
    "ScrapeConfig": "scrapeConfig",
    "AlertmanagerConfig": "alertmanagerConfig",
}
"""How the selectors of each kind begin; `Selector` and `NamespaceSelector` follow."""
MONITORS = ("ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig")
"""Kinds of which the operator makes scrape jobs."""
_META = "__meta_kubernetes"
_TELLS_JOBS = re.compile(r"federat|push|gateway|remote|thanos|cortex|mimir", re.IGNORECASE)
"""What is scraped with honorLabels and tells of other jobs."""


@dataclass(frozen=True)
class OperatedConfig(PrometheusConfig):
    """A configuration that the operator writes, whose values stand in its objects."""

    name: str = ""
    origins: tuple[Origin, ...] = field(default=(), repr=False)
    """What each of its jobs is made of."""

    @property
    def subject(self) -> str:
        """The name path of the object that it is made of."""
        return self.name

    @cached_property
    def jobs(self) -> tuple[ScrapeJob, ...]:
        """Its scrape jobs."""
        pairs = zip(self.part.list("scrape_configs"), self.origins, strict=True)
        return tuple(ScrapeJob(part, self, origin) for part, origin in pairs)


def operated_stacks(model: Model) -> tuple[Stack, ...]:
    """Return a stack for each Prometheus that the operator runs."""
    servers = model.cluster.of("Prometheus", "PrometheusAgent")
    return tuple(_stack(model, server) for server in servers if server.group == GROUP)


# Which objects a Prometheus takes


def prefix_of(kind: str) -> str:
    """Return how the selectors of a kind begin in what selects it; empty of what nothing selects."""
    return _PREFIXES.get(kind, "")


def reason_left_out(model: Model, server: KubernetesObject, one: KubernetesObject) -> str | None:
    """Return why a Prometheus or Alertmanager does not select an object; empty if it does, None if it is not known."""
    spec, prefix = server.part.get("spec"), prefix_of(one.kind)
    if model.cluster.patched(server) or not isinstance(spec.value, dict):
        return None
    selector, spaces = spec.get(f"{prefix}Selector"), spec.get(f"{prefix}NamespaceSelector")
    if prefix == "alertmanagerConfig" and spec.string("alertmanagerConfiguration", "name") == one.name:
        return ""
    if not selector:
        return f"its `{prefix}Selector` is not set, and so selects nothing"
    labels = one.part.strings("metadata", "labels")
    answer = selects(selector, labels)
    if answer is None:
        return None
    if not answer:
        wanted = selector.strings("matchLabels")
        name = next((name for name, value in wanted.items() if labels.get(name) != value), "")
        has = f"`{name}: {labels[name]}`" if name in labels else f"no label `{name}`"
        return (
            f"its `{prefix}Selector` asks for `{name}: {wanted[name]}`, and this has {has}"
            if name
            else (f"its `{prefix}Selector` asks for other labels")
        )
    return _left_out_by_namespace(model, server, one, spaces)


def _left_out_by_namespace(model: Model, server: KubernetesObject, one: KubernetesObject, spaces: Part) -> str | None:
    own, theirs = model.cluster.namespaces(server), model.cluster.namespaces(one)
    if len(theirs) != 1 or len(own) != 1:
        return None if not spaces or spaces.value else ""
    (namespace,) = theirs
    if not spaces:
        return (
            "" if own == theirs else f"it looks in its own namespace {next(iter(own))} only, and this is in {namespace}"
        )
    labels, whole = model.cluster.namespace_labels(namespace)
    answer = selects(spaces, labels)
    if answer:
        return ""
    return (
        f"the namespace {namespace} lacks the labels that it selects namespaces by"
        if whole and answer is False
        else None
    )


# A Prometheus


def _stack(model: Model, server: KubernetesObject) -> Stack:
    spec = server.part.get("spec")
    fragments: list[PrometheusConfig] = []
    known = not model.cluster.patched(server) and not any(
        spec.get(key) for key in ("additionalScrapeConfigs", "shards")
    )
    for monitor in model.cluster.of(*MONITORS):
        left_out = reason_left_out(model, server, monitor)
        if left_out == "":
            fragments.append(_fragment(model, server, monitor))
        known = known and left_out is not None and not model.cluster.patched(monitor)
    known = known and not any(model.cluster.hidden(kind) for kind in MONITORS)
    opening = ("additionalAlertRelabelConfigs", "enforcedNamespaceLabel", "additionalArgs")
    return Stack(
        _config(model, server),
        _groups(model, server),
        _alertmanager(model, server),
        fragments=tuple(fragments),
        object=server,
        jobs_known=known,
        open=model.cluster.patched(server) or any(spec.get(key) for key in opening),
    )


def _groups(model: Model, server: KubernetesObject) -> tuple[Group, ...]:
    """Return the groups of the PrometheusRule objects that a Prometheus surely selects."""
    if server.kind != "Prometheus":
        return ()
    taken = [one.part for one in model.cluster.of("PrometheusRule") if reason_left_out(model, server, one) == ""]
    routes: dict[int, list[Route]] = {}
    for part in taken:
        routes.setdefault(id(part.document), []).append(part.route)
    return tuple(
        group
        for group in model.rule_groups
        if any(group.part.route[: len(route)] == route for route in routes.get(id(group.part.document), ()))
    )


def _config(model: Model, server: KubernetesObject) -> OperatedConfig:
    """Return what the operator writes for a Prometheus, its scrape jobs left out."""
    spec, namespace = server.part.get("spec"), _namespace(model, server)
    name = spec.string("prometheusExternalLabelName") if "prometheusExternalLabelName" in spec else "prometheus"
    replica = "replicaExternalLabelName"
    replica = spec.string(replica) if replica in spec else "prometheus_replica"
    labels: dict[str, Any] = {name: Said(f"{namespace}/{server.name}", spec)} if name else {}
    labels |= {replica: Said("$(POD_NAME)", spec)} if replica else {}
    labels |= dict(spec.get("externalLabels").items())
    whole: dict[str, Any] = {
        "global": {
            "scrape_interval": spec.get("scrapeInterval") or DEFAULT_INTERVAL,
            "evaluation_interval": spec.get("evaluationInterval") or DEFAULT_INTERVAL,
            "external_labels": labels,
            **({"scrape_timeout": spec.get("scrapeTimeout")} if spec.get("scrapeTimeout") else {}),
        },
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": replica}] if replica else [],
            "alertmanagers": [_told(part, namespace) for part in spec.list("alerting", "alertmanagers")],
        },
    }
    whole |= {"remote_write": spec.get("remoteWrite")} if spec.get("remoteWrite") else {}
    whole |= {"remote_read": spec.get("remoteRead")} if spec.get("remoteRead") else {}
    return OperatedConfig(Part.whole(written(server.file, whole, spec)), server.subject)


def _told(part: Part, own: str) -> Said:
    namespace = part.string("namespace") or own
    port = part.string("port")
    steps = [_step("keep", [f"{_META}_service_name"], part.string("name"))]
    steps += [_step("keep", [f"{_META}_endpoint_port_name"], port)] if port and not port.isdigit() else []
    discovery = {"role": "endpoints", "namespaces": {"names": [namespace]}}
    return Said({"kubernetes_sd_configs": [discovery], "relabel_configs": steps}, part)


def _namespace(model: Model, one: KubernetesObject) -> str:
    return next(iter(sorted(model.cluster.namespaces(one))), "default")


def _alertmanager(model: Model, server: KubernetesObject) -> AlertmanagerConfig | None:
    """Return the configuration of the Alertmanager object that a Prometheus tells."""
    managers = managers_told(model, server)
    if len(managers) != 1:
        return None
    (manager,) = managers
    wanted = manager.part.string("spec", "configSecret") or f"alertmanager-{manager.name}"
    secrets = model.cluster.named("Secret", wanted, model.cluster.namespaces(manager))
    if len(secrets) != 1:
        return None
    lines = [part.place.line for part in secrets[0].part.walk()]
    inside = [
        config
        for config in model.alertmanager_configs
        if config.file == secrets[0].file and min(lines) <= config.part.place.line
    ]
    return inside[0] if len(inside) == 1 else None


def managers_told(model: Model, server: KubernetesObject) -> tuple[KubernetesObject, ...]:
    """Return the Alertmanager objects behind the Services that a Prometheus tells."""
    found: dict[int, KubernetesObject] = {}
    for part in server.part.list("spec", "alerting", "alertmanagers"):
        namespaces = frozenset({part.string("namespace")} - {""}) or model.cluster.namespaces(server)
        if part.string("name") == "alertmanager-operated":
            there = [m for m in model.cluster.of("Alertmanager") if together(model.cluster.namespaces(m), namespaces)]
            found |= {id(each): each for each in there}
        for service in model.services.named(part.string("name"), namespaces):
            found |= {id(pod.object): pod.object for pod in service.pods if pod.object.kind == "Alertmanager"}
    return tuple(found.values())


# Scrape jobs


def _fragment(model: Model, server: KubernetesObject, monitor: KubernetesObject) -> OperatedConfig:
    """Return the scrape jobs that the operator makes of a monitor for a Prometheus."""
    spec = server.part.get("spec")
    makers = {"ServiceMonitor": _of_services, "PodMonitor": _of_pods, "Probe": _of_probe, "ScrapeConfig": _of_config}
    made = list(makers[monitor.kind](_Making(model, server, monitor)))
    timeout = spec.get("scrapeTimeout")
    whole = {
        "global": {
            "scrape_interval": spec.get("scrapeInterval") or DEFAULT_INTERVAL,
            **({"scrape_timeout": timeout} if timeout else {}),
        },
        "scrape_configs": [job for job, _ in made],
    }
    document = written(monitor.file, whole, monitor.part.get("metadata", "name"))
    return OperatedConfig(Part.whole(document), monitor.subject, tuple(origin for _, origin in made))


_Made = tuple[dict[str, Any], Origin]


@dataclass(frozen=True)
class _Making:
    """A monitor, of which jobs are made for a Prometheus."""

    model: Model
    server: KubernetesObject
    monitor: KubernetesObject

    @property
    def spec(self) -> Part:
        return self.monitor.part.get("spec")

    @property
    def path(self) -> str:
        """Namespace and name."""
        return f"{_namespace(self.model, self.monitor)}/{self.monitor.name}"

    @property
    def discovery(self) -> dict[str, Any]:
        """Where it looks: in its own namespace, or where its namespaceSelector says."""
        chosen = self.spec.get("namespaceSelector")
        bound = self.server.part.get("spec", "ignoreNamespaceSelectors").value is True
        if chosen.get("any").value is True and not bound:
            return {}
        named = [part.text for part in chosen.list("matchNames")] if not bound else []
        return {"namespaces": {"names": named or [_namespace(self.model, self.monitor)]}}

    @property
    def role(self) -> str:
        said = self.spec.string("serviceDiscoveryRole") or self.server.part.string("spec", "serviceDiscoveryRole")
        return "endpointslice" if said == "EndpointSlice" else "endpoints"

    def origin(self, part: Part, jobs: frozenset[str] | None, number: int | None = None) -> Origin:
        more = "" if number is None else f"/{number}"
        said = f"{self.monitor.kind} {self.monitor.name}"
        return Origin(part, f"{self.monitor.subject}{more}", said, jobs)

    def job(self, name: str, part: Part, keys: Mapping[str, str]) -> dict[str, Any]:
        """Return the keys of a job that are copied as they are; `keys` names each in the operator's words."""
        copied = {key: part.get(said) for key, said in keys.items() if part.get(said)}
        limits = {key: self.spec.get(said) for key, said in _LIMITS.items() if self.spec.get(said)}
        return {"job_name": Said(name, self.monitor.part.get("metadata", "name")), **copied, **limits}

    def sieve(self, prefix: str) -> Iterator[Said]:
        """Yield the rules that keep what the monitor's selector selects."""
        selector = self.spec.get("selector")
        for name, part in selector.get("matchLabels").items():
            labels = _labels_of(prefix, name)
            yield Said(_step("keep", labels, f"({part.text});true"), part)
        for part in selector.list("matchExpressions"):
            labels, listed = _labels_of(prefix, part.string("key")), "|".join(v.text for v in part.list("values"))
            rules = {
                "In": _step("keep", labels, f"({listed});true"),
                "NotIn": _step("drop", labels, f"({listed});true"),
                "Exists": _step("keep", labels[1:], "true"),
                "DoesNotExist": _step("drop", labels[1:], "true"),
            }
            if part.string("operator") in rules:
                yield Said(rules[part.string("operator")], part)


_LIMITS = {
    "sample_limit": "sampleLimit",
    "target_limit": "targetLimit",
    "label_limit": "labelLimit",
    "label_name_length_limit": "labelNameLengthLimit",
    "label_value_length_limit": "labelValueLengthLimit",
    "body_size_limit": "bodySizeLimit",
}
_OF_ENDPOINT = {
    "scrape_interval": "interval",
    "scrape_timeout": "scrapeTimeout",
    "metrics_path": "path",
    "scheme": "scheme",
    "params": "params",
    "honor_labels": "honorLabels",
    "honor_timestamps": "honorTimestamps",
}


def _labels_of(prefix: str, name: str) -> list[str]:
    return [f"{_META}_{prefix}_label_{sanitized(name)}", f"{_META}_{prefix}_labelpresent_{sanitized(name)}"]


def _step(action: str, sources: list[str], regex: str) -> dict[str, Any]:
    return {"action": action, "source_labels": sources, "regex": regex}


def _copy(source: str, target: str, regex: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"source_labels": [source], "target_label": target}
    return found | ({"regex": regex} if regex else {})


def _rules(parts: Iterable[Part]) -> list[Any]:
    """Return relabelling rules in Prometheus' words."""
    words = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return [Said({words.get(key, key): value for key, value in part.items()}, part) for part in parts]


def _of_services(making: _Making) -> Iterator[_Made]:
    spec, slices = making.spec, making.role == "endpointslice"
    target = f"{_META}_{'endpointslice' if slices else 'endpoint'}_address_target"
    for i, endpoint in enumerate(spec.list("endpoints")):
        job = making.job(f"serviceMonitor/{making.path}/{i}", endpoint, _OF_ENDPOINT)
        port = endpoint.get("port")
        rules: list[Any] = [_copy("job", "__tmp_prometheus_job_name"), *making.sieve("service")]
        if port.text:
            name = f"{_META}_{'endpointslice' if slices else 'endpoint'}_port_name"
            rules.append(Said(_step("keep", [name], port.text), port))
        else:
            rules += _by_target_port(endpoint.get("targetPort"))
        for kind in ("Node", "Pod"):
            both = {"source_labels": [f"{target}_kind", f"{target}_name"], "separator": ";"}
            rules.append({**both, "regex": f"{kind};(.*)", "replacement": "${1}", "target_label": kind.lower()})
        for source, label in (("namespace", "namespace"), ("service_name", "service"), ("pod_name", "pod"),
                              ("pod_container_name", "container")):  # fmt: skip
            rules.append(_copy(f"{_META}_{source}", label))
        rules += _transferred(spec.list("targetLabels"), "service") + _transferred(spec.list("podTargetLabels"), "pod")
        rules.append(_copy(f"{_META}_service_name", "job"))
        named = spec.get("jobLabel")
        if named.text:
            rules.append(Said(_copy(_labels_of("service", named.text)[0], "job", "(.+)"), named))
        rules += [*_named(endpoint), *_rules(endpoint.list("relabelings"))]
        discovery = Said({"role": making.role, **making.discovery}, spec.get("selector"))
        job |= {"kubernetes_sd_configs": [discovery], "relabel_configs": rules}
        job["metric_relabel_configs"] = _rules(endpoint.list("metricRelabelings"))
        yield job, making.origin(endpoint, _written(making, _services_jobs(making), endpoint), i)


def _by_target_port(port: Part) -> list[Said]:
    if not port.text:
        return []
    label = f"{_META}_pod_container_port_{'number' if port.text.isdigit() else 'name'}"
    return [Said(_step("keep", [label], port.text), port)]


def _transferred(labels: Iterable[Part], prefix: str) -> list[Any]:
    """Return the rules that give the labels of a Service or a pod to its targets."""
    rules = []
    for part in labels:
        source, target = _labels_of(prefix, part.text)[0], sanitized(part.text)
        rules.append(Said(_copy(source, target, "(.+)") | {"replacement": "${1}"}, part))
    return rules


def _named(endpoint: Part) -> list[Said]:
    """Return the rule that gives a target the name of its port."""
    for key in ("port", "portNumber", "targetPort"):
        part = endpoint.get(key)
        if part.text:
            return [Said({"target_label": "endpoint", "replacement": part.text.replace("$", "$$")}, part)]
    return []


def _of_pods(making: _Making) -> Iterator[_Made]:
    spec = making.spec
    for i, endpoint in enumerate(spec.list("podMetricsEndpoints")):
        job = making.job(f"podMonitor/{making.path}/{i}", endpoint, _OF_ENDPOINT)
        rules: list[Any] = [_copy("job", "__tmp_prometheus_job_name"), *making.sieve("pod")]
        port, number = endpoint.get("port"), endpoint.get("portNumber")
        if port.text:
            rules.append(Said(_step("keep", [f"{_META}_pod_container_port_name"], port.text), port))
        elif number.text:
            rules.append(Said(_step("keep", [f"{_META}_pod_container_port_number"], number.text), number))
        else:
            rules += _by_target_port(endpoint.get("targetPort"))
        for source, label in (("namespace", "namespace"), ("pod_container_name", "container"), ("pod_name", "pod")):
            rules.append(_copy(f"{_META}_{source}", label))
        rules += _transferred(spec.list("podTargetLabels"), "pod")
        rules.append({"target_label": "job", "replacement": making.path})
        label = spec.string("jobLabel")
        if label:
            rules.append(Said(_copy(_labels_of("pod", label)[0], "job", "(.+)"), spec.get("jobLabel")))
        rules += [*_named(endpoint), *_rules(endpoint.list("relabelings"))]
        discovery = Said({"role": "pod", **making.discovery}, spec.get("selector"))
        job |= {"kubernetes_sd_configs": [discovery], "relabel_configs": rules}
        job["metric_relabel_configs"] = _rules(endpoint.list("metricRelabelings"))
        own = frozenset({making.path}) if len(making.model.cluster.namespaces(making.monitor)) == 1 else None
        yield job, making.origin(endpoint, _written(making, _selected(spec, label) if label else own, endpoint), i)


def _of_probe(making: _Making) -> Iterator[_Made]:
    spec = making.spec
    keys = {"scrape_interval": "interval", "scrape_timeout": "scrapeTimeout"}
    name = f"probe/{making.path}"
    job = making.job(name, spec, keys)
    job["metrics_path"] = spec.get("prober", "path") or "/probe"
    if spec.get("prober", "scheme"):
        job["scheme"] = spec.get("prober", "scheme")
    if spec.string("module"):
        job["params"] = {"module": [spec.get("module")]}
    rules: list[Any] = []
    if spec.string("jobName"):
        rules.append(Said({"target_label": "job", "replacement": spec.string("jobName")}, spec.get("jobName")))
    static, prober = spec.get("targets", "staticConfig"), spec.get("prober", "url")
    address = Said({"target_label": "__address__", "replacement": prober.text}, prober)
    own = frozenset({spec.string("jobName") or name})
    if static:
        labels = {"namespace": _namespace(making.model, making.monitor), **dict(static.get("labels").items())}
        job["static_configs"] = [{"targets": static.get("static"), "labels": labels}]
        rules += [_copy("__address__", "__param_target"), _copy("__param_target", "instance"), address]
        more = static.list("relabelingConfigs")
    else:
        ingress = spec.get("targets", "ingress")
        labels_of = [f"{_META}_ingress_{each}" for each in ("scheme", "host", "path")]
        url = {
            "source_labels": labels_of,
            "separator": ";",
            "regex": "(.+);(.+);(.+)",
            "replacement": "${1}://${2}${3}",
        }
        job["kubernetes_sd_configs"] = [Said({"role": "ingress", **making.discovery}, ingress)]
        rules += [{**url, "target_label": "__param_target"}, _copy(f"{_META}_namespace", "namespace"),
                  _copy(f"{_META}_ingress_name", "ingress"), _copy("__param_target", "instance"), address]  # fmt: skip
        more = ingress.list("relabelingConfigs")
    job["relabel_configs"] = [*rules, *_rules(more)]
    job["metric_relabel_configs"] = _rules(spec.list("metricRelabelings"))
    jobs = _rewritten(own, (*more, *spec.list("metricRelabelings")))
    yield job, making.origin(spec, jobs)


_OF_SCRAPE_CONFIG = {
    "scrape_interval": "scrapeInterval",
    "scrape_timeout": "scrapeTimeout",
    "metrics_path": "metricsPath",
    "honor_labels": "honorLabels",
    "honor_timestamps": "honorTimestamps",
    "params": "params",
}


def _of_config(making: _Making) -> Iterator[_Made]:
    spec = making.spec
    name = f"scrapeConfig/{making.path}"
    job = making.job(name, spec, _OF_SCRAPE_CONFIG)
    if spec.string("scheme"):
        job["scheme"] = Said(spec.string("scheme").lower(), spec.get("scheme"))
    rules: list[Any] = []
    if spec.string("jobName"):
        rules.append(Said({"target_label": "job", "replacement": spec.string("jobName")}, spec.get("jobName")))
    given: set[str] = set()
    for key, value in spec.items():
        if key == "staticConfigs":
            job["static_configs"] = value
            given |= {group.string("labels", "job") for group in value.list()} - {""}
        elif key == "kubernetesSDConfigs":
            job["kubernetes_sd_configs"] = [_discovery(part) for part in value.list()]
        elif key.endswith("SDConfigs"):
            job[f"{key.removesuffix('SDConfigs').lower()}_sd_configs"] = value
    job["relabel_configs"] = [*rules, *_rules(spec.list("relabelings"))]
    job["metric_relabel_configs"] = _rules(spec.list("metricRelabelings"))
    own = frozenset({spec.string("jobName")} if spec.string("jobName") else given or {name})
    yield job, making.origin(spec, _rewritten(own, (*spec.list("relabelings"), *spec.list("metricRelabelings"))))


def _discovery(part: Part) -> Said:
    """Return a discovery of a ScrapeConfig in Prometheus' words."""
    words = {"apiServer": "api_server", "ownNamespace": "own_namespace"}
    found = {words.get(key, key): value for key, value in part.items()}
    return Said(found | {"role": part.string("role").lower()}, part)


# The label `job`


def _services_jobs(making: _Making) -> frozenset[str] | None:
    """Return the jobs that a ServiceMonitor gives by default: the names of Services, or the values of a label of them.

    What the selector itself says of the label is sure; else the Services of the folder tell, if it selects any.
    """
    label = making.spec.string("jobLabel")
    wanted = _selected(making.spec, label) if label else None
    if wanted:
        return wanted
    where = making.spec.get("namespaceSelector")
    names = frozenset(p.text for p in where.list("matchNames")) or making.model.cluster.namespaces(making.monitor)
    names = frozenset() if where.get("any").value is True else names
    found: set[str] = set()
    for service in making.model.services.all:
        labels = service.object.part.strings("metadata", "labels")
        answer = together(service.namespaces, names) and selects(making.spec.get("selector"), labels)
        if answer is None or (answer and making.model.cluster.patched(service.object)):
            return None
        if answer:
            found.add(labels.get(label) or service.name)
    return frozenset(found) or None


def _selected(spec: Part, label: str) -> frozenset[str] | None:
    """Return the values that a selector leaves to a label; None if it leaves any."""
    exact = spec.string("selector", "matchLabels", label)
    if exact:
        return frozenset({exact})
    for part in spec.list("selector", "matchExpressions"):
        if part.string("key") == label and part.string("operator") == "In":
            return frozenset(value.text for value in part.list("values"))
    return None


def _written(making: _Making, own: frozenset[str] | None, endpoint: Part) -> frozenset[str] | None:
    """Return the values that `job` has in the end: those of somebody else, where what tells of others is scraped."""
    name = f"{making.monitor.name} {endpoint.string('path')}"
    if endpoint.get("honorLabels").value is True and _TELLS_JOBS.search(name):
        return None
    return _rewritten(own, (*endpoint.list("relabelings"), *endpoint.list("metricRelabelings")))


def _rewritten(own: frozenset[str] | None, parts: Iterable[Part]) -> frozenset[str] | None:
    """Return the values that `job` may have after further relabelling; None if they are not known."""
    for part in parts:
        rule = step(part)
        if rule.action == "labelmap" and matches(rule.regex, "job") is not False:
            return None
        if rule.sieves or rule.action in ("labelmap", "labeldrop", "labelkeep"):
            continue
        if "$" in rule.target or (rule.target == "job" and (rule.action != "replace" or references(rule.replacement))):
            return None
        if rule.target == "job":
            sure = not rule.sources and (always_matches(rule) or rule.regex in ("(.*)", ".*"))
            own = frozenset({rule.replacement} if sure else {rule.replacement, *(own or ())}) if sure or own else None
    return own


# A document whose values stand elsewhere


@dataclass(frozen=True)
class Said:
    """Something that is made because of what stands in a part: its place is that of the part."""

    value: Any
    part: Part


def written(file: str, tree: Any, origin: Part) -> Document:
    """Return a document of a tree of values, parts (which are copied with their places) and what is `Said`.

    What is neither stands where `origin` does.
    """
    writing = _Writing()
    value = writing.value(tree, (), origin)
    return Document(file, value, writing.places, writing.keys, writing.texts)


class _Writing:
    def __init__(self) -> None:
        self.places: dict[Route, Place] = {}
        self.keys: dict[Route, Place] = {}
        self.texts: dict[Route, str] = {}

    def value(self, tree: Any, route: Route, origin: Part) -> Any:
        if isinstance(tree, Part):
            return self.copied(tree, route)
        if isinstance(tree, Said):
            self.places[route] = tree.part.place
            self.keys[route] = tree.part.key_place
            return self.value(tree.value, route, tree.part)
        self.places.setdefault(route, origin.place)
        if isinstance(tree, Mapping):
            return {key: self.value(value, (*route, key), origin) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self.value(value, (*route, i), origin) for i, value in enumerate(tree)]
        return tree

    def copied(self, part: Part, route: Route) -> Any:
        for each in part.walk():
            to = (*route, *each.route[len(part.route) :])
            self.places[to], self.keys[to] = each.place, each.key_place
            if each.value is not None and not isinstance(each.value, (str, dict, list)):
                self.texts[to] = each.text
        return part.value
