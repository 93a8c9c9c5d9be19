"""Which document is which kind of artefact: by glob where declared, else by what only that kind has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tocsin.artefacts.embedded import embedded
from tocsin.artefacts.files import broken_kind, kind_of
from tocsin.artefacts.folder import Folder, SourceFile
from tocsin.artefacts.rules import Group, groups_at
from tocsin.part import Part
from tocsin.source import Document, Place, Unreadable
from tocsin.system import Kind, System


@dataclass(frozen=True, slots=True)
class ReadRules:
    """The rule groups of a system, and what of them could not be read."""

    groups: tuple[Group, ...] = ()
    problems: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Sorted:
    """The documents of a folder by kind, and the files that should be artefacts and cannot be read."""

    documents: Mapping[Kind, tuple[Document, ...]] = field(repr=False)
    pages: tuple[str, ...]
    """Files of Markdown."""
    rules: ReadRules = field(repr=False)
    unreadable: tuple[tuple[SourceFile, Kind | None], ...] = field(repr=False)
    """Files that are no YAML, and what they were meant to be as far as their lines tell."""
    templates: tuple[SourceFile, ...] = field(repr=False)
    """Files that are YAML only when they have been rendered."""
    declared: Mapping[str, Kind] = field(default_factory=dict, repr=False)
    """Files whose kind system.yaml says, by name."""
    unmatched: tuple[tuple[Kind, int, str], ...] = ()
    """Globs of system.yaml that match no file: the kind, the glob's index and the glob."""

    def counts(self) -> dict[str, int]:
        """Return how many documents there are of each kind that there is any of."""
        found = {str(kind): len(documents) for kind, documents in self.documents.items() if documents}
        if self.pages:
            found[str(Kind.RUNBOOKS)] = len(self.pages)
        return dict(sorted(found.items()))


def sort(folder: Folder, system: System | None) -> Sorted:
    """Sort the documents of a folder; total."""
    declared = system.declaration.artefacts if system else {}
    claimed, unmatched = _claimed(folder, declared)
    documents: dict[Kind, list[Document]] = {kind: [] for kind in Kind}
    unreadable: list[tuple[SourceFile, Kind | None]] = []
    templates: list[SourceFile] = []
    for name, file in folder.files.items():
        kind = claimed.get(name)
        if PurePosixPath(name).name == "system.yaml":
            continue
        if file.template:
            templates.append(file)
        elif file.problem is not None:
            meant = kind or broken_kind(file.text)
            if meant is not None:
                unreadable.append((file, meant))
        for document in file.documents:
            found = kind or kind_of(document.value)
            if found is None or (kind is None and found in declared):
                continue
            documents[found].append(document)
            if found is Kind.MANIFESTS:
                _open_objects(document, file, documents, unreadable)
    groups: list[Group] = []
    problems: list[Unreadable] = []
    for part in _rule_parts(documents):
        read, wrong = groups_at(part)
        groups.extend(read)
        problems.extend(wrong)
    pages = [n for n in folder.names if n.lower().endswith((".md", ".markdown"))]
    return Sorted(
        {kind: tuple(found) for kind, found in documents.items()},
        tuple(pages),
        ReadRules(tuple(groups), tuple(problems)),
        tuple(unreadable),
        tuple(templates),
        claimed,
        tuple(unmatched),
    )


def objects(document: Document) -> Iterator[Part]:
    """Yield the Kubernetes objects of a document: itself, or the items of a list, whatever its kind is called."""
    whole = Part.whole(document)
    if whole.string("kind").endswith("List") and isinstance(whole.get("items").value, list):
        yield from whole.list("items")
    elif "kind" in whole:
        yield whole


def _claimed(
    folder: Folder, declared: Mapping[Kind, tuple[str, ...]]
) -> tuple[dict[str, Kind], list[tuple[Kind, int, str]]]:
    claimed: dict[str, Kind] = {}
    unmatched: list[tuple[Kind, int, str]] = []
    for kind, patterns in declared.items():
        for i, pattern in enumerate(patterns):
            found = [p for p in folder.directory.glob(pattern) if p.is_file()]
            if not found:
                unmatched.append((kind, i, pattern))
            claimed |= {p.relative_to(folder.directory).as_posix(): kind for p in found}
    return claimed, unmatched


_FILES = re.compile(r"\.(?:ya?ml|json|rules)$")


def _open_objects(
    document: Document,
    file: SourceFile,
    documents: dict[Kind, list[Document]],
    unreadable: list[tuple[SourceFile, Kind | None]],
) -> None:
    """Read the files that are inside of ConfigMaps and Secrets."""
    for part in objects(document):
        if part.string("kind") not in ("ConfigMap", "Secret"):
            continue
        encoded = part.string("kind") == "Secret"
        for section, is_encoded in (("data", encoded), ("stringData", False)):
            for key, value in part.get(section).items():
                if not _FILES.search(key) or not isinstance(value.value, str):
                    continue
                inside = embedded(value, file.text, encoded=is_encoded)
                if inside.problem is not None and not inside.template and not is_encoded:
                    meant = broken_kind(inside.text)
                    if meant is not None:
                        unreadable.append((inside, meant))
                for each in inside.documents:
                    found = kind_of(each.value)
                    if found is not None and found is not Kind.MANIFESTS:
                        documents[found].append(each)


def _rule_parts(documents: Mapping[Kind, list[Document]]) -> Iterator[Part]:
    for document in documents[Kind.RULES]:
        yield Part.whole(document)
    for document in documents[Kind.MANIFESTS]:
        for part in objects(document):
            if part.string("kind") == "PrometheusRule":
                yield part.get("spec")


def place_of(file: SourceFile) -> Place:
    """Return where a file that cannot be read stops being readable."""
    return file.problem.place if file.problem else Place(file.name)
