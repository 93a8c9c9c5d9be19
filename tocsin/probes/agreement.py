"""Lives beside what was observed: which part of a moment agrees with it, and which lives do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.probes.ground import Chance
from tocsin.probes.marks import Mark, MarkKind
from tocsin.probes.state import Mode, State
from tocsin.probes.window import Window

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was observed, and by how much an observed moment may be off."""

    within: Mapping[Mark, Window]
    chance: Chance

    def part(self, mark: Mark, when: Window) -> Window | None:
        """Return the part of a moment that agrees with what was observed of a mark; None if there is none."""
        given = self.within.get(mark)
        if given is None:
            return when
        possible = given - self.chance("observed", when)
        return when.clipped(earliest=possible.earliest, latest=possible.latest)

    def lacks(self, state: State, when: Window) -> bool:
        """Tell whether something was observed that had not come about in a life when its time was over."""
        return any(
            when.earliest > (given - self.chance("observed", given)).latest + _ROUNDING and not came(mark, state)
            for mark, given in self.within.items()
        )


def came(mark: Mark, state: State) -> bool:
    """Tell whether a mark has come about in a life."""
    match mark.kind:
        case MarkKind.READINESS:
            return state.flips >= mark.number
        case MarkKind.KILL:
            return state.kills >= mark.number
        case MarkKind.RESTART:
            return state.instance >= mark.number
        case MarkKind.SEEN:
            return state.seen + 1 >= mark.number
        case MarkKind.STARTED:
            # A life does not remember it once its process ends; by then it is too late to tell.
            return state.started or state.mode is not Mode.RUNNING or state.instance + 1 > mark.number
    return state.mode is Mode.OVER
