"""Scenarios 97 to 121: how a container is ended, how it waits for its restart, and what its pod says."""

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
    over,
    ready,
    restarts,
    run,
    scenario,
    startup,
    until,
)
from tocsin.probes.application import Application
from tocsin.probes.attempt import REFUSED, Behaviour
from tocsin.probes.backoff import Backoff, Pace, overshoot, waits
from tocsin.probes.container import (
    Condition,
    Endpoint,
    containers_ready,
    ended_by,
    endpoint,
    grace_of,
    kill_grace,
    kill_seconds,
    pod_ready,
)
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind
from tocsin.probes.versions import BACKOFF_DECAY_REDUCED, Version
from tocsin.probes.window import Window
from tocsin.probes.worker import ContainerView, PodView, Result, Step, Worker

CRASHING = Application(exits=0.0)


@pytest.mark.parametrize(
    ("pod", "probe", "seconds"),
    [(None, None, 2), (60.0, None, 60), (60.0, 10.0, 10), (10.0, 60.0, 60), (0.0, None, 0)],
)
@scenario(97)
def test_grace(pod: float | None, probe: float | None, seconds: float) -> None:
    """#97: the probe's own grace, were it longer, and else the pod's."""
    assert kill_grace(pod, probe) == seconds


@scenario(97, 98)
def test_grace_by_the_probe_that_failed() -> None:
    """#97 only the failing probe's counts; #98 it is obeyed to the second. Up to 1.21 no probe has one."""
    container = ContainerSpec(probes=(live(grace=5), startup(grace=7), ready()))
    pod = PodSpec(grace=500)
    new = Version(36)
    by_kind = [grace_of(pod, container, kind, new) for kind in (LIVENESS, STARTUP, READINESS)]
    assert by_kind == [5, 7, 500]
    assert grace_of(pod, container, LIVENESS, Version(21)) == 500
    deaf = Application(liveness=until(5), stops_in=None)
    setup = Setup(ContainerSpec(probes=(live(grace=5, failures=1),)), (deaf, Application()), pod, new)
    found = simulate(setup, 30)
    assert (kills(found), restarts(found)) == ([10], [15])


@scenario(99, 100, 101)
def test_pre_stop() -> None:
    """#99 it is taken from the grace; #100 it is cut there, and 2 s are left; #101 a pod that is deleted already."""
    assert kill_seconds(30, pre_stop=5, stops_in=None) == 30
    assert kill_seconds(10, pre_stop=20, stops_in=None) == 12
    assert kill_seconds(30, pre_stop=5, stops_in=1) == 6
    assert kill_seconds(0, pre_stop=5, stops_in=None) == 2
    assert kill_grace(30, 60, deletion_grace=3) == 3


@scenario(102)
def test_never() -> None:
    """#102: it is ended and stays so; its event promises nothing."""
    found = run(live(failures=1), live=until(5), pod=PodSpec(restart_policy="Never"))
    assert (kills(found), restarts(found), over(found)) == ([10], [], True)
    assert not ended_by("app", LIVENESS, "Never").message.endswith("restarted")
    assert ended_by("app", LIVENESS, "Always").message == "Container app failed liveness probe, will be restarted"
    assert ended_by("side", STARTUP, "Never", sidecar=True).restarts


@scenario(103, 104)
def test_on_failure_with_a_clean_end() -> None:
    """#103 it is restarted in the same sync; #104 once it is backed off, its exit code is asked for, and it stays."""
    pod = PodSpec(restart_policy="OnFailure")
    found = run(live(failures=1), live=until(5), pod=pod, stop_code=0, horizon=15)
    assert (kills(found), restarts(found), over(found)) == ([10], [10], False)
    often = run(live(failures=1), live=until(5), pod=pod, stop_code=0)
    assert over(often)
    assert len(restarts(often)) == len(kills(often)) - 1
    assert not over(run(live(failures=1), live=until(5), pod=pod, stop_code=143))


@scenario(105)
def test_only_the_sick_container_restarts() -> None:
    """#105: another container is followed by itself; the pod is not ready until the new instance is."""
    sick = run(live(failures=1), ready(), live=until(5), horizon=45, stops_in=3.0)
    well = run(live(failures=1), ready(), horizon=45)
    assert (restarts(sick)[:1], restarts(well)) == ([13], [])
    assert (changes(sick)[:3], changes(well)) == ([0, 13, 20], [0])
    assert not containers_ready(["sick", "well"], {"sick": False, "well": True}).true


@scenario(106)
def test_waits_of_a_crash() -> None:
    """#106: doubled up to five minutes; a start is late by at most half the wait, or by 15 s up to 1.32."""
    assert waits(9) == (0, 10, 20, 40, 80, 160, 300, 300, 300)
    found = run(lives=(CRASHING,), horizon=700)
    assert restarts(found) == [0, 10, 30, 70, 150, 310, 610]
    assert [overshoot(delay, Version(36)) for delay in (10, 40, 300)] == [5, 20, 30]
    assert overshoot(300, Version(32)) == 15


@scenario(107)
def test_a_liveness_loop_of_seventy_seconds() -> None:
    """#107: five restarts at once, then waits of 80, 160 and 300 s, with one at once between them now and then."""
    probe = live(delay=70, failures=1)
    found = run(probe, live=FAILING, horizon=3600)
    gaps = [start - kill for kill, start in zip(kills(found), restarts(found), strict=False)]
    assert gaps[:7] == [0, 0, 0, 0, 0, 80, 160]
    assert 300 in gaps
    assert 0 in gaps[7:]


