"""The scenarios of the kubelet's probes by number, and containers on a virtual clock for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from tocsin.probes.application import Application
from tocsin.probes.attempt import HEALTHY, OK, REFUSED, Answer, Behaviour
from tocsin.probes.journal import Journal
from tocsin.probes.marks import Mark, MarkKind
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind, ProbeSpec, probe_spec
from tocsin.probes.versions import Version
from tocsin.probes.window import Window

LIVENESS, READINESS, STARTUP = ProbeKind.LIVENESS, ProbeKind.READINESS, ProbeKind.STARTUP
KINDS = (LIVENESS, READINESS, STARTUP)
LAST = 121
SINGLE_ATTEMPTS = frozenset(range(61, 97)) - {71, 80, 93, 94, 95}
"""What one attempt against a real server comes to: those stand with the handlers, in tests/test_probe_handlers*.py."""

UNPOKED = Version(20)
"""A kubelet that never tries readiness out of turn; on the virtual clock its ticks are where a scenario puts them."""
FAILING = Behaviour.always(REFUSED)

Test = TypeVar("Test", bound=Callable[..., None])


def scenario(*numbers: int) -> Callable[[Test], Test]:
    """Return a decorator that says which scenarios a test is about."""

    def mark(test: Test) -> Test:
        test.scenarios = numbers  # type: ignore[attr-defined]
        return test

    return mark


def numbers(names: Iterable[object]) -> list[int]:
    """Return the scenarios that the functions among some objects are about."""
    return [number for each in names for number in getattr(each, "scenarios", ())]


def live(**given: float) -> ProbeSpec:
    """Return a liveness probe."""
    return probe_spec(LIVENESS, **given)  # type: ignore[arg-type]


def ready(**given: float) -> ProbeSpec:
    """Return a readiness probe."""
    return probe_spec(READINESS, **given)  # type: ignore[arg-type]


def startup(**given: float) -> ProbeSpec:
    """Return a startup probe."""
    return probe_spec(STARTUP, **given)  # type: ignore[arg-type]


def until(second: float, first: Answer = OK, then: Answer = REFUSED) -> Behaviour:
    """Return a behaviour that changes once; what answers up to a moment does so at the moment too."""
    return Behaviour.of((0.0, first), (second + 0.001, then))


def run(
    *probes: ProbeSpec,
    live: Behaviour = HEALTHY,
    ready: Behaviour = HEALTHY,
    startup: Behaviour = HEALTHY,
    horizon: float = 300,
    version: Version = UNPOKED,
    lives: tuple[Application, ...] = (),
    pod: PodSpec | None = None,
    first_tick: float = 0,
    **application: object,
) -> Journal:
    """Follow a container on the virtual clock: it starts at 0, the first tick is at `first_tick`."""
    made = lives or (Application(startup, live, ready, **application),)  # type: ignore[arg-type]
    setup = Setup(ContainerSpec(probes=probes), made, pod or PodSpec(), version)
    return simulate(setup, horizon, origins=dict.fromkeys(KINDS, Window.at(first_tick)), trace=True)


def moments(journal: Journal, kind: MarkKind) -> list[float]:
    """Return when the marks of a kind came, in the order of their numbers."""
    found = []
    for mark, windows in sorted(journal.marks.items()):
        if mark.kind is kind:
            (window,) = windows
            assert window.exact
            found.append(round(window.earliest, 6))
    return found


def kills(journal: Journal) -> list[float]:
    """Return when the container was told to end."""
    return moments(journal, MarkKind.KILL)


def restarts(journal: Journal) -> list[float]:
    """Return when the container was started again."""
    return moments(journal, MarkKind.RESTART)


def changes(journal: Journal) -> list[float]:
    """Return when Ready changed: to true, to false, to true, and so on."""
    return moments(journal, MarkKind.READINESS)


def over(journal: Journal) -> bool:
    """Tell whether the container ended for good."""
    return Mark(MarkKind.OVER, 1) in journal.marks


def attempts(journal: Journal, kind: ProbeKind) -> list[float]:
    """Return when the attempts of a kind began."""
    return [round(each.began, 6) for each in journal.attempts or () if each.kind is kind]
