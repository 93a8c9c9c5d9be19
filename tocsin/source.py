"""Where a value stands in a user's file: one walk over a YAML document gives the values and their places."""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

Route = tuple[str | int, ...]
"""The keys and indices that lead from a document's root to a value."""

MOST_ALIASED = 200_000
"""Values that aliases may add to a document; aliases nested in aliases grow without bound otherwise."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Unreadable(Exception):
    """A user's file that cannot be read, with the place and the cure."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: plain values, and the place of each by its route."""

    file: str
    value: Any
    places: Mapping[Route, Place] = field(repr=False)
    keys: Mapping[Route, Place] = field(repr=False)
    """The place of the key (not the value) of each mapping entry."""
    written: Mapping[Route, str] = field(default_factory=dict, repr=False)
    """The text of each scalar that is no text (`0.50`, `1`, `~`), as it was written."""
    repeated: tuple[tuple[Route, Place], ...] = field(default=(), repr=False)
    """Keys that stand twice in one mapping, where that was not refused: the route and the place of the second."""

    def place(self, *route: str | int) -> Place:
        """Return the place of the value at `route`, or of its nearest ancestor that exists."""
        return _nearest(self.places, route, self.file)

    def key_place(self, *route: str | int) -> Place:
        """Return the place of the key that names `route`, or of its nearest ancestor that exists."""
        return self.keys.get(route) or self.place(*route)


def _nearest(places: Mapping[Route, Place], route: Route, file: str) -> Place:
    while route and route not in places:
        route = route[:-1]
    return places.get(route, Place(file))


