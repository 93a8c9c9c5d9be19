"""All experiments of an environment: each subject once, what is there is left, what cannot be done says why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests.sick_endpoints.server import Metrics, Reply, served
from tests.sick_processes.system import NAME, PROBES, SERVER, SMALL, exercised, probe, process, system
from tocsin.deadline import Stopped, wait_until
from tocsin.model import Model
from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour import exercising
from tocsin.probes.behaviour.bench import Bench, Scene
from tocsin.probes.behaviour.checking import problems
from tocsin.probes.behaviour.episode import read_episodes
from tocsin.probes.behaviour.exercising import exercise, folder_of, is_done
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.experiments import idle
from tocsin.probes.behaviour.subject import subjects
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.specification import ProbeKind
from tocsin.system import BadSystem, load_system

LIVENESS, READINESS = ProbeKind.LIVENESS, ProbeKind.READINESS
QUICK = replace(SMALL, attempts=10, outage_least=0.5)


def test_a_subject_is_exercised_once_by_all(tmp_path: Path) -> None:
    """Whoever comes second finds it done; each experiment is told once, and none is made that nothing asks for."""
    told: list[str] = []
    said = {"load": {"profile": "pages", "users": 1, "seconds": "1s"}, "endpoints_lag": "500ms"}
    model = system(tmp_path / "system", others={"cache": process()}, said={**said, "dependencies": {"cache": {}}})
    made = tmp_path / "made"

    def both(_: int) -> None:
        exercise(model, "local", made, now=1e9, effort=QUICK, progress=lambda _, name, __: told.append(name))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(both, range(2)))

    names = ["boot-1", "cost", "idle", "load", "drain", "without-cache-killed", "without-cache-frozen", "hang", "storm"]
    assert told == names
    found = read_episodes(folder_of(made, NAME))
    assert set(found) == set(names)
    assert not [each.lacking for each in found.values() if each.lacking]
    assert "not needed" in found["storm"].actions[0].what
    assert not found["storm"].attempts
    assert is_done(made, NAME)


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """Some kinds are not all: DONE says which, and what is missing is done later."""
    model, made = system(tmp_path / "system"), tmp_path / "made"
    first = exercised(model, made, ["idle"], QUICK)
    assert (is_done(made, NAME, ["idle"]), is_done(made, NAME, ["idle", "boot"]), is_done(made, NAME)) == (
        True,
        False,
        False,
    )
    then = exercised(model, made, ["idle", "boot"], QUICK)

    assert set(then) == {"cost", "idle", "boot-1"}
    assert then["idle"] == first["idle"]
    (folder_of(made, NAME) / "DONE").write_text("half a wo")
    assert not is_done(made, NAME, ["idle"])


def test_it_can_be_stopped(tmp_path: Path) -> None:
    """It ends within a moment, and so does all that it has started; what was done by then stays."""
    stop = threading.Event()
    before = set(psutil.Process().children(recursive=True))
    model, made = system(tmp_path / "system", others={"cache": process()}), tmp_path / "made"
    effort = replace(QUICK, attempts=10_000)

    def begun(_: str, name: str, __: float) -> None:
        if name == "cost":
            stop.set()

    began = time.monotonic()
    with pytest.raises(Stopped):
        exercise(model, "local", made, now=1e9, effort=effort, progress=begun, stop=stop)

    assert time.monotonic() - began < 60  # ten thousand attempts take longer
    assert set(read_episodes(folder_of(made, NAME))) == {"boot-1", "load", "storm"}  # these two lack a load
    assert not is_done(made, NAME)
    wait_until(lambda: set(psutil.Process().children(recursive=True)) <= before, seconds=10, what="all have ended")


def test_a_process_that_does_not_start_costs_what_needs_it(tmp_path: Path) -> None:
    """Its starts are told as they were; the rest lacks it, and says how it ended and what it said."""
    found = exercised(system(tmp_path / "system", "--dies"), tmp_path / "made", ["boot", "idle", "hang"], QUICK)

    assert found["boot-1"].exit_code == 1
    assert "exited with code 1" in found["idle"].lacking
    assert "its settings are wrong" in found["idle"].lacking
    assert "did not get ready under a kubelet" in found["hang"].lacking


def test_a_dependency_that_does_not_start_costs_all(tmp_path: Path) -> None:
    """Nothing is said of a process whose surroundings are not there."""
    others = {"database": process("--dies")}
    model = system(tmp_path / "system", "--ready-asks", "{database.url}/live", others=others)
    found = exercised(model, tmp_path / "made", ["boot", "idle"], QUICK)

    for episode in found.values():
        assert "what shop/shop needs could not be started: database" in episode.lacking


def test_one_that_trips_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours costs one experiment; the log holds the traceback."""

    async def trips(_: Bench, __: Tape) -> None:
        raise ZeroDivisionError("by nothing")

    def tripping(_: Scene) -> Iterator[Experiment]:
        yield Experiment(name="trips", kind="trips", seconds=0.0, perform=trips)

    monkeypatch.setattr(exercising, "MODULES", (SimpleNamespace(KIND="trips", experiments=tripping), idle))
    found = exercised(system(tmp_path / "system"), tmp_path / "made", effort=QUICK)

    assert "a defect of Tocsin" in found["trips"].lacking
    assert not found["idle"].lacking


