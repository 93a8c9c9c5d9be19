"""Files inside of files: a configuration in a ConfigMap or a Secret, a dashboard in one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from functools import cached_property

from tocsin.artefacts.folder import SourceFile, read_structured
from tocsin.part import Part
from tocsin.source import Document, Place, Route, Unreadable, place_within


class _Moved(Mapping[Route, Place]):
    """Places within an embedded text, told as places of the file around it."""

    def __init__(self, inner: Mapping[Route, Place], outer: _Outer) -> None:
        self._inner = inner
        self._outer = outer

    def __getitem__(self, route: Route) -> Place:
        return self._outer.moved(self._inner[route])

    def __contains__(self, route: object) -> bool:
        return route in self._inner  # without working out the place

    def __iter__(self) -> Iterator[Route]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


class _Outer:
    """The file around an embedded text, and where in it the text begins."""

    def __init__(self, part: Part, text: str, inner: str) -> None:
        self._part = part
        self._text = text
        self._inner = inner

    @cached_property
    def _starts(self) -> list[int]:
        """The offset of each line of the embedded text."""
        found = [0]
        for i, character in enumerate(self._inner):
            if character == "\n":
                found.append(i + 1)
        return found

    @cached_property
    def _lines(self) -> tuple[list[str], list[str]]:
        """The lines of the file around it, and its own."""
        return self._text.split("\n"), self._inner.split("\n")

    @cached_property
    def _literal(self) -> bool:
        """Whether it is a literal block, whose lines are those of the file but for the indent."""
        place = self._part.place
        around = self._lines[0]
        return place.line <= len(around) and around[place.line - 1][place.column - 1 :].startswith("|")

    def moved(self, place: Place) -> Place:
        if self._literal:
            around, own = self._lines
            number = self._part.place.line + place.line
            if number <= len(around) and place.line <= len(own):
                outer, inner = around[number - 1].rstrip("\r"), own[place.line - 1]
                if outer.endswith(inner):
                    return Place(self._part.file, number, len(outer) - len(inner) + place.column)
        line = min(place.line, len(self._starts))
        return place_within(self._text, self._part.place, self._inner, self._starts[line - 1] + place.column - 1)


def embedded(part: Part, outer: str, *, encoded: bool = False) -> SourceFile:
    """Read the text at `part` as the file that its key names; `outer` is the text of the file around it.

    `encoded`: it is base64, as the `data` of a Secret is; its places are then that of the whole. Total.
    """
    name = part.key if "." in part.key else f"{part.key}.yaml"
    text = part.text
    if encoded:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return SourceFile(part.file, text, problem=Unreadable(part.place, "is not base64 of a UTF-8 text"))
    around = _Outer(part, outer, text)
    read = read_structured(text, name)
    documents = tuple(_moved(document, part.file, around) for document in read.documents)
    problem = read.problem and Unreadable(around.moved(read.problem.place), read.problem.message)
    return SourceFile(part.file, text, documents, problem, read.template)


def _moved(document: Document, file: str, around: _Outer) -> Document:
    repeated = tuple((route, around.moved(place)) for route, place in document.repeated)
    places, keys = _Moved(document.places, around), _Moved(document.keys, around)
    return Document(file, document.value, places, keys, document.written, repeated)
