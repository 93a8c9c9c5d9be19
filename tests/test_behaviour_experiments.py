"""Each experiment is made on a process that is well and on one that has its disease, and writes down what it saw."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.sick_processes.system import PROBES, SMALL, exercised, probe, process, system
from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour.episode import Episode
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.specification import ProbeKind

LIVENESS, READINESS = ProbeKind.LIVENESS, ProbeKind.READINESS


def made(episode: Episode, kind: ProbeKind) -> set[Outcome]:
    """Return in which ways attempts of a kind ended; there must have been some."""
    assert not episode.lacking
    found = {each.outcome for each in episode.of(kind)}
    assert found, f"{kind} was never asked"
    return found


@pytest.mark.parametrize(("arguments", "least"), [((), 0.0), (("--boot", "1.2"), 1.2)], ids=["quick", "slow"])
def test_a_start_is_timed(tmp_path: Path, arguments: tuple[str, ...], least: float) -> None:
    """From the moment of exec to each probe's first success, as often as is declared."""
    found = exercised(system(tmp_path / "system", *arguments, said={"boots": 2}), tmp_path / "made", ["boot"])

    assert set(found) == {"boot-1", "boot-2"}
    for episode in found.values():
        for kind in (LIVENESS, READINESS):
            first = next(each for each in episode.of(kind) if each.outcome.healthy)
            assert first.started + first.seconds > least
            assert all(each.started >= 0 for each in episode.of(kind))
        assert (Reason.REFUSED in {each.reason for each in episode.attempts}) or not least


def test_a_start_that_fails_is_told(tmp_path: Path) -> None:
    """It does not wait for what cannot come, and says how the process ended."""
    episode = exercised(system(tmp_path / "system", "--dies"), tmp_path / "made", ["boot"])["boot-1"]

    assert made(episode, READINESS) == {Outcome.FAILURE}
    assert (episode.exit_code, episode.action("exited with code 1")) == (1, episode.exited)
    assert episode.lasted < SMALL.boot


def test_a_start_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """After twice the budget of the startup probe."""
    probes = {**PROBES, "startupProbe": probe("/started", failures=1)}
    episode = exercised(system(tmp_path / "system", "--boot", "60", probes=probes), tmp_path / "made", ["boot"])

    assert made(episode["boot-1"], ProbeKind.STARTUP) == {Outcome.FAILURE}
    assert 2 <= episode["boot-1"].lasted < 60


def test_attempts_cost_what_they_cost(tmp_path: Path) -> None:
    """The process is left alone first, and then asked as often as the effort says; both are accounted for."""
    found = exercised(system(tmp_path / "system"), tmp_path / "made", ["idle"])

    assert not found["cost"].attempts
    assert {kind: len(found["idle"].of(kind)) for kind in (LIVENESS, READINESS)} == {LIVENESS: 20, READINESS: 20}
    assert made(found["idle"], LIVENESS) == {Outcome.SUCCESS}
    assert found["idle"].cpu_seconds is not None
    assert found["cost"].cpu_seconds is not None
    assert found["cost"].cpu_seconds < 0.5


def test_no_attempts_of_a_probe_overlap(tmp_path: Path) -> None:
    """One that takes longer than the spacing is followed by the next, not joined by it."""
    probes = {"readinessProbe": probe("/work")}
    model = system(tmp_path / "system", "--work", "0.12", probes=probes)
    attempts = exercised(model, tmp_path / "made", ["idle"])["idle"].of(READINESS)

    assert len(attempts) == 20
    assert all(after.started >= before.started + before.seconds - 1e-3 for before, after in pairwise(attempts))


LOADED = {"load": {"profile": "pages", "users": 6, "seconds": "2s"}}


@pytest.mark.parametrize("sick", [False, True], ids=["well", "one-thread"])
def test_load_is_on_while_probes_are_asked(tmp_path: Path, *, sick: bool) -> None:
    """A server that does one thing at a time has no time for its probes."""
    arguments = ("--one-thread", "--work", "0.4") if sick else ()
    episode = exercised(system(tmp_path / "system", *arguments, said=LOADED), tmp_path / "made", ["load"])["load"]

    assert (made(episode, LIVENESS) == {Outcome.SUCCESS}) is not sick
    begins, ends = episode.action("load begins"), episode.action("load ends")
    assert begins is not None
    assert ends is not None
    assert begins <= min(each.started for each in episode.attempts) < ends
    assert episode.asked.sent > 0


