"""The containers that run a system's monitoring, and which of the folder's files each of them sees under which path.

A container is a service of docker-compose or a container of a Kubernetes pod. What it sees comes from bind mounts,
ConfigMaps and Secrets, from the files that a kustomization makes ConfigMaps of, and from what its Dockerfile copies.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import ComposeFile
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.cluster import Holder, together
from tocsin.model.kustomizations import Entry
from tocsin.part import Part
from tocsin.source import Document, Place

if TYPE_CHECKING:
    from tocsin.model import Model

PROGRAMS = {
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager",),
    "blackbox": ("blackbox-exporter", "blackbox_exporter", "prometheus-blackbox-exporter"),
    "grafana": ("grafana", "grafana-oss", "grafana-enterprise"),
}
"""The last part of the names of the images in which each program is found."""
DEFAULT_CONFIG = {
    "prometheus": "/etc/prometheus/prometheus.yml",
    "alertmanager": "/etc/alertmanager/alertmanager.yml",
    "blackbox": "/etc/blackbox_exporter/config.yml",
    "grafana": "/etc/grafana/grafana.ini",
}
"""The file that the official image reads where no flag says another (the Dockerfile of each project)."""
_MOST_FILES = 5000
"""Files of one mount that are told apart; a folder of more is taken for unknown."""


@dataclass(frozen=True)
class Content:
    """What stands at a path in a container: a file of the folder, or a key of a ConfigMap, or something unknown."""

    file: str = ""
    """The file's name; empty if its content is in no file of the folder."""
    part: Part | None = field(default=None, compare=False)
    """The scalar of the ConfigMap that is the file."""
    named: Part | None = field(default=None, compare=False)
    """What says that it stands at this path."""

    def holds(self, place: Place) -> bool:
        """Whether a place lies in it."""
        if place.file != self.file:
            return False
        if self.part is None:
            return True
        first = self.part.place.line
        return first <= place.line <= first + self.part.text.count("\n") + 1


@dataclass(frozen=True)
class Process:
    """A container that runs one of the programs."""

    program: str
    """A key of PROGRAMS."""
    part: Part
    """The service or the container."""
    subject: str
    arguments: tuple[Part, ...]
    files: Mapping[str, Content] = field(repr=False)
    """What is known to stand at which path."""
    opaque: tuple[str, ...]
    """Folders in the container of which nobody knows what is in them."""
    workload: KubernetesObject | None = None
    """The object that makes the pod; of a compose service, None."""
    pod: Part | None = None
    """The pod, or its template."""

    @property
    def file(self) -> str:
        """The file in which it is described."""
        return self.part.file

    def flag(self, name: str) -> str | None:
        """Return what a flag (`config.file`) is set to; None if it is not."""
        part = self.flag_part(name)
        return None if part is None else part[1]

    def flag_part(self, name: str) -> tuple[Part, str] | None:
        """Return the argument that sets a flag, and to what."""
        found = None
        pieces = [(part, piece) for part in self.arguments for piece in split(part)]
        for i, (part, piece) in enumerate(pieces):
            bare = piece.lstrip("-") if piece.startswith("-") else ""
            if bare.startswith(f"{name}="):
                found = part, bare[len(name) + 1 :]
            elif bare == name:
                found = part, (pieces[i + 1][1] if i + 1 < len(pieces) else "")
        return found

    @property
    def agent(self) -> bool:
        """Whether it is a Prometheus that only passes on what it scrapes (prometheus.io/docs, agent mode)."""
        features = self.flag("enable-feature") or ""
        return self.program == "prometheus" and (self.flag("agent") is not None or "agent" in features.split(","))

    @cached_property
    def config_path(self) -> str:
        """The path of its configuration in the container."""
        said = self.flag("config.file") or DEFAULT_CONFIG[self.program]
        return said if said.startswith("/") else posixpath.join(posixpath.dirname(DEFAULT_CONFIG[self.program]), said)

    @property
    def config(self) -> Content | None:
        """Its configuration, where a file of the folder is that."""
        return self.files.get(posixpath.normpath(self.config_path))

    def known(self, path: str) -> bool:
        """Whether everything is known that stands in the folder of a path."""
        folder = posixpath.dirname(posixpath.normpath(path))
        return not any(folder == other or f"{folder}/".startswith(f"{other.rstrip('/')}/") for other in self.opaque)

    def matching(self, pattern: str) -> Iterator[tuple[str, Content]]:
        """Yield what a glob of its configuration finds; a relative one begins in the configuration's folder."""
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(self.config_path), pattern))
        compiled = glob(whole)
        for path, content in self.files.items():
            if compiled.fullmatch(path):
                yield path, content

    def renamed(self, pattern: str) -> tuple[str, Content] | None:
        """Return the file of the folder that a glob means by its name, and that stands here under another one."""
        wanted = glob(posixpath.basename(pattern))
        for path, content in self.files.items():
            mounted = content.named is not None and content.file and content.part is None
            meant = mounted and wanted.fullmatch(posixpath.basename(content.file))
            if meant and not wanted.fullmatch(posixpath.basename(path)):
                return path, content
        return None

    def left_out(self, pattern: str, names: Iterable[str]) -> str | None:
        """Return the file beside the configuration that a glob means and that its kustomization does not take."""
        config = self.config
        if config is None or config.named is None or config.named.route[:1] != ("configMapGenerator",):
            return None
        beside = glob(posixpath.normpath(posixpath.join(posixpath.dirname(config.file), pattern)))
        return next((name for name in names if beside.fullmatch(name)), None)


