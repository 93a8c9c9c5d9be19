"""Scenarios 26 to 60 and what follows from single attempts: thresholds, delays, ticks and the startup gate.

The clock is virtual: a container starts at 0, ticks are at 0, P, 2P, handlers answer at once.
"""

from __future__ import annotations

import pytest

from tests.probe_scenarios import (
    FAILING,
    LIVENESS,
    READINESS,
    STARTUP,
    attempts,
    changes,
    kills,
    live,
    ready,
    restarts,
    run,
    scenario,
    startup,
    until,
)
from tocsin.model.probes import Timing
from tocsin.part import Part
from tocsin.probes.application import Application
from tocsin.probes.attempt import BODY_HANGS, BROKEN, HANGS, OK, REFUSED, WARNED, Answer, Behaviour, Outcome
from tocsin.probes.container import Standing, containers_ready, next_may_start
from tocsin.probes.ground import Latencies
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ContainerSpec
from tocsin.probes.versions import Version
from tocsin.probes.window import Window
from tocsin.probes.worker import first_wait, is_due, starts
from tocsin.source import read_document

NEW = Version(36)
S, F, E = OK, REFUSED, BROKEN


@scenario(26)
def test_three_failures() -> None:
    found = run(live(), live=FAILING, horizon=25)
    assert (attempts(found, LIVENESS), kills(found)) == ([0, 10, 20], [20])


@scenario(27)
def test_delay_waits_for_a_tick() -> None:
    found = run(live(delay=15, failures=1), live=FAILING, horizon=65)
    assert (kills(found), restarts(found)) == ([20, 40, 60], [20, 40, 60])


@scenario(28)
def test_ticks_keep_their_phase_over_restarts() -> None:
    found = run(live(delay=15, failures=1), live=FAILING, horizon=85, stops_in=7.0)
    assert (kills(found), restarts(found)) == ([20, 50, 80], [27, 57])


@scenario(29, 30, 31)
def test_only_failures_in_a_row_count() -> None:
    """#29 never three; #30 an error between them does not count; #31 errors for ever."""
    assert kills(run(live(), live=Behaviour.in_turn(*[F, F, S] * 10))) == []
    assert kills(run(live(), live=Behaviour.in_turn(F, F, E, F), horizon=35)) == [30]
    errors = run(live(), live=Behaviour.in_turn(F, F, E))
    assert (kills(errors), len(attempts(errors, LIVENESS))) == ([], 31)


@scenario(32, 33)
def test_readiness_is_lost_after_its_threshold() -> None:
    """#32 three failures; #33 two, and it never shows."""
    assert changes(run(ready(), ready=until(25))) == [0, 50]
    blip = run(ready(), ready=Behaviour.of((0, S), (25, F), (45, S)))
    assert changes(blip) == [0]
    assert [each.outcome for each in blip.attempts or ()].count(Outcome.FAILURE) == 2


@scenario(34, 35, 36)
def test_when_it_gets_ready() -> None:
    """#34 three successes; #35 a delay that ends at a tick; #36 one that ends between two."""
    assert changes(run(ready(period=5, failures=1, successes=3), ready=Behaviour.of((12, S)))) == [25]
    assert changes(run(ready(delay=20))) == [20]
    found = run(ready(delay=15), first_tick=4)
    assert (attempts(found, READINESS)[0], changes(found)) == (24, [24])


@scenario(37)
def test_whole_seconds() -> None:
    """#37: a start at .9 is kept without its fraction, so an age of 4.1 s counts as 5."""
    assert is_due(4.1, 5, truncated=0.9)
    assert not is_due(4.0, 5, truncated=0.9)
    assert not is_due(4.9, 5)
    probe = live(period=5, delay=5, failures=1)
    setup = Setup(ContainerSpec(probes=(probe,)), (Application(liveness=FAILING),))
    chance = Latencies(truncated=Window.at(0.9)).whole
    found = simulate(setup, 5, origins={LIVENESS: Window.at(4.1)}, chance=chance, trace=True)
    assert kills(found) == [4.1]


