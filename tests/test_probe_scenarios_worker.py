"""Scenarios 1 to 25: the probe worker step by step, as the kubelet's own unit tests have it."""

from __future__ import annotations

import pytest

from tests.probe_scenarios import KINDS, LIVENESS, READINESS, STARTUP, scenario
from tocsin.probes.attempt import Attempt, Outcome, first_that_counts
from tocsin.probes.container import Condition, RestartRule, Standing, Status, init_status, status
from tocsin.probes.specification import ProbeKind, probe_spec
from tocsin.probes.versions import Version
from tocsin.probes.worker import INITIAL, ContainerView, PodView, Result, Step, Worker

S, F, E, W = Outcome.SUCCESS, Outcome.FAILURE, Outcome.ERROR, Outcome.WARNING
ONCE = {"failures": 1}
UP = ContainerView("a", started=True)


def worker(kind: ProbeKind, failures: int = 1, successes: int = 1, **given: object) -> Worker:
    """Return a worker that has seen nothing."""
    spec = probe_spec(kind, failures=failures, successes=successes)
    return Worker(spec, **given)  # type: ignore[arg-type]


def view(kind: ProbeKind, identity: str = "a", **given: object) -> PodView:
    """Return a pod whose container runs, and is started unless a startup probe is at work."""
    return PodView(ContainerView(identity, started=kind is not STARTUP, **given))  # type: ignore[arg-type]


def tried(probe: Worker, pod: PodView, outcome: Outcome) -> tuple[Worker, bool]:
    """Return a worker after a tick, and whether it made its attempt."""
    probe, step = probe.tick(pod)
    return (probe.judge(outcome), True) if step is Step.ATTEMPT else (probe, False)


def results(probe: Worker, outcomes: str) -> list[tuple[Result | None, int]]:
    """Return what is stored, and the run, after each of some outcomes."""
    found = []
    for letter in outcomes:
        probe, _ = tried(probe, view(probe.kind), {"S": S, "F": F, "E": E, "W": W}[letter])
        found.append((probe.stored, probe.run))
    return found


@pytest.mark.parametrize("kind", KINDS)
@scenario(1, 2, 4)
def test_nothing_to_probe(kind: ProbeKind) -> None:
    """#1 no status, #2 a pod that is over, #4 a status of another container only: nothing is stored."""
    probe = worker(kind)
    assert probe.tick(PodView(UP, known=False)) == (probe, Step.SKIP)
    assert probe.tick(PodView(UP, phase="Failed")) == (probe, Step.STOP)
    assert probe.tick(PodView(UP, phase="Succeeded")) == (probe, Step.STOP)
    assert probe.tick(PodView(None)) == (probe, Step.SKIP)
    assert probe.tick(PodView(ContainerView(""))) == (probe, Step.SKIP)


@pytest.mark.parametrize("kind", KINDS)
@scenario(3)
def test_a_pod_that_is_being_deleted(kind: ProbeKind) -> None:
    """#3: liveness and startup end with a success, readiness goes on."""
    after, step = worker(kind).tick(view(kind)._replace(deleting=True))
    expected = (Result.FAILURE, Step.ATTEMPT) if kind is READINESS else (Result.SUCCESS, Step.STOP)
    assert (after.stored, step) == expected


@pytest.mark.parametrize("kind", KINDS)
@scenario(5, 6)
def test_a_container_that_does_not_run(kind: ProbeKind) -> None:
    """#5 it waits; #6 it ended and will not come back."""
    waiting, step = worker(kind).tick(view(kind, standing=Standing.WAITING))
    assert (waiting.stored, step) == (Result.FAILURE, Step.SKIP)
    ended = view(kind, standing=Standing.TERMINATED, exit_code=1)
    stopped, step = worker(kind).tick(ended._replace(restart_policy="Never"))
    assert (stopped.stored, step) == (Result.FAILURE, Step.STOP)
    assert worker(kind).tick(ended)[1] is Step.SKIP


@pytest.mark.parametrize("kind", KINDS)
@scenario(7, 8, 9)
def test_initial_delay(kind: ProbeKind) -> None:
    """#7 thresholds of one; #8 in the delay the initial result stands; #9 after it the attempt counts."""
    probe, made = tried(worker(kind), view(kind), S)
    assert (probe.stored, made) == (Result.SUCCESS, True)
    probe, made = tried(worker(kind), view(kind, due=False), S)
    assert (probe.stored, made) == (INITIAL[kind], False)
    assert INITIAL == {LIVENESS: Result.SUCCESS, READINESS: Result.FAILURE, STARTUP: Result.UNKNOWN}
    assert tried(probe, view(kind), S)[0].stored is Result.SUCCESS


