"""What the API server refuses of an object beyond its schema: names, and fields that must agree with each other.

(Kubernetes: pkg/apis/*/validation; k8s.io/apimachinery, pkg/util/validation.)
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping

from tocsin.artefacts.kubernetes import PLACEHOLDER, KubernetesObject
from tocsin.kubernetes_schema import Refusal
from tocsin.model.quantities import quantity
from tocsin.model.selectors import selects
from tocsin.model.workloads import Container, Workload
from tocsin.part import Part

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_KEY = re.compile(r"[-._A-Za-z0-9]+")
_MOST_BYTES = 1024 * 1024
"""What a ConfigMap or a Secret may hold (pkg/apis/core/validation: MaxSecretSize)."""
_TODO = re.compile(
    r"(?-i:^[A-Z0-9_ -]+$)|your|change|replace|todo|example|placeholder|insert|xxx|\.\.\.", re.IGNORECASE
)
"""A value that somebody is to fill in."""
_PATH_NAMES = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})


def refused(thing: KubernetesObject) -> Iterator[Refusal]:
    """Yield what is refused of an object of Kubernetes' own; what has placeholders is left alone."""
    if thing.part.get("sops"):
        return  # encrypted: what is in it now is not what is applied
    yield from _metadata(thing)
    rules = _RULES.get(thing.kind)
    if rules is not None:
        yield from rules(thing.part)


def refused_pods(workload: Workload) -> Iterator[Refusal]:
    """Yield what is refused of a workload and the pods that it makes."""
    if workload.object.group in ("apps", "extensions"):
        yield from _selector(workload)
    yield from _labels(workload.pod.get("metadata"))
    if workload.knative:
        return
    yield from _restart_policy(workload)
    yield from _deadlines(workload)
    names: dict[str, Part] = {}
    for container in workload.containers:
        name = container.part.get("name")
        if name.text in names and not PLACEHOLDER.search(name.text):
            yield Refusal(name, f"two containers of the pod are called `{name.text}`")
        names.setdefault(name.text, name)
        if name.text and not _good(_LABEL, name, 63):
            yield Refusal(name, f"`{name.text[:80]}` is no name of a container: {_allowed(_LABEL, 63)}")
        yield from _ports(container)
        yield from _resources(container)
        yield from _mounts(workload, container)
    yield from _twice(workload.spec.list("volumes"), "name", "two volumes of the pod are called")


def _good(pattern: re.Pattern[str], part: Part, most: int) -> bool:
    text = part.text
    return bool(PLACEHOLDER.search(text)) or (len(text) <= most and pattern.fullmatch(text) is not None)


def _metadata(thing: KubernetesObject) -> Iterator[Refusal]:
    metadata = thing.part.get("metadata")
    name = metadata.get("name")
    if not name.text and not metadata.string("generateName"):
        there = thing.part.get("metadata") or thing.part.get("kind")
        yield Refusal(there, f"the {thing.kind} has no name", missing=True)
    elif name.text and not PLACEHOLDER.search(name.text) and thing.kind not in _PATH_NAMES:
        pattern, most = (_LABEL, 63) if thing.kind in ("Namespace", "Service") else (_SUBDOMAIN, 253)
        most = 52 if thing.kind == "CronJob" else most
        if not _good(pattern, name, most):
            yield Refusal(name, f"`{name.text[:80]}` is no name of a {thing.kind}: {_allowed(pattern, most)}")
        elif thing.kind == "Service" and name.text[0].isdigit():
            yield Refusal(name, f"the name of a Service begins with a letter; `{name.text}` does not")
    namespace = metadata.get("namespace")
    if namespace.text and not _good(_LABEL, namespace, 63):
        yield Refusal(namespace, f"`{namespace.text[:80]}` is no name of a namespace: {_allowed(_LABEL, 63)}")
    yield from _labels(metadata)


def _allowed(pattern: re.Pattern[str], most: int) -> str:
    dots = ", dots" if pattern is _SUBDOMAIN else ""
    return f"small letters, digits, dashes{dots}, a letter or a digit at both ends, {most} characters at most"