@lru_cache(maxsize=1024)
def glob(pattern: str) -> re.Pattern[str]:
    """Return the expression of a glob as Go's filepath.Glob reads it: `*` and `?` match no slash."""
    pieces = re.split(r"(\*+|\?|\[\^?[^\]]*\])", pattern)
    translated = "".join(
        "[^/]*" if piece.startswith("*") else "[^/]" if piece == "?" else _set(piece) if index % 2 else re.escape(piece)
        for index, piece in enumerate(pieces)
    )
    try:
        return re.compile(translated)
    except re.error:
        return re.compile(re.escape(pattern))


def _set(piece: str) -> str:
    inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"[{inner}]" if inner.strip("^") else re.escape(piece)


def split(part: Part) -> tuple[str, ...]:
    """Return the arguments that a scalar holds: itself, if it is an item of a list, else what a shell makes of it."""
    text = interpolated(part.text)
    if part.route and isinstance(part.route[-1], int):
        return (text,)
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


_VARIABLE = re.compile(r"\$\{(\w+)(?::?[-]([^}]*)|:?\?[^}]*|:?\+[^}]*)?\}|\$(\w+)")


def interpolated(text: str) -> str:
    """Return a text of a compose file with the defaults of its variables; one without a default is left as `$NAME`."""

    def value(found: re.Match[str]) -> str:
        return found[2] if found[2] is not None else f"${found[1] or found[3]}"

    return _VARIABLE.sub(value, text).replace("$$", "$")


def processes(model: Model) -> tuple[Process, ...]:
    """Return every container of a system that runs one of the programs."""
    return (*_composed(model), *_orchestrated(model))


def program_of(image: str) -> str | None:
    """Return the program that an image is known to hold."""
    name = image.split("@", maxsplit=1)[0].rpartition("/")[2].split(":")[0].lower()
    return next((program for program, names in PROGRAMS.items() if name in names), None)


# docker-compose


def _composed(model: Model) -> Iterator[Process]:
    overlays = set(_overlays(model))
    for compose in model.compose_files:
        if compose.part.file in overlays:
            continue
        for name, service in compose.part.get("services").items():
            dockerfile = _dockerfile(model, service)
            program = program_of(interpolated(service.string("image"))) or program_of(_base(dockerfile))
            arguments = _command(service)
            if program is None:
                program = _program_of_arguments(arguments)
            if program is not None:
                files, opaque = _bound(model, service, compose.part)
                files = {**_copied(model, service, dockerfile), **files}
                yield Process(program, service, f"services/{name}", arguments, files, opaque)


