"""A part of a document: a value together with where it stands and how it was written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tocsin.source import Document, Place, Route


@dataclass(frozen=True, slots=True)
class Part:
    """A value in a document, and the way to it. A part that is not there has the value None and its parent's place.

    Nothing here raises: what a user's file lacks, or has of the wrong shape, is nothing.
    """

    document: Document
    route: Route = ()
    value: Any = None

    @classmethod
    def whole(cls, document: Document) -> Part:
        """Return the whole of a document."""
        return cls(document, (), document.value)

    @property
    def file(self) -> str:
        """The file's name."""
        return self.document.file

    @property
    def place(self) -> Place:
        """Where the value stands, or the nearest thing around it that exists."""
        return self.document.place(*self.route)

    @property
    def key_place(self) -> Place:
        """Where the key stands that names the value; of an item of a list, where the item stands."""
        return self.document.key_place(*self.route)

    @property
    def key(self) -> str:
        """The key or the index that names the value."""
        return str(self.route[-1]) if self.route else ""

    @property
    def text(self) -> str:
        """The scalar as it was written (`"0.50"`, `"5m"`); empty if it is no scalar or null."""
        return _written(self.document, self.route, self.value)

    def __bool__(self) -> bool:
        return self.value is not None

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def get(self, *route: str | int) -> Part:
        """Return the part at a route below this one, whether it is there or not."""
        return Part(self.document, (*self.route, *route), _below(self.value, route))

    def items(self) -> Iterator[tuple[str, Part]]:
        """Yield the entries of a mapping; of anything else, none."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                yield key, Part(self.document, (*self.route, key), value)

    def list(self, *route: str | int) -> tuple[Part, ...]:
        """Return the items of the list at a route; of anything else, none."""
        inside = _below(self.value, route)
        if not isinstance(inside, list):
            return ()
        above = (*self.route, *route)
        return tuple([Part(self.document, (*above, i), value) for i, value in enumerate(inside)])

    def string(self, *route: str | int) -> str:
        """Return the scalar at a route as it was written; empty if there is none."""
        return _written(self.document, (*self.route, *route), _below(self.value, route))

    def number(self, *route: str | int) -> float | None:
        """Return the number at a route; None if there is none, or one that is beyond all measure (`1e999`)."""
        value = _below(self.value, route)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if abs(value) <= sys.float_info.max else None

    def strings(self, *route: str | int) -> dict[str, str]:
        """Return the mapping at a route with its scalars as they were written; empty if there is none."""
        return {key: part.text for key, part in self.get(*route).items()}

    def walk(self) -> Iterator[Part]:
        """Yield this part and every part inside it, each before what it holds, in the order of the text."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            inside = [child for _, child in part.items()] or list(part.list())
            waiting.extend(reversed(inside))


def _below(value: Any, route: Route) -> Any:
    """Return the value at a route below another, None where there is nothing."""
    for step in route:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def _written(document: Document, route: Route, value: Any) -> str:
    """Return a scalar as it was written; empty if it is no scalar or null."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (dict, list)):
        return ""
    return document.written.get(route, str(value))