@scenario(38, 39)
def test_a_hang() -> None:
    """#38 it fails at its timeout; #39 with a timeout over the period, attempts follow each other."""
    assert kills(run(live(), live=Behaviour.always(HANGS), horizon=25)) == [21]
    assert kills(run(live(period=5, timeout=10), live=Behaviour.always(HANGS), horizon=35)) == [30]


@scenario(40, 41)
def test_slow_attempts() -> None:
    """#40 one tick waits, and the grid stays; #41 slow ones follow each other."""
    slow = Answer(Outcome.SUCCESS, 7)
    once = run(ready(period=5, timeout=10), ready=Behaviour.in_turn(slow, OK), horizon=16)
    assert attempts(once, READINESS) == [0, 7, 10, 15]
    always = run(ready(period=5, timeout=10), ready=Behaviour.always(slow), horizon=22)
    assert attempts(always, READINESS) == [0, 7, 14, 21]
    assert starts(0.5, (0.7, 0, 0, 0, 1.2, 0, 0)) == pytest.approx((0, 0.7, 1.0, 1.5, 2.0, 3.2, 3.5))


@scenario(42)
def test_jitter_of_a_young_kubelet() -> None:
    """#42: a part of the period while the kubelet is younger than that; up to 1.20, always."""
    assert [first_wait(0.7, 10, age, NEW) for age in (3, 9.9, 10, 500)] == [7, 7, 0, 0]
    assert first_wait(0.7, 10, 500, Version(20)) == 7


@scenario(43, 44)
def test_out_of_turn() -> None:
    """#43 the first attempt does not wait for its tick; #44 a second success follows at once."""
    shown = Latencies(seen=Window.at(1.0)).whole
    setup = Setup(ContainerSpec(probes=(ready(period=30),)), version=NEW)
    assert changes(simulate(setup, 60, origins={READINESS: Window.at(25)}, chance=shown)) == [1]
    assert changes(run(ready(period=30), first_tick=25)) == [25]
    setup = Setup(ContainerSpec(probes=(ready(successes=3),)), version=NEW)
    found = simulate(setup, 60, chance=shown, trace=True)
    assert (attempts(found, READINESS)[:3], changes(found)) == ([1, 1, 11], [11])


@scenario(45)
def test_zeroes_are_defaults() -> None:
    text = "probe: {periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0}"
    timing = Timing.of(Part.whole(read_document(text, "a.yaml")).get("probe"))
    assert (timing.period, timing.timeout, timing.failures) == (10, 1, 3)
    probe = live(period=timing.period, timeout=timing.timeout, failures=timing.failures)
    assert kills(run(probe, live=Behaviour.always(HANGS), horizon=25)) == [21]


CRASHED = Application(liveness=Behaviour.in_turn(F), exits=15)


@scenario(46, 47)
def test_a_run_outlives_its_container() -> None:
    """#46 two failures, a crash, and the first failure is the third; #47 a success begins anew."""
    found = run(live(), lives=(CRASHED, Application(liveness=FAILING)), horizon=45)
    assert (restarts(found)[:1], kills(found)[:1]) == ([15], [20])
    mended = Application(liveness=Behaviour.in_turn(S, F))
    assert kills(run(live(), lives=(CRASHED, mended), horizon=55)) == [50]


@scenario(48)
def test_readiness_goes_on_over_a_restart() -> None:
    """#48: its successes count on: the first of the new container is enough."""
    found = run(ready(successes=2), lives=(Application(exits=25), Application()), horizon=60)
    assert changes(found) == [10, 25, 30]


@scenario(49)
def test_a_run_begins_anew_after_a_kill() -> None:
    assert kills(run(live(), live=FAILING, horizon=55)) == [20, 50]


@scenario(50, 51)
def test_startup_budget() -> None:
    """#50 neither liveness nor readiness is tried, and it is never ready; #51 one period less than 30 times 10."""
    found = run(startup(), live(), ready(), startup=FAILING, horizon=25)
    assert (kills(found), changes(found)) == ([20], [])
    assert (attempts(found, LIVENESS), attempts(found, READINESS)) == ([], [])
    assert kills(run(startup(failures=30), startup=FAILING, horizon=295)) == [290]


