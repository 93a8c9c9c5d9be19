"""The kubelet on this machine does with a real process what the model foresees of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.sick_processes.system import NAME, PROBES, SMALL, benched, exercised, probe, system
from tocsin.probes.application import Application
from tocsin.probes.attempt import HEALTHY, OK, REFUSED, Behaviour
from tocsin.probes.backoff import Backoff, Pace
from tocsin.probes.behaviour.asking import finished
from tocsin.probes.behaviour.effort import Effort
from tocsin.probes.behaviour.episode import Episode, Marked
from tocsin.probes.behaviour.forecast import HERE
from tocsin.probes.behaviour.kubelet import LocalKubelet
from tocsin.probes.behaviour.subject import subjects
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.figures import noticed, restarted
from tocsin.probes.ground import Ground, from_source
from tocsin.probes.marks import Cause, Mark, MarkKind
from tocsin.probes.prediction import predict
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind
from tocsin.probes.versions import Version

SLACK = 2.5
"""Seconds that a machine with other work may add to what is foreseen; nothing makes it sooner."""
NOWHERE = "http://127.0.0.1:9/"
"""Where nobody listens."""


def lived(
    folder: Path,
    model: Any,
    enough: Callable[[LocalKubelet], bool],
    *,
    seconds: float = 20.0,
    backoff: Backoff | None = None,
    effort: Effort = SMALL,
) -> Episode:
    """Have a container live until there was enough of it, or the seconds are over."""

    async def live() -> Episode:
        async with benched(model, folder, effort) as bench:
            tape = Tape("life", NAME)
            kubelet = LocalKubelet(bench, tape, backoff=backoff or Backoff())
            stopped = asyncio.Event()

            async def watched() -> None:
                await kubelet.until(lambda: enough(kubelet), seconds)
                stopped.set()

            await finished([asyncio.create_task(kubelet.run(stopped)), asyncio.create_task(watched())])
            return tape.episode()

    return asyncio.run(live())


@dataclass(frozen=True, slots=True)
class Life:
    """What a container is, what its process does, and what the model knows of that."""

    arguments: tuple[str, ...]
    application: Application
    enough: Callable[[LocalKubelet], bool]
    probes: Mapping[str, Any] = field(default_factory=lambda: PROBES)
    marks: tuple[Mark, ...] = ()
    """That must be among those that come about."""


REFUSES = Behaviour.always(REFUSED)
LIVES = {
    "well": Life((), Application(), lambda kubelet: kubelet.ready, marks=(Mark(MarkKind.READINESS, 1),)),
    "slow-start": Life(
        ("--boot", "1.5"),
        Application.answering(Behaviour.of((1.5, OK))),
        lambda kubelet: kubelet.ready,
        {**PROBES, "startupProbe": probe("/started", failures=6)},
        (Mark(MarkKind.READINESS, 1),),
    ),
    "too-slow-a-start": Life(
        ("--boot", "30"),
        Application.answering(REFUSES),
        lambda kubelet: kubelet.restarts > 0,
        {**PROBES, "startupProbe": probe("/started", failures=2)},
        (Mark(MarkKind.KILL, 1), Mark(MarkKind.RESTART, 1)),
    ),
    "never-alive": Life(
        ("--live-asks", NOWHERE),
        Application(liveness=REFUSES),
        lambda kubelet: kubelet.restarts > 1,
        marks=(Mark(MarkKind.READINESS, 1), Mark(MarkKind.KILL, 2), Mark(MarkKind.RESTART, 2)),
    ),
    "never-ready": Life(
        ("--ready-asks", NOWHERE),
        Application(HEALTHY, HEALTHY, REFUSES),
        lambda kubelet: len(kubelet.tape.attempts) > 6,
    ),
}


@pytest.mark.xdist_group("exclusive")
@pytest.mark.parametrize("name", LIVES)
def test_a_life_is_one_that_was_foreseen(tmp_path: Path, name: str) -> None:
    """Each mark lies within its interval, none is missing and none too many."""
    case = LIVES[name]
    model = system(tmp_path / "system", *case.arguments, probes=case.probes)
    episode = lived(tmp_path, model, case.enough)

    (subject,) = subjects(model, "local")
    setup = Setup(subject.spec, (case.application,), subject.pod, Version(37))
    foreseen = predict(setup, Ground("this machine", Version(37), HERE), episode.lasted + 2 * SLACK)
    assert foreseen.complete
    seen = {Mark(each.kind, each.number): each.at for each in episode.marks}
    assert set(case.marks) <= set(seen)
    for mark, at in seen.items():
        expected = foreseen.at(mark)
        assert expected is not None, f"{mark} cannot come about"
        assert expected.interval.earliest - 0.2 <= at <= expected.interval.latest + SLACK, f"{expected}, seen at {at}"


def causes(episode: Episode, kind: MarkKind) -> list[str]:
    """Return why marks of a kind came about."""
    return [each.because for each in episode.marks if each.kind is kind]


def test_a_process_that_ends_comes_back_ever_later(tmp_path: Path) -> None:
    """At once first, and then when its backoff is over."""
    pace = Backoff(Pace(1.0, 4.0))
    episode = lived(tmp_path, system(tmp_path / "system", "--dies"), lambda it: it.restarts > 2, backoff=pace)

    assert causes(episode, MarkKind.RESTART) == [str(Cause.ENDED), *[str(Cause.BACKED_OFF)] * 2]
    starts = [each.at for each in episode.actions if each.what == "started shop"]
    ends = [each.at for each in episode.actions if each.what == "exited with code 1"]
    waits = [after - before for before, after in zip(ends, starts[1:], strict=False)]
    assert waits[1] >= 1
    assert waits[2] >= 2


@pytest.mark.parametrize(
    ("policy", "arguments"), [("Never", ("--live-asks", NOWHERE)), ("OnFailure", ("--dies",)), ("Never", ("--dies",))]
)
def test_a_policy_may_be_against_another_start(tmp_path: Path, policy: str, arguments: tuple[str, ...]) -> None:
    """Then it is over; a failure of OnFailure is none of these."""
    model = system(tmp_path / "system", *arguments, pod={"restartPolicy": policy})
    episode = lived(tmp_path, model, lambda it: it.over or it.restarts > 0)

    over = [each.kind for each in episode.marks if each.kind is MarkKind.OVER]
    assert bool(over) is (policy == "Never")
    assert bool(causes(episode, MarkKind.RESTART)) is (policy != "Never")


def test_it_stops_within_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    """In the middle of the grace of a container that ignores SIGTERM."""
    model = system(tmp_path / "system", "--on-term", "ignore", "--live-asks", NOWHERE, grace=60)
    before = set(psutil.Process().children(recursive=True))
    episode = lived(tmp_path, model, lambda it: it.kills > 0)

    assert episode.lasted < 60
    assert set(psutil.Process().children(recursive=True)) <= before


def test_the_same_seed_has_the_same_phases(tmp_path: Path) -> None:
    """They are written down, and another seed has others."""
    model = system(tmp_path / "system")

    def phases(seed: int) -> list[str]:
        found = lived(tmp_path, model, lambda _: True, effort=replace(SMALL, seed=seed))
        return [each.what for each in found.actions if each.what.startswith("phase")]

    assert phases(1) == phases(1) != phases(2)


def moment(episode: Episode, kind: MarkKind, number: int) -> float | None:
    """Return when a mark came about, after the process was made to stand still."""
    hung = episode.action("SIGSTOP shop")
    assert hung is not None
    found: list[Marked] = [each for each in episode.marks if (each.kind, each.number) == (kind, number)]
    return found[0].at - hung if found else None


@pytest.mark.xdist_group("exclusive")
@pytest.mark.parametrize("handles", [True, False], ids=["handles-sigterm", "default"])
def test_a_hang_is_noticed(tmp_path: Path, *, handles: bool) -> None:
    """Readiness falls, liveness ends it, and it comes back: each when it must."""
    arguments = ("--on-term", "drain") if handles else ()
    model = system(tmp_path / "system", *arguments)
    episode = exercised(model, tmp_path / "made", ["hang"])["hang"]

    assert not episode.lacking
    (subject,) = subjects(model, "local")
    ground = from_source(Version(37))
    setup = Setup(subject.spec, pod=subject.pod, version=Version(37))
    readiness, liveness = subject.spec.probe(ProbeKind.READINESS), subject.spec.probe(ProbeKind.LIVENESS)
    assert readiness is not None
    assert liveness is not None
    for mark, figure in (
        (Mark(MarkKind.READINESS, 2), noticed(readiness, ground)),
        (Mark(MarkKind.KILL, 1), noticed(liveness, ground)),
        (Mark(MarkKind.RESTART, 1), restarted(setup, ground, stops=not handles)),
    ):
        at = moment(episode, mark.kind, mark.number)
        assert at is not None, f"{mark} did not come about"
        assert figure.least - 0.2 <= at <= figure.most + SLACK
    assert (episode.action("SIGKILL") is not None) is handles


def test_a_hang_that_nobody_notices(tmp_path: Path) -> None:
    """The kernel takes connections for a process that stands still; in the end it goes on."""
    tcp = {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}
    model = system(tmp_path / "system", probes={"livenessProbe": tcp, "readinessProbe": tcp}, grace=0)
    episode = exercised(model, tmp_path / "made", ["hang"], replace(SMALL, beyond=1.0))["hang"]

    assert [(each.kind, each.number) for each in episode.marks] == [(MarkKind.READINESS, 1)]
    assert episode.action("SIGCONT shop") is not None
    assert len(episode.of(ProbeKind.LIVENESS)) > 3


STORMY = {"load": {"profile": "pages", "users": 8, "seconds": "3s"}}


@pytest.mark.xdist_group("exclusive")
def test_a_storm_comes_as_it_was_foreseen(tmp_path: Path) -> None:
    """A server that does one thing at a time is restarted under load, again and again."""
    model = system(tmp_path / "system", "--one-thread", "--work", "0.4", said=STORMY)
    found = exercised(model, tmp_path / "made", ["boot", "load", "storm"])
    storm = found["storm"]

    assert not storm.lacking
    begins = storm.action("load begins")
    assert begins is not None
    restarts = {each.number: each.at - begins for each in storm.marks if each.kind is MarkKind.RESTART}
    foreseen = {each.number: each for each in storm.foreseen if each.kind is MarkKind.RESTART}
    assert set(restarts) == set(foreseen) == {1, 2}
    for number, at in restarts.items():
        assert foreseen[number].earliest - 0.2 <= at <= foreseen[number].latest + SLACK
    assert causes(storm, MarkKind.KILL)[0] == str(Cause.LIVENESS)
    assert (tmp_path / "made" / "shop.shop" / "storm.forecast").is_file()


def test_no_storm_where_liveness_bears_the_load(tmp_path: Path) -> None:
    """Nothing is done then, and it says so; but who asks for it by name gets it."""
    model = system(tmp_path / "system", said={"load": {**STORMY["load"], "users": 2, "seconds": "1s"}})
    whole = exercised(model, tmp_path / "made", ["load", "storm"], replace(SMALL, storm=1.0))

    assert whole["storm"].action("load begins") is not None
    assert not [each for each in whole["storm"].marks if each.kind is MarkKind.RESTART]
