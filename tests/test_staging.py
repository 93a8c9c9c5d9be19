"""Staging: a system that runs already is drilled as it is, within what its owners allow, and seen through its APIs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.staged import REFERENCE, Staged, alive, family, free_base, staged, staging_of, system_with
from tocsin.deadline import wait_until
from tocsin.drill.admission import admit, refusals
from tocsin.drill.discovery import headers
from tocsin.drill.planning import plan_drills
from tocsin.engines.ceilings import exceeded
from tocsin.system import BadSystem, Ceilings, Endpoint, load_system

pytestmark = pytest.mark.xdist_group("exclusive")  # one worker, so that one system is up for all of them

SECRET = {"url": "http://127.0.0.1:19090", "credentials": {"file": "secret"}}
LOW = {"users": 40, "requests_per_second": 20, "seconds": 120}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """Start the reference system, with the environments by which the tests drill it."""
    base = free_base()
    environments = {
        "staging": staging_of(base),
        "blind": staging_of(base, sink=None),
        "deaf": staging_of(base, sink=None, alertmanager=None),
        "low": staging_of(base, ceilings=LOW),
        "hasty": staging_of(base, pace=30),
        "closed": staging_of(base, allow_load=False),
    }
    with staged(system_with(tmp_path_factory.mktemp("staging"), environments), base) as running:
        yield running


def results_of(reports: Path) -> dict[str, Any]:
    """Return the only drill of the latest run."""
    results = json.loads((reports / "latest" / "results.json").read_text())
    (drill,) = results["drills"]
    assert isinstance(drill, dict)
    return drill


def test_a_load_drill_passes_and_passes_again(up: Staged, tmp_path: Path) -> None:
    """Every stage is seen through the APIs and the sink, the second time too, when the alert's group is there already.

    What was discovered is in the run's folder, and the system runs as before.
    """
    processes = len(psutil.Process(up.process.pid).children(recursive=True))
    for _ in range(2):
        done = up.drill("high-error-rate", "staging", tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        (expected,) = results_of(tmp_path)["expected"]
        assert [name for name, at in expected["stages"].items() if not isinstance(at, float)] == []
        assert expected["alert_id"] == "HighErrorRate@monitoring/alert_rules.yml::dharmamind-errors"
        assert expected["receivers"] == ["errors"]

    assert "group_interval, of a group that was there" in expected["budget"]
    found = json.loads((tmp_path / "latest" / "discovery.json").read_text())
    assert {target["job"] for target in found["targets"]} >= {"backend", "frontend"}
    assert "HighErrorRate" in {rule["name"] for rule in found["rules"]}
    decisions = load_system(REFERENCE).declaration.compression.rules
    undrillable = {name for name, decision in decisions.items() if decision.not_drillable}
    assert {rule["name"] for rule in found["left_out"]} == undrillable
    assert len(psutil.Process(up.process.pid).children(recursive=True)) == processes


@pytest.mark.parametrize(
    ("environment", "drill", "hidden"),
    [
        ("blind", "seats-warning", ["notified", "resolution_notified"]),
        ("deaf", "high-memory", ["received", "notified", "resolution_notified"]),
    ],
)
def test_what_cannot_be_seen_is_not_observable(
    up: Staged, tmp_path: Path, environment: str, drill: str, hidden: list[str]
) -> None:
    """Without a sink, and without an Alertmanager, what they would show is not guessed, and the rest is judged."""
    done = up.drill(drill, environment, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    stages = results_of(tmp_path)["expected"][0]["stages"]
    assert [name for name, at in stages.items() if at == "not observable"] == hidden
    assert [name for name, at in stages.items() if at is None] == []


def test_load_over_a_ceiling_is_stopped(up: Staged, tmp_path: Path) -> None:
    """Too many requests a second end the load within seconds, and the drill is inconclusive with both figures."""
    done = up.drill("high-error-rate", "low", tmp_path)
    assert done.returncode == 10, done.stdout + done.stderr
    assert "ceilings.requests_per_second is 20" in results_of(tmp_path)["reason"]
    recorded = (tmp_path / "latest/evidence/high-error-rate/load.jsonl").read_text()
    lines = sorted((json.loads(line) for line in recorded.splitlines()), key=lambda line: line["time"])
    low = Ceilings(**LOW)
    over = [line for end, line in enumerate(lines) if exceeded(low, lines[: end + 1], since=0.0, now=0.0)]
    assert over
    assert lines[-1]["time"] - over[0]["time"] < 5


@pytest.mark.xdist_group("exclusive")
def test_no_load_outlives_a_killed_drill(up: Staged, tmp_path: Path) -> None:
    """A SIGKILL while load runs ends the load within seconds, and nothing of the system that it went to.

    The control drill expects no alert, so it does not matter which of them earlier drills left pending.
    """
    system = [p.pid for p in family(up.process.pid)]
    command = [sys.executable, "-m", "tocsin.cli", "drill", str(up.directory), "control"]
    command += ["--environment", "staging", "--reports", str(tmp_path)]
    output = tmp_path / "drill.log"

    def both() -> bool:
        assert drill.poll() is None, output.read_text()
        return len(loads_under(drill.pid)) == 2

    with output.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as drill:
        try:
            wait_until(both, seconds=300, what="background and stimulus to run")
            started = family(drill.pid)
        finally:
            drill.kill()
    wait_until(lambda: not alive(started), seconds=10, what="the load and its supervisor to end")
    assert [p.pid for p in family(up.process.pid)] == system


def loads_under(pid: int) -> list[psutil.Process]:
    """Return the load generators that a process started."""
    return [p for p in alive(family(pid)) if "locust" in p.cmdline()]


@pytest.mark.parametrize(
    ("environment", "arguments", "code", "said"),
    [
        ("staging", ("--dry-run",), 0, "high-error-rate [load], at most 50 seconds"),
        ("closed", ("--dry-run",), 2, "does not allow load"),
        ("closed", (), 2, "does not allow load"),
        ("hasty", (), 2, "declare the pace at which it was started"),
    ],
)
def test_nothing_is_sent_unless_it_may(
    up: Staged, tmp_path: Path, *, environment: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """--dry-run stops after the plan; a refusal names its reason at its line; no evidence is begun in either case."""
    done = up.drill("high-error-rate", environment, tmp_path, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())
    assert list(tmp_path.glob("*/evidence/*")) == []


def test_pytest_takes_a_refusal_for_a_usage_error(up: Staged, tmp_path: Path) -> None:
    """The plan comes first, then the reason with its line, and exit code 4."""
    command = [sys.executable, "-m", "pytest", "-m", "load", "-k", "high-error-rate", "--system", str(up.directory)]
    command += ["--environment", "closed", "--reports", str(tmp_path), "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=REFERENCE.parents[2])
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stdout.index("high-error-rate [load]") < done.stdout.index("refused")
    assert "system.yaml:" in done.stderr
    assert "does not allow load" in done.stderr


REFUSED = {
    "no permission": ({"allow_load": False}, "high-error-rate", "`allow_load: true`"),
    "another host": ({"hosts": ["staging.example.org"]}, "high-error-rate", "127.0.0.1, which `hosts` does not list"),
    "no host": ({"hosts": []}, "high-error-rate", "it lists none"),
    "no ceilings": ({"ceilings": None}, "high-error-rate", "needs `ceilings:"),
    "users": (
        {"ceilings": {**LOW, "users": 14}},
        "high-error-rate",
        "needs 15 users at once, background included; the ceiling is 14",
    ),
    "seconds": ({"ceilings": {**LOW, "seconds": 49}}, "high-error-rate", "may take 50 s by its budgets"),
    "receiver": ({"allow_receivers": ["pager"]}, "high-error-rate", "it would tell receiver errors"),
    "no address": (
        {"addresses": {"backend": "backend:8000", "frontend": "http://127.0.0.1:1"}},
        "high-error-rate",
        "'backend:8000' is no address",
    ),
    "fault": ({}, "backend-down", "`allow_faults` does not list kill"),
    "allowed fault": ({"allow_faults": ["kill"]}, "backend-down", "only possible on a system that Tocsin started"),
    "inhibited, unseen": (
        {"alertmanager": None, "sink": None},
        "seats-warning",
        "expects SeatsNearlyTaken to be inhib",
    ),
    "sink alone": ({"alertmanager": None}, "high-error-rate", "a sink without an `alertmanager`"),
}


@pytest.mark.parametrize(("changed", "drill", "said"), REFUSED.values(), ids=REFUSED)
def test_a_drill_is_refused_with_its_reason(changed: dict[str, Any], drill: str, said: str, tmp_path: Path) -> None:
    """Whatever an environment lacks is told at a line of its own, before anything is done."""
    directory = system_with(tmp_path, {"staging": staging_of(19090, **changed)})
    system = load_system(directory)
    plans = [plan for plan in plan_drills(system, "staging") if plan.name == drill]
    with pytest.raises(BadSystem) as refused:
        admit(system, "staging", plans)
    problem = next(p for p in refused.value.problems if said in p.message)
    begins = (directory / "system.yaml").read_text().splitlines().index("  staging:") + 1
    assert problem.place.line >= begins


@pytest.mark.parametrize("written", ["500", "500.0", "5e2", " 500"])
def test_users_count_as_the_profile_reads_them(written: str, tmp_path: Path) -> None:
    """However a profile's own option writes its users, as many are counted as come: the background's 5 besides."""
    directory = system_with(tmp_path, {"staging": staging_of(19090, ceilings={**LOW, "users": 504})})
    declared = yaml.safe_load((directory / "system.yaml").read_text())
    declared["drills"]["high-error-rate"]["stimulus"]["load"]["options"] = {"LOAD_USERS": written}
    (directory / "system.yaml").write_text(json.dumps(declared))
    system = load_system(directory)
    (plan,) = (plan for plan in plan_drills(system, "staging") if plan.name == "high-error-rate")
    (refused,) = refusals(system, "staging", [plan])
    assert "needs 505 users at once, background included; the ceiling is 504" in refused.message


def test_what_is_allowed_is_not_refused() -> None:
    """The reference's staging admits its load drills and refuses its faults; on a stack of ours nothing is asked."""
    system = load_system(REFERENCE)
    plans = plan_drills(system, "staging")
    assert refusals(system, "staging", [plan for plan in plans if plan.marker == "load"]) == ()
    faults = [plan for plan in plans if plan.marker == "faults"]
    assert len(refusals(system, "staging", faults)) == len(faults) >= 3
    assert refusals(system, "local", plan_drills(system, "local")) == ()


