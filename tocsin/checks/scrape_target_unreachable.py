"""A target at an address where nobody answers scrapes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from tocsin.artefacts.compose import ComposeService
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.listening import listening
from tocsin.model.services import Service
from tocsin.model.targets import Target
from tocsin.part import Part
from tocsin.relabelling import steps, with_port
from tocsin.source import nearest

_COMPOSE = """services:
  prometheus:
    image: prom/prometheus
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml"]
  node:
    image: prom/node-exporter
"""
_CONFIG = "global: {{}}\nscrape_configs:\n- job_name: node\n  static_configs: [{{targets: ['node:{port}']}}]\n"
_LISTENS = {
    "prometheus": {9090}, "alertmanager": {9093}, "node-exporter": {9100}, "pushgateway": {9091},
    "blackbox-exporter": {9115}, "snmp-exporter": {9116}, "statsd-exporter": {9102}, "mysqld-exporter": {9104},
    "memcached-exporter": {9150}, "consul-exporter": {9107}, "haproxy-exporter": {9101}, "graphite-exporter": {9108},
    "postgres-exporter": {9187}, "redis_exporter": {9121}, "nginx-prometheus-exporter": {9113}, "grafana": {3000},
    "cadvisor": {8080},
    "elasticsearch-exporter": {9114}, "elasticsearch_exporter": {9114}, "kafka-exporter": {9308},
    "mongodb_exporter": {9216}, "process-exporter": {9256},
}  # fmt: skip
"""Where the programs of well-known images listen when no flag says another port.