def read_text(path: Path, file: str) -> str:
    """Return the text of `path`; `file` is the name used in messages.

    Raises Unreadable if it cannot be opened or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(Place(file), f"is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise Unreadable(Place(file), f"cannot be read: {error.strerror}") from error


def read_documents(text: str, file: str, *, raw: bool = False, repeats: bool = False) -> tuple[Document, ...]:
    """Read every document of a YAML (or JSON) text.

    Scalars follow YAML 1.2's core schema (so `on` is a string and `1:30` is not 90); with `raw`, every scalar
    stays the string that was written. Duplicate keys are refused, as Prometheus and Kubernetes refuse them; with
    `repeats` they are told in the document, whose value is then the last. Raises Unreadable with the place.
    """
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise Unreadable(place, f"is not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        raise Unreadable(Place(file), f"is not YAML: {error.reason} at character {error.position}") from error
    except UnicodeEncodeError as error:
        raise Unreadable(Place(file), f"is not Unicode text (character {error.start})") from error
    except RecursionError as error:
        raise Unreadable(Place(file), "is nested too deeply to be read") from error
    most = len(text) + MOST_ALIASED  # without aliases, no value is shorter than a character
    walks = (_Walk(file, raw, most, repeats) for _ in nodes)
    return tuple(_document(node, walk) for node, walk in zip(nodes, walks, strict=True) if node is not None)


def read_document(text: str, file: str, *, raw: bool = False) -> Document:
    """Read a text that must hold exactly one document; raises Unreadable otherwise."""
    documents = read_documents(text, file, raw=raw)
    if len(documents) != 1:
        raise Unreadable(Place(file), f"holds {len(documents)} YAML documents; exactly one is expected")
    return documents[0]


def _document(node: yaml.Node, walk: _Walk) -> Document:
    try:
        value = walk.value(node, ())
    except RecursionError as error:
        raise Unreadable(Place(walk.file), "is nested too deeply to be read") from error
    return Document(walk.file, value, walk.places, walk.keys, walk.written, tuple(walk.repeated))


class _Walk:
    def __init__(self, file: str, raw: bool, most: int, repeats: bool) -> None:
        self.file = file
        self.raw = raw
        self.most = most
        self.repeats = repeats
        self.places: dict[Route, Place] = {}
        self.keys: dict[Route, Place] = {}
        self.written: dict[Route, str] = {}
        self.repeated: list[tuple[Route, Place]] = []
        self.inside: set[int] = set()

    def place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def value(self, node: yaml.Node, route: Route) -> Any:
        self.places.setdefault(route, self.place(node))
        if len(self.places) > self.most:
            raise Unreadable(self.place(node), f"expands to more than {self.most} values; its aliases multiply")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, route)
        if id(node) in self.inside:
            raise Unreadable(self.place(node), "contains itself through an alias")
        self.inside.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*route, i)) for i, item in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)  # noqa: S101 the only kind of node that is left
            return self.mapping(node, route)
        finally:
            self.inside.discard(id(node))

    def scalar(self, node: yaml.ScalarNode, route: Route) -> Any:
        text = node.value
        value = text if self.raw else _core_scalar(node)
        if value is not text:
            self.written[route] = text
        return value

    def mapping(self, node: yaml.MappingNode, route: Route) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable(self.place(key), "has a mapping key that is not a plain name")
            if key.tag == "tag:yaml.org,2002:merge":
                merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
                continue
            if key.value in found:
                if not self.repeats:
                    raise Unreadable(self.place(key), f"names the key {key.value!r} twice in one mapping")
                self.repeated.append(((*route, key.value), self.place(key)))
            self.keys.setdefault((*route, key.value), self.place(key))
            found[key.value] = self.value(value, (*route, key.value))
        for source in merged:
            found = self.merge(source, route) | found
        return found

    def merge(self, source: yaml.Node, route: Route) -> dict[str, Any]:
        if not isinstance(source, yaml.MappingNode):
            raise Unreadable(self.place(source), "merges something that is not a mapping")
        return self.mapping(source, route)


_CORE = {"null": None, "Null": None, "NULL": None, "~": None, "": None,
         "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}  # fmt: skip


_NUMBER = re.compile(r"[-+]?(?:[0-9]+|(?=\.[0-9]))(?P<decimals>\.[0-9]*)?(?P<exponent>[eE][-+]?[0-9]+)?")
_MOST_DIGITS = 1000
"""A longer whole number is taken for a text: Python would refuse to convert it."""


def _core_scalar(node: yaml.ScalarNode) -> Any:
    """Resolve a scalar by YAML 1.2's core schema (yaml.org/spec/1.2.2, section 10.3).

    All but hexadecimal and octal numbers, infinity and NaN, which stay the texts that they are: no field of ours is
    meant so, and `0x20` is what promtool writes for a series of zeros.
    """
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in _CORE:
        return _CORE[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    if number["decimals"] is None and number["exponent"] is None:
        return int(text) if len(text) <= _MOST_DIGITS else text
    return float(text)


def place_within(text: str, place: Place, value: str, offset: int) -> Place:
    """Return the place of a character of a scalar that stands at `place` in a file's text.

    It is exact for a scalar in any of YAML's styles; where text and value disagree after all, it is `place` itself.
    """
    lines, offset = _lines(text), min(offset, len(value.rstrip("\n")))
    if place.line > len(lines):
        return place
    before, line = lines[place.line - 1][: place.column - 1], lines[place.line - 1][place.column - 1 :]
    quote = 1 if line[:1] in ("'", '"') else 0
    if line[quote:].startswith(value.rstrip("\n")):
        return Place(place.file, place.line, len(before) + quote + offset + 1)
    above = value[:offset].count("\n")
    shown, column = value.split("\n")[above], offset - (value.rfind("\n", 0, offset) + 1)
    number = place.line + 1 + above
    if line.startswith("|") and number <= len(lines) and lines[number - 1].rstrip("\r").endswith(shown):
        indent = len(lines[number - 1].rstrip("\r")) - len(shown)
        return Place(place.file, number, indent + column + 1)
    start = len("\n".join(lines[: place.line - 1])) + (place.line > 1) + place.column - 1
    if len(value) <= _SHORT:  # a whole file in a ConfigMap is asked for many places: better all of it once
        value = value[: (offset // _ALIGNED_AT_ONCE + 1) * _ALIGNED_AT_ONCE]
    places = _aligned(text, start, value)
    if not places or (offset >= len(places) and len(places) < len(value)):
        return place
    found = places[min(offset, len(places) - 1)]
    return Place(place.file, text.count("\n", 0, found) + 1, found - text.rfind("\n", 0, found))


_BLANK = " \t\r\n"
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_BLANK_ESCAPES = ("\\n", "\\t", "\\ ", "\\r", "\\\n")


_PLAIN = re.compile(r"[^\s\\'\"]+")
"""What every style of YAML writes as it is."""
_ALIGNED_AT_ONCE = 128
"""Characters of a scalar; its end is seldom asked for."""
_SHORT = 4096


@lru_cache(maxsize=64)
def _lines(text: str) -> list[str]:
    return text.split("\n")


@lru_cache(maxsize=16)  # one long scalar is asked for many of its characters
def _aligned(text: str, at: int, value: str) -> array[int]:
    """Return where in a text the characters of a scalar stand that begins at `at`: folded, quoted, on several lines.

    Of blanks, which may be written otherwise, each stands where the first of them does. What comes after the first
    character that cannot be found is left out.
    """
    style = text[at : at + 1]
    if style in ("|", ">"):
        at = text.find("\n", at) if "\n" in text[at:] else len(text)
    elif style in ("'", '"'):
        at += 1
    escapes = style == '"'
    found = array("l")
    while len(found) < len(value):
        blanks = _end_of_blanks(value, len(found)) - len(found)
        found.extend([at] * blanks)
        at = _past_blanks(text, at, escapes=escapes)
        if len(found) == len(value):
            break
        word = _PLAIN.match(value, len(found))
        if word and text.startswith(word[0], at):
            found.extend(range(at, at + len(word[0])))
            at += len(word[0])
            continue
        found.append(at)
        if escapes and text[at : at + 1] == "\\":
            at += _ESCAPE_LENGTHS.get(text[at + 1 : at + 2], 2)
        elif text[at : at + 1] == value[len(found) - 1]:
            at += 2 if style == "'" and text[at] == "'" else 1
        else:
            found.pop()
            break
    return found


def _end_of_blanks(value: str, index: int) -> int:
    while index < len(value) and value[index] in _BLANK:
        index += 1
    return index


def _past_blanks(text: str, at: int, *, escapes: bool) -> int:
    while True:
        if text[at : at + 1] and text[at] in _BLANK:
            at += 1
        elif escapes and text.startswith(_BLANK_ESCAPES, at):
            at += 2
        else:
            return at


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the known names most like `name`, for a message that offers them."""
    return get_close_matches(name, sorted(set(known)), n=most, cutoff=0.5)


def offered(name: str, known: Collection[str]) -> str:
    """Return what may have been meant by a name that is not known, else all that are, in their order."""
    meant = nearest(name, known)
    return f"did you mean {' or '.join(meant)}?" if meant else f"there are {', '.join(known) or 'none'}"