def test_a_dependency_is_gone(tmp_path: Path) -> None:
    """What depends on it fails, and what does not goes on; afterwards all is well again.

    Here liveness asks a database, as it should not, and readiness a cache, and waits for it.
    """
    arguments = ("--live-asks", "{database.url}/live", "--ready-asks", "{cache.url}/live")
    model = system(tmp_path / "system", *arguments, others={"database": process(), "cache": process()})
    found = exercised(model, tmp_path / "made", ["without"])

    assert len(found) == 4
    for name, kind in (("database", LIVENESS), ("cache", READINESS)):
        other = READINESS if kind is LIVENESS else LIVENESS
        for how in ("killed", "frozen"):
            episode = found[f"without-{name}-{how}"]
            assert (made(episode, kind), made(episode, other)) == ({Outcome.FAILURE}, {Outcome.SUCCESS})
            assert episode.action("well again") is not None
            hung = {each.kind for each in episode.attempts if each.reason is Reason.HEADERS_TIMED_OUT}
            assert hung == ({kind} if how == "frozen" else set())


def test_a_dependency_that_is_declared_is_started_and_lost(tmp_path: Path) -> None:
    """An optional process that no placeholder names is one of them; a process that is well does not care."""
    said: dict[str, Any] = {"dependencies": {"cache": {}}}
    others = {"cache": process(optional=True)}
    found = exercised(system(tmp_path / "system", others=others, said=said), tmp_path / "made", ["without"])

    assert set(found) == {"without-cache-killed", "without-cache-frozen"}
    for episode in found.values():
        assert made(episode, LIVENESS) == made(episode, READINESS) == {Outcome.SUCCESS}


SLEEPS = {"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}
DRAINS: dict[str, dict[str, Any]] = {
    "leaves-at-once": {"code": -15, "lost": True},
    "waits-in-its-hook": {"container": SLEEPS, "code": -15, "lost": False, "said": {"endpoints_lag": "1s"}},
    "sleeps-by-command": {
        "container": {"lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "sleep 2"]}}}},
        "code": -15,
        "lost": False,
        "said": {"endpoints_lag": "1s"},
    },
    "drains": {"arguments": ("--on-term", "drain", "--drain", "1.5"), "code": 0, "lost": False},
    "ignores": {"arguments": ("--on-term", "ignore"), "code": -9, "lost": False},
}


@pytest.mark.parametrize("name", DRAINS)
def test_a_container_is_told_to_end(tmp_path: Path, name: str) -> None:
    """As a pod is, while its clients go on: who leaves at once loses what they ask."""
    case = DRAINS[name]
    model = system(
        tmp_path / "system",
        *case.get("arguments", ()),
        container=case.get("container"),
        said={"requests": "/orders", "endpoints_lag": "1s", **case.get("said", {})},
        grace=4 if "container" in case else 2,
    )
    episode = exercised(model, tmp_path / "made", ["drain"])["drain"]

    told, term = episode.action("told to end"), episode.action("SIGTERM")
    assert told is not None
    assert term is not None
    assert episode.exited is not None
    assert episode.exit_code == case["code"]
    assert bool(episode.asked.lost) is case["lost"]
    assert episode.asked.sent == episode.asked.answered + len(episode.asked.lost)
    assert (term - told >= 2) is ("container" in case)
    assert (episode.action("SIGKILL") is not None) is (name == "ignores")
    if name == "drains":
        leaving = [
            each for each in episode.of(READINESS) if each.started > term + 0.1 and each.started < episode.exited
        ]
        assert Outcome.FAILURE in {each.outcome for each in leaving}


def test_requests_of_work_that_fails_are_lost(tmp_path: Path) -> None:
    """A path that clients ask for must be answered; the readiness probe's own may say that it is not ready."""
    arguments = ("--on-term", "drain", "--drain", "1.2")
    for requests, lost in (("/ready", True), (None, False)):
        said: dict[str, str] = {"endpoints_lag": "1s", **({"requests": requests} if requests else {})}
        folder = tmp_path / str(requests).strip("/")
        episode = exercised(system(folder / "system", *arguments, said=said), folder / "made", ["drain"])["drain"]
        assert bool(episode.asked.lost) is lost
