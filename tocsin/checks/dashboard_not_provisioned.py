"""A dashboard that Grafana does not read, though it is meant to."""

import posixpath
from collections.abc import Iterator

from tocsin.artefacts.dashboards import Dashboard
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.provisioning import Provider
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.grafana import Grafana
from tocsin.model.processes import Content
from tocsin.part import Part

_COMPOSE = """\
services:
  grafana:
    image: grafana/grafana
    volumes: ["./provisioning:/etc/grafana/provisioning", "./dashboards:/var/lib/dashboards"]
"""
_MANY = 3
"""So many that are alike are a custom."""


def _example(path: str) -> Example:
    return Example(
        {
            "docker-compose.yml": _COMPOSE,
            "provisioning/dashboards/a.yml": f"providers:\n- name: a\n  type: file\n  options:\n    path: {path}\n",
            "dashboards/a.json": '{"uid":"a","title":"A","schemaVersion":39,"panels":[]}',
        },
        at="path:",
    )


@check(
    severity=Severity.WARNING,
    fix="Have the provider read the folder in which the dashboards are mounted, and mount every one of them.",
    bad=_example("/var/lib/boards"),
    good=_example("/var/lib/dashboards"),
)
def dashboard_not_provisioned(model: Model) -> Iterator[Remark]:
    """Grafana does not have the dashboard, and every link to it opens nothing.

    (grafana.com/docs/grafana/latest/administration/provisioning/#dashboards: a provider reads the files under its
    `path`; the sidecar of Grafana's chart takes ConfigMaps with a label.)
    """
    for grafana in model.grafanas:
        yield from _of_folders(grafana)
    yield from _of_generators(model)
    yield from _of_labels(model)


# Folders


def _of_folders(grafana: Grafana) -> Iterator[Remark]:
    """Yield providers that read an empty folder while dashboards stand in another one that none reads."""
    paths = {_path(provider) for provider in grafana.providers} - {""}
    if not paths or any("$" in path for path in paths):
        return
    orphans = [(path, content) for path, content in _dashboard_files(grafana) if not _under(path, paths)]
    if not orphans:
        return
    folders = sorted({posixpath.dirname(path) for path, _ in orphans})
    count = f"{len(orphans)} dashboards stand" if len(orphans) > 1 else "a dashboard stands"
    said = f"in {grafana.subject} {count} in {', '.join(folders)}, which no provider reads"
    idle = [each for each in grafana.providers if _path(each) and not _reads(grafana, _path(each))]
    for provider in idle:
        yield at(
            provider.path, f"{said}; this one reads {_path(provider)}, where there is nothing", subject=provider.subject
        )
    named = orphans[0][1].named
    if not idle and named is not None and grafana.process.known(f"{grafana.provisioning}/dashboards/x.yaml"):
        yield at(named, said, subject=grafana.subject)


def _path(provider: Provider) -> str:
    text = provider.path.text
    return posixpath.normpath(text) if text.startswith("/") else ""


