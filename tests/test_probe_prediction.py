"""What is foreseen of a container: intervals, what they stand on, and how what was observed narrows them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probe_scenarios import FAILING, LIVENESS, READINESS, live, ready, startup, until
from tocsin.probes.application import Application
from tocsin.probes.attempt import HANGS, OK, REFUSED, Behaviour
from tocsin.probes.ground import IDEAL, MEASURED, REAL_1_20, Ground, Latencies, from_source
from tocsin.probes.marks import Cause, Mark, MarkKind, Seen
from tocsin.probes.prediction import allowed_width, cells, predict
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind, ProbeSpec, probe_spec
from tocsin.probes.versions import Version
from tocsin.probes.window import Window, joined

AT_ONCE = Ground("source", Version(20), Latencies())
"""A kubelet that needs no time, so that only the phase of its ticks is unknown."""


def setup(*probes: ProbeSpec, grace: float = 4.0, **given: object) -> Setup:
    """Return a container."""
    return Setup(ContainerSpec(probes=probes), (Application(**given),), PodSpec(grace=grace))  # type: ignore[arg-type]


def bounds(found: Window) -> tuple[float, float]:
    """Return the bounds of a window, without what rounding adds."""
    return round(found.earliest, 1), round(found.latest, 1)


@pytest.mark.parametrize(
    ("made", "mark", "least", "most"),
    [
        (setup(ready()), Mark(MarkKind.READINESS, 1), 0, 10),
        (setup(ready(delay=15)), Mark(MarkKind.READINESS, 1), 15, 25),
        (setup(ready(), readiness=Behaviour.of((12, until(0).phases[0].answer))), Mark(MarkKind.READINESS, 1), 12, 22),
        (setup(ready(period=5, failures=2), readiness=until(20)), Mark(MarkKind.READINESS, 2), 25, 30),
        (setup(live(), liveness=FAILING), Mark(MarkKind.KILL, 1), 20, 30),
        (setup(live(), liveness=Behaviour.always(HANGS)), Mark(MarkKind.KILL, 1), 21, 31),
        (setup(live(), liveness=FAILING), Mark(MarkKind.RESTART, 2), 50, 60),
        (setup(startup(failures=30), startup=FAILING), Mark(MarkKind.KILL, 1), 290, 300),
    ],
)
def test_only_the_phase_is_unknown(made: Setup, mark: Mark, least: float, most: float) -> None:
    """A kubelet without latencies: the interval is one period wide, and begins where the ideal clock says."""
    expected = predict(made, AT_ONCE, 320).at(mark)
    assert expected is not None
    assert expected.certain
    assert expected.interval.earliest == pytest.approx(least, abs=0.2)
    assert expected.interval.latest == pytest.approx(most, abs=0.4)


@pytest.mark.parametrize("seed", [1, 2])
def test_intervals_say_something(seed: int) -> None:
    """Of a real kubelet 1.20, they are no wider than is allowed, each foreseen from the restarts before it."""
    made = setup(live(period=5, delay=3), liveness=Behaviour.always(HANGS), stops_in=1.0).on(Version(20))
    chance = REAL_1_20.latencies.drawn(seed)
    life = simulate(made, 80, origins={LIVENESS: Window.at(seed * 1.3)}, chance=chance)
    seen: list[Seen] = []
    for number in (1, 2, 3):
        mark = Mark(MarkKind.RESTART, number)
        (when,) = life.marks[mark]
        expected = predict(made, REAL_1_20, when.latest + 20, observed=seen).at(mark)
        assert expected is not None
        assert expected.holds(when)
        assert expected.interval.width <= allowed_width(made, expected)
        seen.append(Seen(mark, when))


def test_unobserved_restarts_widen() -> None:
    """Without what was observed, each restart may come a tick sooner or later, and that adds up."""
    made = setup(live(period=5, delay=3), liveness=Behaviour.always(HANGS), stops_in=1.0)
    found = predict(made, REAL_1_20, 70).of(MarkKind.RESTART)
    assert [each.interval.width <= allowed_width(made, each) for each in found[:3]] == [True, False, False]


def test_what_was_observed_narrows_what_comes() -> None:
    """A restart tells the phase of the ticks: the next one is known to the latencies, in place of a period."""
    made = setup(live(period=10), liveness=FAILING)
    first, second = Mark(MarkKind.RESTART, 1), Mark(MarkKind.RESTART, 2)
    blind = predict(made, REAL_1_20, 90).at(second)
    seen = predict(made, REAL_1_20, 90, observed=[Seen(first, Window.at(24.0))]).at(second)
    assert blind is not None
    assert seen is not None
    assert blind.interval.width > 10
    assert seen.interval.width < 5
    assert seen.holds(Window.at(54.0))
    assert not seen.holds(Window.at(58.0))


def test_what_contradicts_leaves_nothing() -> None:
    """A life that was observed otherwise is given up: after a restart that cannot be, nothing is foreseen."""
    made = setup(live(period=10), liveness=FAILING)
    prediction = predict(made, REAL_1_20, 90, observed=[Seen(Mark(MarkKind.RESTART, 1), Window.at(5.0))])
    assert prediction.of(MarkKind.RESTART) == ()


def test_it_may_or_may_not() -> None:
    """A failure that lasts shorter than a period is met by a tick, or is not."""
    blip = Behaviour.of((0, until(0).phases[0].answer), (20, FAILING.phases[0].answer), (25, HANGS))
    healing = Behaviour.of(*((each.since, each.answer) for each in blip.phases[:2]), (25, until(0).phases[0].answer))
    lost = predict(setup(ready(failures=1), readiness=healing), AT_ONCE, 60).at(Mark(MarkKind.READINESS, 2))
    assert lost is not None
    assert not lost.certain
    assert str(lost).endswith("if at all")


def test_reasons() -> None:
    """Each bound says why it is there; the ground says what all of it stands on."""
    made = setup(live(period=7, delay=3), ready(period=9), liveness=Behaviour.always(HANGS))
    prediction = predict(made, REAL_1_20, 60)
    kill = prediction.at(Mark(MarkKind.RESTART, 1))
    assert kill is not None
    assert (str(prediction.ground), kill.causes) == ("real kubelet (1.20)", (Cause.LIVENESS,))
    assert "3 of failure in a row take 14 s" in str(kill.earliest)
    assert "may end up to 1 s early" in str(kill.earliest)
    assert "the next is 7 s later" in str(kill.latest)
    assert "an attempt that hangs takes 1 s" in str(kill.latest)
    newer = predict(made, from_source(Version(36)), 15).at(Mark(MarkKind.READINESS, 1))
    assert newer is not None
    assert "out of turn" in str(newer.earliest)


def test_late_startup_results_of_1_20() -> None:
    """Up to 1.20 a startup result waits for the next sync; later it does not."""
    made = setup(startup(period=1), startup=FAILING)
    killed = [predict(made, ground, 12).at(Mark(MarkKind.KILL, 1)) for ground in (REAL_1_20, from_source(Version(36)))]
    old, new = killed
    assert old is not None
    assert new is not None
    assert "no result of startup" in str(old.latest)
    assert "no result of startup" not in str(new.latest)


def test_phases() -> None:
    """Up to 1.20 each worker's phase is its own; later they begin together, and only a common shift is unknown."""
    made = setup(live(period=2), ready(period=3))
    old = list(cells(made.on(Version(20)), 1.0))
    new = list(cells(made.on(Version(36)), 1.0))
    assert len(old) == 6
    assert len(new) == 6
    for each in new:
        apart = (each[LIVENESS].earliest - each[READINESS].earliest) % 1
        assert apart == 0
        assert all(window.earliest <= 0 for window in each.values())
    long = setup(live(period=97), ready(period=89), startup(period=83))
    assert len(list(cells(long.on(Version(20)), 0.5))) <= 240
    assert len(list(cells(long.on(Version(36)), 0.5))) == 240


