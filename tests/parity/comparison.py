"""A prediction beside what a real kubelet did: each change inside its interval, none missing, none that was not told.

Times are seconds after the container's first start, by the clock of the process in it. Each change is predicted from
the scenario and from the changes that came before it, and never from itself or what came later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.parity.recording import Recorded
from tests.parity.scenario import Scenario, Script
from tocsin.probes.ground import REAL_1_20, Ground
from tocsin.probes.marks import Mark, MarkKind, Seen
from tocsin.probes.prediction import Expected, Prediction, cells, predict
from tocsin.probes.setup import Setup
from tocsin.probes.window import Window, joined

KUBELET_SECONDS = 4.0
"""What a kubelet 1.20 that syncs every 2 s may take beyond the rules of its workers."""
RESTART_SECONDS = 1.0
"""By how much each restart before may widen an interval."""
BEYOND = 2.0
"""Seconds more than the allowed width, after a change, for which its interval is looked for: wider is too wide."""

Observed = Mapping[Mark, float]
Reading = Callable[[Scenario], Scenario]
"""How the one who predicts reads a scenario; a wrong reading must show."""


@dataclass(frozen=True, slots=True)
class Row:
    """One change, as predicted and as observed; either may be wanting."""

    mark: Mark
    expected: Expected | None
    observed: float | None
    allowed: float
    """How wide the interval may be, in seconds."""

    @property
    def width(self) -> float | None:
        """Seconds between the bounds of the prediction."""
        return self.expected.interval.width if self.expected else None

    @property
    def verdict(self) -> str:
        """`hit`, `miss`, `extra` (observed, not predicted), `missing` (certain, not observed), or `open`."""
        if self.expected is None:
            return "extra"
        if self.observed is None:
            return "missing" if self.expected.certain else "open"
        return "hit" if self.expected.holds(Window.at(self.observed)) else "miss"

    @property
    def too_wide(self) -> bool:
        """Whether it says too little to count as a prediction."""
        return self.observed is not None and self.width is not None and self.width > self.allowed + 1e-6


@dataclass(frozen=True, slots=True)
class Compared:
    """One scenario's changes."""

    scenario: Scenario
    rows: tuple[Row, ...]

    @property
    def hit(self) -> bool:
        """Whether every change came as predicted, and no other."""
        return all(row.verdict in ("hit", "open") for row in self.rows)

    @property
    def right(self) -> bool:
        """Whether in addition no interval was wider than is allowed."""
        return self.hit and not any(row.too_wide for row in self.rows)


def marks_of(recorded: Recorded) -> dict[Mark, float]:
    """Return what was observed: changes of Ready as received, kills and restarts by the process' own clock.

    That a container was seen to run, or to have started, is not predicted, but it comes before changes that are.

    Until a pod is ready for the first time it is not ready; that is no change.
    """
    starts = recorded.starts
    zero = starts[0]
    ready = recorded.pod.ready
    changes = ready if ready and ready[0].ready else ready[1:]
    found = {Mark(MarkKind.READINESS, number): each.at - zero for number, each in enumerate(changes, 1)}
    signals = {
        int(each["incarnation"]): each["wall"] for each in reversed(recorded.lines) if each["event"] == "sigterm"
    }
    found |= {Mark(MarkKind.KILL, instance + 1): wall - zero for instance, wall in signals.items()}
    found |= {Mark(MarkKind.RESTART, n): start - zero for n, start in enumerate(starts) if n}
    container = recorded.pod.container("app")
    found |= {Mark(MarkKind.SEEN, each.restarts + 1): each.seen - zero for each in container.incarnations}
    if "startup" in recorded.scenario.kinds:
        for change in container.started:
            number = sum(each.seen <= change.at for each in container.incarnations)
            if change.started:
                found[Mark(MarkKind.STARTED, number)] = change.at - zero
    return dict(sorted(found.items(), key=lambda each: each[1]))


def may_hang(scenario: Scenario) -> float:
    """Return the longest that an attempt may take, in seconds: of the probes that are given no answer at times."""
    longest = 0
    for probe in scenario.probes:
        for life in scenario.lives:
            script = life.scripts.get(probe.kind, Script())
            actions = script.attempts or tuple(action for _, action in script.phases)
            if any(action in ("hang", "body-hang") or action.startswith("slow:") for action in actions):
                longest = max(longest, probe.timeout)
    return longest


def allowed(scenario: Scenario, at: float, observed: Observed) -> float:
    """Return how wide the interval of a change at a moment may be."""
    earlier = sum(each.kind is MarkKind.RESTART and when < at for each, when in observed.items())
    period = max(each.period for each in scenario.probes)
    return period + may_hang(scenario) + KUBELET_SECONDS + RESTART_SECONDS * earlier


def setup_of(scenario: Scenario, ground: Ground) -> Setup:
    """Return what the prediction is given."""
    pod = scenario.pod()
    return Setup(pod.containers[0], scenario.applications(), pod, ground.version)


def as_written(scenario: Scenario) -> Scenario:
    """Return the scenario as it is."""
    return scenario


