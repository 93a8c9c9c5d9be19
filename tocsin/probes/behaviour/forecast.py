"""What will become of a container under load, from how its probes fared under load: restarts, and when.

Lives are drawn: each attempt ends as one of those that were measured did, drawn at random; the kubelet's phases are
spread over all that are possible; and it is as quick as can be in some lives, and as slow as can be in others. So a
bound is what the drawn lives came to, and no proof.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tocsin.probes.application import Application
from tocsin.probes.attempt import OK, TRIES, Answer, Behaviour, Outcome
from tocsin.probes.behaviour.episode import Attempted, Episode, Foreseen
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.ground import Chance, Latencies
from tocsin.probes.marks import Mark, MarkKind
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ProbeKind
from tocsin.probes.versions import Version
from tocsin.probes.window import Window

SETTLING = 0.25
"""The part of the attempts under load, at its beginning, in which the load is still growing."""
HERE = Latencies(
    seen=Window(0.0, 0.3),
    sync=Window(0.0, 0.1),
    restarted=Window(0.0, 0.5),
    ended=Window(0.0, 0.5),
    overslept=Window(0.0, 1.0),
)
"""How long a kubelet takes that is a loop of ours, on a machine that is busy."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a forecast stands on."""

    subject: Subject
    episodes: Mapping[str, Episode]
    version: Version
    horizon: float
    """Seconds."""
    restarts: int
    """How many are foreseen."""
    seed: int
    lives: int = 100
    """How many are drawn."""
    latencies: Latencies = HERE
    """Of the kubelet that follows."""

    def answers(self, kind: ProbeKind) -> list[Answer]:
        """Return how attempts ended under load, once it had grown."""
        made = self.episodes["load"].of(kind)
        return [_answer(each) for each in made[math.floor(SETTLING * len(made)) :]]

    @property
    def boots(self) -> float:
        """Seconds from a start until the startup probe succeeds, in the middle of those that were seen."""
        found = [seconds for each in self.episodes.values() if (seconds := _booted(each)) is not None]
        return median(found) if found else 0.0

    @property
    def stops_in(self) -> float | None:
        """Seconds from SIGTERM to the end, as it was seen; None if it had to be killed."""
        drain = self.episodes.get("drain")
        told = drain.action("SIGTERM") if drain else None
        if drain is None or told is None or drain.exited is None:
            return 0.0
        return None if drain.action("SIGKILL") is not None else max(0.0, drain.exited - told)


def _answer(made: Attempted) -> Answer:
    tries = TRIES if made.outcome is Outcome.ERROR else 1
    return Answer(made.outcome, made.seconds / tries)


def _booted(episode: Episode) -> float | None:
    if not episode.name.startswith("boot-"):
        return None
    ends = [each.started + each.seconds for each in episode.of(ProbeKind.STARTUP) if each.outcome.healthy]
    return min(ends, default=None)


def forecast(ground: Ground) -> tuple[Foreseen, ...]:
    """Return when the container will not be ready, be ended, and be started again, after the load has begun."""
    found: dict[Mark, list[float]] = {}
    for seed in range(ground.lives):
        chance = random.Random(f"{ground.seed} {seed}")  # noqa: S311
        for mark, when in _life(ground, chance, seed).items():
            found.setdefault(mark, []).append(when)
    delay = max((each.delay for each in ground.subject.spec.probes), default=0.0)
    growing = SETTLING * ground.episodes["load"].lasted
    return tuple(
        Foreseen(
            mark.kind,
            mark.number,
            # The container is some seconds old when the load begins; a delay may be over by then.
            earliest=round(max(0.0, min(moments) - delay), 3),
            latest=round(max(moments) + growing, 3),
            share=len(moments) / ground.lives,
        )
        for mark, moments in sorted(found.items())
    )


def _life(ground: Ground, chance: random.Random, seed: int) -> Mapping[Mark, float]:
    spec = ground.subject.spec
    before = (seed + chance.random()) / ground.lives * max((each.period for each in spec.probes), default=1.0)
    lives = tuple(_instance(ground, chance, number) for number in range(ground.restarts + 1))
    setup = Setup(spec, lives, ground.subject.pod, ground.version)
    origins = {each.kind: Window.at(-before) for each in spec.probes}
    # With a trace, no tick is left out: moments are exact here, and one life is quickly followed tick by tick.
    journal = simulate(setup, ground.horizon, origins=origins, chance=_pace(seed, ground.latencies), trace=True)
    return {mark: min(windows).earliest for mark, windows in journal.marks.items() if _wanted(mark, ground)}


def _pace(seed: int, latencies: Latencies) -> Chance:
    """Return a kubelet that is quick, slow, or now this and now that."""

    def quick(name: str, when: Window) -> Window:
        return Window.at(latencies.whole(name, when).earliest)

    def slow(name: str, when: Window) -> Window:
        return Window.at(latencies.whole(name, when).latest)

    return (quick, slow, latencies.drawn(seed))[seed % 3]


def _wanted(mark: Mark, ground: Ground) -> bool:
    if mark.kind is MarkKind.READINESS:
        return mark.number == 2
    return mark.kind in (MarkKind.KILL, MarkKind.RESTART) and mark.number <= ground.restarts


def _instance(ground: Ground, chance: random.Random, number: int) -> Application:
    """Return a life of the process: the first one is well when the load comes, the others begin under it."""
    startup = Behaviour.of((ground.boots if number else 0.0, OK))
    liveness = _drawn(ground, chance, ProbeKind.LIVENESS, ())
    readiness = _drawn(ground, chance, ProbeKind.READINESS, () if number else (OK,))
    return Application(startup, liveness, readiness, stops_in=ground.stops_in)


def _drawn(ground: Ground, chance: random.Random, kind: ProbeKind, first: Sequence[Answer]) -> Behaviour:
    spec, answers = ground.subject.spec.probe(kind), ground.answers(kind)
    if spec is None or not answers:
        return Behaviour.always(OK)
    return Behaviour.in_turn(*first, *chance.choices(answers, k=math.ceil(ground.horizon / spec.period) + 2))
