"""JSON files: their values at once, the places of them when somebody asks."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from tocsin.source import Document, Place, Route, Unreadable

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_ESCAPE = "\\"

_T = TypeVar("_T")
_Offsets = dict[Route, int]


class _Asked(Mapping[Route, _T], Generic[_T]):
    """A mapping that is read from the text when it is first asked: places of big dashboards are seldom needed."""

    def __init__(self, scanned: _Scanned) -> None:
        self._scanned = scanned

    def __iter__(self) -> Iterator[Route]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, route: object) -> bool:
        return route in self._known

    @property
    def _known(self) -> Mapping[Route, int]:
        raise NotImplementedError


class _Places(_Asked[Place]):
    """Where each value stands."""

    @property
    def _known(self) -> _Offsets:
        return self._scanned.values

    def __getitem__(self, route: Route) -> Place:
        return self._scanned.place(self._known[route])


class _Keys(_Asked[Place]):
    """Where each key stands."""

    @property
    def _known(self) -> _Offsets:
        return self._scanned.keys

    def __getitem__(self, route: Route) -> Place:
        return self._scanned.place(self._known[route])


class _Written(_Asked[str]):
    """The text of each scalar that is no text."""

    @property
    def _known(self) -> _Offsets:
        return self._scanned.scalars

    def __getitem__(self, route: Route) -> str:
        return self._scanned.token(self._known[route])


class _Scanned:
    """A JSON text that is known to be well-formed, with the offset of everything in it."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    @property
    def values(self) -> _Offsets:
        """The offset of each value."""
        return self._all[0]

    @property
    def keys(self) -> _Offsets:
        """The offset of the key of each entry."""
        return self._all[1]

    @property
    def scalars(self) -> _Offsets:
        """The offset of each scalar that is no text."""
        return self._all[2]

    @property
    def repeated(self) -> tuple[tuple[Route, int], ...]:
        """Keys that stand twice in one object: the route, and the offset of the second."""
        return self._all[3]

    def token(self, offset: int) -> str:
        """Return the token at an offset."""
        match = _TOKEN.match(self._text, offset)
        return match[0] if match else ""

    def place(self, offset: int) -> Place:
        """Return the place of an offset."""
        line = bisect_right(self._lines, offset)
        return Place(self._file, line, offset - self._lines[line - 1] + 1)

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self._text))]

    @cached_property
    def _all(self) -> tuple[_Offsets, _Offsets, _Offsets, tuple[tuple[Route, int], ...]]:
        scan = _Scan()
        for match in _TOKEN.finditer(self._text):
            scan.take(match[0], match.start())
        return scan.values, scan.keys, scan.scalars, tuple(scan.repeated)


class _Scan:
    """One pass over the tokens of a JSON text."""

    def __init__(self) -> None:
        self.values: _Offsets = {}
        self.keys: _Offsets = {}
        self.scalars: _Offsets = {}
        self.repeated: list[tuple[Route, int]] = []
        self._stack: list[tuple[Route, bool]] = []
        """The containers around, each with its route and whether it is an object."""
        self._here: Route = ()
        """The route of the value that comes next."""
        self._awaits_key = False

    def take(self, token: str, offset: int) -> None:
        first = token[0]
        if first == ":":
            self._awaits_key = False
        elif first in "}]":
            self._stack.pop()
        elif first == ",":
            self._next()
        elif self._awaits_key:
            self._key(token, offset)
        elif first in "{[":
            self.values[self._here] = offset
            self._stack.append((self._here, first == "{"))
            self._awaits_key = first == "{"
            if first == "[":
                self._here = (*self._here, 0)
        else:
            self.values[self._here] = offset
            if first != '"':
                self.scalars[self._here] = offset

    def _next(self) -> None:
        around, is_object = self._stack[-1]
        self._awaits_key = is_object
        if not is_object:
            last = self._here if len(self._here) == len(around) + 1 else self._here[: len(around) + 1]
            self._here = (*around, int(last[-1]) + 1)

    def _key(self, token: str, offset: int) -> None:
        key = json.loads(token) if _ESCAPE in token else token[1:-1]
        self._here = (*self._stack[-1][0], key)
        if self._here in self.keys:
            self.repeated.append((self._here, offset))
        self.keys[self._here] = offset


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
    scanned = _Scanned(text, file)
    twice = tuple((route, scanned.place(offset)) for route, offset in scanned.repeated) if repeated else ()
    return Document(file, value, _Places(scanned), _Keys(scanned), _Written(scanned), twice)