def _labels(metadata: Part) -> Iterator[Refusal]:
    for key, value in metadata.get("labels").items():
        if PLACEHOLDER.search(key) or PLACEHOLDER.search(value.text):
            continue
        if not _qualified(key):
            yield Refusal(value, f"`{key[:100]}` is no name of a label", missing=True)
        if value.text and isinstance(value.value, str) and not _good(_QUALIFIED, value, 63):
            told = "letters, digits, dashes, dots and underscores, 63 at most, a letter or a digit at both ends"
            yield Refusal(value, f"`{value.text[:80]}` is no value of a label: {told}")
    for key, value in metadata.get("annotations").items():
        if not PLACEHOLDER.search(key) and not _qualified(key):
            yield Refusal(value, f"`{key[:100]}` is no name of an annotation", missing=True)


def _qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix.lower())):
        return False
    return len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


# Pods


def _selector(workload: Workload) -> Iterator[Refusal]:
    selector = workload.object.part.get("spec", "selector")
    if selector and selects(selector, workload.labels) is False:
        pairs = ", ".join(f"{key}: {value}" for key, value in workload.labels.items()) or "no labels"
        if not PLACEHOLDER.search(pairs):
            yield Refusal(selector, f"the selector does not select the {workload.kind}'s own pods, which have {pairs}")


def _restart_policy(workload: Workload) -> Iterator[Refusal]:
    policy = workload.spec.get("restartPolicy")
    if workload.kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet") and policy.text not in ("", "Always"):
        told = f"pods of a {workload.kind} are restarted always; `restartPolicy: {policy.text}` is refused"
        yield Refusal(policy, told)
    if workload.kind in ("Job", "CronJob") and policy.text in ("", "Always"):
        said = "`restartPolicy: Always`" if policy else "no restartPolicy, which means Always"
        told = f"the pods of a {workload.kind} must have Never or OnFailure; these have {said}"
        yield Refusal(policy or workload.spec, told, missing=not policy)


def _deadlines(workload: Workload) -> Iterator[Refusal]:
    spec = workload.object.part.get("spec")
    ready, deadline = spec.get("minReadySeconds"), spec.get("progressDeadlineSeconds")
    most = deadline.number() if deadline else 600.0
    if workload.kind == "Deployment" and (ready.number() or 0) >= (most or 600.0):
        yield Refusal(ready, f"`minReadySeconds: {ready.text}` is not less than progressDeadlineSeconds ({most:g})")
    strategy = spec.get("strategy")
    if workload.kind == "Deployment" and strategy.string("type") == "Recreate" and strategy.get("rollingUpdate"):
        told = "`rollingUpdate` may not be there when the strategy is Recreate"
        yield Refusal(strategy.get("rollingUpdate"), told, missing=True)
    rolling = strategy.get("rollingUpdate")
    if workload.kind == "Deployment" and _zero(rolling.get("maxSurge")) and _zero(rolling.get("maxUnavailable")):
        yield Refusal(rolling.get("maxSurge"), "maxSurge and maxUnavailable are both 0, so no pod could be replaced")
    stop = spec.get("template", "spec", "terminationGracePeriodSeconds")
    if (stop.number() or 0) < 0:
        yield Refusal(stop, f"`terminationGracePeriodSeconds: {stop.text}` is negative")


def _zero(part: Part) -> bool:
    return part.text in ("0", "0%")


def _ports(container: Container) -> Iterator[Refusal]:
    names: set[str] = set()
    for port in container.ports:
        name, number = port.part.get("name"), port.part.get("containerPort")
        if name.text and isinstance(name.value, str) and not PLACEHOLDER.search(name.text):
            if name.text in names:
                yield Refusal(name, f"two ports of `{container.name}` are called `{name.text}`")
            names.add(name.text)
            if len(name.text) > 15 or not _PORT_NAME.fullmatch(name.text) or name.text.isdecimal():
                told = f"`{name.text[:80]}` is no name of a port: small letters, digits, single dashes, 15 at most"
                yield Refusal(name, told)
        if number.number() is not None and not 1 <= (number.number() or 0) <= 65535:
            yield Refusal(number, f"there is no port {number.text}; they go from 1 to 65535")
        host = port.part.get("hostPort")
        if container.workload.host_network and host and number and host.number() not in (number.number(), 0):
            told = f"with hostNetwork, `hostPort: {host.text}` must be the containerPort {number.text}"
            yield Refusal(host, told)


