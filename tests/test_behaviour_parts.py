"""What the experiments are made of: folders, hooks, ports, forecasts, what is written and read again."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sick_processes.system import system
from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour.episode import (
    Action,
    Asked,
    Attempted,
    Episode,
    Foreseen,
    Marked,
    read_episodes,
    write_episode,
)
from tocsin.probes.behaviour.forecast import Ground, forecast
from tocsin.probes.behaviour.leaving import slept
from tocsin.probes.behaviour.places import folder_of
from tocsin.probes.behaviour.ports import free_port
from tocsin.probes.behaviour.pulse import Pulse, until_moment
from tocsin.probes.behaviour.subject import Subject, subjects
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.marks import MarkKind
from tocsin.probes.specification import ProbeKind
from tocsin.probes.versions import Version

moments = st.floats(0, 1e4).map(lambda value: round(value, 6))
attempts = st.builds(
    Attempted,
    kind=st.sampled_from(ProbeKind),
    instance=st.integers(0, 9),
    due=moments,
    started=moments,
    seconds=moments,
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason),
    message=st.text(max_size=20),
)
episodes = st.builds(
    Episode,
    name=st.sampled_from(["idle", "boot-3", "without-a-b-killed"]),
    subject=st.just("shop/shop"),
    began=moments,
    lasted=moments,
    attempts=st.lists(attempts, max_size=4).map(tuple),
    marks=st.lists(st.builds(Marked, st.sampled_from(MarkKind), st.integers(1, 9), moments, st.text()), max_size=3).map(
        tuple
    ),
    actions=st.lists(st.builds(Action, moments, st.text()), max_size=3).map(tuple),
    asked=st.builds(Asked, st.integers(0, 9), st.integers(0, 9), st.lists(st.tuples(moments, st.text())).map(tuple)),
    cpu_seconds=st.none() | moments,
    exit_code=st.none() | st.integers(-15, 255),
    unasked=st.dictionaries(st.sampled_from(ProbeKind), st.text(), max_size=2),
    foreseen=st.lists(
        st.builds(Foreseen, st.sampled_from(MarkKind), st.integers(1, 9), moments, moments, st.floats(0, 1)), max_size=2
    ).map(tuple),
    lacking=st.text(max_size=20),
)


@given(episode=episodes)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, episode: Episode) -> None:
    """Every part of an episode."""
    folder = tmp_path_factory.mktemp("episodes")
    write_episode(episode, folder)
    assert read_episodes(folder) == {episode.name: episode}


names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)


@given(first=st.tuples(names, names), second=st.tuples(names, names))
def test_no_two_subjects_have_one_folder(first: tuple[str, str], second: tuple[str, str]) -> None:
    """However their names end and begin."""
    folders = [folder_of(Path("made"), "/".join(each)) for each in (first, second)]
    assert (folders[0] == folders[1]) is (first == second)
    assert all(each.parent == Path("made") for each in folders)


@given(name=st.text(max_size=20))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    """Whatever a manifest calls its containers."""
    assert folder_of(Path("/made"), name).resolve().parent == Path("/made")


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        (["sleep", "5"], 5),
        (["/bin/sleep", "1.5"], 1.5),
        (["/usr/bin/sleep", "10s"], 10),
        (["sleep", "2m"], 120),
        (["sh", "-c", "sleep 15"], 15),
        (["/bin/bash", "-c", "exec sleep 15"], 15),
        (["sh", "-c", "sleep 15 && nginx -s quit"], None),
        (["sh", "-c", "sleep", "15"], None),
        (["sleep"], None),
        (["sleep", "forever"], None),
        (["python", "-c", "sleep 5"], None),
        ([], None),
    ],
)
def test_a_hook_that_only_sleeps_is_known(command: list[str], seconds: float | None) -> None:
    """In a shell or not; whatever else it does is not."""
    assert slept(command) == seconds


def test_a_port_is_none_of_the_clients() -> None:
    """Else a client may take it while its server is down, or connect to itself."""
    below = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    port = free_port()
    assert 1024 < port < below
    with socket.create_server(("127.0.0.1", port)):
        assert free_port() != port


def test_a_pulse_wakes_who_waits() -> None:
    """As soon as the condition holds, and at its moment if it never does."""

    async def main() -> tuple[bool, bool]:
        pulse, loop = Pulse(), asyncio.get_running_loop()
        seen: list[int] = []
        waiting = asyncio.create_task(pulse.until(lambda: len(seen) > 1, loop.time() + 30))
        for number in range(2):
            await until_moment(loop.time())
            seen.append(number)
            await asyncio.to_thread(pulse.beat)
        return await waiting, await pulse.until(lambda: False, loop.time() + 0.01)

    assert asyncio.run(main()) == (True, False)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Give one whose liveness fails after two failures, a second apart."""
    (found,) = subjects(system(tmp_path_factory.mktemp("system")), "local")
    return found


def ground(subject: Subject, failing: int, of: int = 40) -> Ground:
    """Return what is known of a load under which so many attempts of liveness failed."""

    def attempt(kind: ProbeKind, number: int, *, fails: bool) -> Attempted:
        outcome, reason = (Outcome.FAILURE, Reason.HEADERS_TIMED_OUT) if fails else (Outcome.SUCCESS, Reason.ANSWERED)
        return Attempted(kind, 0, number / 10, number / 10, 1.0 if fails else 0.01, outcome, reason)

    # Spread evenly, so that the settling part holds as many as the rest.
    liveness = [attempt(ProbeKind.LIVENESS, n, fails=n * failing % of < failing) for n in range(of)]
    readiness = [attempt(ProbeKind.READINESS, n, fails=False) for n in range(of)]
    load = Episode("load", subject.name, 0.0, 4.0, (*liveness, *readiness))
    return Ground(subject, {"load": load}, Version(37), 12.0, 2, 1, lives=30)


def test_nothing_is_foreseen_where_nothing_failed(subject: Subject) -> None:
    """No restart of a container that bears its load."""
    assert forecast(ground(subject, 0)) == ()


def test_a_storm_is_foreseen_where_all_failed(subject: Subject) -> None:
    """In every life, and as soon as its thresholds allow."""
    found = {(each.kind, each.number): each for each in forecast(ground(subject, 40))}
    kill, restart, second = (found[key] for key in ((MarkKind.KILL, 1), (MarkKind.RESTART, 1), (MarkKind.RESTART, 2)))
    assert kill.share == restart.share == second.share == 1
    assert 2 <= kill.earliest <= kill.latest <= 5
    assert kill.earliest <= restart.earliest < second.earliest


def test_more_failures_never_lessen_a_storm(subject: Subject) -> None:
    """Of the lives that are drawn, no fewer are restarted."""
    shares = []
    for failing in (0, 8, 20, 40):
        found = [each for each in forecast(ground(subject, failing)) if each.kind is MarkKind.RESTART]
        shares.append(max((each.share for each in found), default=0.0))
    assert shares == sorted(shares)
    assert shares[-1] > shares[1]


def test_a_forecast_is_the_same_again(subject: Subject) -> None:
    """For one seed; another draws other lives."""
    known = ground(subject, 20)
    assert forecast(known) == forecast(known) != forecast(replace(known, seed=2))
