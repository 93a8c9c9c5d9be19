"""What is found while lives are followed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tocsin.probes.marks import Cause, Made, Mark, MarkKind
from tocsin.probes.state import Mode, State
from tocsin.probes.window import Window


@dataclass(slots=True)
class Journal:
    """What was found: the marks of all lives that were followed."""

    marks: dict[Mark, set[Window]] = field(default_factory=dict)
    attempts: list[Made] | None = None
    """Where asked for: each attempt, which makes sense of one life only."""
    causes: dict[Mark, set[Cause]] = field(default_factory=dict)
    fewest: dict[MarkKind, int] | None = None
    """How many marks of each kind every life has at least; None before the first life is over."""
    reached: float = math.inf
    """Seconds up to which every life was followed; less than the horizon where there were too many."""

    def note(self, kind: MarkKind, number: int, when: Window, cause: Cause) -> None:
        """Keep a mark."""
        mark = Mark(kind, number)
        self.marks.setdefault(mark, set()).add(when)
        self.causes.setdefault(mark, set()).add(cause)

    def ended(self, state: State) -> None:
        """Keep what a life came to."""
        came = {
            MarkKind.READINESS: state.flips,
            MarkKind.RESTART: max(state.instance, 0),
            MarkKind.KILL: state.kills,
            MarkKind.OVER: int(state.mode is Mode.OVER),
        }
        known = self.fewest
        self.fewest = came if known is None else {kind: min(known[kind], came[kind]) for kind in came}
