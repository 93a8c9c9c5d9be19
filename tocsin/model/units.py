"""The units of what recording rules record."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.promql.units import Unit, unit_of

if TYPE_CHECKING:
    from tocsin.artefacts.rules import Rule
    from tocsin.model import Model


class RecordedUnits:
    """The units of recorded series, each worked out when it is first asked for."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[str, Unit | None] = {}

    @cached_property
    def _rules(self) -> dict[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self._model.recording_rules:
            found.setdefault(rule.name, []).append(rule)
        return found

    def __call__(self, name: str) -> Unit | None:
        """Return the unit of what is recorded under a name; None if it is not certain."""
        if name not in self._known:
            self._known[name] = None  # of a rule that reads itself, nothing is known
            trees = (self._model.tree(rule) for rule in self._rules.get(name, ()))
            units = {unit_of(tree, self) if tree is not None else None for tree in trees}
            self._known[name] = units.pop() if len(units) == 1 else None
        return self._known[name]
