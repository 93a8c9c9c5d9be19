"""Checks of any kind: each is a function in a file of its own, known by its name and explained by its docstring."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar


class _Known(Protocol):
    @property
    def id(self) -> str: ...


_Kind = TypeVar("_Kind", bound=_Known)


@dataclass(frozen=True, slots=True)
class Described:
    """What a check's function says of itself."""

    id: str
    """Its name, with dashes."""
    title: str
    """The first paragraph of its reason, on one line."""
    why: str
    arguments: tuple[str, ...]


def described(
    function: Callable[..., Any], subjects: Collection[str] | None = None, further: Collection[str] | None = None
) -> Described:
    """Read a check off its function.

    `subjects` are what its first argument may be called, `further` what the others may; None: whatever they like.
    Raises TypeError if it lacks a reason, or looks at what there is none of.
    """
    why = inspect.getdoc(function)
    arguments = tuple(inspect.signature(function).parameters)
    fits = (subjects is None or arguments[0] in subjects) and (further is None or {*arguments[1:]} <= {*further})
    if not why or not fits:
        raise TypeError(f"the check {function.__name__} has no docstring, or no such arguments: {arguments}")
    name = function.__name__.replace("_", "-")
    return Described(name, why.split("\n\n")[0].replace("\n", " "), why, arguments)


def catalogue(
    package: str, path: Iterable[str], kind: type[_Kind], *, others: Collection[str] = ()
) -> dict[str, _Kind]:
    """Return the checks of a package by their ids, in order: one a module, and called as the module is.

    `others` are its modules that hold none. Raises TypeError for any other module without a check of its own name.
    """
    found: dict[str, _Kind] = {}
    for info in pkgutil.iter_modules(path):
        if info.name in others:
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        one = getattr(module, info.name, None)
        if not isinstance(one, kind):
            raise TypeError(f"{module.__name__} has no check of its own name")
        found[one.id] = one
    return dict(sorted(found.items()))