def _overlays(model: Model) -> Iterator[str]:
    """Yield compose files that only change the services of another one in the same folder."""
    for one in model.compose_files:
        names = set(one.services)
        beside = (o for o in model.compose_files if o is not one and o.directory == one.directory)
        if not _mounts(one) and any(names <= set(other.services) and _mounts(other) for other in beside):
            yield one.part.file


def _mounts(compose: ComposeFile) -> bool:
    return any(service.part.list("volumes") for service in compose.services.values())


def _command(service: Part) -> tuple[Part, ...]:
    found: list[Part] = []
    for key in ("entrypoint", "command", "args"):
        part = service.get(key)
        found.extend(part.list() if isinstance(part.value, list) else [part] if part.text else [])
    return tuple(found)


def _program_of_arguments(arguments: Iterable[Part]) -> str | None:
    text = " ".join(part.text for part in arguments)
    found = re.search(r"--?config\.file[= ](\S+)", text)
    if found is None:
        return None
    return next((program for program in ("prometheus", "alertmanager") if program in found[1]), None)


def _dockerfile(model: Model, service: Part) -> tuple[str, str]:
    """Return the name and the text of the Dockerfile that a service is built of; empty if there is none."""
    build = service.get("build")
    if not build:
        return "", ""
    context = build.text or build.string("context") or "."
    folder = _joined(posixpath.dirname(service.file), interpolated(context))
    name = posixpath.normpath(posixpath.join(folder, build.string("dockerfile") or "Dockerfile"))
    return name, (model.folder.text(name) or "")


def _base(dockerfile: tuple[str, str]) -> str:
    found = re.findall(r"^\s*FROM\s+(?:--\S+\s+)?(\S+)", dockerfile[1], re.MULTILINE | re.IGNORECASE)
    return found[-1] if found else ""


def _copied(model: Model, service: Part, dockerfile: tuple[str, str]) -> dict[str, Content]:
    build = service.get("build")
    context = _joined(posixpath.dirname(service.file), interpolated(build.text or build.string("context") or "."))
    found: dict[str, Content] = {}
    for line in re.findall(r"^\s*(?:COPY|ADD)\s+(.+)$", dockerfile[1], re.MULTILINE | re.IGNORECASE):
        words = [word for word in line.split() if not word.startswith("--")]
        if "--from" in line or len(words) < 2 or line.startswith("["):
            continue
        for source in words[:-1]:
            found.update(_expanded(model, posixpath.normpath(posixpath.join(context, source)), words[-1], None))
    return found


def _bound(model: Model, service: Part, compose: Part) -> tuple[dict[str, Content], tuple[str, ...]]:
    found: dict[str, Content] = {}
    opaque: list[str] = []
    here = posixpath.dirname(service.file)
    for volume in service.list("volumes"):
        source, target = _volume(volume)
        if not target:
            continue
        if not source.startswith((".", "/", "~")) or "$" in source:
            opaque.append(target)
            continue
        path = _joined(here, source)
        inside = _expanded(model, path, target, volume) if not source.startswith(("/", "~")) else {}
        found.update(inside)
        if not inside:
            opaque.append(target)
    for config in service.list("configs"):
        name = config.text or config.string("source")
        target = config.string("target") or f"/{name}"
        file = interpolated(compose.string("configs", name, "file"))
        inside = _expanded(model, _joined(here, file), target, config) if file else {}
        found.update(inside)
        if not inside:
            opaque.append(posixpath.dirname(target))
    return found, tuple(opaque)


def _volume(volume: Part) -> tuple[str, str]:
    if isinstance(volume.value, dict):
        kind, source = volume.string("type"), interpolated(volume.string("source"))
        return (source if kind == "bind" else f"volume-{source}"), interpolated(volume.string("target"))
    pieces = interpolated(volume.text).split(":")
    if len(pieces) < 2:
        return f"volume-{pieces[0]}", pieces[0]
    return pieces[0], pieces[1]