(github.com/prometheus/prometheus/wiki/Default-port-allocations, and each project's README.)
"""
_SOURCES = (".py", ".go", ".js", ".ts", ".java", ".kt", ".rb", ".rs", ".php", ".cs", ".scala", ".ex", ".properties")
_MOST_SOURCES = 400


@check(
    severity=Severity.ERROR,
    fix="Ask the port, the path and the name at which the target really answers.",
    bad=Example({"compose.yml": _COMPOSE, "prometheus.yml": _CONFIG.format(port=9200)}, at="node:9200"),
    good=Example({"compose.yml": _COMPOSE, "prometheus.yml": _CONFIG.format(port=9100)}),
)
def scrape_target_unreachable(model: Model) -> Iterator[Remark]:
    """Every scrape of it fails: `up` is 0 for ever, and no other series of it is there.

    (prometheus.io/docs/concepts/jobs_instances; kubernetes.io/docs/concepts/services-networking/dns-pod-service: only
    a headless Service gives its pods names; docs.docker.com/compose/how-tos/networking: containers reach each other
    at the container's port, by the service's name.)
    """
    told: set[tuple[object, ...]] = set()
    for target in model.targets:
        if not (target.kept and target.certain):
            continue
        for remark in _troubles(model, target):
            key = (remark.place, remark.subject)
            if key not in told:
                told.add(key)
                yield remark
    yield from _misspelt_paths(model)
    yield from _in_the_clear(model)


_SECURE_ONLY = re.compile(r"kubernetes;https|^kubernetes$")


def _in_the_clear(model: Model) -> Iterator[Remark]:
    """Yield jobs that ask kubelets or the API server without TLS, who answer nobody so.

    (kubernetes.io/docs/reference/networking/ports-and-protocols: 10250 and 6443 are HTTPS; Prometheus, discovery of the
    role node: the address is that of the kubelet.)
    """
    for config in model.prometheus_configs:
        for job in config.jobs:
            rules = steps(job.relabelling)
            written = {rule.target for rule in rules} & {"__address__", "__scheme__"}
            if job.scheme != "http" or written or any("$" in rule.target for rule in rules):
                continue
            api = any(rule.action == "keep" and _SECURE_ONLY.search(rule.regex) for rule in rules)
            for discovery in job.discoveries:
                role = discovery.part.get("role")
                who = "kubelets" if role.text == "node" else "the API server" if api and "endpoint" in role.text else ""
                if discovery.mechanism == "kubernetes_sd_configs" and who:
                    message = f"job `{job.name}` asks {who} without TLS, and they speak nothing else"
                    fix = "Set `scheme: https`, with the CA and the token of the service account."
                    yield at(role, message, subject=f"{job.subject}/scheme", fix=fix)


_SLIPS = re.compile(
    r"/(?:metric|metrcis|metirc|metircs|metrics?s|mertics|metics|metrcs|metris|metrixs?|metric_s)/?", re.IGNORECASE
)
"""What `/metrics` becomes by a slip of the hand."""


def _misspelt_paths(model: Model) -> Iterator[Remark]:
    """Yield the paths of scrapes that are `/metrics` but for a slip, where no source knows them."""
    jobs = [(job.part.get("metrics_path"), job.subject) for config in model.prometheus_configs for job in config.jobs]
    for thing in model.objects_of("ServiceMonitor", "PodMonitor"):
        for key in ("endpoints", "podMetricsEndpoints"):
            jobs += [(each.get("path"), f"{thing.subject}/{each.key}") for each in thing.part.list("spec", key)]
    slipped = [(part, subject) for part, subject in jobs if _SLIPS.fullmatch(part.text)]
    asked = [each for each in slipped if each[0].text.rstrip("/") != "/metrics"]  # a slash is redirected
    names = [name for name in model.folder.names if name.endswith(_SOURCES)] if asked else []
    texts = [model.text(name) for name in names] if len(names) <= _MOST_SOURCES else []
    for part, subject in asked:
        if not any(_quoted(part.text, text) for text in texts):
            sure = any(_quoted("/metrics", text) for text in texts)
            message = f"`{part.text}` is asked for metrics; " + (
                "the application serves /metrics" if sure else "did you mean /metrics?"
            )
            severity = Severity.ERROR if sure else Severity.WARNING
            yield at(part, message, subject=f"{subject}/path", severity=severity)


def _troubles(model: Model, target: Target) -> Iterator[Remark]:
    if target.problem:
        yield from _garbled(target)
    elif target.pod is not None:
        yield from _port_of_pod(target, target.pod)
        yield from _path_of_pod(model, target, target.pod)
    elif target.knows("__address__"):
        end = _End.of(target)
        if end is not None and target.stack.composed:
            yield from _composed(model, target, end)
        elif end is not None and (
            target.stack.orchestrated or ".svc" in end.host or _held_by(model, target) is not None
        ):
            yield from _orchestrated(model, target, end)


@dataclass(frozen=True)
class _End:
    """Where a target is asked."""

    host: str
    port: int
    part: Part
    """What says so: the item of `targets`, or the rule that writes the address."""

    @classmethod
    def of(cls, target: Target) -> _End | None:
        host, _, port = with_port(target.address, target.scheme).rpartition(":")
        rule = target.relabelled.steps.get("__address__")
        part = target.part if rule is None else (rule.part.get("replacement") or rule.part)
        return cls(host, int(port), part) if port.isdigit() and len(port) <= 5 and host else None


def _remark(target: Target, part: Part, message: str, about: str, *related: Part, **more: Severity) -> Remark:
    return at(part, message, subject=f"{target.job.subject}/{about}", related=tuple(p.place for p in related), **more)


def _garbled(target: Target) -> Iterator[Remark]:
    """Yield that relabelling makes an address of what is none."""
    rule = target.relabelled.steps.get("__address__")
    if target.path == "/probe" or not target.knows("__scheme__"):
        return
    if not target.address and rule is not None:
        message = f"job `{target.job.name}` loses the address of its targets by this rule, and gives them up"
        yield _remark(target, rule.part, message, "__address__", target.part)
        return
    if rule is None:
        message = f"job `{target.job.name}` gives up this target: {target.problem}"
        if target.job.relabelling and target.knows("__address__"):  # without rules the whole file is refused
            yield _remark(target, target.part, message, target.address)
        return
    shown = re.sub(r"203\.0\.11[3-9]\.\d+", "ADDRESS", target.address)
    what = f"{target.object.kind} {target.object.name}" if target.object else f"`{target.discovered['__address__']}`"
    part = rule.part.get("regex") or rule.part
    reason = target.problem.replace(target.address, shown)
    message = f"job `{target.job.name}` makes `{shown}` of the address of {what}, which is none: {reason}"
    yield _remark(target, part, message, "__address__", target.part)


# Pods


def _port_of_pod(target: Target, pod: Pod) -> Iterator[Remark]:
    """Yield that no container of a pod has the port that is asked, or that a rule does not take what is annotated."""
    port = with_port(target.address, target.scheme).rpartition(":")[2] or ("443" if target.scheme == "https" else "80")
    declared = {each.number for each in pod.ports}
    template = pod.workload.pod if pod.workload else None
    if template is None or not port.isdigit() or not declared or int(port[:6]) in declared or pod.host_network:
        return
    rule = target.relabelled.steps.get("__address__")
    has = ", ".join(map(str, sorted(declared)))
    said = {part.text: part for key, part in template.get("metadata", "annotations").items() if key.endswith("/port")}
    if rule is not None and port not in said and any(text.isdigit() and int(text[:6]) in declared for text in said):
        part = rule.part.get("regex") or rule.part
        wanted = next(text for text in said if text.isdigit() and int(text[:6]) in declared)
        message = f"job `{target.job.name}` asks {pod.subject} at port {port}, and its annotation says {wanted}"
        yield _remark(target, part, message, f"{pod.subject}/port", said[wanted])
        return
    mentions = [part for part in template.get("spec").walk() if re.search(rf"(?<!\d){port}(?!\d)", part.text)]
    annotation = said.get(port)
    if annotation is None or mentions or len(pod.containers) != 1:
        return
    container = pod.containers[0].part
    heard = {each.port for each in listening((*container.list("command"), *container.list("args")), {})} - {None}
    message = f"the annotation asks for port {port} of {pod.subject}, whose container has {has}"
    severity = Severity.ERROR if heard else Severity.WARNING
    yield _remark(target, annotation, message, pod.subject, pod.ports[0].part, severity=severity)


def _path_of_pod(model: Model, target: Target, pod: Pod) -> Iterator[Remark]:
    """Yield that an application of the folder does not know the path that is asked."""
    template = pod.workload.pod if pod.workload else None
    annotation = _annotation(template, "path", target.path) if template is not None else None
    if annotation is None or len(pod.containers) != 1 or target.path == "/metrics":
        return
    image = pod.containers[0].part.string("image").split("@")[0].rpartition("/")[2].partition(":")[0]
    texts = _sources(model, image)
    if any(_quoted(target.path, text) for text in texts) or not any(_quoted("/metrics", text) for text in texts):
        return
    message = f"the annotation asks {pod.subject} for {target.path}, and its application serves /metrics"
    yield _remark(target, annotation, message, f"{pod.subject}/path")


def _annotation(template: Part, name: str, value: str) -> Part | None:
    found = template.get("metadata", "annotations").items()
    return next((part for key, part in found if key.endswith(f"/{name}") and part.text == value), None)


def _sources(model: Model, image: str) -> list[str]:
    """Return the texts of the application that an image is named after, where the folder holds what it is built of."""
    built = [name for name in model.folder.names if posixpath.basename(name) == "Dockerfile"]
    folders = [
        posixpath.dirname(name) for name in built if image and posixpath.basename(posixpath.dirname(name)) == image
    ]
    if len(folders) != 1:
        return []
    inside = [n for n in model.folder.names if n.startswith(f"{folders[0]}/") and n.endswith(_SOURCES)]
    return [model.text(name) for name in inside] if len(inside) <= _MOST_SOURCES else []


def _quoted(path: str, text: str) -> bool:
    return f'"{path}"' in text or f"'{path}'" in text or f"`{path}`" in text


# docker-compose


def _composed(model: Model, target: Target, end: _End) -> Iterator[Remark]:
    """Yield that no service of docker-compose answers at an address."""
    own = next(process for process in target.stack.processes if process.workload is None)
    mode = own.part.string("network_mode")
    services = [s for compose in model.compose_files for s in compose.services.values() if end.host in s.names]
    if mode or end.port == 0:
        return
    if end.host in ("localhost", "127.0.0.1"):
        listen = (own.flag("web.listen-address") or ":9090").rpartition(":")[2]
        shared = any(
            service.network_mode == f"service:{own.part.key}"
            for compose in model.compose_files
            for service in compose.services.values()
        )
        if str(end.port) != listen and not shared:
            message = f"`{end.host}:{end.port}` is the container of Prometheus itself, where only {listen} answers"
            yield _remark(target, end.part, message, target.address, own.part)
    elif not services:
        yield from _unnamed(model, target, end, own.part)
    else:
        inside = [service for service in services if service.part.file == own.file] or services
        if len(inside) == 1:
            yield from _unheard(model, target, end, inside[0])


def _unnamed(model: Model, target: Target, end: _End, own: Part) -> Iterator[Remark]:
    if _outside(end.host) or any(own.get(key) for key in ("extra_hosts", "external_links", "links", "dns")):
        return
    files = [compose.part for compose in model.compose_files if compose.part.file == own.file]
    networks = [network for part in files for _, network in part.get("networks").items()]
    if any(network.get("external") for network in networks):
        return
    names = sorted(
        {n for c in model.compose_files if c.part.file == own.file for s in c.services.values() for n in s.names}
    )
    near = nearest(end.host, names)
    others = {other.address.partition(":")[0] for other in model.targets if other.stack is target.stack}
    if not near and not others.intersection(names) - {own.key}:
        return  # the file holds but a piece of the system
    message = f"no service of {own.file} is called `{end.host}`"
    message += f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
    yield _remark(target, end.part, message, target.address, own)


_FILLED_IN = re.compile(r"^(?i:your|example|change|replace|todo|my)[-_]|^[A-Z][A-Z0-9_]{3,}$|^<")


def _outside(host: str) -> bool:
    """Whether a host is no service's name: another domain, an address, a variable, a container numbered by compose.

    Nor is what somebody has to fill in: `YOUR_IP`.
    """
    return bool(_FILLED_IN.search(host)) or bool(re.search(r"[.$:\[]", host) or re.search(r"[-_]\d+$", host))


def _unheard(model: Model, target: Target, end: _End, service: ComposeService) -> Iterator[Remark]:
    """Yield that a service does not listen on a port."""
    heard = {each.port for each in listening(_arguments(service), {}) if each.port}
    inside = {port.target for port in service.ports} | set(service.exposed) | heard
    published = next((port for port in service.ports if port.published == end.port), None)
    if end.port in inside or service.network_mode:
        return
    where = f"`{service.name}` of {service.part.file}"
    if published is not None:
        message = f"{end.port} is the port of the host; other containers reach {where} at {published.target}"
        yield _remark(target, end.part, message, target.address, published.part)
        return
    usual = _LISTENS.get(service.image_name.removeprefix("prometheus-") if not heard else "", set())
    words = " ".join([*(word for word, _ in service.words), *service.environment])
    if usual and not re.search(r"listen|port|addr", words, re.IGNORECASE):
        listed = ", ".join(map(str, sorted(usual)))
        if end.port not in usual:
            yield _remark(
                target, end.part, f"{where} listens on {listed}, not on {end.port}", target.address, service.part
            )
    elif heard and not _mentioned(model, service, end):
        listed = ", ".join(map(str, sorted(inside)))
        message = f"{where} listens on {listed}, and nothing of it speaks of {end.port}"
        yield _remark(target, end.part, message, target.address, service.part)
    elif len(inside) == 1 and not heard and "exporter" in service.image_name and str(end.port) not in words:
        message = f"{where} is an exporter with the one port {min(inside)}, and is asked at {end.port}"
        yield _remark(target, end.part, message, target.address, service.part, severity=Severity.WARNING)
    elif inside and not heard and service.part.get("build") and not _mentioned(model, service, end):
        listed = ", ".join(map(str, sorted(inside)))
        message = f"{where} declares port {listed}, and nothing that it is built of speaks of {end.port}"
        yield _remark(target, end.part, message, target.address, service.part, severity=Severity.WARNING)


def _arguments(service: ComposeService) -> tuple[Part, ...]:
    entry = service.part.get("entrypoint")
    return (*(entry.list() or ((entry,) if entry.text else ())), *service.arguments)


def _mentioned(model: Model, service: ComposeService, end: _End) -> bool:
    """Whether a port stands anywhere in a service, or in what it is built of; who asks it is no witness."""
    number = re.compile(rf"(?<!\d){end.port}(?!\d)")
    if any(number.search(part.text) for part in service.part.walk()):
        return True
    build = service.part.get("build")
    if not build:
        return False
    context = build.text or build.string("context") or "."
    file = posixpath.normpath(
        posixpath.join(posixpath.dirname(service.part.file), context, build.string("dockerfile") or "Dockerfile")
    )
    folder = posixpath.dirname(file)
    names = [name for name in model.folder.names if not folder or name.startswith(f"{folder}/")]
    names = [name for name in names if name != end.part.file]
    texts = [name for name in names if name.endswith((*_SOURCES, "Dockerfile", ".yml", ".yaml", ".json", ".toml"))]
    return not texts or len(texts) > _MOST_SOURCES or any(number.search(model.text(name)) for name in texts)


# Kubernetes


def _held_by(model: Model, target: Target) -> frozenset[str] | None:
    """Return the namespace of the ConfigMap that a configuration stands in; None if it stands in none."""
    file, line = target.part.file, target.part.place.line
    for one in model.objects_of("ConfigMap") if not target.stack.processes else ():
        for _, value in one.part.get("data").items() if one.part.file == file else ():
            first = value.place.line
            if first <= line <= first + value.text.count("\n") + 1:
                return model.cluster.namespaces(one)
    return None


def _orchestrated(model: Model, target: Target, end: _End) -> Iterator[Remark]:
    """Yield that no Service answers at an address of the cluster."""
    own = {n for p in target.stack.processes if p.workload is not None for n in model.cluster.namespaces(p.workload)}
    own |= (_held_by(model, target) or set()) if not own else set()
    address = model.services.address(end.host, own)
    if address is None or len(address.services) != 1:
        if address is None:
            yield from _no_service(model, target, end)
        return
    service = address.services[0]
    if address.pod:
        yield from _no_such_pod(target, end, service, address.pod)
    elif service.headless:
        declared = {port.number for pod in service.pods for port in pod.ports}
        if declared and service.pods_whole and end.port not in declared | {port.number for port in service.ports}:
            listed = ", ".join(map(str, sorted(declared)))
            message = f"the pods behind the headless Service {service.name} have the ports {listed}, not {end.port}"
            yield _remark(target, end.part, message, target.address, service.object.part)
    elif service.ports and service.object.part.string("spec", "type") != "ExternalName":
        ports = {port.number for port in service.ports}
        if end.port not in ports and not model.cluster.patched(service.object):
            listed = ", ".join(map(str, sorted(ports)))
            message = f"the Service {service.name} has the port {listed}, not {end.port}"
            yield _remark(target, end.part, message, target.address, service.object.part.get("spec", "ports"))


def _no_such_pod(target: Target, end: _End, service: Service, name: str) -> Iterator[Remark]:
    base, _, ordinal = name.rpartition("-")
    owner = next((p.object for p in service.pods if p.object.kind == "StatefulSet" and p.object.name == base), None)
    place = service.object.part.get("metadata", "name")
    if not service.headless:
        message = (
            f"`{name}` is no name: {service.name} has an address of its own, and only a headless Service names its pods"
        )
        yield _remark(target, end.part, message, target.address, place)
    elif owner is not None and ordinal.isdigit():
        replicas = owner.part.get("spec", "replicas").value
        count = 1 if replicas is None else replicas
        named = owner.part.string("spec", "serviceName")
        if isinstance(count, int) and int(ordinal[:6]) >= count:
            message = f"there is no pod `{name}`: the StatefulSet {base} has {count} replicas, from 0"
            yield _remark(target, end.part, message, target.address, owner.part.get("spec", "replicas"))
        elif named and named != service.name:
            message = (
                f"the pods of the StatefulSet {base} have names under the Service {named}, not under {service.name}"
            )
            yield _remark(target, end.part, message, target.address, owner.part.get("spec", "serviceName"))


_LONG, _SURE = 9, 0.94
"""Letters of a name, and how alike to another one it is, that make it that one misspelt."""


def _no_service(model: Model, target: Target, end: _End) -> Iterator[Remark]:
    """Yield that there is no Service of a name, where another one is surely meant."""
    found = re.fullmatch(r"([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\..*)?)?", end.host)
    if found is None or not target.discovered.get("__address__", "").startswith(end.host):
        return
    beside = [one.name for one in model.services.all if one.namespaces == {found[2]}]
    bare = re.sub(r"[-_]", "", found[1])
    near = [name for name in nearest(found[1], beside) if re.sub(r"[-_]", "", name).rstrip("s") == bare.rstrip("s")]
    if not near and len(found[1]) > _LONG:
        near = [name for name in nearest(found[1], beside) if SequenceMatcher(None, found[1], name).ratio() > _SURE]
    if near:
        message = f"there is no Service `{found[1]}` in the namespace {found[2]}; did you mean {near[0]}?"
        yield _remark(target, end.part, message, target.address)