@pytest.mark.parametrize(
    ("text", "header"),
    [("a.b.c\n", "Bearer a.b.c"), ("drill:s3cret", "Basic ZHJpbGw6czNjcmV0"), ("", None), ("two\nlines", None)],
)
def test_credentials_come_from_a_file(text: str, header: str | None, tmp_path: Path) -> None:
    """A token or user:password becomes a header; what is neither is refused at its line, and never repeated."""
    directory = system_with(tmp_path, {"staging": staging_of(19090, prometheus=SECRET)})
    (directory / "secret").write_text(text)
    system = load_system(directory)
    endpoint = Endpoint.model_validate(SECRET)
    if header is not None:
        assert headers(system, endpoint) == {"Authorization": header}
        return
    with pytest.raises(BadSystem, match="must hold one line") as refused:
        headers(system, endpoint)
    assert "lines" not in str(refused.value).replace("one line", "")
    line = (directory / "system.yaml").read_text().splitlines()[refused.value.problems[0].place.line - 1]
    assert line.strip() == "file: secret"


def interval(part: str, time: float, requests: int, *, users: int = 5, seconds: float = 0.5) -> dict[str, Any]:
    """Return what a profile records of an interval."""
    told = {"time": time, "event": "interval", "part": part, "users": users, "requests": requests, "seconds": seconds}
    return dict(told)