def test_what_runs_already_is_asked_and_left_alone(tmp_path: Path) -> None:
    """Attempts are made at its address; all else says why it is not done there."""
    with served(Metrics(lambda _: Reply(), lambda visit: Reply(status=200 if visit.path == "/live" else 503))) as url:
        environment = {"prometheus": {"url": url}, "addresses": {"shop": url}, "allow_load": True}
        said = {"load": {"profile": "pages"}}
        found = exercised(system(tmp_path / "system", environment=environment, said=said), tmp_path / "made")

    assert {each.outcome for each in found["idle"].of(LIVENESS)} == {Outcome.SUCCESS}
    assert {each.outcome for each in found["idle"].of(READINESS)} == {Outcome.FAILURE}
    assert {name for name, each in found.items() if not each.lacking} == {"idle"}
    assert "runs already" in found["load"].lacking


def test_a_load_that_is_not_declared_is_lacking(tmp_path: Path) -> None:
    """And the reason says how to declare one."""
    found = exercised(system(tmp_path / "system"), tmp_path / "made", ["load", "storm"])

    for episode in found.values():
        assert "load: {profile: browse, users: 20}" in episode.lacking


def test_a_load_above_the_ceilings_is_refused(tmp_path: Path) -> None:
    """It is not begun, and the reason names both."""
    ceilings = {"users": 5, "requests_per_second": 10, "seconds": 60}
    environment = {"processes": {"shop": process()}, "ceilings": ceilings}
    model = system(tmp_path / "system", environment=environment, said={"load": {"profile": "pages", "users": 6}})

    for episode in exercised(model, tmp_path / "made", ["load", "storm"]).values():
        assert "6 users for 20 s, is more than environment local allows: 5 users" in episode.lacking


def test_a_hook_that_cannot_be_imitated_is_lacking(tmp_path: Path) -> None:
    """Where the end of the container is what matters."""
    hook = {"lifecycle": {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}}
    found = exercised(system(tmp_path / "system", container=hook), tmp_path / "made", ["drain", "hang"])

    for episode in found.values():
        assert "'nginx -s quit', which cannot be done on this machine" in episode.lacking
        assert "deployment.yaml:" in episode.lacking


EXEC = {"exec": {"command": ["cat", "/no/such/file"]}, "periodSeconds": 1}


def test_a_command_of_a_manifest_is_not_run_here(tmp_path: Path) -> None:
    """The other probes are asked; of it the reason is written down, with the cure."""
    model = system(tmp_path / "system", probes={"livenessProbe": EXEC, "readinessProbe": probe("/ready")})
    idle_ = exercised(model, tmp_path / "made", ["idle"], QUICK)["idle"]

    assert not idle_.of(LIVENESS)
    assert "commands: {liveness: [...]}" in idle_.unasked[LIVENESS]
    assert {each.outcome for each in idle_.of(READINESS)} == {Outcome.SUCCESS}


def test_a_probe_with_two_handlers_asks_nothing(tmp_path: Path) -> None:
    """Its container has nothing that could be asked, and each experiment says so."""
    both = {**EXEC, "tcpSocket": {"port": 80}}
    model = system(tmp_path / "system", probes={"livenessProbe": both})

    for episode in exercised(model, tmp_path / "made", ["boot", "idle"], QUICK).values():
        if episode.name != "cost":
            assert "each must have exactly one of httpGet, tcpSocket, grpc and exec" in episode.lacking


@pytest.mark.parametrize(("status", "outcome"), [(0, Outcome.SUCCESS), (1, Outcome.FAILURE)])
def test_a_command_that_is_declared_is_run(tmp_path: Path, status: int, outcome: Outcome) -> None:
    """In the process's folder, with the port that it listens on."""
    code = f"import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.exit({status})"
    said = {"commands": {"liveness": ["{python}", "-c", code, "{port}"]}}
    probes = {"livenessProbe": {**EXEC, "timeoutSeconds": 10}, "readinessProbe": probe("/ready")}
    model = system(tmp_path / "system", probes=probes, said=said)
    boot = exercised(model, tmp_path / "made", ["boot"], replace(QUICK, boot=3.0 if status else 20.0))["boot-1"]

    assert boot.of(LIVENESS)[-1].outcome is outcome
    assert not boot.unasked