def test_too_much_is_possible() -> None:
    """A container that crashes all the time is foreseen as far as the search goes, and says how far that is."""
    made = setup(live(period=1, failures=1), ready(period=2), liveness=FAILING, exits=2.0)
    few = predict(made, REAL_1_20, 200, most=2_000)
    assert not few.complete
    assert few.horizon < 200
    assert all(each.interval.latest <= few.horizon for each in few.expected if each.certain)


def test_joined() -> None:
    windows = [Window(3, 4), Window(0, 1), Window(1, 2)]
    assert joined(windows) == (Window(0, 2), Window(3, 4))
    assert joined(windows, gap=1) == (Window(0, 4),)


@given(
    tick=st.integers(0, 99),
    boots=st.integers(1, 40),
    period=st.sampled_from((1.0, 3.0, 10.0)),
    failures=st.integers(1, 3),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_a_life_is_the_same_with_and_without_its_idle_ticks(
    tick: int, boots: int, period: float, failures: int, seed: int
) -> None:
    """What is left out changes nothing, not even where a tick and a start fall on one moment."""
    probes = (
        probe_spec(ProbeKind.LIVENESS, period=period, failures=failures),
        probe_spec(ProbeKind.READINESS, period=period, failures=1),
    )
    answers = Behaviour.of((boots / 10, OK), (boots / 10 + 30.0, REFUSED))
    made = Setup(ContainerSpec(probes=probes), (Application.answering(answers),))
    origins = {each.kind: Window.at(-tick / 10) for each in probes}

    chance = MEASURED.drawn(seed) if seed else IDEAL.whole  # at 0 a container starts at the very tick that ended it

    def marks(*, trace: bool) -> dict[Mark, float]:
        found = simulate(made, 150.0, origins=origins, chance=chance, trace=trace)
        return {mark: min(windows).earliest for mark, windows in found.marks.items()}

    assert marks(trace=False) == pytest.approx(marks(trace=True))
