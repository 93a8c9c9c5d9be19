"""What kustomize makes of a folder: which files belong together, their namespace, and the ConfigMaps that it generates.

(kubectl.docs.kubernetes.io/references/kustomize/kustomization; sigs.k8s.io/kustomize, api/types/kustomization.go.)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from tocsin.artefacts.compose import within
from tocsin.artefacts.folder import Folder
from tocsin.part import Part
from tocsin.source import Unreadable, read_documents

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What a kustomization's file may be called."""
_INCLUDES = ("resources", "bases", "components")
_OPAQUE = ("helmCharts", "helmChartInflationGenerator", "generators", "transformers", "crds", "configurations")
"""Fields by which a build gets more, or other, than the files say."""


@dataclass(frozen=True)
class Entry:
    """One key of a ConfigMap or a Secret."""

    key: str
    part: Part
    """Where it is said that there is such a key."""
    file: str | None = None
    """The file of the folder that becomes its value; None if its value stands elsewhere, or is not known."""
    text: str | None = None
    """Its value, where it is known and no file of the folder."""


@dataclass(frozen=True)
class Generator:
    """A ConfigMap or a Secret that a kustomization generates."""

    kind: str
    """`ConfigMap` or `Secret`."""
    part: Part
    namespaces: frozenset[str]
    """The namespaces that it may be in; none if the files do not say."""
    entries: tuple[Entry, ...]
    whole: bool
    """Whether these are all of its keys, so that one that is not here is nowhere."""
    missing: tuple[tuple[Part, str], ...] = ()
    """The files that it takes and that are not in the folder, each where it is named."""

    @property
    def name(self) -> str:
        """Its name, without the digest that kustomize appends."""
        return self.part.string("name")


@dataclass(frozen=True)
class Inclusion:
    """One entry of `resources`, `bases` or `components`."""

    part: Part
    path: str | None
    """The file or folder that is meant; None if it is fetched from elsewhere or stands outside."""
    files: tuple[str, ...]
    """The manifests that it names, or the kustomization of the folder that it names."""


@dataclass(frozen=True)
class Kustomization:
    """One kustomization and what it says."""

    part: Part
    folder: Folder

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.part.file

    @property
    def directory(self) -> str:
        """The folder that it stands in, to which its paths are relative."""
        return str(PurePosixPath(self.name).parent).removeprefix(".")

    @property
    def namespace(self) -> str:
        """The namespace into which it puts everything; empty if it leaves that to the manifests."""
        return self.part.string("namespace")

    @cached_property
    def inclusions(self) -> tuple[Inclusion, ...]:
        """What it takes in."""
        return tuple(self._inclusion(part) for field in _INCLUDES for part in self.part.list(field))

    @cached_property
    def opaque(self) -> bool:
        """Whether its build may hold more than the files of this folder say."""
        return any(self.part.get(field) for field in _OPAQUE) or any(one.path is None for one in self.inclusions)

    @cached_property
    def patch_files(self) -> frozenset[str]:
        """The files that it lays over others: what stands in them is no object of its own."""
        written = [part.text for part in self.part.list("patchesStrategicMerge")]
        written += [part.string("path") for field in ("patches", "patchesJson6902") for part in self.part.list(field)]
        return frozenset(name for text in written if (name := self._path(text)))

    @cached_property
    def patched(self) -> frozenset[tuple[str, str]]:
        """Kind and name of each object that it changes beyond what its manifest says; an empty name is any."""
        found: set[tuple[str, str]] = set()
        for part in (part for field in ("patches", "patchesJson6902") for part in self.part.list(field)):
            if target := part.get("target"):
                found.add((target.string("kind"), target.string("name")))
            else:
                found |= _patch_of(part.string("patch"), part.file)
        for text in (part.text for part in self.part.list("patchesStrategicMerge") if "\n" in part.text):
            found |= _patch_of(text, self.name)
        return frozenset(found)

    def _path(self, written: str) -> str | None:
        return within(self.directory, written) if written and "\n" not in written else None

    def _inclusion(self, part: Part) -> Inclusion:
        path = None if "://" in part.text or part.text.startswith("git@") else self._path(part.text)
        if path is None:
            return Inclusion(part, None, ())
        names = frozenset(self.folder.names)
        inside = [f"{path}/{name}" if path else name for name in NAMES]
        found = [path] if path in names else [name for name in inside if name in names]
        return Inclusion(part, path if found else None, tuple(found))


def _patch_of(text: str, file: str) -> set[tuple[str, str]]:
    """Return kind and name of the objects that a patch is of."""
    try:
        parts = [Part.whole(document) for document in read_documents(text, file, repeats=True)]
    except Unreadable:
        return set()
    return {(part.string("kind"), part.string("metadata", "name")) for part in parts if part.string("kind")}


