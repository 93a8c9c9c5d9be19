"""The numbers of an alert: what it compares with, how long it waits, how far back it looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.rules import Rule
from tocsin.durations import parse_duration
from tocsin.promql import Duration, Expr, selectors, walk
from tocsin.promql.thresholds import Threshold, numbers_of, thresholds

if TYPE_CHECKING:
    from tocsin.model import Model

_IN_NAME = re.compile(
    r"(?<![A-Za-z])(?:rate|increase|avg|ratio|mean|burnrate|sum|max|min)?_?(\d+(?:ms|[smhdwy]))(?![A-Za-z0-9])"
)
"""A window in the name of a recorded series: `job:errors:rate5m`."""


@dataclass(frozen=True)
class Alert:
    """All rules of one name: the rungs of one ladder, the windows of one burn rate."""

    name: str
    rules: tuple[Rule, ...]
    model: Model = field(repr=False, compare=False)

    @cached_property
    def trees(self) -> tuple[Expr, ...]:
        """The expressions, as far as they parse."""
        return tuple(tree for rule in self.rules if (tree := self.model.tree(rule)) is not None)

    @cached_property
    def thresholds(self) -> tuple[Threshold, ...]:
        """What the expressions are compared with."""
        return tuple(found for tree in self.trees for found in thresholds(tree))

    @cached_property
    def values(self) -> frozenset[float]:
        """Every number of the expressions, sums and products of numbers among them."""
        return frozenset(value for tree in self.trees for value in numbers_of(tree))

    @cached_property
    def holds(self) -> frozenset[float]:
        """How long the rules wait, in seconds."""
        return frozenset(rule.hold_seconds for rule in self.rules)

    @cached_property
    def durations(self) -> frozenset[float]:
        """Every time that an expression looks back over, in its recorded series too, and how long the rules wait."""
        found: set[float] = set()
        for tree in self.trees:
            found |= self.model.windows.of(tree)
        found |= {rule.keep_firing_seconds for rule in self.rules}
        found |= {window + hold for window in found for hold in self.holds}
        return frozenset(found | self.holds)


class Windows:
    """How far back expressions look, through the recorded series that they read."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[str, frozenset[float]] = {}

    @cached_property
    def _recorded(self) -> Mapping[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self._model.recording_rules:
            found.setdefault(rule.name, []).append(rule)
        return found

    def of(self, tree: Expr) -> frozenset[float]:
        """Return the times that an expression looks back over, in seconds; those of what it reads too."""
        found: set[float] = set()
        for node in walk(tree):
            for name in ("range", "step", "offset"):
                duration = getattr(node, name, None)
                if isinstance(duration, Duration):
                    found.add(abs(duration.seconds))
        for selector in selectors(tree):
            found |= self._of_name(selector.name or "")
        return frozenset(found)

    def _of_name(self, name: str) -> frozenset[float]:
        if name not in self._known:
            found = {_seconds(match[1]) for match in _IN_NAME.finditer(name)} if ":" in name else set()
            self._known[name] = frozenset(found)  # of a rule that reads itself, its name is all
            for rule in self._recorded.get(name, ()):
                tree = self._model.tree(rule)
                found |= self.of(tree) if tree is not None else set()
            self._known[name] = frozenset(found)
        return self._known[name]


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        return 0.0