def _joined(folder: str, path: str) -> str:
    """Return a path below a folder, by the names of the folder that is looked at."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    return "" if joined == "." else joined


def _expanded(model: Model, source: str, target: str, named: Part | None) -> dict[str, Content]:
    """Return what a file or folder of ours is in the container."""
    if source in model.file_names:
        path = posixpath.join(target, posixpath.basename(source)) if target.endswith("/") else target
        return {posixpath.normpath(path): Content(source, None, named)}
    prefix = f"{source}/" if source else ""
    inside = [name for name in model.folder.names if name.startswith(prefix)] if prefix else []
    if len(inside) > _MOST_FILES:
        return {}
    return {posixpath.normpath(f"{target}/{name[len(prefix) :]}"): Content(name, None, named) for name in inside}


# Kubernetes


def _orchestrated(model: Model) -> Iterator[Process]:
    holders = model.cluster.holders
    for workload in model.workloads:
        volumes = {part.string("name"): part for part in workload.pod.list("spec", "volumes")}
        for container in workload.containers:
            arguments = (*container.part.list("command"), *container.part.list("args"))
            program = program_of(container.part.string("image")) or _program_of_arguments(arguments)
            if program is None or container.init:
                continue
            files, opaque = _mounted(container.part, volumes, holders, model.cluster.namespaces(workload.object))
            subject = f"{workload.subject}/{container.part.string('name')}"
            yield Process(program, container.part, subject, arguments, files, opaque, workload.object, workload.pod)


_Holders = Mapping[tuple[str, str], tuple[Holder, ...]]


def _content(holder: Holder, entry: Entry) -> Content:
    """Return what a key of a ConfigMap or a Secret is as a file."""
    if holder.part.string("kind") not in ("ConfigMap", "Secret"):  # it is generated, of files or of a literal
        return Content(entry.file or "", None, entry.part)
    encoded = holder.kind == "Secret" and entry.part.route[-2:-1] == ("data",)
    return Content(entry.part.file, None if encoded else entry.part, entry.part)


def _mounted(
    container: Part,
    volumes: Mapping[str, Part],
    holders: _Holders,
    namespaces: frozenset[str],
) -> tuple[dict[str, Content], tuple[str, ...]]:
    found: dict[str, Content] = {}
    opaque: list[str] = []
    for mount in container.list("volumeMounts"):
        target = posixpath.normpath(mount.string("mountPath") or "/")
        volume = volumes.get(mount.string("name"))
        held = None if volume is None else _held(volume, holders, namespaces)
        if held is None:
            opaque.append(target)
            continue
        within = mount.string("subPath")
        for path, content in held.items():
            if not within:
                found[posixpath.normpath(posixpath.join(target, path))] = content
            elif path == within:
                found[target] = content
            elif path.startswith(f"{within}/"):
                found[posixpath.normpath(posixpath.join(target, path[len(within) + 1 :]))] = content
    return found, tuple(opaque)


def _held(volume: Part, holders: _Holders, namespaces: frozenset[str]) -> dict[str, Content] | None:
    """Return what a volume holds, by path; None if that is not known."""
    if volume.get("projected"):
        found: dict[str, Content] = {}
        for source in volume.list("projected", "sources"):
            inside = _held(source, holders, namespaces)
            if inside is None:
                return None
            found |= inside
        return found
    for key, kind, naming in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        reference = volume.get(key)
        if not reference:
            continue
        name = reference.string(naming) or reference.string("name")
        known = [one for one in holders.get((kind, name), ()) if together(one.namespaces, namespaces)]
        entries = {each.key: _content(one, each) for one in known for each in one.entries} if known else None
        items = reference.list("items")
        if not items:
            return entries
        chosen: dict[str, Content] = {}
        for item in items:
            content = (entries or {}).get(item.string("key"), Content())
            chosen[item.string("path")] = Content(content.file, content.part, item)
        return chosen
    return {} if volume.get("emptyDir") or volume.get("downwardAPI") or volume.get("serviceAccountToken") else None


def content_of(document: Document, contents: Iterable[Content]) -> bool:
    """Whether a document stands in one of some contents."""
    place = document.place()
    return any(content.holds(place) for content in contents)