def _under(path: str, folders: set[str]) -> bool:
    return any(path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def _reads(grafana: Grafana, folder: str) -> bool:
    """Tell whether there is, or may be, anything in a folder."""
    inside = any(_under(path, {folder}) for path in grafana.process.files)
    return inside or not grafana.process.known(f"{folder}/x.json") or bool(grafana.process.part.get("build"))


def _dashboard_files(grafana: Grafana) -> Iterator[tuple[str, Content]]:
    """Yield the paths at which dashboards stand in a container, but for the page that it opens with."""
    home = grafana.value("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH") or ""
    parts: dict[str, list[Part]] = {}
    for dashboard in grafana.model.dashboards:
        parts.setdefault(dashboard.part.file, []).append(dashboard.part)
    for path, content in grafana.process.files.items():
        if path != home and any(content.part is None or content.holds(p.place) for p in parts.get(content.file, ())):
            yield path, content


# Kustomize


def _of_generators(model: Model) -> Iterator[Remark]:
    """Yield generators of ConfigMaps that take all dashboards of a folder but some."""
    dashboards = {d.part.file: d for d in model.dashboards if not d.part.route}
    generators = model.cluster.kustomizations.generators
    taken = {entry.file for generator in generators for entry in generator.entries if entry.file}
    linked = {link.uid for link in model.links.to_dashboards}
    told: set[str] = set()
    for generator in generators:
        files = {entry.file for entry in generator.entries if entry.file in dashboards}
        folders = {posixpath.dirname(file or "") for file in files}
        left = [f for f in dashboards if f not in taken and f not in told and posixpath.dirname(f) in folders]
        if not left or len(left) > len(files):
            continue
        told.update(left)
        known = [file for file in left if dashboards[file].uid in linked or _read_elsewhere(model, dashboards[file])]
        severity = Severity.WARNING if known else Severity.INFO
        shown = ", ".join(posixpath.basename(file) for file in known or left)
        why = "which others read or link to" if known else "which stands beside them"
        said = f"the ConfigMap {generator.name} takes {len(files)} dashboards and leaves out {shown}, {why}"
        yield at(generator.part.get("name"), said, subject=f"ConfigMap/{generator.name}", severity=severity)


def _read_elsewhere(model: Model, dashboard: Dashboard) -> bool:
    return any(dashboard is each for grafana in model.grafanas for each in grafana.dashboards)


# Labels


def _of_labels(model: Model) -> Iterator[Remark]:
    """Yield ConfigMaps with dashboards that lack the label by which a sidecar takes them."""
    holders = [each for each in model.objects_of("ConfigMap") if _holds_dashboard(each, model)]
    wanted = _asked_labels(model) or _customary_labels(holders)
    labels = {name for each in holders for name in each.part.strings("metadata", "labels")}
    if not wanted & labels or any(name in model.text(one.file) for one in _kustomizations(model) for name in wanted):
        return
    read = {
        content.part.place for grafana in model.grafanas for content in grafana.process.files.values() if content.part
    }
    for each in holders:
        own = each.part.strings("metadata", "labels")
        mounted = any(value.place in read for _, value in each.part.get("data").items())
        if not wanted & own.keys() and not mounted:
            name = min(wanted)
            others = sum(1 for other in holders if wanted & other.part.strings("metadata", "labels").keys())
            said = (
                f"the ConfigMap {each.name} holds a dashboard and lacks the label `{name}`, which {others} others have"
            )
            yield at(each.part.get("metadata", "name"), said, subject=each.subject)


def _kustomizations(model: Model) -> Iterator[Part]:
    yield from (one.part for one in model.cluster.kustomizations.all.values())


def _holds_dashboard(each: KubernetesObject, model: Model) -> bool:
    contents = [Content(value.file, value) for key, value in each.part.get("data").items() if key.endswith(".json")]
    return any(c.holds(d.part.place) for d in model.dashboards if d.part.file == each.file for c in contents)


def _asked_labels(model: Model) -> set[str]:
    """Return the labels by which sidecars of Grafana take dashboards."""
    found: set[str] = set()
    for workload in model.workloads:
        for container in workload.containers:
            if "k8s-sidecar" in container.image:
                label = container.environment.get("LABEL")
                folder = container.environment.get("FOLDER")
                if label is not None and "dashboard" in f"{label.text} {folder.text if folder else ''}":
                    found.add(label.text)
    return found


def _customary_labels(holders: list[KubernetesObject]) -> set[str]:
    """Return the label with `dashboard` in its name that all but a few have."""
    counts: dict[str, int] = {}
    for each in holders:
        for name in each.part.strings("metadata", "labels"):
            if "dashboard" in name.lower():
                counts[name] = counts.get(name, 0) + 1
    return {name for name, count in counts.items() if count >= _MANY and 3 * (len(holders) - count) <= count}