def _resources(container: Container) -> Iterator[Refusal]:
    resources = container.part.get("resources")
    for name, request in resources.get("requests").items():
        limit = resources.get("limits", name)
        asked, most = quantity(request.text), quantity(limit.text)
        if asked is not None and most is not None and asked > most:
            told = f"`{container.name}` asks for {request.text} {name} and may have {limit.text} at most"
            yield Refusal(request, told)


def _mounts(workload: Workload, container: Container) -> Iterator[Refusal]:
    known = {part.string("name") for part in workload.spec.list("volumes")}
    known |= {part.string("metadata", "name") for part in workload.object.part.list("spec", "volumeClaimTemplates")}
    paths: set[str] = set()
    for mount in container.part.list("volumeMounts"):
        name, path = mount.get("name"), mount.get("mountPath")
        if name.text and name.text not in known and not PLACEHOLDER.search(name.text):
            there = ", ".join(sorted(each for each in known if each)) or "none"
            told = f"`{container.name}` mounts the volume `{name.text}`, which the pod does not have; there are {there}"
            yield Refusal(name, told)
        if path.text and path.text in paths:
            yield Refusal(path, f"`{container.name}` mounts two volumes at {path.text}")
        paths.add(path.text)


def _twice(parts: tuple[Part, ...], field: str, told: str) -> Iterator[Refusal]:
    seen: set[str] = set()
    for part in parts:
        value = part.get(field)
        if value.text and value.text in seen and not PLACEHOLDER.search(value.text):
            yield Refusal(value, f"{told} `{value.text}`")
        seen.add(value.text)


# Other kinds


def _service(whole: Part) -> Iterator[Refusal]:
    spec = whole.get("spec")
    ports = spec.list("ports")
    alone = spec.string("clusterIP") == "None" or spec.string("type") == "ExternalName"
    if not ports and spec.get("selector") and not alone:
        yield Refusal(spec, "the Service has no ports", missing=True)
    yield from _twice(ports, "name", "two ports of the Service are called")
    seen: set[tuple[str, str]] = set()
    for port in ports:
        number, name, target = port.get("port"), port.get("name"), port.get("targetPort")
        key = (number.text, port.string("protocol") or "TCP")
        if number.text and key in seen:
            yield Refusal(number, f"the Service has the port {number.text} ({key[1]}) twice")
        seen.add(key)
        if not name.text and len(ports) > 1:
            yield Refusal(port, f"a Service of {len(ports)} ports must name each; port {number.text} has no name")
        elif name.text and not _good(_LABEL, name, 63):
            yield Refusal(name, f"`{name.text[:80]}` is no name of a Service's port: {_allowed(_LABEL, 63)}")
        yield from _service_port(number, target)


def _service_port(number: Part, target: Part) -> Iterator[Refusal]:
    for each in (number, target):
        if each.number() is not None and not 1 <= (each.number() or 0) <= 65535:
            yield Refusal(each, f"there is no port {each.text}; they go from 1 to 65535")
    name = target.value
    if not isinstance(name, str) or PLACEHOLDER.search(name):
        return
    if name.isdecimal():
        yield Refusal(target, f'`targetPort: "{name}"` is in quotes, and the name of a port needs a letter')
    elif name and (len(name) > 15 or not _PORT_NAME.fullmatch(name)):
        yield Refusal(target, f"`{name[:80]}` is no name of a container's port: small letters, 15 characters at most")


def _autoscaler(whole: Part) -> Iterator[Refusal]:
    least, most = whole.get("spec", "minReplicas"), whole.get("spec", "maxReplicas")
    lowest, highest = least.number() if least else 1.0, most.number()
    if highest is not None and highest < 1:
        yield Refusal(most, f"`maxReplicas: {most.text}` must be 1 at least")
    elif highest is not None and lowest is not None and highest < lowest:
        yield Refusal(most, f"`maxReplicas: {most.text}` is less than minReplicas ({lowest:g})")
    if lowest is not None and lowest < 0:
        yield Refusal(least, f"`minReplicas: {least.text}` is negative")


