"""Findings as reports: one format a module, each with a `render` that is a pure function of the examination."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import cast

from tocsin.static import Examination


@cache
def formats() -> tuple[str, ...]:
    """Return the names of the formats."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__)))


def render(examination: Examination, name: str) -> str:
    """Return an examination in the format of that name, without a last line break."""
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Callable[[Examination], str]", module.render)(examination)