class Kustomizations:
    """All kustomizations of a folder."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @cached_property
    def all(self) -> Mapping[str, Kustomization]:
        """Each by its file's name."""
        names = [name for name in self._folder.names if PurePosixPath(name).name in NAMES]
        read = ((name, self._parts(name)) for name in names)
        return {name: Kustomization(parts[0], self._folder) for name, parts in read if parts}

    def _parts(self, name: str) -> list[Part]:
        file = self._folder.files.get(name)
        if file is not None:
            return [Part.whole(document) for document in file.documents[:1]]
        try:
            return [Part.whole(document) for document in read_documents(self._folder.text(name) or "", name)[:1]]
        except Unreadable:
            return []

    @cached_property
    def _reached(self) -> Mapping[str, frozenset[str]]:
        """By the name of each kustomization, all files that its build takes in, other kustomizations too."""
        found: dict[str, frozenset[str]] = {}
        for start in self.all:
            seen: set[str] = set()
            waiting = [start]
            while waiting:
                name = waiting.pop()
                if name in seen:
                    continue
                seen.add(name)
                one = self.all.get(name)
                waiting.extend(file for each in one.inclusions for file in each.files) if one else None
            found[start] = frozenset(seen)
        return found

    def files(self, kustomization: Kustomization) -> frozenset[str]:
        """Return all files that a build takes in, its own kustomization among them."""
        return self._reached.get(kustomization.name, frozenset())

    @cached_property
    def roots(self) -> tuple[Kustomization, ...]:
        """Those that no other takes in: what is applied to a cluster."""
        inner = {file for one in self.all.values() for each in one.inclusions for file in each.files}
        return tuple(one for name, one in self.all.items() if name not in inner)

    @cached_property
    def namespaces(self) -> Mapping[str, frozenset[str]]:
        """By file, the namespaces into which kustomizations put what stands in it; none for what is left alone."""
        found: dict[str, set[str]] = {}
        for one in self.all.values():
            if one.namespace:
                for file in self.files(one):
                    found.setdefault(file, set()).add(one.namespace)
        return {file: frozenset(names) for file, names in found.items()}

    @cached_property
    def patch_files(self) -> frozenset[str]:
        """The files that hold patches."""
        return frozenset(file for one in self.all.values() for file in one.patch_files)

    @cached_property
    def patched(self) -> frozenset[tuple[str, str]]:
        """Kind and name of each object that some kustomization changes, patches in files of their own included."""
        found = {pair for one in self.all.values() for pair in one.patched}
        for name in self.patch_files:
            found |= _patch_of(self._folder.text(name) or "", name)
        return frozenset(found)

    @cached_property
    def generators(self) -> tuple[Generator, ...]:
        """The ConfigMaps and Secrets that are generated."""
        return tuple(generator for one in self.all.values() for generator in self._generators(one))

    def _generators(self, one: Kustomization) -> Iterator[Generator]:
        for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for part in one.part.list(field):
                said = part.string("namespace")
                namespaces = self.namespaces.get(one.name, frozenset({said} if said else ()))
                entries, missing, whole = self._entries(one, part)
                whole = whole and part.string("behavior") in ("", "create")
                yield Generator(kind, part, namespaces, entries, whole, missing)

    def _entries(self, one: Kustomization, part: Part) -> tuple[tuple[Entry, ...], tuple[tuple[Part, str], ...], bool]:
        entries: list[Entry] = []
        missing: list[tuple[Part, str]] = []
        whole = True
        names = frozenset(self._folder.names)
        for item in part.list("files"):
            key, equals, written = item.text.partition("=")
            if not equals:
                key, written = PurePosixPath(item.text).name, item.text
            path = within(one.directory, written)
            if path is not None and path not in names and any(name.startswith(f"{path}/") for name in names):
                entries += [
                    Entry(PurePosixPath(name).name, item, name)
                    for name in names
                    if str(PurePosixPath(name).parent) == path
                ]
                continue
            if path is not None and path not in names:
                missing.append((item, path))
            entries.append(Entry(key, item, path if path in names else None))
        for item in part.list("literals"):
            key, _, value = item.text.partition("=")
            entries.append(Entry(key, item, text=value.strip("\"'")))
        for item in (*part.list("envs"), *((part.get("env"),) if part.string("env") else ())):
            read = self._folder.text(within(one.directory, item.text) or "")
            whole = whole and read is not None
            entries += [
                Entry(line.partition("=")[0].strip(), item, text=line.partition("=")[2])
                for line in (read or "").splitlines()
                if line.strip() and not line.lstrip().startswith("#")
            ]
        return tuple(entries), tuple(missing), whole


def entries_of(part: Part) -> tuple[Entry, ...]:
    """Return the keys of a ConfigMap or Secret that stands in a manifest."""
    encoded = part.string("kind") == "Secret"
    found = {
        key: Entry(key, value, text=_decoded(value.text, encoded=encoded)) for key, value in part.get("data").items()
    }
    found |= {key: Entry(key, value) for key, value in part.get("binaryData").items()}
    found |= {key: Entry(key, value, text=value.text) for key, value in part.get("stringData").items()}
    return tuple(found.values())


def _decoded(text: str, *, encoded: bool) -> str | None:
    if not encoded:
        return text
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