@scenario(10)
def test_failure_threshold() -> None:
    """#10: three failures in a row, twice over."""
    found = [stored for stored, _ in results(worker(READINESS, 3), "SSSFFFFSSSFFFF")]
    assert found == ([Result.SUCCESS] * 5 + [Result.FAILURE] * 2) * 2


@scenario(11)
def test_success_threshold() -> None:
    """#11: three successes in a row, twice over; one failure takes it back."""
    found = [stored for stored, _ in results(worker(READINESS, 1, 3), "SSSSSFSSSF")]
    bad, good = Result.FAILURE, Result.SUCCESS
    assert found == [bad, bad, good, good, good, bad, bad, bad, good, bad]


@scenario(12, 13)
def test_startup_rests_after_its_verdict() -> None:
    """#12 after a success, #13 after the third failure."""
    probe, _ = tried(worker(STARTUP), view(STARTUP), S)
    assert (probe.stored, probe.resting, probe.run) == (Result.SUCCESS, True, 0)
    assert probe.tick(view(STARTUP))[1] is Step.SKIP
    found = results(worker(STARTUP, 3), "FFF")
    assert found == [(Result.UNKNOWN, 1), (Result.UNKNOWN, 2), (Result.FAILURE, 0)]
    old, _ = tried(worker(STARTUP, version=Version(20)), view(STARTUP), S)
    assert not old.resting


@pytest.mark.parametrize("kind", [LIVENESS, STARTUP])
@scenario(14)
def test_on_hold_until_a_new_container(kind: ProbeKind) -> None:
    """#14: a failure stays until there is another container."""
    probe, _ = tried(worker(kind), view(kind), F)
    assert (probe.stored, probe.resting) == (Result.FAILURE, True)
    probe, made = tried(probe, view(kind), S)
    assert (probe.stored, made) == (Result.FAILURE, False)
    probe, made = tried(probe, view(kind, "b"), S)
    assert (probe.stored, made, probe.resting) == (Result.SUCCESS, True, kind is STARTUP)


@scenario(15)
def test_run_of_liveness() -> None:
    """#15: the run begins anew once the threshold is met."""
    good = Result.SUCCESS
    assert results(worker(LIVENESS, 3), "SFFF") == [(good, 1), (good, 1), (good, 2), (Result.FAILURE, 0)]


@scenario(16)
def test_liveness_waits_for_started() -> None:
    """#16: it is not tried before the container counts as started."""
    probe, made = tried(worker(LIVENESS), PodView(ContainerView("a", started=False)), F)
    assert (probe.stored, made) == (Result.SUCCESS, False)
    assert tried(probe, PodView(UP), F)[0].stored is Result.FAILURE


@scenario(17)
def test_startup_idles_once_started() -> None:
    """#17: a failure, a success, and then it is not asked any more."""
    probe, _ = tried(worker(STARTUP, 2, version=Version(20)), view(STARTUP), F)
    assert probe.stored is Result.UNKNOWN
    probe, _ = tried(probe, view(STARTUP), S)
    assert probe.stored is Result.SUCCESS
    probe, made = tried(probe, PodView(UP), F)
    assert (probe.stored, made) == (Result.SUCCESS, False)


@scenario(18)
def test_stopping_is_final() -> None:
    """#18: a worker is a value; stopped ten times, it is what it was."""
    probe, over = worker(LIVENESS), PodView(UP, phase="Failed")
    for _ in range(10):
        assert probe.tick(over) == (probe, Step.STOP)


@pytest.mark.parametrize(("minor", "step"), [(36, Step.SKIP), (34, Step.STOP)])
@scenario(19)
def test_a_sidecar_comes_back(minor: int, step: Step) -> None:
    """#19: whatever the pod's policy says; up to 1.34 its workers took that for their own."""
    pod = view(LIVENESS, standing=Standing.TERMINATED, exit_code=0)._replace(restart_policy="Never")
    after, found = worker(LIVENESS, sidecar=True, version=Version(minor)).tick(pod)
    assert (after.stored, found) == (Result.FAILURE, step)