A, B = "stimulus", "background"
LOADS: dict[str, tuple[list[dict[str, Any]], float, str]] = {
    "nothing": ([], 1.0, ""),
    "at the ceiling": ([interval(A, 0.5, 50), interval(A, 1.0, 50)], 1.0, ""),
    "over it once": ([interval(A, 0.5, 51), interval(A, 1.0, 50), interval(A, 1.5, 51)], 1.5, ""),
    "over it twice": ([interval(A, 0.5, 51), interval(A, 1.0, 51)], 1.0, "102 requests a second"),
    "together": (
        [interval(A, 0.5, 30), interval(B, 0.6, 30), interval(A, 1.0, 30), interval(B, 1.1, 30)],
        1.1,
        "120 requests a second",
    ),
    "one after the other": (
        [
            *(interval(A, 0.5, 30), interval(A, 1.0, 30), {"time": 1.1, "event": "stopped", "part": A}),
            *(interval(B, 1.6, 30), interval(B, 2.1, 30), interval(B, 2.6, 30)),
        ],
        2.6,
        "",
    ),
    "too short to tell": ([interval(A, 0.5, 5, seconds=0.01), interval(A, 0.6, 5, seconds=0.01)], 0.6, ""),
    "users": ([interval(A, 0.5, 1, users=6), interval(B, 0.6, 1, users=5)], 0.6, "11 users were at work at once"),
    "time": ([interval(A, 0.5, 1)], 60.1, "load went on for 60.1 s; ceilings.seconds is 60"),
}


@pytest.mark.parametrize(("lines", "now", "said"), LOADS.values(), ids=LOADS)
def test_a_ceiling_is_exceeded_by_what_lasts(lines: list[dict[str, Any]], now: float, said: str) -> None:
    """Users and time count at once, requests after two intervals in a row, background and stimulus together."""
    found = exceeded(Ceilings(users=10, requests_per_second=100, seconds=60), lines, since=0.0, now=now)
    assert found.startswith(said)
    assert bool(found) == bool(said)
