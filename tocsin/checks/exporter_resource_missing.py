"""An exporter that is not let, or not told, to export what it should."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tocsin.artefacts.compose import command_words
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.access import Access, Grant, access
from tocsin.model.exporters import RESOURCES, Exporter, collector_of, exporters, resource_of
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import Expr
from tocsin.promql.nodes import Binary, VectorSelector, children

_EXPORTER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: kube-state-metrics, namespace: monitoring}
spec:
  selector: {matchLabels: {app: kube-state-metrics}}
  template:
    metadata: {labels: {app: kube-state-metrics}}
    spec:
      containers:
        - name: kube-state-metrics
          image: registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.16.0
          args: ["--resources=RESOURCES"]
"""
_RULES = """\
groups:
- name: jobs
  rules:
  - alert: JobFailed
    expr: kube_job_status_failed > 0
"""
_VERBS = ("list", "watch")
_ALWAYS_THERE = ("/proc", "/sys", "/", "/dev", "/run/udev")
"""Paths that a container has without any mount."""
_PATHS = ("path.procfs", "path.sysfs", "path.rootfs", "collector.textfile.directory")
_OF_CONTAINERS = ("/var/run", "/run", "/")
"""Where cAdvisor finds the sockets of the container runtimes."""


@check(
    severity=Severity.ERROR,
    fix="Tell the exporter to export it (--resources, --collector.NAME), and let it: by its role, by a mount.",
    bad=Example(
        {"exporter.yaml": _EXPORTER.replace("RESOURCES", "pods,nodes"), "rules.yml": _RULES},
        at="kube_job_status_failed",
    ),
    good=Example({"exporter.yaml": _EXPORTER.replace("RESOURCES", "pods,jobs"), "rules.yml": _RULES}),
)
def exporter_resource_missing(model: Model) -> Iterator[Remark]:
    """No alert on it can ring, though the exporter is up: it exports nothing of the kind.

    (kubernetes/kube-state-metrics, docs/developer/cli-arguments.md: only the resources that are listed, and that the
    API server lets it list and watch, have metrics; prometheus/node_exporter, README.md: collectors that are disabled
    by default, and the paths of the host; google/cadvisor, docs/running.md: what has to be mounted.)
    """
    found = exporters(model)
    for one in found:
        if one.kind == "kube-state-metrics":
            yield from _not_permitted(model, one)
        else:
            yield from _not_mounted(one)
    yield from _not_told(model, found)


# kube-state-metrics


def _resources(one: Exporter) -> set[str] | None:
    """Return what it is told to watch; None for what it watches by itself."""
    said = one.flag("resources")
    return {name.strip() for name in said[0].split(",") if name.strip()} if said and "$" not in said[0] else None


def _not_permitted(model: Model, one: Exporter) -> Iterator[Remark]:
    said, wanted = one.flag("resources"), _resources(one)
    if one.pod is None or wanted is None or said is None:
        return
    rights = access(model.cluster, one.pod)
    if not rights.whole:
        return
    namespaces = one.flag("namespaces") or one.flag("namespace")
    names = [name.strip() for name in namespaces[0].split(",")] if namespaces and namespaces[0] else []
    for resource in sorted(wanted & RESOURCES.keys()):
        _, group, inside = RESOURCES[resource]
        where: list[str | None] = [*names] if inside and names else [None]
        refused = [name for name in where if not _allowed(rights, group, resource, name)]
        if refused:
            place = f" in namespace {' and '.join(str(name) for name in refused)}" if refused != [None] else ""
            roles = ", ".join(dict.fromkeys(f"{grant.role.kind} {grant.role.name}" for grant in _near(rights, refused)))
            message = f"{one.subject} is told to watch {resource}, which {roles} does not let it list and watch{place}"
            yield at(said[1], message, subject=f"{one.subject}/{resource}")


def _near(rights: Access, refused: Iterable[str | None]) -> list[Grant]:
    there = [one for one in rights.grants if one.namespaces is None or one.namespaces & {*refused}]
    return there or list(rights.grants)


def _allowed(rights: Access, group: str, resource: str, namespace: str | None) -> bool:
    groups = (group, "extensions") if group in ("networking.k8s.io", "apps", "policy") else (group,)
    return any(rights.allows(one, resource, _VERBS, namespace) for one in groups)


# The node exporter and cAdvisor


def _not_mounted(one: Exporter) -> Iterator[Remark]:
    for flag in _PATHS if one.kind == "node_exporter" else ():
        said = one.flag(flag)
        path = said[0] if said else ""
        if said and path.startswith("/") and "$" not in path and path not in _ALWAYS_THERE and not one.mounted(path):
            severity = Severity.WARNING if flag.startswith("collector") else Severity.ERROR
            message = f"{one.subject} reads {path}, and nothing is mounted there"
            yield at(said[1], message, subject=f"{one.subject}/{flag}", severity=severity)
    if (
        one.kind == "cadvisor"
        and one.mounts
        and not any(target.startswith(_OF_CONTAINERS[:2]) for target in one.mounts)
    ):
        part = one.part.get("volumes") or one.part.get("volumeMounts")
        message = f"{one.subject} mounts neither /var/run nor /run, so it cannot ask which containers there are"
        yield at(part, message, subject=f"{one.subject}/runtime", width=1, severity=Severity.WARNING)


