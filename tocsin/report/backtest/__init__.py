"""A backtest as a report: one format a module, each with a `render` that is a pure function of the backtest."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from tocsin.simulation.backtest import Backtest

FORMATS = ("text", "json", "markdown")


def render(done: Backtest, name: str) -> str:
    """Return a backtest in the format of that name, without a last line break."""
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Callable[[Backtest], str]", module.render)(done)
