"""A body read leniently: its series by name, whatever is wrong with it.

Not by the lexer, which reads as a server does and loses a broken line, or the body: a saved body that was cut or edited
still tells which metrics there are, and names and labels are all that is wanted of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TYPE = re.compile(r'#\s*TYPE\s+("(?:[^"\\]|\\.)*"|\S+)\s+(\w+)')
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?[ \t]*(\{)?")
_LABEL = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s=",{}]+)\s*(?:=\s*"((?:[^"\\]|\\.)*)")?\s*,?')
_ESCAPE = re.compile(r"\\(.)")
_LOOKS = re.compile(
    r"^# (?:TYPE|HELP|UNIT) [a-zA-Z_:]"
    r"|^[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^\n]*\})?[ \t]+[-+]?[0-9.NI][^\s]*[ \t]*\d*[ \t]*$"
)
MOST_VALUES = 200
"""Of one label; more are not kept, and then none are."""


@dataclass(slots=True)
class Series:
    """All series of one name in a body."""

    name: str
    type: str
    """As the body declares it for the series' family; `untyped` where it does not."""
    line: int
    """Where the first of them stands."""
    labels: dict[str, set[str]] = field(default_factory=dict)
    """The labels that some of them have, with their values; no values where there are too many to keep."""
    count: int = 0

    def add(self, labels: Mapping[str, str]) -> None:
        """Take the labels of one more of them."""
        self.count += 1
        for label, value in labels.items():
            values = self.labels.setdefault(label, set())
            if len(values) <= MOST_VALUES:
                values.add(value)


@dataclass(frozen=True, slots=True)
class Exposition:
    """What a body tells of: its series by name, and the families that it declares, also those without a sample."""

    series: Mapping[str, Series]
    families: Mapping[str, str]
    """Types by family."""


def is_exposition(text: str) -> bool:
    """Tell whether a text looks like the body of a scrape, by its first lines."""
    lines = [line for line in text[:20_000].split("\n") if line.strip()][:20]
    said = [line for line in lines if not line.startswith("#") or line.startswith(("# TYPE ", "# HELP ", "# UNIT "))]
    return bool(said) and any(line.startswith("# ") for line in said) and all(_LOOKS.match(line) for line in said)


def read_exposition(text: str) -> Exposition:
    """Read a body leniently: what cannot be understood is passed over. Values and timestamps are not looked at."""
    series: dict[str, Series] = {}
    families: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            declared = _TYPE.match(line)
            if declared:
                families[declared[1].strip('"')] = declared[2]
            continue
        head = _SAMPLE.match(line)
        if head is None or not (head[1] or head[2]):
            continue
        name, labels = _labels(line, head) if head[2] else (head[1], {})
        if not name:
            continue
        if name not in series:
            series[name] = Series(name, _type_of(name, families), number)
        series[name].add(labels)
    for one in series.values():
        for values in one.labels.values():
            if len(values) > MOST_VALUES:
                values.clear()
    return Exposition(series, families)


def _labels(line: str, head: re.Match[str]) -> tuple[str, dict[str, str]]:
    """Return a sample's name, which may stand inside its braces, and its labels; one without a value is not there."""
    name = head[1] or ""
    labels: dict[str, str] = {}
    at = head.end()
    while at < len(line) and line[at] != "}":
        pair = _LABEL.match(line, at)
        if pair is None or pair.end() == at:
            return "", {}
        key = pair[1].strip('"')
        if pair[2] is None:
            name = name or key
        elif pair[2]:
            labels[key] = _unescaped(pair[2])
        at = pair.end()
    return name, labels


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], value) if "\\" in value else value


def _type_of(name: str, families: Mapping[str, str]) -> str:
    if name in families:
        return families[name]
    family, _, _ = name.rpartition("_")
    return families.get(family, "untyped")