def compare(
    recorded: Recorded, ground: Ground = REAL_1_20, *, reading: Reading = as_written, in_turn: bool = True
) -> Compared:
    """Return a recorded scenario beside what is predicted of it.

    `in_turn` predicts each change from those before it; otherwise all are predicted from the first start alone.
    """
    scenario, observed = recorded.scenario, marks_of(recorded)
    setup = setup_of(reading(scenario), ground)
    watched = recorded.ended - recorded.starts[0]
    if not in_turn:
        told = {each.mark: each for each in predict(setup, ground, watched).expected}
        return Compared(scenario, tuple(_rows(scenario, observed, {mark: told.get(mark) for mark in observed}, told)))
    phases = list(cells(setup.on(ground.version)))
    before: list[Seen] = []
    expected: dict[Mark, Expected | None] = {}
    for mark, at in observed.items():
        seen = Seen(mark, Window.at(at))
        if mark.kind not in (MarkKind.SEEN, MarkKind.STARTED):
            horizon = min(watched, at + allowed(scenario, at, observed) + BEYOND)
            found = {
                number: predict(setup, ground, horizon, observed=before, phases=[each]).at(mark)
                for number, each in enumerate(phases)
            }
            expected[mark] = merged([each for each in found.values() if each])
            # In a phase in which it could not come when it came, nothing that follows is of interest.
            phases = [phases[number] for number, each in found.items() if each and each.holds(seen.when)]
        before.append(seen)
    rest = [predict(setup, ground, watched, observed=before, phases=[each]) for each in phases]
    return Compared(scenario, tuple(_rows(scenario, observed, expected, _others(rest))))


def merged(found: Sequence[Expected]) -> Expected | None:
    """Return what is expected of a mark in all phases together; None if it comes in none."""
    if not found:
        return None
    parts = joined(part for each in found for part in each.parts)
    interval = Window(parts[0].earliest, parts[-1].latest)
    return replace(found[0], interval=interval, parts=parts, certain=all(each.certain for each in found))


def _others(rest: Sequence[Prediction]) -> dict[Mark, Expected]:
    """Return what comes in some phase; it is certain if it is in each."""
    found: dict[Mark, Expected] = {}
    for mark in sorted({each.mark for one in rest for each in one.expected}):
        told = [each for one in rest if (each := one.at(mark)) is not None]
        together = merged(told)
        if together is not None:
            found[mark] = replace(together, certain=together.certain and len(told) == len(rest))
    return found


def _rows(
    scenario: Scenario, observed: Observed, expected: Mapping[Mark, Expected | None], others: Mapping[Mark, Expected]
) -> Iterator[Row]:
    """Yield what was observed, and then what is expected beside it."""
    for mark, told in expected.items():
        if mark.kind not in (MarkKind.SEEN, MarkKind.STARTED):
            yield Row(mark, told, observed[mark], allowed(scenario, observed[mark], observed))
    for mark, other in others.items():
        if mark not in observed:
            yield Row(mark, other, None, allowed(scenario, other.interval.earliest, observed))


def table(compared: Iterable[Compared]) -> str:
    """Return what was compared, a line a change."""
    lines = [f"{'scenario':24} {'change':22} {'predicted':>17} {'observed':>9} {'width':>6} {'allowed':>7}  verdict"]
    for each in compared:
        for row in each.rows:
            bounds = row.expected.interval if row.expected else None
            window = f"{bounds.earliest:7.2f} .. {bounds.latest:6.2f}" if bounds else "-"
            seen = "-" if row.observed is None else f"{row.observed:.2f}"
            width = "-" if row.width is None else f"{row.width:.2f}"
            said = row.verdict + (", too wide" if row.too_wide else "")
            name = f"{each.scenario.name:24} {row.mark!s:22}"
            lines.append(f"{name} {window:>17} {seen:>9} {width:>6} {row.allowed:7.1f}  {said}")
        if not each.rows:
            lines.append(f"{each.scenario.name:24} nothing was predicted, and nothing came")
    return "\n".join(lines)


VERDICTS = ("hit", "miss", "extra", "missing", "open")


def summary(compared: Sequence[Compared]) -> str:
    """Return what came of a comparison in one line."""
    rows = [row for each in compared for row in each.rows]
    said = ", ".join(f"{sum(row.verdict == verdict for row in rows)} {verdict}" for verdict in VERDICTS)
    hits, right = sum(each.hit for each in compared), sum(each.right for each in compared)
    wide = sum(row.too_wide for row in rows)
    found = f"{len(compared)} scenarios: {hits} as predicted, {right} of them narrow enough"
    return f"{found}; changes: {said}; {wide} too wide"


def startup_misread(scenario: Scenario) -> Scenario:
    """Return a scenario as one reads it who believes that startup ends it after failureThreshold whole periods."""
    probes = (replace(each, failures=each.failures + (each.kind == "startup")) for each in scenario.probes)
    return replace(scenario, probes=tuple(probes))


def delay_misread(scenario: Scenario) -> Scenario:
    """Return a scenario as one reads it who believes that the initial delay counts from the pod's start."""
    spent = round(scenario.init_seconds)
    return replace(scenario, probes=tuple(replace(each, delay=max(0, each.delay - spent)) for each in scenario.probes))


MISREADINGS: Mapping[str, Reading] = {
    "startup ends it after failureThreshold x periodSeconds": startup_misread,
    "the initial delay counts from the pod's start": delay_misread,
}
LEAST_MISSED = 10
"""How many of the sixty a wrong reading must get wrong, else the scenarios could not tell right from wrong."""
