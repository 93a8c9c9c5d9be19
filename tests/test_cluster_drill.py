"""Drills on the workloads of a real cluster: their alerts ring, and everything is put back, whatever happens.

TOCSIN_KUBECONFIG names a cluster in which one namespace may be made (it is deleted again), whose node holds the image
of tests/parity/image.py, and whose pods and kubelets can be reached from here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster_shop import DEPLOYMENT, DEPLOYMENTS, NAMESPACE, REPLICAS, Shop, deaf, shop
from tests.staged import alive, family
from tocsin.deadline import wait_until
from tocsin.drill import cluster_faults
from tocsin.drill.cluster_faults import ClusterFaults
from tocsin.engines.kubernetes_api import MERGE_PATCH
from tocsin.engines.kubernetes_changes import NOTE, Workload
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Supervisor
from tocsin.system import load_system

ROOT = Path(__file__).parents[1]
KUBECONFIG = os.environ.get("TOCSIN_KUBECONFIG", "")
PUT_BACK_WITHIN = 30.0
pytestmark = [
    pytest.mark.xdist_group("exclusive"),
    pytest.mark.skipif(not KUBECONFIG, reason="TOCSIN_KUBECONFIG names no cluster whose workloads may be drilled"),
]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Start the system once for all of them."""
    with shop(Path(KUBECONFIG).absolute(), tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture
def calm(up: Shop) -> Shop:
    """Give the system when what was done to it before is over."""
    up.await_calm()
    return up


def command(directory: Path, drill: str, reports: Path, *more: str) -> list[str]:
    """Return the command that performs one drill."""
    chosen = ("-m", "faults", "-k", drill, "--system", str(directory), "--environment", "cluster")
    return [sys.executable, "-m", "pytest", *chosen, "--reports", str(reports), "-p", "no:cacheprovider", *more]


def performed(directory: Path, drill: str, reports: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Perform one drill to its end; once more if others left the machine no processor for it."""
    for _ in range(2):
        done = subprocess.run(
            command(directory, drill, reports, *more),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            cwd=ROOT,
        )
        if "the machine was starved" not in done.stdout:
            break
    return done


def drill_of(reports: Path) -> dict[str, Any]:
    """Return the only drill of the latest run."""
    (found,) = json.loads((reports / "latest" / "results.json").read_text())["drills"]
    assert isinstance(found, dict)
    return found


def done_to(reports: Path, drill: str) -> list[str]:
    """Return what was done to the cluster, as the evidence has it."""
    text = (reports / "latest" / "evidence" / drill / "processes.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [line["event"] for line in lines if "pid" not in line and line["event"] not in ("usage", "machine")]


def changed(up: Shop, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a folder with the same system, of which the declaration was changed."""
    folder.mkdir()
    for path in up.directory.glob("*.yml"):
        (folder / path.name).write_text(path.read_text())
    declared = yaml.safe_load((up.directory / "system.yaml").read_text())
    change(declared)
    (folder / "system.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    return folder


PUT_BACK = "has all its pods again"
PASS = {
    "gone": ["scaled to no pods", "has no pods", PUT_BACK],
    "restarted": ["told to end", "runs again", PUT_BACK],
    "crashing": [*("told to end", "runs again") * 2, PUT_BACK],
}


@pytest.mark.parametrize("drill", PASS)
def test_a_drill_passes_and_leaves_all_as_it_was(calm: Shop, tmp_path: Path, drill: str) -> None:
    """Every stage of every expected alert happens, and the workload is whole again before the run ends.

    `gone` takes the targets out of service discovery, and `crashing` is rung by the kubelet's own count of failed
    probes, over two restarts of which the second has to wait.
    """
    before = {pod["metadata"]["name"]: restarts(pod) for pod in calm.pods()}

    done = performed(calm.directory, drill, tmp_path)

    assert calm.whole(), "at the end of the run"
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in drill_of(tmp_path)["expected"]:
        assert [name for name, at in expected["stages"].items() if not isinstance(at, float)] == []
        assert expected["receivers"] == ["team"]
    assert done_to(tmp_path, drill) == PASS[drill]
    after = {pod["metadata"]["name"]: restarts(pod) for pod in calm.pods()}
    if drill == "gone":
        assert not before.keys() & after.keys()
    else:
        assert sum(after.values()) - sum(before.values()) == PASS[drill].count("told to end")


def restarts(pod: dict[str, Any]) -> int:
    """Return how often the containers of a pod were restarted."""
    return sum(status["restartCount"] for status in pod["status"]["containerStatuses"])


def test_an_alert_on_a_metric_that_is_not_there_fails_its_drill(calm: Shop, tmp_path: Path) -> None:
    """The pods go as in the drill that passes; nothing rings, the metric is named, and the pods come back."""
    done = performed(calm.directory, "forgotten", tmp_path)
    assert calm.whole(), "at the end of the run"
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no target exposes app_replicas_ready" in drill_of(tmp_path)["reason"]
    assert done_to(tmp_path, "forgotten") == PASS["gone"]


@contextmanager
def begun(up: Shop, reports: Path) -> Iterator[subprocess.Popen[str]]:
    """Begin the drill that scales the workload to no pods, and give it when that is so."""
    output = reports / "pytest.log"

    def scaled() -> bool:
        assert drill.poll() is None, output.read_text()
        return up.deployment()["spec"]["replicas"] == 0

    with output.open("w") as log:
        line = command(up.directory, "gone", reports)
        drill = subprocess.Popen(line, stdout=log, stderr=log, text=True, cwd=ROOT)
        try:
            wait_until(scaled, seconds=120, what="the Deployment to be scaled to no pods", every=0.1)
            assert NOTE in up.deployment()["metadata"]["annotations"]
            yield drill
        finally:
            drill.kill()
            drill.wait(30)


def put_back(up: Shop) -> bool:
    """Tell whether the Deployment wants what its owners want."""
    found = up.deployment()
    return found["spec"]["replicas"] == REPLICAS and NOTE not in (found["metadata"].get("annotations") or {})


def test_a_killed_harness_leaves_no_outage(calm: Shop, tmp_path: Path) -> None:
    """SIGKILL in the middle: a process of its own puts the replicas back within seconds, and ends; nothing is left."""
    folders = Path(tempfile.gettempdir())
    before = set(folders.glob("tocsin-gone-*"))
    with begun(calm, tmp_path) as drill:
        started = family(drill.pid)
        drill.send_signal(signal.SIGKILL)
        drill.wait(10)
        wait_until(lambda: put_back(calm), seconds=PUT_BACK_WITHIN, what="the Deployment to be put back", every=0.1)
    wait_until(lambda: not alive(started), seconds=15, what="all that was started to end")
    assert set(folders.glob("tocsin-gone-*")) - before == set(), "a folder that holds the way into the cluster"


def test_an_interrupted_drill_puts_back(calm: Shop, tmp_path: Path) -> None:
    """Ctrl-C in the middle: when the command has ended, so has the outage."""
    with begun(calm, tmp_path) as drill:
        drill.send_signal(signal.SIGINT)
        drill.wait(60)
        assert put_back(calm)
    assert drill.returncode == pytest.ExitCode.INTERRUPTED


REFUSED = {
    "no such workload": ({"no_pods": "apq"}, ["the cluster has no workload 'apq' in namespace tocsin-drill", "app?"]),
    "no such container": (
        {"end_container": {"workload": "app", "container": "sidecar"}},
        ["has no container 'sidecar'", "there are app"],
    ),
    "no pods to be taken": ({"no_pods": "shared"}, ["Deployment tocsin-drill/shared has no pods to be taken"]),
    "a workload without a scale": ({"no_pods": "agents"}, ["DaemonSet tocsin-drill/agents cannot be scaled"]),
    "a process 1 that is another's": (
        {"end_container": "shared"},
        ["shared has `shareProcessNamespace: true`", "must not be told to end"],
    ),
    "no such job": ({"no_pods": {"workload": "app", "jobs": ["ap"]}}, ["has no scrape job 'ap'", "app?"]),
}


@pytest.mark.parametrize(("stimulus", "said"), REFUSED.values(), ids=REFUSED)
def test_what_the_cluster_does_not_have_is_bad_input(
    up: Shop, tmp_path: Path, stimulus: dict[str, Any], said: list[str]
) -> None:
    """Exit code 4, at a line of system.yaml, and nothing has been done."""
    directory = changed(up, tmp_path / "system", lambda told: told["drills"]["gone"].update(stimulus=stimulus))
    done = performed(directory, "gone", tmp_path / "reports")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    text = " ".join(done.stderr.split())
    assert [each for each in ("system.yaml:", *said) if each not in text] == []
    assert not (tmp_path / "reports").exists()
    assert up.deployment()["spec"]["replicas"] == REPLICAS


def test_what_another_run_has_left_is_in_the_way(calm: Shop, tmp_path: Path) -> None:
    """With its cure; and the drill does not put it back, whose run may still go on."""
    told = json.dumps({"by": "elsewhere/1", "at": "2026-11-26T10:00:00Z", "undo": {"spec": {"replicas": REPLICAS}}})

    def note(value: str | None) -> None:
        body = {"metadata": {"annotations": {NOTE: value}}}
        calm.api.send("PATCH", DEPLOYMENT, body, kind=MERGE_PATCH)

    note(told)
    try:
        done = performed(calm.directory, "gone", tmp_path)
        assert calm.deployment()["metadata"]["annotations"][NOTE] == told
    finally:
        note(None)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    text = " ".join(done.stderr.split())
    assert "Tocsin on elsewhere/1 changed it at 2026-11-26T10:00:00Z and has not put it back" in text
    assert "--put-back" in text


def test_a_process_that_does_not_hear_is_no_drill(up: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again for a while; then the trouble says why it may not have heard."""
    monkeypatch.setattr(cluster_faults, "TOLD_AGAIN_AFTER", 0.5)
    monkeypatch.setattr(cluster_faults, "ENDS_WITHIN", 2.0)
    up.api.send("POST", DEPLOYMENTS, deaf())
    system = load_system(up.directory)
    declared = system.environment("cluster")[1].cluster
    assert declared is not None
    workloads = {"deaf": Workload("Deployment", NAMESPACE, "deaf")}
    seen: list[str] = []
    faults = ClusterFaults(
        system,
        ("cluster", declared),
        workloads,
        stop=threading.Event(),
        look=lambda: None,
        tell=lambda event, _: seen.append(event),
    )
    try:
        with Supervisor("deaf", tmp_path) as supervisor:
            faults.open(supervisor, tmp_path)
            faults.expect_well("deaf")
            with pytest.raises(EngineTrouble, match=r"does not end when it is told to .*deaf-.*SIGTERM"):
                faults.end_container("deaf", "", 1)
            faults.close()
    finally:
        up.api.send("DELETE", f"{DEPLOYMENTS}/deaf", {"propagationPolicy": "Background"})
    assert seen == ["told to end"]


def test_the_plan_shows_what_is_done_and_does_nothing(up: Shop, tmp_path: Path) -> None:
    """`--dry-run` asks the cluster for nothing: the plan stands there even for a workload that does not exist."""
    directory = changed(
        up, tmp_path / "system", lambda told: told["drills"]["crashing"]["stimulus"]["end_container"].update(times=4)
    )
    done = performed(directory, "crashing", tmp_path / "reports", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "crashing [faults], at most 20 minutes: end_container workload=app container=app times=4" in done.stdout
    assert not (tmp_path / "reports").exists()