@scenario(52)
def test_delay_counts_from_the_start_of_the_container() -> None:
    """#52: once startup is over, liveness waits for no delay that is over already."""
    probes = (startup(period=5, failures=30), live(delay=30))
    found = run(*probes, startup=Behaviour.of((45, S)), live=FAILING, horizon=75)
    assert (attempts(found, LIVENESS)[:3], kills(found)) == ([50, 60, 70], [70])


@scenario(53, 54)
def test_readiness_follows_startup() -> None:
    """#53 at once, out of turn; #54 but not within its delay."""
    gate = Behaviour.of((20, S))
    found = run(startup(), ready(period=30), startup=gate, version=NEW, first_tick=0)
    assert (attempts(found, READINESS)[0], changes(found)) == (20, [20])
    found = run(startup(), ready(delay=60), startup=gate, version=NEW)
    assert (attempts(found, READINESS)[0], changes(found)) == (60, [60])


@scenario(55, 57, 58)
def test_startup_is_asked_once() -> None:
    """#55 not again once it passed; #57 without one, a container is started; #58 and it is ready when it passed."""
    found = run(startup(), startup=Behaviour.of((0, F), (15, S), (25, F)))
    assert (attempts(found, STARTUP), kills(found), changes(found)) == ([0, 10, 20], [], [20])
    assert attempts(run(live(), horizon=5), LIVENESS) == [0]
    assert changes(run(startup(period=5, failures=9), startup=Behaviour.of((15, S)))) == [15]


@pytest.mark.parametrize(("minor", "first"), [(34, 42), (35, 9)])
@scenario(56)
def test_startup_gates_the_next_instance_too(minor: int, first: float) -> None:
    """#56: started is false again; 1.35 and 1.36 take the new instance for started until startup's next tick."""
    lives = (Application(liveness=until(5)), Application(startup=Behaviour.of((15, S))))
    probes = (startup(period=20, failures=9), live(period=3, failures=1))
    found = run(*probes, lives=lives, version=Version(minor), horizon=60)
    later = [each.began for each in found.attempts or () if each.kind is LIVENESS and each.instance == 1]
    assert (restarts(found), later[0]) == ([6], first)
    assert (15 in later) is (minor == 35)
    assert (21 in later) is False


@scenario(59, 60)
def test_sidecars() -> None:
    """#59 one whose startup fails is restarted and holds the rest; #60 readiness counts for the pod alone."""
    found = run(startup(failures=1), startup=FAILING, horizon=25)
    assert kills(found) == [0, 10, 20]
    assert not next_may_start(Standing.RUNNING, "failure", startup_worker=True)
    assert next_may_start(Standing.RUNNING, "success", startup_worker=True)
    assert next_may_start(Standing.RUNNING, None, startup_worker=False)
    assert not next_may_start(Standing.WAITING, None, startup_worker=False)
    assert containers_ready(["app", "side"], {"app": True, "side": False}).reason == "ContainersNotReady"


@pytest.mark.parametrize(("answer", "lasts"), [(BODY_HANGS, 3.0), (BROKEN, 0.0)])
@scenario(71, 80, 93)
def test_errors_never_act(answer: Answer, lasts: float) -> None:
    """#71 a body that stalls, #80 a port name of nobody, #93 a program that is not there: three tries, discarded."""
    errors = Behaviour.of((0, S), (15, answer))
    found = run(live(), ready(), live=errors, ready=errors)
    assert (kills(found), changes(found)) == ([], [0])
    made = [each for each in found.attempts or () if each.outcome is Outcome.ERROR]
    assert {each.seconds for each in made} == {lasts}
    assert changes(run(ready(), ready=Behaviour.always(answer))) == []


@scenario(94, 95)
def test_exec_that_fails() -> None:
    """#94 a program that outlasts its timeout restarts or keeps from being ready; #95 so does one that ends badly."""
    assert kills(run(live(failures=1), live=Behaviour.always(HANGS), horizon=5)) == [1]
    assert changes(run(ready(failures=1), ready=Behaviour.always(HANGS))) == []
    assert kills(run(live(failures=1), live=FAILING, horizon=5)) == [0]


def test_a_warning_keeps_it_alive() -> None:
    found = run(live(), ready(), live=Behaviour.always(WARNED), ready=Behaviour.always(WARNED))
    assert (kills(found), changes(found)) == ([], [0])
