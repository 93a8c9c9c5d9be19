"""A file that a container is told to read and that nothing puts there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from tocsin.artefacts.compose import ComposeFile, within
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.kustomizations import Generator, Kustomization
from tocsin.model.processes import Process, content_of
from tocsin.model.references import alike
from tocsin.part import Part
from tocsin.source import offered

_COMPOSE = """\
services:
  prometheus:
    image: prom/prometheus:v3.5.0
    volumes:
      - ./prometheus.yml:/etc/prometheus/prometheus.yml
      - ./alerts.yml:/etc/prometheus/NAME
"""
_CONFIG = "global: {}\nrule_files: [alerts.yml]\nscrape_configs: []\n"
_RULES = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n"
_FILES = {"prometheus.yml": _CONFIG, "alerts.yml": _RULES}
_BY_KUBERNETES = ("/var/run/secrets/kubernetes.io/", "/run/secrets/kubernetes.io/")
"""Where every pod finds the token of its account."""
_GRANTED = "/run/secrets/"
"""Where docker-compose puts the secrets that a service is granted."""


@check(
    severity=Severity.ERROR,
    fix="Mount the file where it is read, or read it where it is mounted.",
    bad=Example({**_FILES, "compose.yml": _COMPOSE.replace("NAME", "rules.yml")}, at="/etc/prometheus/rules.yml"),
    good=Example({**_FILES, "compose.yml": _COMPOSE.replace("NAME", "alerts.yml")}),
)
def mounted_file_missing(model: Model) -> Iterator[Remark]:
    """Rules that are not there are not evaluated, a key that is not there sends nothing, and some do not start at all.

    (prometheus/prometheus, rules/manager.go, and prometheus/common, config/http_config.go: a glob that matches nothing
    is no error, and a `*_file` is read when it is needed; kubernetes.io/docs/concepts/storage/volumes: a subPath that
    the volume does not have becomes an empty folder; docs.docker.com/engine/storage/bind-mounts: so does a source that
    is not there.)
    """
    for process in model.processes:
        yield from _configuration(process)
        yield from _unmounted(model, process)
        yield from _loaded(model, process)
        yield from _read_later(model, process)
    yield from _sub_paths(model)
    for generator in model.cluster.kustomizations.generators:
        yield from _sources(model, generator)
    for kustomization in model.cluster.kustomizations.all.values():
        for inclusion in kustomization.inclusions:
            yield from _included(model, kustomization, inclusion.part, inclusion.path)
    for compose in model.compose_files:
        yield from _binds(model, compose)


def _configuration(process: Process) -> Iterator[Remark]:
    """Yield that the configuration which a flag names is mounted under another name."""
    for flag in ("config.file", "web.config.file"):
        said = process.flag_part(flag)
        path = posixpath.normpath(said[1]) if said and said[1].startswith("/") and "$" not in said[1] else ""
        if not path or said is None or path in process.files or not process.known(path):
            continue
        beside = sorted(other for other in process.files if _folder(other) == _folder(path))
        alike_named = [other for other in process.files if posixpath.basename(other) == posixpath.basename(path)]
        message = f"{process.subject} reads {path}, and nothing is mounted there: "
        if beside:
            message += offered(posixpath.basename(path), list(map(posixpath.basename, beside)))
        elif alike_named:
            message += f"it stands at {alike_named[0]}"
        if beside or alike_named:
            yield at(said[0], message, subject=f"{process.subject}/{flag}")


def _unmounted(model: Model, process: Process) -> Iterator[Remark]:
    """Yield that a pod reads the configuration of its image, beside a ConfigMap with one that nobody mounts."""
    path = posixpath.normpath(process.config_path)
    if process.workload is None or process.program == "grafana" or path in process.files or not process.known(path):
        return
    here = model.cluster.namespaces(process.workload)
    mounted = {one.name for one in model.references.all if one.kind == "ConfigMap"}
    for one in model.objects_of("ConfigMap"):
        part = one.part.get("data", posixpath.basename(path))
        if part.text and one.name not in mounted and model.cluster.namespaces(one) == here:
            said = process.flag_part("config.file")
            message = (
                f"{process.subject} reads the {path} of its image: nothing mounts the ConfigMap {one.name}, "
                f"which holds a {posixpath.basename(path)}"
            )
            where = said[0] if said else process.part.get("image")
            fix = f"Mount the ConfigMap {one.name} at {_folder(path)}."
            yield at(where, message, subject=f"{process.subject}/config.file", related=(part.key_place,), fix=fix)


def _folder(path: str) -> str:
    return posixpath.dirname(path)


def _loaded(model: Model, process: Process) -> Iterator[Remark]:
    """Yield what keeps the files that a configuration names out of the container, though the folder has them."""
    config = process.config
    if config is None or config.named is None:
        return
    for part in _globs(model, process):
        whole = posixpath.normpath(posixpath.join(_folder(process.config_path), part.text))
        if any(True for _ in process.matching(part.text)) or not process.known(whole):
            continue
        renamed, left_out = process.renamed(part.text), process.left_out(part.text, model.folder.names)
        if renamed is not None and renamed[1].named is not None:
            message = f"{process.subject} looks for {whole}, and {renamed[1].file} is mounted as {renamed[0]}"
            yield at(renamed[1].named, message, subject=f"{process.subject}/{part.text}", related=(part.place,))
        elif left_out is not None:
            message = f"{process.subject} looks for {whole}, and {left_out} is no key of the ConfigMap"
            yield at(config.named, message, subject=f"{process.subject}/{part.text}", related=(part.place,))


def _globs(model: Model, process: Process) -> Iterator[Part]:
    config = process.config
    if config is None:
        return
    for prometheus in model.prometheus_configs if process.program == "prometheus" else ():
        if content_of(prometheus.part.document, [config]):
            yield from prometheus.rule_files
    for alertmanager in model.alertmanager_configs if process.program == "alertmanager" else ():
        if content_of(alertmanager.part.document, [config]):
            yield from (part for part in alertmanager.part.list("templates") if part.text)


def _read_later(model: Model, process: Process) -> Iterator[Remark]:
    """Yield the keys and certificates of a configuration that are in none of the mounts that hold the others."""
    config = process.config
    wholes = [one.part for one in model.prometheus_configs] + [one.part for one in model.alertmanager_configs]
    for whole in wholes if config is not None else ():
        if config is None or not content_of(whole.document, [config]):
            continue
        for part in whole.walk():
            path = part.text
            if not part.key.endswith("_file") or not path.startswith("/") or path.startswith(_BY_KUBERNETES):
                continue
            there = [other for other in process.files if _folder(other) == _folder(posixpath.normpath(path))]
            there += [f"{_GRANTED}{name}" for name in _granted(process)] if path.startswith(_GRANTED) else []
            if not there or path in there or posixpath.normpath(path) in process.files or not process.known(path):
                continue
            names = sorted(map(posixpath.basename, there))
            message = f"{process.subject} has no {path}: {offered(posixpath.basename(path), names)}"
            subject = ".".join(map(str, part.route))
            yield at(part, message, subject=subject, related=(process.part.place,))


def _granted(process: Process) -> list[str]:
    """Return the names under which a service of docker-compose finds its secrets."""
    found = []
    for part in process.part.list("secrets") if process.workload is None else ():
        name = part.text or part.string("target") or part.string("source")
        found.append(posixpath.basename(name))
    return found


def _sub_paths(model: Model) -> Iterator[Remark]:
    for workload in model.workloads:
        volumes = {part.string("name"): part for part in workload.pod.list("spec", "volumes")}
        for container in workload.containers:
            for mount in container.part.list("volumeMounts"):
                volume = volumes.get(mount.string("name"))
                wanted = mount.string("subPath").split("/")[0]
                keys = _keys(model, workload.object.namespace, volume) if volume is not None and wanted else None
                if keys is not None and wanted not in keys and "$" not in wanted:
                    name = mount.string("mountPath")
                    message = f"{name} becomes an empty folder: the volume {mount.string('name')} has no {wanted}; "
                    message += offered(wanted, sorted(keys))
                    yield at(mount.get("subPath"), message, subject=f"{container.subject}/{name}")


def _keys(model: Model, namespace: str, volume: Part) -> set[str] | None:
    """Return the names of the files in a volume; None if they are not known."""
    for field, kind, naming in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        held = volume.get(field)
        if not held:
            continue
        if held.list("items"):
            return {item.string("path").split("/")[0] for item in held.list("items")}
        holders = model.cluster.held(kind, held.string(naming), {namespace} - {""})
        if holders and all(one.whole and one.entries for one in holders):
            return {entry.key for one in holders for entry in one.entries}
    return None


def _sources(model: Model, generator: Generator) -> Iterator[Remark]:
    """Yield the files that a generator takes and that are not there, where another one is surely meant."""
    taken = {entry.file for entry in generator.entries}
    for part, path in generator.missing:
        twin = _twin(model, path, {name for name in taken if name})
        if twin is not None:
            message = f"there is no {path}, so nothing of this kustomization is built; did you mean {twin}?"
            yield at(part, message, subject=f"{generator.kind}/{generator.name}/{posixpath.basename(path)}")


def _included(model: Model, kustomization: Kustomization, part: Part, path: str | None) -> Iterator[Remark]:
    """Yield a manifest that a kustomization takes in and that is not there, where another one is surely meant."""
    wanted = within(kustomization.directory, part.text) if path is None and "://" not in part.text else None
    if not wanted or posixpath.splitext(wanted)[1] not in (".yaml", ".yml", ".json") or wanted in model.file_names:
        return
    taken = {name for each in kustomization.inclusions for name in each.files} | {kustomization.name}
    twin = _twin(model, wanted, taken)
    if twin is not None:
        message = f"there is no {wanted}, so nothing of this kustomization is built; did you mean {twin}?"
        yield at(part, message, subject=f"{kustomization.name}/{part.text}")


def _twin(model: Model, path: str, taken: set[str]) -> str | None:
    """Return the file beside a missing one that is surely meant: alike, of the same kind, and not taken itself."""
    stem, suffix = posixpath.splitext(posixpath.basename(path))
    found = []
    for name in model.folder.names:
        if _folder(name) != _folder(path) or name in taken:
            continue
        other, ending = posixpath.splitext(posixpath.basename(name))
        if (stem == other and {suffix, ending} == {".yml", ".yaml"}) or (
            ending == suffix and alike(stem, other) > _SURE
        ):
            found.append(name)
    return found[0] if len(found) == 1 else None


_SURE = 0.8


def _binds(model: Model, compose: ComposeFile) -> Iterator[Remark]:
    for service in compose.services.values():
        sources = {within(compose.directory, mount.source) for mount in service.mounts if mount.kind == "bind"}
        for mount in service.mounts:
            path = compose.path(mount.source) if mount.kind == "bind" else None
            if not path or not posixpath.splitext(path)[1] or path in model.file_names:
                continue
            if any(name.startswith(f"{path}/") for name in model.folder.names):
                continue
            twin = _twin(model, path, {source for source in sources if source})
            if twin is not None:
                message = f"there is no {path}, so {service.name} finds an empty folder; did you mean {twin}?"
                yield at(mount.part, message, subject=f"{service.subject}/{mount.target}")
