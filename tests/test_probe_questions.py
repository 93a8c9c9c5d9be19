"""Each question about probes, on episodes that have the disease and on such that have not."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sick_processes.system import PROBES, probe, process, system
from tocsin.finding import Severity
from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour.cases import Answered, Bar, answered, case_of, waiver_verdict
from tocsin.probes.behaviour.episode import Action, Asked, Attempted, Episode, Foreseen, InstanceSeen, Marked, PodSeen
from tocsin.probes.behaviour.pictures import draw
from tocsin.probes.behaviour.questions import Seen, questions
from tocsin.probes.behaviour.questions.measures import until_in_a_row
from tocsin.probes.behaviour.subject import subjects
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.marks import MarkKind
from tocsin.probes.specification import ProbeKind, probe_spec
from tocsin.probes.versions import Version
from tocsin.system import Waiver
from tocsin.verdict import Outcome as Verdict
from tocsin.waivers import waived

LIVENESS, READINESS, STARTUP = ProbeKind.LIVENESS, ProbeKind.READINESS, ProbeKind.STARTUP
OK, FAILED, ERROR = Outcome.SUCCESS, Outcome.FAILURE, Outcome.ERROR


def attempts(kind: ProbeKind, *outcomes: Outcome, seconds: float = 0.01, every: float = 1.0) -> tuple[Attempted, ...]:
    """Return attempts one after the other."""
    return tuple(
        Attempted(kind, 0, n * every, n * every, seconds, each, Reason.ANSWERED, "" if each is OK else "HTTP 503")
        for n, each in enumerate(outcomes)
    )


def episode(name: str, *made: tuple[Attempted, ...], **more: Any) -> Episode:
    """Return an episode that lasted ten seconds."""
    return Episode(name, "shop/shop", 0.0, 10.0, attempts=tuple(each for one in made for each in one), **more)


WELL = (attempts(LIVENESS, *[OK] * 20), attempts(READINESS, *[OK] * 20))
SLOW = (attempts(LIVENESS, *[OK] * 20, seconds=0.7), WELL[1])
LATE = (attempts(LIVENESS, *[FAILED] * 20, seconds=1.0), WELL[1])
HALF = (attempts(LIVENESS, *[OK, FAILED] * 10), WELL[1])
ERRORS = (attempts(LIVENESS, *[ERROR] * 20), WELL[1])
OUT = "without-database-killed"
DRAIN = (Action(1.0, "told to end"), Action(1.0, "SIGTERM"))
HANG = (Action(5.0, "SIGSTOP shop"),)
STORM = (Action(2.0, "load begins"),)
FORESEEN = (Foreseen(MarkKind.RESTART, 1, 3.0, 9.0, 1.0),)


def drain(**more: Any) -> Episode:
    """Return how a pod ends: all is answered, and it is not ready for a second before it goes."""
    known: dict[str, Any] = {"actions": DRAIN, "exited": 2.5, "exit_code": 0, "asked": Asked(60, 60)}
    made = attempts(READINESS, *[OK] * 10, *[FAILED] * 14, every=0.1)
    return episode("drain", made, **(known | more))


def hang(*marks: Marked) -> Episode:
    """Return a hang from the fifth second on."""
    return episode("hang", actions=HANG, marks=marks)


def boots(*seconds: float | None) -> dict[str, Episode]:
    """Return starts that took so long; None: it never succeeded."""
    return {
        f"boot-{n}": episode(
            f"boot-{n}",
            attempts(LIVENESS, FAILED)
            + (() if taken is None else (Attempted(LIVENESS, 0, taken, taken, 0.0, OK, Reason.ANSWERED),)),
        )
        for n, taken in enumerate(seconds, 1)
    }


CALM = PodSeen(
    "shop-1",
    before=True,
    ready=((0.1, True),),
    instances=(InstanceSeen(0, -60.0),),
    successes={LIVENESS: 10, READINESS: 10},
)
ENDED = InstanceSeen(0, -60.0, 1.0, 137, "OOMKilled")
AGAIN = InstanceSeen(1, 2.0)


def watch(*pods: PodSeen, **more: Any) -> Episode:
    """Return what was seen of a workload in a cluster while nothing was done to it."""
    return episode("watch", **{"pods": pods or (CALM,), "differences": (), "kubernetes": "v1.31.2", **more})


def killed(*, ready: float | None, started: float = 2.0, made: Any = WELL) -> Episode:
    """Return a container that ended in the second second, and what came then."""
    changes = ((0.1, True), (1.5, False)) + (() if ready is None else ((ready, True),))
    pod = replace(CALM, ready=changes, instances=(ENDED, InstanceSeen(1, started)))
    return replace(episode("kill", *of_pod(made), pods=(pod,)), lasted=30.0)


def gone(*outcomes: Outcome, left: float | None) -> Episode:
    """Return what readiness answered while the database had no pods, and when the pod left its Service."""
    pod = replace(CALM, ready=((0.1, True),) + (() if left is None else ((left, False),)))
    made = of_pod((attempts(READINESS, *outcomes),))
    return replace(episode("without-database-gone", *made, pods=(pod,)), lasted=30.0)


def of_pod(made: tuple[tuple[Attempted, ...], ...]) -> tuple[tuple[Attempted, ...], ...]:
    """Return attempts as made on the pod."""
    return tuple(tuple(replace(each, pod=CALM.name) for each in one) for one in made)


@dataclass(frozen=True)
class Case:
    """Episodes, and what a question says of them."""

    question: str
    episodes: Mapping[str, Episode]
    found: tuple[str, ...] = ()
    """`SEVERITY PROBE`, of each remark."""
    said: str = ""
    not_asked: str = ""
    unproven: str = ""
    probes: Mapping[str, Any] = field(default_factory=lambda: PROBES)
    declared: Mapping[str, Any] = field(default_factory=dict)


def named(*episodes: Episode) -> dict[str, Episode]:
    """Return episodes by name."""
    return {each.name: each for each in episodes}


READY = {"readinessProbe": probe("/ready")}
ALIVE = {"livenessProbe": probe("/live")}
NOT_READY = Marked(MarkKind.READINESS, 2, 7.5)
RESTARTED = Marked(MarkKind.RESTART, 1, 10.5)
CASES = {
    "healthy": Case("passes-when-healthy", named(episode("idle", *WELL))),
    "half fail": Case("passes-when-healthy", named(episode("idle", *HALF)), ("error liveness",), "10 of 20"),
    "errors": Case("passes-when-healthy", named(episode("idle", *ERRORS)), ("error liveness",), "the kubelet discards"),
    "one cannot be asked": Case(
        "passes-when-healthy", named(episode("idle", WELL[1], unasked={LIVENESS: "runs a command"})),
        unproven="runs a command",
    ),
    "no idle": Case("passes-when-healthy", {}, unproven="the experiment `idle` was not made"),
    "lacking": Case("within-timeout", named(episode("idle", lacking="it did not start")), unproven="it did not start"),
    "quick": Case("within-timeout", named(episode("idle", *WELL))),
    "slow": Case("within-timeout", named(episode("idle", *SLOW)), ("warning liveness",), "up to 0.700 s"),
    "late": Case("within-timeout", named(episode("idle", *LATE)), ("error liveness",), "of a timeout of 1 s"),
    "quick under load": Case("within-timeout-under-load", named(episode("load", *WELL))),
    "slow under load": Case("within-timeout-under-load", named(episode("load", *SLOW)), ("warning liveness",)),
    "fails under load": Case(
        "within-timeout-under-load", named(episode("load", *HALF)), ("error liveness",),
        "the container is restarted every 6 s in the mean",
    ),
    "fails seldom under load": Case(
        "within-timeout-under-load",
        named(episode("load", attempts(LIVENESS, FAILED, *[OK] * 99), WELL[1])), ("warning liveness",),
    ),
    "calm pods under load": Case("within-timeout-under-load", named(episode("load", *WELL, pods=(CALM,)))),
    "restarted under load": Case(
        "within-timeout-under-load",
        named(episode("load", *WELL, pods=(replace(CALM, instances=(ENDED, AGAIN)),))), ("error liveness",),
        "shop-1 was restarted 1 times",
    ),
    "unready under load": Case(
        "within-timeout-under-load",
        named(episode("load", *WELL, pods=(replace(CALM, ready=((0.1, True), (3.0, False))),))), ("error readiness",),
        "left its Service under load",
    ),
    "scaled in under load": Case(
        "within-timeout-under-load",
        named(episode("load", *WELL, pods=(replace(CALM, ready=((0.1, True), (3.0, False)), told_to_end=2.5),))),
    ),
    "alone": Case("liveness-independent", {}, not_asked="it depends on no process"),
    "independent": Case("liveness-independent", named(episode(OUT, *WELL))),
    "dependent": Case("liveness-independent", named(episode(OUT, *HALF)), ("error liveness",), "database is killed"),
    "slowed by it": Case("liveness-independent", named(episode(OUT, *SLOW)), ("warning liveness",)),
    "dies with it": Case("liveness-independent", named(episode(OUT, *WELL, exited=3.0)), ("error container",)),
    "undeclared": Case("readiness-as-declared", named(episode(OUT, *WELL)), ("info readiness",), "readiness stays"),
    "stays as declared": Case(
        "readiness-as-declared", named(episode(OUT, *WELL)), declared={"dependencies": {"database": {}}},
    ),
    "stays and should not": Case(
        "readiness-as-declared", named(episode(OUT, *WELL)), ("error readiness",), "declared so that it fails",
        declared={"dependencies": {"database": {"readiness": "fails"}}},
    ),
    "fails and should not": Case(
        "readiness-as-declared", named(episode(OUT, attempts(READINESS, OK, *[FAILED] * 5))), ("error readiness",),
        declared={"dependencies": {"database": {}}},
    ),
    "flaps": Case(
        "readiness-as-declared", named(episode(OUT, attempts(READINESS, OK, FAILED, OK))), ("error readiness",),
        "flaps",
    ),
    "no readiness": Case("readiness-as-declared", {}, not_asked="it has no readiness probe", probes=ALIVE),
    "starts in time": Case(
        "startup-budget", boots(0.5, 0.6), probes={**READY, "livenessProbe": probe("/live", failures=4)}
    ),
    "starts just in time": Case(
        "startup-budget", boots(0.5, 2.5), ("warning liveness",), "starts took 0.50 to 2.50 s",
        probes={**READY, "livenessProbe": probe("/live", failures=4)},
    ),
    "starts too late": Case(
        "startup-budget", boots(0.5, 4.5), ("error liveness",), "and have 3 s",
        probes={**READY, "livenessProbe": probe("/live", failures=4)},
    ),
    "never starts": Case("startup-budget", boots(None), ("error liveness",), "1 of 1 starts were not seen to succeed"),
    "may start for ever": Case("startup-budget", {}, not_asked="no probe ends it", probes=READY),
    "ends": Case("ends-within-grace", named(drain())),
    "is killed": Case(
        "ends-within-grace", named(drain(actions=(*DRAIN, Action(3.0, "SIGKILL")), exit_code=-9)), ("error container",),
    ),
    "ends badly": Case("ends-within-grace", named(drain(exit_code=1)), ("warning container",), "ends with 1"),
    "ready to the end": Case(
        "ends-within-grace", named(replace(drain(), attempts=attempts(READINESS, *[OK] * 24, every=0.1))),
        ("warning readiness",),
    ),
    "ends at once": Case("ends-within-grace", named(drain(exited=1.05))),
    "answers all": Case("no-request-lost", named(drain())),
    "loses some": Case(
        "no-request-lost", named(drain(asked=Asked(60, 58, ((1.5, "refused"), (1.6, "refused"))))),
        ("error container",),
        "2 of 60 requests are lost; the first was sent 0.50 s after the word to end: refused",
    ),
    "nobody asks": Case("no-request-lost", named(drain(asked=Asked())), unproven="no request was sent"),
    "noticed": Case("hang-noticed", named(hang(NOT_READY, RESTARTED))),
    "not noticed": Case("hang-noticed", named(hang()), ("error readiness", "error liveness"), "never restarted"),
    "noticed late": Case(
        "hang-noticed", named(hang(replace(NOT_READY, at=30.0), RESTARTED)), ("error readiness",),
        "25.0 s after it hung",
    ),
    "nobody to notice": Case("hang-noticed", named(hang(NOT_READY)), ("info container",), probes=READY),
    "nobody to take it out": Case("hang-noticed", named(hang(RESTARTED)), ("warning container",), probes=ALIVE),
    "no storm": Case(
        "no-restart-storm", named(episode("storm", actions=(Action(0.0, "not needed: no attempt failed"),))),
        not_asked="no attempt failed",
    ),
    "storm": Case(
        "no-restart-storm",
        named(episode("storm", actions=STORM, marks=(Marked(MarkKind.RESTART, 1, 8.0),), foreseen=FORESEEN)),
        ("error liveness",), "restart 1 within 3 to 9 s, seen at 6 s (inside)",
    ),
    "storm that did not come": Case(
        "no-restart-storm", named(episode("storm", actions=STORM, foreseen=FORESEEN)), ("warning liveness",),
        "not seen",
    ),
    "cheap": Case("probe-cost", named(episode("idle", *WELL, cpu_seconds=0.03), episode("cost", cpu_seconds=0.01))),
    "dear": Case(
        "probe-cost", named(episode("idle", *WELL, cpu_seconds=4.0), episode("cost", cpu_seconds=0.0)),
        ("warning container",), "an attempt costs 99.5 ms of CPU and there are 120 a minute: 19.9% of one core",
    ),
    "elsewhere": Case("runs-as-declared", {}, not_asked="does not run in a cluster"),
    "runs as declared": Case("runs-as-declared", named(watch())),
    "changed by hand": Case(
        "runs-as-declared", named(watch(differences=("liveness: periodSeconds is 60 in the cluster, and 1",))),
        ("error liveness",), "periodSeconds is 60",
    ),
    "changed grace": Case(
        "runs-as-declared", named(watch(differences=("terminationGracePeriodSeconds is 5",))), ("error container",),
    ),
    "the cluster cannot be read": Case(
        "runs-as-declared", named(watch(lacking="403")), unproven="403",
    ),
    "calm": Case("stays-well", named(watch(CALM))),
    "calm, not counted": Case("stays-well", named(watch(replace(CALM, successes={}, failures={})))),
    "a rollout of others": Case(
        "stays-well", named(watch(replace(CALM, ready=((0.1, True), (3.0, False)), told_to_end=2.0))),
    ),
    "flips": Case(
        "stays-well", named(watch(replace(CALM, ready=((0.1, True), (3.0, False), (4.0, True))))),
        ("error readiness",), "ready, not ready, ready",
    ),
    "restarts": Case(
        "stays-well", named(watch(replace(CALM, instances=(ENDED, AGAIN)))), ("error container",), "OOMKilled",
    ),
    "some fail": Case(
        "stays-well", named(watch(replace(CALM, failures={READINESS: 2}))), ("warning readiness",), "2 of 12 attempts",
    ),
    "errors are counted nowhere": Case(
        "stays-well", named(watch(replace(CALM, successes={LIVENESS: 10, READINESS: 1}))), ("error readiness",),
        "of at least 9 attempts on shop-1 in 10 s, 1 were counted",
    ),
    "nothing was allowed": Case(
        "follows-as-foreseen", named(watch(), episode("kill", lacking="add `kill` to `allow`", declined=True)),
        not_asked="add `kill`",
    ),
    "comes back in time": Case("follows-as-foreseen", named(watch(), killed(ready=4.4))),
    "comes back too late": Case(
        "follows-as-foreseen", named(watch(), killed(ready=19.5)), ("error readiness",), "foreseen was 0.0 s to",
    ),
    "ready before it answers": Case(
        "follows-as-foreseen",
        named(watch(), killed(ready=3.2, made=(attempts(READINESS, *[FAILED] * 12, *[OK] * 12), WELL[0]))),
        ("error readiness",), "was ready 0.2 to 1.2 s",
    ),
    "never comes back": Case(
        "follows-as-foreseen", named(watch(), killed(ready=None)), ("error readiness",), "not ready",
    ),
    "nobody asked": Case("follows-as-foreseen", named(watch(), killed(ready=19.5, made=()))),
    "started again late": Case(
        "follows-as-foreseen", named(watch(), killed(ready=13.4, started=12.0)), ("error container",), "started again",
    ),
    "leaves in time": Case("follows-as-foreseen", named(watch(), gone(OK, OK, *[FAILED] * 8, left=4.5))),
    "leaves too soon": Case(
        "follows-as-foreseen", named(watch(), gone(OK, OK, *[FAILED] * 8, left=1.5)), ("error readiness",),
        "from 1.5 s on",
    ),
    "does not leave": Case(
        "follows-as-foreseen", named(watch(), gone(OK, OK, *[FAILED] * 8, left=None)), ("error readiness",),
        "stayed ready",
    ),
    "leaves for nothing": Case(
        "follows-as-foreseen", named(watch(), gone(*[OK] * 10, left=4.5)), ("error readiness",), "all attempts",
    ),
    "not counted": Case("probe-cost", named(episode("idle", *WELL), episode("cost")), unproven="was not counted"),
}  # fmt: skip


def seen(folder: Path, episodes: Mapping[str, Episode], **more: Any) -> Seen:
    """Return what was seen of the container of a small system."""
    (subject,) = subjects(system(folder / "system", **more), "local")
    return Seen(subject, episodes, Version(31))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_question_is_answered(tmp_path: Path, case: Case) -> None:
    others = {"database": process()}
    found = seen(tmp_path, case.episodes, probes=case.probes, said=case.declared, others=others)
    answer = answered(found, case.question)

    remarks = [f"{answer.severity(each)} {answer.key(each).rpartition('/')[2]}" for each in answer.remarks]
    assert tuple(remarks) == case.found, answer
    assert not case.said or any(case.said in each.message for each in answer.remarks), answer
    assert bool(answer.not_asked) == bool(case.not_asked)
    assert case.not_asked in answer.not_asked
    assert bool(answer.unproven) == bool(case.unproven)
    assert case.unproven in answer.unproven


def test_every_question_has_a_sick_case_and_a_healthy_one() -> None:
    """One that cannot fail is none."""
    assert {case.question for case in CASES.values() if case.found} == {*questions()}
    healthy = {c.question for c in CASES.values() if not (c.found or c.unproven)}
    assert healthy == {*questions()}


BAR = Bar(Severity.ERROR, (), date(2026, 1, 1), waived)
KEY = "probes@shop/shop#passes-when-healthy/liveness"


def waiver(until: date, finding: str = KEY) -> Waiver:
    """Return a waiver."""
    return Waiver(finding=finding, owner="me", reason="known", until=until)


def test_a_failing_case_says_where_why_and_how_to_mend(tmp_path: Path) -> None:
    found = seen(tmp_path, named(episode("idle", *HALF)))
    answer = answered(found, "passes-when-healthy")
    case = case_of(answer, BAR, found)
    assert (case.id, case.suite, case.verdict.outcome) == ("passes-when-healthy@shop/shop", "probes", Verdict.FAILED)
    assert f"the liveness probe ({found.place(LIVENESS)}): 10 of 20" in case.verdict.reason
    assert "\n  why  " in case.verdict.reason
    assert "\n  fix  " in case.verdict.reason

    covered = case_of(answer, replace(BAR, waivers=(waiver(date(2026, 2, 1)),)), found)
    over = case_of(answer, replace(BAR, waivers=(waiver(date(2025, 2, 1)),)), found)
    assert (covered.verdict.outcome, over.verdict.outcome) == (Verdict.WAIVED, Verdict.FAILED)


@pytest.mark.parametrize(
    ("made", "finding", "outcome"),
    [
        (HALF, KEY, Verdict.PASSED),
        (WELL, KEY, Verdict.FAILED),
        (None, KEY, Verdict.INCONCLUSIVE),
        (HALF, "probes@shop/other#passes-when-healthy/liveness", Verdict.FAILED),
    ],
)
def test_a_waiver_must_be_needed(tmp_path: Path, made: Any, finding: str, outcome: Verdict) -> None:
    answer = answered(seen(tmp_path, named(episode("idle", *made)) if made else {}), "passes-when-healthy")
    assert waiver_verdict(waiver(date(2026, 2, 1), finding), [answer], BAR.today).outcome is outcome
    assert waiver_verdict(waiver(date(2025, 2, 1), finding), [answer], BAR.today).outcome is Verdict.FAILED


@given(seconds=st.lists(st.floats(0, 3), min_size=1, max_size=50), more=st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_slower_attempts_are_never_judged_better(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[float], more: float
) -> None:
    """The grade falls, or stays."""
    found = seen(tmp_path_factory.mktemp("slower"), {})

    def grade(answers: Answered) -> int:
        order = [Severity.ERROR, Severity.WARNING]
        return min((order.index(answers.severity(each)) for each in answers.remarks), default=2)

    def judged(taken: list[float]) -> int:
        made = tuple(Attempted(LIVENESS, 0, n, n, s, OK, Reason.ANSWERED) for n, s in enumerate(taken))
        return grade(answered(replace(found, episodes=named(episode("idle", made))), "within-timeout"))

    assert judged([each + more for each in seconds]) <= judged(seconds)


@given(share=st.floats(0.001, 0.999), failures=st.integers(1, 5))
def test_more_failures_come_sooner_to_a_run(share: float, failures: int) -> None:
    """And a longer run takes longer; of one failure it is the mean time to the first."""
    one, longer = (until_in_a_row(share, probe_spec(LIVENESS, failures=n)) for n in (failures, failures + 1))
    assert longer >= one >= failures * 10
    assert until_in_a_row(min(1.0, share * 1.5), probe_spec(LIVENESS, failures=failures)) <= one * (1 + 1e-6)
    if failures == 1:
        assert math.isclose(one, 10 / share, rel_tol=2e-2)


PICTURES: dict[str, Callable[[], Episode]] = {
    "a hang": lambda: hang(NOT_READY, RESTARTED),
    "a storm": lambda: episode("storm", *HALF, actions=STORM, marks=(RESTARTED,), foreseen=FORESEEN),
    "a drain": drain,
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_was_foreseen_and_seen(tmp_path: Path, name: str) -> None:
    """Every word stands on a line of its own; a lacking episode has none."""
    made = PICTURES[name]()
    found = seen(tmp_path, named(made, episode("idle", lacking="no")))
    drawn = ET.fromstring(draw(found, made.name))  # noqa: S314 our own
    texts = ["".join(each.itertext()) for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "seen" in texts
    assert ("foreseen" in texts) == (name != "a drain")
    for action in made.actions:
        assert any(action.what in text for text in texts)
    assert draw(found, "idle") == draw(found, "nothing") == ""