def _budget(whole: Part) -> Iterator[Refusal]:
    spec = whole.get("spec")
    if spec.get("minAvailable") and spec.get("maxUnavailable"):
        told = "a budget has minAvailable or maxUnavailable; this one has both"
        yield Refusal(spec.get("maxUnavailable"), told, missing=True)


_CRON = re.compile(r"@(?:yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)")
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def _cron_job(whole: Part) -> Iterator[Refusal]:
    schedule = whole.get("spec", "schedule")
    text = schedule.text
    if not text or PLACEHOLDER.search(text) or _CRON.fullmatch(text):
        return
    if text.startswith(("TZ=", "CRON_TZ=")):
        yield Refusal(schedule, f"`{text}`: the time zone of a schedule belongs into `timeZone`")
        return
    fields = text.split()
    if len(fields) != 5:
        told = f"the schedule `{text}` has {len(fields)} fields; minute, hour, day, month and weekday are 5"
        yield Refusal(schedule, told)
        return
    for field, (low, high) in zip(fields, _CRON_RANGES, strict=True):
        for number in re.findall(r"(?<![/\d])\d{1,6}", field):
            if not low <= int(number) <= high:
                yield Refusal(schedule, f"the schedule `{text}` has {number} where {low} to {high} are possible")
                return


def _ingress(whole: Part) -> Iterator[Refusal]:
    if whole.string("apiVersion") != "networking.k8s.io/v1":
        return
    for rule in whole.list("spec", "rules"):
        for path in rule.list("http", "paths"):
            written = path.get("path")
            bare = not written.text.startswith("/") and not PLACEHOLDER.search(written.text)
            if path.string("pathType") in ("Exact", "Prefix") and bare:
                yield Refusal(written or path, f"a path of type {path.string('pathType')} begins with /")
            port = path.get("backend", "service", "port")
            if isinstance(port.value, dict) and bool(port.get("name")) == bool(port.get("number")):
                yield Refusal(port, "the port of a backend has a name or a number, one of the two", missing=True)
    for host in whole.list("spec", "rules"):
        name = host.get("host")
        good = not name.text or PLACEHOLDER.search(name.text) or _SUBDOMAIN.fullmatch(name.text.removeprefix("*."))
        if not good:
            yield Refusal(name, f"`{name.text[:80]}` is no name of a host")


def _config_map(whole: Part) -> Iterator[Refusal]:
    size = 0
    for section in ("data", "binaryData"):
        for key, value in whole.get(section).items():
            size += len(key) + len(value.text.encode(errors="replace"))
            if not (_KEY.fullmatch(key) and len(key) <= 253) and not PLACEHOLDER.search(key):
                told = f"`{key[:80]}` is no key of a {whole.string('kind')}: letters, digits, dashes, dots, underscores"
                yield Refusal(value, told, missing=True)
    for key, value in whole.get("binaryData").items():
        if key in whole.get("data"):
            yield Refusal(value, f"`{key}` stands in data and in binaryData", missing=True)
    if size > _MOST_BYTES:
        told = f"the data is {size / _MOST_BYTES:.1f} MiB; 1 MiB is the most that a {whole.string('kind')} holds"
        yield Refusal(whole.get("data"), told, missing=True)


def _secret(whole: Part) -> Iterator[Refusal]:
    yield from _config_map(whole)
    for key, value in whole.get("data").items():
        text = value.text
        if (
            not isinstance(value.value, str)
            or PLACEHOLDER.search(text)
            or len(text) > _MOST_BYTES
            or _TODO.search(text)
        ):
            continue
        try:
            base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            yield Refusal(value, f"`{key}` is not base64; plain text belongs under `stringData`")


_RULES: Mapping[str, Callable[[Part], Iterator[Refusal]]] = {
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "CronJob": _cron_job,
    "Ingress": _ingress,
    "ConfigMap": _config_map,
    "Secret": _secret,
}
