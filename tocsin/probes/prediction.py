"""When a container will be ready, and when it will be restarted: each as an interval, with the reason of its bounds.

What a tick's phase is, and how long the kubelet takes, is known within bounds only. The phases are cut into cells, and
in each the simulator follows every life that the bounds allow; an interval holds all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tocsin.probes.ground import Ground
from tocsin.probes.journal import Journal
from tocsin.probes.marks import Cause, Mark, MarkKind, Seen
from tocsin.probes.reasons import Bound, earliest_reasons, latest_reasons
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import MOST_STATES, simulate
from tocsin.probes.specification import ProbeKind
from tocsin.probes.versions import JITTER_ALWAYS
from tocsin.probes.window import Window, joined

CELL = 0.5
"""Seconds; how finely phases are cut where that takes no more than MOST_CELLS."""
MOST_CELLS = 240
LEAST_STATES = 800
"""How many states are followed in a cell at least."""
ALLOWED_LATENCY = 4.0
"""Seconds that an interval may be wider than the rules make it, for a real kubelet 1.20."""
ALLOWED_RESTART = 1.0
"""Seconds more, for each restart before."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One change of Ready, kill or restart that is foreseen. Moments count from the container's first start."""

    mark: Mark
    interval: Window
    parts: tuple[Window, ...]
    """The interval without its gaps: what lies between two parts cannot be."""
    certain: bool
    """Whether it comes about whatever the phases and latencies; else it may not."""
    causes: tuple[Cause, ...]
    earliest: Bound
    latest: Bound

    def holds(self, when: Window) -> bool:
        """Tell whether a moment, as it was observed, is foreseen."""
        return any(part.meets(when) for part in self.parts)

    def __str__(self) -> str:
        may = "" if self.certain else ", if at all"
        return f"{self.mark}: {self.interval.earliest:.1f} s to {self.interval.latest:.1f} s{may}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is foreseen for a container."""

    expected: tuple[Expected, ...]
    ground: Ground
    horizon: float
    """Seconds after the first start up to which all is foreseen that may come about."""
    complete: bool
    """Whether that is as far as was asked; where too much is possible, it is less."""

    def of(self, kind: MarkKind) -> tuple[Expected, ...]:
        """Return what is foreseen of a kind, in the order of its numbers."""
        return tuple(each for each in self.expected if each.mark.kind is kind)

    def at(self, mark: Mark) -> Expected | None:
        """Return what is foreseen of one mark; None if it cannot come about."""
        return next((each for each in self.expected if each.mark == mark), None)


def predict(
    setup: Setup,
    ground: Ground,
    horizon: float,
    *,
    observed: Sequence[Seen] = (),
    cell: float = CELL,
    phases: Sequence[Mapping[ProbeKind, Window]] = (),
    most: int = MOST_STATES,
) -> Prediction:
    """Foresee a container from its first start, at 0, to the horizon in seconds.

    What was `observed` so far narrows what comes after; `phases`, where given, are those of the ticks that it leaves
    (of `cells`), else all are possible. The version is that of the ground, not of the setup. The
    kubelet is taken to run for longer than a probe's period; a younger one adds up to a period to each first tick.
    Not foreseen: from 1.21 on, the sync that a pod gets every minute or so tries a container out of turn that stays
    unready; so of one that is unready for longer, Ready may come sooner than is said here where it takes several
    successes.
    About `most` states are followed; where more are possible, the prediction ends sooner than was asked.
    """
    setup = setup.on(ground.version)
    within = {each.mark: each.when for each in observed}
    journal = Journal()
    chosen = list(phases or cells(setup, cell))
    share = max(LEAST_STATES, most // len(chosen))
    for origins in chosen:
        chance = ground.latencies.whole
        simulate(setup, horizon, origins=origins, chance=chance, within=within, journal=journal, most=share)
    reached = min(horizon, journal.reached + min(0.0, ground.latencies.observed.earliest))
    marks = sorted(mark for mark, windows in journal.marks.items() if min(windows).earliest <= reached)
    expected = tuple(_expected(setup, ground, mark, journal, reached) for mark in marks)
    return Prediction(expected, ground, reached, reached == horizon)


def cells(setup: Setup, width: float = CELL) -> Iterator[Mapping[ProbeKind, Window]]:
    """Yield all phases that the workers' ticks may have, in cells about so wide, in seconds.

    Up to 1.20 each worker begins at a moment of its own; later all of a pod begin at one.
    """
    probes = setup.container.probes
    periods = [each.period for each in probes]
    if setup.version.has(JITTER_ALWAYS) or any(period != int(period) for period in periods):
        while math.prod(math.ceil(period / width) for period in periods) > MOST_CELLS:
            width *= 1.25
        for chosen in product(*(_cut(period, width) for period in periods)):
            yield {each.kind: window for each, window in zip(probes, chosen, strict=True)}
        return
    whole = math.lcm(*(int(period) for period in periods))
    for window in _cut(whole, max(width, whole / MOST_CELLS)):
        # A tick before the start does nothing; so begin with one there, whatever the cell.
        yield {each.kind: window - (math.floor(window.earliest / each.period) + 1) * each.period for each in probes}


def _cut(period: float, width: float) -> list[Window]:
    count = max(1, math.ceil(period / width))
    return [Window(period * number / count, period * (number + 1) / count) for number in range(count)]


def _expected(setup: Setup, ground: Ground, mark: Mark, journal: Journal, horizon: float) -> Expected:
    parts = joined(journal.marks[mark], gap=_ROUNDING)
    interval = Window(parts[0].earliest, parts[-1].latest)
    fewest = (journal.fewest or {}).get(mark.kind, 0)
    causes = tuple(sorted(journal.causes[mark]))
    return Expected(
        mark=mark,
        interval=interval,
        parts=parts,
        certain=mark.number <= fewest and interval.latest <= horizon,
        causes=causes,
        earliest=Bound(interval.earliest, earliest_reasons(setup, ground, causes)),
        latest=Bound(interval.latest, latest_reasons(setup, ground, causes, mark)),
    )


_ROUNDING = 1e-6


def allowed_width(setup: Setup, expected: Expected) -> float:
    """Return how many seconds wide an interval may be to say anything of a real kubelet 1.20.

    One period, the timeout where an attempt may hang, 4 s, and 1 s for each restart before.
    """
    probes = [each for each in setup.container.probes if _concerns(each.kind, expected.causes)]
    period = max((each.period for each in probes), default=0.0)
    hang = max((each.timeout for each in probes), default=0.0) if setup.may_hang else 0.0
    before = max(0, expected.mark.number - 1)
    if expected.mark.kind is MarkKind.READINESS:
        before = expected.mark.number // 2
    return period + hang + ALLOWED_LATENCY + ALLOWED_RESTART * before


def _concerns(kind: ProbeKind, causes: Sequence[Cause]) -> bool:
    readiness = {Cause.READINESS_SUCCEEDED, Cause.READINESS_FAILED}
    return bool(readiness & set(causes)) if kind is ProbeKind.READINESS else True