# What rules and panels ask for


def _not_told(model: Model, found: tuple[Exporter, ...]) -> Iterator[Remark]:
    states = [one for one in found if one.kind == "kube-state-metrics"]
    nodes = [one for one in found if one.kind == "node_exporter"]
    if not states and not nodes:
        return
    rights = [access(model.cluster, one.pod) for one in states if one.pod is not None]
    for each in expressions(model):
        told: set[object] = set()
        for selector, sure in _selectors(each.tree):
            metric = selector.name or ""
            kubernetes = metric.startswith("kube_")
            about = resource_of(metric) if kubernetes else collector_of(metric) if metric.startswith("node_") else None
            if about is None or about in told:
                continue
            message = _unlisted(metric, states) or _refused(metric, states, rights) if kubernetes else ""
            message = message or ("" if kubernetes else _switched_off(metric, nodes))
            if message:
                told.add(about)
                fix = f"Add `{about}` to --resources." if kubernetes and _unlisted(metric, states) else ""
                yield _asked(each, selector, message, fix, sure=sure)


def _asked(each: PlacedExpression, selector: VectorSelector, message: str, fix: str, *, sure: bool) -> Remark:
    place, width = each.piece(selector.span)
    severity = each.severity if sure else Severity.WARNING
    return Remark(place, message, width=width, subject=f"{each.subject}/{selector.name}", severity=severity, fix=fix)


def _unlisted(metric: str, states: list[Exporter]) -> str:
    resource = resource_of(metric)
    lists = [_resources(one) for one in states]
    if resource is None or not lists or any(one is None or resource in one for one in lists):
        return ""
    return f"`{metric}` is made of {resource}, which --resources of {states[0].subject} does not list"


def _refused(metric: str, states: list[Exporter], rights: list[Access]) -> str:
    """Say that what is watched without being listed is not allowed anywhere."""
    resource = resource_of(metric)
    usual = bool(states) and len(rights) == len(states) and all(_resources(one) is None for one in states)
    if resource is None or not usual or not all(one.whole for one in rights):
        return ""
    group = RESOURCES[resource][1]
    if any(_allowed(one, group, resource, name) for one in rights for name in (None, *_granted_in(one))):
        return ""
    roles = ", ".join(dict.fromkeys(f"{grant.role.kind} {grant.role.name}" for one in rights for grant in one.grants))
    return f"`{metric}` is made of {resource}, which {roles} does not let {states[0].subject} list and watch"


def _granted_in(rights: Access) -> set[str]:
    return {name for grant in rights.grants for name in grant.namespaces or ()}


def _switched_off(metric: str, nodes: list[Exporter]) -> str:
    known = collector_of(metric) if nodes and metric.startswith("node_") else None
    if known is None or any(_collects(one, known[0], usual=known[1]) for one in nodes):
        return ""
    what = f"--collector.{known[0]} turns on" if not known[1] else f"--no-collector.{known[0]} turns off"
    return f"`{metric}` comes from a collector that {what}, and {nodes[0].subject} is started " + (
        "without that flag" if not known[1] else "with that flag"
    )


_GIVEN_ELSEWHERE = re.compile(r"\$[({@*]|\{\{|^\$|--config\.file")


def _collects(one: Exporter, collector: str, *, usual: bool) -> bool:
    """Tell whether a collector may be on; what a shell or a variable decides may be anything."""
    if any(_GIVEN_ELSEWHERE.search(word) and "collector" not in word for word, _ in one.words):
        return True
    words = [piece for word, _ in one.words for piece in (command_words(word) if " " in word else [word])]
    if any(word.lstrip("-").removesuffix("=true") == f"collector.{collector}" for word in words):
        return True
    off = any(word.lstrip("-") == f"no-collector.{collector}" for word in words)
    return usual and not off and not any(word.lstrip("-") == "collector.disable-defaults" for word in words)


def _selectors(tree: Expr) -> Iterator[tuple[VectorSelector, bool]]:
    """Yield every selector, and whether nothing comes of the expression if nothing comes of it."""
    waiting: list[tuple[Expr, bool]] = [(tree, True)]
    while waiting:
        node, sure = waiting.pop()
        if isinstance(node, VectorSelector):
            yield node, sure
        optional = isinstance(node, Binary) and node.op == "or"
        for i, child in reversed(list(enumerate(children(node)))):
            excluded = isinstance(node, Binary) and node.op == "unless" and i > 0
            waiting.append((child, sure and not optional and not excluded))
