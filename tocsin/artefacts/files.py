"""Which files of a system are which kind of artefact: by glob where declared, else by content."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.source import Document, Place, Unreadable, read_documents, read_text
from tocsin.system import Kind, Problem, System

MAX_SNIFFED_BYTES = 4 * 1024 * 1024
SKIPPED_FOLDERS = {"node_modules", "vendor", "venv", "__pycache__", "dist", "build"}
_MARKS: tuple[tuple[Kind, set[str], Callable[[Mapping[str, Any]], bool]], ...] = (
    (Kind.MANIFESTS, {"apiVersion", "kind"}, lambda _: True),
    (Kind.TESTS, {"tests"}, lambda value: isinstance(value["tests"], list) and "rule_files" in value),
    (Kind.RULES, {"groups"}, lambda value: _has_rules(value["groups"])),
    (Kind.PROMETHEUS, {"scrape_configs"}, lambda _: True),
    (Kind.ALERTMANAGER, {"route", "receivers"}, lambda _: True),
    (Kind.DASHBOARDS, {"panels"}, lambda value: "schemaVersion" in value or _has_panels(value)),
    (Kind.DASHBOARDS, {"rows"}, lambda value: "schemaVersion" in value or "templating" in value),
    (Kind.DASHBOARDS, {"dashboard"}, lambda value: _is_dashboard(value["dashboard"])),
    (Kind.COMPOSE, {"services"}, lambda value: _has_services(value["services"])),
)
"""The top-level keys that only one kind of artefact has."""
_SIGNS = (
    (Kind.RULES, (r"^\s*[\"']?groups[\"']?\s*:", r"^\s*-?\s*[\"']?(?:alert|record)[\"']?\s*:")),
    (Kind.PROMETHEUS, (r"^[\"']?scrape_configs[\"']?\s*:",)),
    (Kind.ALERTMANAGER, (r"^[\"']?receivers[\"']?\s*:", r"^[\"']?route[\"']?\s*:")),
)
"""Lines by which a file that cannot be read is still known for what it was meant to be."""
SUFFIXES = {".yaml", ".yml", ".json"}


@dataclass(frozen=True, slots=True)
class Artefacts:
    """A system's files by kind, what was read of them, and what could not be read."""

    documents: Mapping[Kind, tuple[Document, ...]] = field(repr=False)
    files: Mapping[Kind, tuple[str, ...]]
    declared_absent: frozenset[Kind]
    unreadable: tuple[Problem, ...]

    def has(self, kind: Kind) -> bool:
        """Tell whether the system has any file of that kind."""
        return bool(self.files.get(kind))


def read_artefacts(system: System) -> Artefacts:
    """Read every file that `system` names, or that is found by content where a kind was left out. Never raises."""
    problems: list[Problem] = []
    files: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    declared = system.declaration.artefacts
    for kind, patterns in declared.items():
        for i, pattern in enumerate(patterns):
            found = sorted(str(p.relative_to(system.directory)) for p in system.directory.glob(pattern) if p.is_file())
            if not found:
                problems.append(Problem(system.place("artefacts", kind, i), f"{pattern} matches no file"))
            files[kind].extend(f for f in found if f not in files[kind])
    left_out = [kind for kind in Kind if kind not in declared]
    taken = {f for names in files.values() for f in names}
    for file in _walk(system.directory) if left_out else ():
        sniffed = None if file in taken else _sniff(system.directory, file)
        if sniffed in left_out:
            files[sniffed].append(file)
    documents = {kind: tuple(_read(system.directory, names, kind, problems)) for kind, names in files.items()}
    absent = frozenset(kind for kind, patterns in declared.items() if not patterns)
    return Artefacts(documents, {k: tuple(v) for k, v in files.items()}, absent, tuple(problems))


def _has_rules(groups: Any) -> bool:
    return isinstance(groups, list) and any(isinstance(group, dict) and "rules" in group for group in groups)


def _has_panels(value: Mapping[str, Any]) -> bool:
    """Whether it has variables, or panels of Grafana: each says its type, and one where it is or what it asks."""
    panels = value["panels"]
    listed = isinstance(panels, list) and bool(panels) and all(isinstance(p, dict) and "type" in p for p in panels)
    return "templating" in value or (listed and any("gridPos" in panel or "targets" in panel for panel in panels))


def _is_dashboard(inner: Any) -> bool:
    return isinstance(inner, dict) and kind_of(inner) is Kind.DASHBOARDS and "dashboard" not in inner


def _has_services(services: Any) -> bool:
    return isinstance(services, dict) and any(
        isinstance(service, dict) and service.keys() & {"image", "build", "extends"} for service in services.values()
    )


def _walk(directory: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            wanted = path.suffix in SUFFIXES or (path.suffix == ".md" and "runbook" in folder.rpartition("/")[2])
            if wanted and path.stat().st_size <= MAX_SNIFFED_BYTES and name != "system.yaml":
                yield str(path.relative_to(directory))


def _sniff(directory: Path, file: str) -> Kind | None:
    """Tell the kind of a file by its content; one that is not YAML may still look like what it was meant to be."""
    if file.endswith(".md"):
        return Kind.RUNBOOKS
    try:
        documents = read_documents(read_text(directory / file, file), file, raw=True)
    except Unreadable:
        try:
            return broken_kind((directory / file).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None
    return next((kind for d in documents if (kind := kind_of(d.value)) is not None), None)


def broken_kind(text: str) -> Kind | None:
    """Tell what a file that is not YAML was meant to be, by its lines: a rule file that is passed over is no alert.

    Templates of manifests are no YAML either, and right so: they are not looked for here.
    """
    found = (kind for kind, signs in _SIGNS if all(re.search(sign, text, re.MULTILINE) for sign in signs))
    return next(found, None)


def kind_of(value: Any) -> Kind | None:
    """Tell what kind of artefact a document's value is, by the keys that only that kind has."""
    if not isinstance(value, dict):
        return None
    return next((kind for kind, keys, holds in _MARKS if keys <= value.keys() and holds(value)), None)


def _read(directory: Path, files: list[str], kind: Kind, problems: list[Problem]) -> Iterator[Document]:
    for file in files:
        try:
            text = read_text(directory / file, file)
            if kind in (Kind.RUNBOOKS, Kind.METRICS):
                yield Document(file, text, {(): Place(file)}, {})
            else:
                yield from read_documents(text, file, raw=True)
        except Unreadable as error:
            problems.append(Problem(error.place, error.message))
