"""Every file of a folder that may be an artefact, each read once; total: what cannot be read says so itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tocsin.artefacts.json_text import read_json
from tocsin.source import Document, Place, Unreadable, read_documents, read_text

STRUCTURED = frozenset({".yaml", ".yml", ".json", ".rules"})
"""Suffixes of files that are YAML or JSON."""
MOST_BYTES = 8 * 1024 * 1024
"""A larger file is not read: no artefact is so large, and a check must not cost unbounded time."""
SKIPPED = frozenset({"node_modules", "venv", "site-packages", "__pycache__"})
"""Folders that hold packages, and what was compiled."""

_ACTION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_OF_ALERTS = re.compile(r"\{\{-?[^{}`]*\$(?:labels|value|externalLabels|externalURL)\b[^{}`]*\}\}")
"""An action of the texts of an alert, which Prometheus renders itself and no template of files knows."""
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, its text, and what was read of it."""

    name: str
    """The path within the folder, with forward slashes."""
    text: str = field(repr=False)
    documents: tuple[Document, ...] = field(default=(), repr=False)
    problem: Unreadable | None = None
    """Why it holds no documents, though its suffix promises some."""
    template: bool = False
    """Whether it is the unrendered template of such a file, as those of Helm charts are."""

    @property
    def suffix(self) -> str:
        """The suffix of its name, in lower case."""
        return Path(self.name).suffix.lower()

    def line(self, number: int) -> str:
        """Return a line by its number, from 1; nothing beyond the end."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 1 <= number <= len(lines) else ""


class Folder:
    """The files of a folder, read when they are asked for. Names are relative to it, with forward slashes."""

    def __init__(
        self,
        directory: Path,
        instead: Folder | None = None,
        texts: Mapping[str, str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.directory = directory
        self._instead = instead
        self._replaced = dict(texts or {})
        self._without = without

    def with_texts(self, texts: Mapping[str, str], without: frozenset[str] = frozenset()) -> Folder:
        """Return the same folder with other texts in some files, and `without` others; what was read is kept."""
        return Folder(self.directory, self, texts, without)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every file's name, in order; hidden folders and those of others' code are left out."""
        if self._instead is not None:
            return tuple(sorted({*self._instead.names, *self._replaced} - self._without))
        return tuple(_names(self.directory))

    @cached_property
    def files(self) -> Mapping[str, SourceFile]:
        """Every file that is YAML or JSON by its suffix, by name."""
        wanted = (name for name in self.names if Path(name).suffix.lower() in STRUCTURED)
        return {name: self._structured(name) for name in wanted}

    def text(self, name: str) -> str | None:
        """Return a file's text; None if there is no such file, or if it is no text or too large."""
        if name in self.files:
            return self.files[name].text
        return self._texts.setdefault(name, self._read(name)) if name in self._known else None

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _texts(self) -> dict[str, str | None]:
        return {}

    def _read(self, name: str) -> str | None:
        if name in self._replaced:
            return self._replaced[name]
        if self._instead is not None:
            return self._instead.text(name)
        path = self.directory / name
        try:
            return read_text(path, name) if path.stat().st_size <= MOST_BYTES else None
        except (Unreadable, OSError):
            return None

    def _structured(self, name: str) -> SourceFile:
        if name in self._replaced:
            return read_structured(self._replaced[name], name)
        if self._instead is not None:
            return self._instead.files[name]
        path = self.directory / name
        try:
            size = path.stat().st_size
            text = read_text(path, name) if size <= MOST_BYTES else ""
        except OSError as error:
            return SourceFile(name, "", problem=Unreadable(Place(name), f"cannot be read: {error.strerror}"))
        except Unreadable as error:
            return SourceFile(name, "", problem=error)
        if size > MOST_BYTES:
            said = f"is larger than {MOST_BYTES // 1024 // 1024} MiB; it was not read"
            return SourceFile(name, "", problem=Unreadable(Place(name), said))
        return read_structured(text, name)


def read_structured(text: str, name: str) -> SourceFile:
    """Read the text of a YAML or JSON file; total."""
    if name.lower().endswith(".json"):
        try:
            return SourceFile(name, text, (read_json(text, name),))
        except Unreadable as error:
            return SourceFile(name, text, problem=error, template=is_template(text))
    try:
        return SourceFile(name, text, read_documents(text, name, repeats=True))
    except Unreadable as error:
        return SourceFile(name, text, problem=error, template=is_template(text))


def is_template(text: str) -> bool:
    """Tell whether a text that is not YAML has actions of a template outside its strings and comments.

    What Prometheus itself renders in an alert's texts (`{{ $value }}`) makes no template of a rule file that is broken.
    """
    lines = (line.split(" #")[0] for line in text.split("\n") if not line.lstrip().startswith("#"))
    bare = (_OF_ALERTS.sub("", _QUOTED.sub("", line)) for line in lines)
    return any(_ACTION.search(line) or line.lstrip().startswith(("{{", "{%")) for line in bare)


def _names(directory: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                yield path.relative_to(directory).as_posix()