def test_a_port_that_is_mapped_is_asked(tmp_path: Path) -> None:
    """A container's second port is where system.yaml says."""
    with served(Metrics(lambda _: Reply(), lambda _: Reply(status=418))) as url:
        said = {"ports": {"http": int(url.rpartition(":")[2])}}
        model = system(tmp_path / "system", said=said)
        boot = exercised(model, tmp_path / "made", ["boot"], replace(QUICK, boot=1.0))["boot-1"]

    assert {each.reason for each in boot.attempts} == {Reason.STATUS}


def test_a_process_may_choose_its_port(tmp_path: Path) -> None:
    """Another one each time: its log tells which."""
    command = ["{python}", str(SERVER), "--port", "0"]
    environment = {"processes": {"shop": {"command": command, "jobs": [], "ready": "/started"}}}
    model = system(tmp_path / "system", environment=environment, said={"boots": 2})
    found = exercised(model, tmp_path / "made", ["boot"])

    assert len(found) == 2
    for episode in found.values():
        assert {each.kind for each in episode.attempts if each.outcome.healthy} == {LIVENESS, READINESS}


def test_variables_of_the_exercise_go_over_those_of_the_process(tmp_path: Path) -> None:
    """A process that does not read them is none the wiser; one that does is started as its manifest has it."""
    code = "import os, sys; sys.exit(int(os.environ['CODE']))"
    local = {"command": ["{python}", "-c", code], "environment": {"CODE": "1"}, "jobs": []}
    environment = {"processes": {"shop": {**local, "command": [*local["command"], "{port}"]}}}
    model = system(tmp_path / "system", environment=environment, said={"environment": {"CODE": "7"}})

    assert exercised(model, tmp_path / "made", ["boot"])["boot-1"].exit_code == 7


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"process": "shap"}, "'shap' would stand for shop, and no environment declares it; did you mean shop?"),
        ({"dependencies": {"cash": {}}}, "without 'cash', which is no other process"),
        ({"dependencies": {"shop": {}}}, "without 'shop', which is no other process"),
        ({"commands": {"lifeness": ["true"]}}, "commands.lifeness"),
        ({"commands": {"liveness": []}}, "commands.liveness"),
        ({"boots": 0}, "boots"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, said: dict[str, object], text: str) -> None:
    """With its place, before anything is started."""
    with pytest.raises(BadSystem) as refused:
        system(tmp_path, said=said)
    assert text in str(refused.value)
    assert "system.yaml:" in str(refused.value)


def test_what_only_the_manifests_can_tell_is_found(tmp_path: Path) -> None:
    """A workload that is nowhere, a load profile that is nowhere; a system that is well has neither."""
    assert not list(problems(system(tmp_path / "well", said={"load": {"profile": "pages"}})))
    assert not list(problems(Model.of(tmp_path / "well", None)))
    model = system(tmp_path / "sick", said={"load": {"profile": "pagers"}}, container={"name": "shop"})
    (load,) = problems(model)
    assert "no load profile 'pagers'" in str(load)
    nowhere = system(tmp_path / "nowhere", probes={"lifecycle": {}})
    assert "no manifest has a workload 'shop' with probes" in str(next(problems(nowhere)))


def test_the_reference_says_all_that_is_needed() -> None:
    """Both of its containers are subjects, with a load that is there and everything that they call."""
    reference = load_system(Path(__file__).parents[1] / "fixtures/systems/dharmamind")
    model = Model.of(reference.directory, reference)

    assert not list(problems(model))
    found = {each.name: each for each in subjects(model, "local")}
    assert set(found) == {"backend/backend", "frontend/frontend"}
    for each in found.values():
        scene = Scene(each, reference, "local", reference.environment("local")[1], SMALL, Path())
        assert set(scene.dependencies) == set(each.declared.dependencies)
        assert each.declared.load is not None
        assert not each.pre_stop_unknown


def test_probes_of_all_kinds_are_subjects(tmp_path: Path) -> None:
    """A startup probe is asked beside the others."""
    model = system(tmp_path / "system", probes={**PROBES, "startupProbe": probe("/started")})
    found = exercised(model, tmp_path / "made", ["idle"], QUICK)["idle"]

    assert {each.kind for each in found.attempts} == set(ProbeKind)
