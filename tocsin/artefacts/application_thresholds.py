"""Thresholds that an application or its settings hold: families of named numbers, out of Python, YAML and JSON.

A family is what is written in one place in one form (`Threshold("cpu", 0.8)`, the entries of `thresholds:`), so that
its members are of one kind: what is true of most of them is meant of all.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.artefacts.python_source import parsed
from tocsin.part import Part
from tocsin.source import Place

MOST_CHARACTERS = 400_000
"""A longer source is generated, or no settings."""

_HOLDS = re.compile(r"threshold|limit|slo\b|objective", re.IGNORECASE)
_SAYS = re.compile(r"(?:threshold|limit|slo|objective)\w{0,80}\s{0,9}(?:\(|=|:[^\n]{0,200}=)", re.IGNORECASE)
"""What a source has that names one in code: it is called or assigned to. Most say the word in prose alone."""
_VALUES = frozenset({"limit", "threshold", "value", "max", "maximum", "above", "below", "objective"})
_NAMES = frozenset({"name", "signal", "metric", "key", "alert"})


@dataclass(frozen=True, slots=True)
class NamedNumber:
    """A number with a name."""

    family: tuple[str, str]
    """The file, and the form or the key that its family has in common."""
    name: str
    value: float
    place: Place
    width: int


def in_python(text: str, file: str) -> Iterator[NamedNumber]:
    """Yield the thresholds of a Python source; nothing is executed, and of what does not parse there are none."""
    said = [m.start() for m in _SAYS.finditer(text)] if len(text) <= MOST_CHARACTERS else []
    tree = parsed(text) if said else None
    for node in _about(tree, [text.count("\n", 0, at) + 1 for at in said]) if tree is not None else ():
        match node:
            case ast.Call():
                yield from _of_call(node, file)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                yield from _of_assignment(name, value, file)


def _about(tree: ast.Module, lines: list[int]) -> Iterator[ast.AST]:
    """Yield what stands in the statements of a module that any of these lines belongs to, with their decorators."""
    above = 0
    for statement in tree.body:
        below = statement.end_lineno or statement.lineno
        if any(above < line <= below for line in lines):
            yield from ast.walk(statement)
        above = below


def _of_call(node: ast.Call, file: str) -> Iterator[NamedNumber]:
    """`Threshold("cpu", 0.8)`, `Limit(name="cpu", value=0.8)`."""
    form = (
        node.func.id
        if isinstance(node.func, ast.Name)
        else node.func.attr
        if isinstance(node.func, ast.Attribute)
        else ""
    )
    if not _HOLDS.search(form):
        return
    named = [k.value for k in node.keywords if k.arg in _NAMES] or node.args[:1]
    valued = [k.value for k in node.keywords if k.arg in _VALUES] or [
        a for a in node.args[1:] if _number(a) is not None
    ]
    if named and valued and isinstance(named[0], ast.Constant) and isinstance(named[0].value, str):
        yield from _named(named[0].value, valued[0], (file, f"{form}()"))


def _of_assignment(name: str, value: ast.expr, file: str) -> Iterator[NamedNumber]:
    """`CPU_THRESHOLD = 0.8`, `THRESHOLDS = {"cpu": 0.8}`."""
    if not _HOLDS.search(name):
        return
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield from _named(key.value, inner, (file, name))
    else:
        yield from _named(name, value, (file, "constants"))


def _named(name: str, value: ast.expr, family: tuple[str, str]) -> Iterator[NamedNumber]:
    number = _number(value)
    if number is not None:
        width = (value.end_col_offset or value.col_offset + 1) - value.col_offset
        yield NamedNumber(family, name, number, Place(family[0], value.lineno, value.col_offset + 1), max(1, width))


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value) if abs(node.value) < 1e300 else None
    return None


def in_settings(whole: Part) -> Iterator[NamedNumber]:
    """Yield the thresholds of a settings file: the numbers under a key that says so, and those whose own key does."""
    waiting: list[tuple[object, tuple[str | int, ...]]] = [(whole.value, ())]
    while waiting:
        value, route = waiting.pop()
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in entries:
            if isinstance(inner, (dict, list)):
                waiting.append((inner, (*route, key)))
            elif isinstance(inner, (int, float)) and not isinstance(inner, bool) and isinstance(key, str):
                above = str(route[-1]) if route else ""
                if _HOLDS.search(above) or _HOLDS.search(key):
                    part = whole.get(*route, key)
                    family = (whole.file, ".".join(str(step) for step in route))
                    yield NamedNumber(family, key, float(inner), part.place, max(1, len(part.text)))