@scenario(108)
def test_a_slow_loop_never_shows() -> None:
    """#108: an instance that lives 300 s is never backed off."""
    found = run(live(delay=300, failures=1), live=FAILING, horizon=3600)
    assert restarts(found) == kills(found) == [300 * number for number in range(1, 13)]


@scenario(109, 110)
def test_other_paces() -> None:
    """#109 a cap by configuration; #110 the reduced decay. A version without the setting refuses it."""
    assert waits(5, Pace.of(Version(35), 2.0)) == (0, 2, 2, 2, 2)
    reduced = Version(36, (BACKOFF_DECAY_REDUCED.name,))
    assert waits(8, Pace.of(reduced)) == (0, 1, 2, 4, 8, 16, 32, 60)
    with pytest.raises(ValueError, match="knows no maxContainerRestartPeriod"):
        Pace.of(Version(34), 2.0)
    with pytest.raises(ValueError, match="from 1 s to 300 s"):
        Pace.of(Version(36), 301.0)


@scenario(111, 112)
def test_backoff_is_forgotten() -> None:
    """#111 ten minutes after the last start; #112 another image has no entry."""
    held = Backoff(delay=80.0, moved=Window.at(0.0))
    assert held.holds(Window.at(601.0), Window.at(601.0)) == (False,)
    assert held.holds(Window.at(600.0), Window.at(600.0)) == (True,)
    (after,) = held.started(Window.at(601.0), Window.at(601.0))
    assert after.delay == 10
    assert Backoff().holds(Window.at(5.0), Window.at(5.0)) == (False,)
    found = run(lives=(CRASHING, CRASHING, Application(exits=600.5)), horizon=1300)
    assert restarts(found)[:3] == [0, 10, 610.5]


@scenario(113)
def test_ready_stays_while_it_is_ended() -> None:
    """#113: liveness takes nothing from Ready; the new instance does."""
    found = run(live(failures=1), ready(), live=until(5), stops_in=20.0, first_tick=0, horizon=29.9)
    assert (kills(found), changes(found)) == ([10], [0])
    found = run(live(failures=1), ready(), live=until(5), stops_in=20.0, horizon=30)
    assert changes(found)[1] == 30


@pytest.mark.parametrize(
    ("statuses", "phase", "reason"),
    [
        (None, "Running", "UnknownContainerStatuses"),
        ({"a": True}, "Running", "ContainersNotReady"),
        ({"a": True, "b": False}, "Running", "ContainersNotReady"),
        ({"a": True, "b": True}, "Succeeded", "PodCompleted"),
        ({"a": True, "b": True}, "Failed", "PodFailed"),
        ({"a": True, "b": True}, "Running", ""),
    ],
)
@scenario(114)
def test_containers_ready(statuses: dict[str, bool] | None, phase: str, reason: str) -> None:
    """#114: what is missing, what is unready, and what is over."""
    assert containers_ready(["a", "b"], statuses, phase) == Condition(not reason, reason)


@pytest.mark.parametrize(
    ("gates", "conditions", "true"),
    [
        (["x"], {}, False),
        (["x"], {"x": False}, False),
        (["x"], {"x": True}, True),
        (["x", "y"], {"x": True, "y": False}, False),
    ],
)
@scenario(115, 116)
def test_readiness_gates(gates: list[str], conditions: dict[str, bool], true: bool) -> None:
    """#115 each must be true; #116 ContainersReady does not know them, and comes first."""
    containers = containers_ready(["a"], {"a": True})
    assert containers.true
    found = pod_ready(containers, gates, conditions)
    assert found == Condition(true, "" if true else "ReadinessGatesNotReady")
    assert pod_ready(containers_ready(["a"], {"a": False}), gates, conditions).reason == "ContainersNotReady"


@scenario(117)
def test_a_pod_that_shuts_down() -> None:
    """#117: readiness goes on and may be lost; liveness and startup say no more."""
    deleting = PodView(ContainerView("a", started=True), deleting=True)
    liveness, step = Worker(live(failures=1)).tick(deleting)
    assert (liveness.stored, step) == (Result.SUCCESS, Step.STOP)
    readiness, step = Worker(ready(failures=1)).tick(deleting)
    assert step is Step.ATTEMPT
    assert readiness.judge(Behaviour.always(REFUSED).at(0).outcome).stored is Result.FAILURE
    drained = run(ready(period=5, failures=1), ready=until(12), horizon=20)
    assert changes(drained) == [0, 15]


@scenario(118, 119)
def test_endpoints() -> None:
    """#118 a deleted pod serves, but is not ready; #119 a Service may take what is not ready."""
    assert endpoint(pod_ready=True, deleting=True) == Endpoint(ready=False, serving=True, terminating=True)
    assert endpoint(pod_ready=False, publish_not_ready=True) == Endpoint(ready=True, serving=False, terminating=False)
    assert endpoint(pod_ready=True) == Endpoint(ready=True, serving=True, terminating=False)


@pytest.mark.parametrize(("minor", "stored"), [(34, Result.FAILURE), (35, None)])
@scenario(120)
def test_ready_over_a_restart_of_the_kubelet(minor: int, stored: Result | None) -> None:
    """#120: up to 1.34 it is lost until the next success, from 1.35 on it stays."""
    outlived = PodView(ContainerView("a", started=True, outlived_kubelet=True))
    worker, step = Worker(ready(), Version(minor)).tick(outlived)
    assert (worker.stored, step) == (stored, Step.ATTEMPT)


@scenario(121)
def test_without_probes() -> None:
    found = run(horizon=50)
    assert (changes(found), attempts(found, ProbeKind.LIVENESS)) == ([0], [])
