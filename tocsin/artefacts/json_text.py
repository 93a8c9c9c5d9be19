"""JSON files: their values at once, the places of them when somebody asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar

from tocsin.source import Document, Place, Route, Unreadable, read_documents

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

_T = TypeVar("_T")


class _Asked(Mapping[Route, _T]):
    """A mapping that is read from the text when it is first asked: places of big dashboards are seldom needed."""

    def __init__(self, walked: _Walked, name: str) -> None:
        self._walked = walked
        self._name = name

    @cached_property
    def _found(self) -> Mapping[Route, _T]:
        found: Mapping[Route, _T] = getattr(self._walked.document, self._name)
        return found

    def __getitem__(self, route: Route) -> _T:
        return self._found[route]

    def __iter__(self) -> Iterator[Route]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _Walked:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    @cached_property
    def document(self) -> Document:
        """The text read as YAML, which JSON nearly is: a tab is a space there, and half a character none."""
        plain = _SURROGATE.sub(r"\\u0041", self._text.replace("\t", " "))
        try:
            return read_documents(plain, self._file, repeats=True)[0]
        except (Unreadable, IndexError):
            return Document(self._file, None, {(): Place(self._file)}, {})


def read_json(text: str, file: str) -> Document:
    """Read a JSON text; raises Unreadable with the place. Of a key that is there twice the last counts, and is told."""
    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(found)
        if len(value) != len(found):
            repeated.append("")
        return value

    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise Unreadable(Place(file, error.lineno, error.colno), f"is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise Unreadable(Place(file), "is nested too deeply to be read") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise Unreadable(Place(file), f"is not JSON: {error}") from error
    walked = _Walked(text, file)
    return Document(
        file,
        value,
        _Asked(walked, "places"),
        _Asked(walked, "keys"),
        _Asked(walked, "written"),
        walked.document.repeated if repeated else (),
    )