@pytest.mark.parametrize(
    ("rule", "code", "goes_on"),
    [
        (RestartRule("OnFailure"), 1, True),
        (RestartRule("OnFailure"), 0, False),
        (RestartRule("Always"), 0, True),
        (RestartRule("Never"), 1, False),
        (RestartRule("Never", (1,)), 1, True),
        (RestartRule("Never", (99,)), 1, False),
    ],
)
@scenario(20)
def test_a_policy_of_its_own(rule: RestartRule, code: int, goes_on: bool) -> None:
    """#20: a container's own policy and rules, by exit code."""
    pod = view(LIVENESS, standing=Standing.TERMINATED, exit_code=code)._replace(restart_policy="Never")
    after, step = worker(LIVENESS, rule=rule).tick(pod)
    assert (after.stored, step is Step.SKIP) == (Result.FAILURE, goes_on)


@pytest.mark.parametrize("kind", KINDS)
@scenario(21)
def test_the_kubelet_started_again(kind: ProbeKind) -> None:
    """#21: what began before it keeps what it had, from 1.35 on; a sidecar that was started stays so."""
    due = {"due": False, "outlived_kubelet": True}
    new, old = Version(35), Version(34)
    assert worker(kind, version=new).tick(view(kind, **due))[0].stored is None
    assert worker(kind, version=old).tick(view(kind, **due))[0].stored is INITIAL[kind]
    assert worker(kind, version=new).tick(view(kind, due=False))[0].stored is INITIAL[kind]
    pod = PodView(ContainerView("a", started=True, outlived_kubelet=True))
    sidecar = worker(kind, version=new, sidecar=True).tick(pod)[0]
    assert sidecar.stored is (Result.SUCCESS if kind is STARTUP else None)


@scenario(22)
def test_only_a_change_is_news() -> None:
    """#22: a first result is one, the same again is none, another is one."""
    probe, _ = worker(READINESS).tick(view(READINESS))
    first = probe.judge(S)
    assert first.stored is not probe.stored
    assert first.judge(S).stored is first.stored
    assert first.judge(F).stored is not first.stored


@scenario(23)
def test_what_a_probe_comes_to() -> None:
    """#23: a warning is a success, what is unknown is discarded; of three tries the first that counts."""
    assert [each.healthy for each in (S, W, F, E)] == [True, True, False, False]
    assert [each.counts for each in (S, W, F, E)] == [True, True, True, False]
    one, bad, good = (Attempt(outcome, outcome.value, 1.0) for outcome in (E, F, S))
    assert first_that_counts([one, one, one]) == Attempt(E, "error", 3.0)
    assert first_that_counts([one, good]) == Attempt(S, "success", 2.0)
    assert first_that_counts([bad, good, good]) == Attempt(F, "failure", 1.0)
    for wrong in ([], [one] * 4):
        with pytest.raises(ValueError, match="1 to 3 tries"):
            first_that_counts(wrong)
    probe, _ = tried(worker(LIVENESS), view(LIVENESS), E)
    assert (probe.stored, probe.run) == (Result.SUCCESS, 0)


RUNNING = Standing.RUNNING


@pytest.mark.parametrize(
    ("found", "ready", "started"),
    [
        (status(RUNNING), True, True),
        (status(RUNNING, readiness="success", readiness_worker=True), True, True),
        (status(RUNNING, readiness_worker=True), False, True),
        (status(RUNNING, readiness="failure", readiness_worker=True), False, True),
        (status(RUNNING, startup_worker=True), False, False),
        (status(RUNNING, startup="success", startup_worker=True), True, True),
        (status(Standing.TERMINATED, readiness="success", readiness_worker=True), False, False),
    ],
)
@scenario(24)
def test_status(found: Status, ready: bool, started: bool) -> None:
    """#24: what the pod's status makes of workers and their results."""
    assert found == Status(ready, started)


@scenario(25)
def test_status_of_init_containers() -> None:
    """#25: a plain one is ready once it ended well, a sidecar while it runs."""
    stages = ((Standing.WAITING, None), (RUNNING, None), (Standing.TERMINATED, 0))
    plain = [init_status(standing, exit_code=code) for standing, code in stages]
    sidecar = [init_status(standing, exit_code=code, sidecar=True) for standing, code in stages]
    assert [each.ready for each in plain] == [False, False, True]
    assert [each.started for each in plain] == [False, False, False]
    assert [each.ready for each in sidecar] == [False, True, False]
    assert [each.started for each in sidecar] == [False, True, False]
    assert Condition(true=True).reason == ""
