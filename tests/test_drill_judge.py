"""The judge of drills, on evidence written by hand: each way in which a drill can end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.drill_worlds import ROUTING, World
from tocsin.drill.judge import judge
from tocsin.evidence import (
    ALERTMANAGER,
    CONFIG,
    EXPRESSIONS,
    LOAD,
    MANIFEST,
    NOTIFICATIONS,
    PROCESSES,
    SAMPLES,
    Recording,
    Target,
    read_evidence,
)
from tocsin.verdict import Outcome


def test_a_drill_without_fault_passes_with_every_stage(tmp_path: Path) -> None:
    """All stages are found, and the crossing is the sample that made the expression true."""
    result = World().write(tmp_path)
    expected = result.expected[0]
    stages = expected.stages

    assert result.verdict.outcome is Outcome.PASSED, result.verdict.reason
    assert stages.crossed == pytest.approx(20.1)
    assert stages.scraped == pytest.approx(20.11)
    assert (stages.pending, stages.firing, stages.received) == (20.25, 21.25, 21.26)
    assert (stages.notified, stages.resolved, stages.resolution_notified) == (21.77, 28.25, 31.8)
    assert expected.minimum_seconds == pytest.approx(1.5)
    assert expected.took_seconds == pytest.approx(1.67)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no rule of that name": ({"name": "BackendGone"}, "no loaded rule has that name"),
    "never crossed": (
        {"true": None, "active": None, "received": None, "notified": {}, "resolution": {}, "left": 0.3},
        "its value was at least 0.3, and the rule asks for == 0",
    ),
    "never fired": (
        {"hold": 90.0, "received": None, "notified": {}, "resolution": {}},
        "`for: 1m` at rules.yml:5 asks for 90 s",
    ),
    "never received": ({"received": None, "notified": {}, "resolution": {}}, "Alertmanager never received it"),
    "never notified": ({"notified": {}, "resolution": {}}, "the sink of pager heard nothing"),
    "told to another receiver": (
        {"notified": {"warnings": 21.8}, "resolution": {"warnings": 31.8}},
        "was notified to warnings, not to pager",
    ),
    "told to one receiver too many": (
        {"notified": {"pager": 21.77, "warnings": 21.8}, "resolution": {"pager": 31.8}},
        "was notified to warnings too",
    ),
    "inhibited": (
        {
            "notified": {},
            "resolution": {},
            "status": {"state": "suppressed", "inhibitedBy": ["ab12"], "silencedBy": []},
        },
        "it was inhibited by Down",
    ),
    "receiver without integration": (
        {
            "notified": {},
            "resolution": {},
            "routing": ROUTING.replace(
                "{name: pager, webhook_configs: [{url: 'http://x/', send_resolved: true}]}", "{name: pager}"
            ),
        },
        "pager, which has no integration",
    ),
    "resolution not told": (
        {
            "resolution": {},
            "routing": ROUTING.replace("send_resolved: true}]}\n  - {name: w", "send_resolved: false}]}\n  - {name: w"),
        },
        "send_resolved: false",
    ),
    "resolution told that must not be": (
        {
            "expect": [
                {
                    "alert": "Down",
                    "labels": {"severity": "critical"},
                    "receivers": ("pager",),
                    "resolution_not_sent": ("pager",),
                }
            ]
        },
        "pager was told at 31.80 s that it is over, which `resolution_not_sent` rules out",
    ),
    "resolution not told to the other": (
        {
            "expect": [
                {
                    "alert": "Down",
                    "labels": {"severity": "critical"},
                    "receivers": ("pager", "warnings"),
                    "resolution_not_sent": ("warnings",),
                }
            ],
            "notified": {"pager": 21.77, "warnings": 21.77},
            "resolution": {},
        },
        "resolved, and pager was not told before the drill's deadline",
    ),
    "late": ({"notified": {"pager": 23.0}}, "from crossed to notified took 2.900 s; its budget is 1.860 s"),
    "later than declared": (
        {"expect": [{"alert": "Down", "labels": {"severity": "critical"}, "receivers": ("pager",), "within": 1.0}]},
        "the drill declares 1m",
    ),
    "still firing": ({"active": (20.25, 40.0), "resolution": {}}, "still fired"),
    "not expected": ({"expect": [], "manifest": {"expect": ()}}, "which the drill does not declare"),
    "flapped": ({"flapped": (31.0, 34.0)}, "flapped: it fired 2 times"),
    "refused": ({"manifest": {"refused": ("the target is down",)}}, "the target is down"),
}


@pytest.mark.parametrize(("changes", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_fails_the_drill_and_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """Each fault of the system is Failed, with a reason that names it."""
    verdict = World(**changes).write(tmp_path).verdict

    assert verdict.outcome is Outcome.FAILED, verdict
    assert said in verdict.reason


@pytest.mark.parametrize(
    ("receivers", "silent", "resolution", "moment"),
    [
        (("pager",), ("pager",), {}, None),
        (("pager", "warnings"), ("warnings",), {"pager": 31.8}, 31.8),
        (("pager", "warnings"), ("pager", "warnings"), {}, None),
    ],
)
def test_a_resolution_that_is_not_sent_on_purpose_is_not_missed(
    tmp_path: Path, receivers: tuple[str, ...], silent: tuple[str, ...], resolution: dict[str, float], moment: float
) -> None:
    """Where a receiver is not to be told of the end, the drill passes if it was not; the others must be told."""
    expect = {"alert": "Down", "labels": {"severity": "critical"}, "receivers": receivers}
    world = World(
        expect=[{**expect, "resolution_not_sent": silent}],
        notified=dict.fromkeys(receivers, 21.77),
        resolution=resolution,
    )

    result = world.write(tmp_path)

    assert result.verdict.outcome is Outcome.PASSED, result.verdict.reason
    assert result.expected[0].stages.resolution_notified == moment


TROUBLES: dict[str, tuple[dict[str, Any], str]] = {
    "alerts dropped": ({"counters": (2.0, 5.0)}, "dropped alerts on their way"),
    "a process ended": (
        {
            "processes": [
                {"time": 22.0, "event": "exited", "process": "alertmanager", "pid": 7, "signal": 9, "expected": False}
            ]
        },
        "alertmanager (pid 7) ended by signal 9",
    ),
    "the supervisor was lost": ({"processes": [{"time": 22.0, "event": "supervisor_lost"}]}, "supervisor"),
    "client errors": ({"manifest": {"trouble": [{"time": 22.0, "what": "Prometheus refused"}]}}, "Prometheus refused"),
    "not complete": ({"manifest": {"complete": False}}, "not complete"),
    "another target down": (
        {
            "extra_series": [
                {
                    "labels": {"__name__": "up", "job": "frontend", "instance": "127.0.0.1:2"},
                    "samples": [[10 + i * 0.25, 0.0 if i == 50 else 1.0] for i in range(121)],
                }
            ]
        },
        "target 127.0.0.1:2 of job frontend failed 1 scrapes",
    ),
    "evaluation missed": (
        {
            "extra_series": [
                {
                    "labels": {"__name__": "tocsin:evaluation", "group": "h"},
                    "samples": [[10 + i * 0.25, 1.0] for i in range(121) if not 60 < i < 70],
                }
            ]
        },
        "rule group h was not evaluated for",
    ),
    "load that never came": (
        {"manifest": {"stimulus": {"load": {"profile": "errors"}}}},
        "completed no request",
    ),
    "load without effect": (
        {
            "manifest": {
                "stimulus": {"load": {"profile": "errors"}},
                "proof": {"status": "5..", "share": 0.2},
            },
            "load": [
                {"time": 22.0, "part": "stimulus", "event": "interval", "requests": 50, "status": {"200": 50}},
            ],
        },
        "0 of 50 responses had a status like 5..",
    ),
}


@pytest.mark.parametrize(("changes", "said"), TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("faulty", [False, True], ids=["of a drill that passes", "of a drill that fails"])
def test_trouble_beats_every_other_verdict(tmp_path: Path, changes: dict[str, Any], said: str, faulty: bool) -> None:
    """Trouble of the instruments is Inconclusive, whether the alert rang or not, and is named."""
    silent: dict[str, Any] = {"notified": {}, "resolution": {}} if faulty else {}
    verdict = World(**{**changes, **silent}).write(tmp_path).verdict

    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict
    assert said in verdict.reason


@pytest.mark.parametrize(("waited", "outcome"), [(0.3, Outcome.FAILED), (0.6, Outcome.INCONCLUSIVE)])
def test_lateness_on_a_starved_machine_proves_nothing(tmp_path: Path, waited: float, outcome: Outcome) -> None:
    """An alert that is late is Failed, unless processes had to wait for a CPU; one that is silent is Failed anyway."""
    pressed = [{"time": 22.0, "event": "machine", "cpu_waited_10s": waited}]

    late = World(notified={"pager": 23.0}, processes=pressed).write(tmp_path / "late")
    silent = World(notified={}, resolution={}, processes=pressed).write(tmp_path / "silent")

    assert late.verdict.outcome is outcome
    assert silent.verdict.outcome is Outcome.FAILED


ONE_CORE = {"process": "backend", "cpu_cores": 0.85}


@pytest.mark.parametrize(("since", "outcome"), [(20.0, Outcome.PASSED), (24.0, Outcome.INCONCLUSIVE)])
def test_a_burner_that_was_starved_at_first_did_not_land(tmp_path: Path, since: float, outcome: Outcome) -> None:
    """The process must have had its cores while the alert had to cross, not only later."""
    used = [used_by_backend(20 + i / 2, max(0, 20 + i / 2 - since)) for i in range(17)]

    verdict = World(processes=used, manifest={"proof": ONE_CORE}).write(tmp_path).verdict

    assert verdict.outcome is outcome, verdict


def used_by_backend(time: float, cpu_seconds: float) -> dict[str, Any]:
    """Return what the kernel told of the backend at some time."""
    return {"time": time, "event": "usage", "process": "backend", "rss_bytes": 1, "cpu_seconds": cpu_seconds}


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0.24, "where 0.85 was asked for; meanwhile this machine's host kept 0.24 cores of it for others (steal)"),
        (0.04, "where 0.85 was asked for"),
        (None, "where 0.85 was asked for"),
    ],
    ids=["by the host", "not by the host", "nobody knows"],
)
def test_a_burner_is_told_who_starved_it(tmp_path: Path, kept: float | None, said: str) -> None:
    """A core that a virtual machine's host did not give is named; what a host always keeps is not."""
    used = [used_by_backend(20 + i / 2, 0.424 * i) for i in range(17)]
    if kept is not None:
        used += [{"time": 20 + i / 2, "event": "machine", "stolen_seconds": 7 + kept * i / 2} for i in range(17)]

    verdict = World(processes=used, manifest={"proof": ONE_CORE}).write(tmp_path).verdict

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == f"the stimulus did not land: backend reached cpu_cores 0.848, {said}"


def test_evidence_that_was_cut_off_is_inconclusive(tmp_path: Path) -> None:
    """Without a manifest nothing is proven, whatever else is there."""
    World().write(tmp_path)
    (tmp_path / MANIFEST).unlink()

    verdict = judge(read_evidence(tmp_path)).verdict

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert MANIFEST in verdict.reason


@pytest.mark.parametrize("name", [SAMPLES, EXPRESSIONS, NOTIFICATIONS, ALERTMANAGER, PROCESSES, LOAD])
@pytest.mark.parametrize(
    "broken", ["", '{"labels": {"__na', "[]", '{"time": 1}\n'], ids=["gone", "half", "list", "odd"]
)
def test_a_broken_file_is_never_a_pass_or_a_failure(tmp_path: Path, name: str, broken: str) -> None:
    """Evidence that cannot be read proves nothing; files that may be empty may be."""
    World().write(tmp_path)
    (tmp_path / name).unlink()
    if broken:
        (tmp_path / name).write_text(broken)
    elif name == CONFIG:
        return

    verdict = judge(read_evidence(tmp_path)).verdict

    harmless = broken == '{"time": 1}\n' and name in (ALERTMANAGER, PROCESSES, LOAD)
    assert verdict.outcome is not Outcome.PASSED or harmless, verdict
    assert harmless or verdict.outcome is Outcome.INCONCLUSIVE, verdict


def test_unknown_fields_of_the_manifest_are_kept(tmp_path: Path) -> None:
    """A newer Tocsin's manifest can be read and written again without loss."""
    World(manifest={"invented_later": {"a": [1, 2]}}).write(tmp_path)

    manifest = read_evidence(tmp_path).manifest

    assert manifest is not None
    assert manifest.model_dump()["invented_later"] == {"a": [1, 2]}


def test_an_alert_that_must_be_inhibited_fails_when_it_is_told(tmp_path: Path) -> None:
    """`outcome: inhibited` is a promise of silence."""
    expect = [{"alert": "Down", "labels": {"severity": "critical"}, "outcome": "inhibited"}]

    told = World(expect=expect).write(tmp_path / "told")
    held = World(
        expect=expect, notified={}, resolution={}, status={"state": "suppressed", "inhibitedBy": ["cd34"]}
    ).write(tmp_path / "held")
    silent = World(expect=expect, notified={}, resolution={}).write(tmp_path / "silent")

    assert told.verdict.outcome is Outcome.FAILED
    assert held.verdict.outcome is Outcome.PASSED, held.verdict.reason
    assert "never called it inhibited" in silent.verdict.reason


def test_allowed_alerts_are_shown_and_do_not_fail(tmp_path: Path) -> None:
    """An alert under `allow` is listed with its reason."""
    result = World(
        expect=[],
        manifest={"expect": (), "allow": ({"alert": "Down", "reason": "known to ring"},)},
    ).write(tmp_path)

    assert result.verdict.outcome is Outcome.PASSED
    assert [a.reason for a in result.allowed] == ["known to ring"]


def test_elsewhere_alerts_that_share_nothing_with_the_target_are_unrelated(tmp_path: Path) -> None:
    """On a system that is not ours an undeclared alert counts only if it can have to do with the drill."""
    elsewhere = (Target(job="billing", instance="10.0.0.9:8000", loaded=True),)
    away = World(expect=[], manifest={"expect": (), "ours": False, "targets": elsewhere}, scraped=True).write(
        tmp_path / "away"
    )
    unknown = World(expect=[], manifest={"expect": (), "ours": False, "targets": ()}, scraped=True).write(
        tmp_path / "unknown"
    )
    near = World(expect=[], manifest={"expect": (), "ours": False}).write(tmp_path / "near")

    assert away.verdict.outcome is Outcome.PASSED
    assert "shares no job" in away.allowed[0].reason
    assert unknown.verdict.outcome is Outcome.FAILED, "whose target is not known cannot be called unrelated"
    assert near.verdict.outcome is Outcome.FAILED


def test_an_alert_that_fired_before_the_stimulus_is_declared_or_fails(tmp_path: Path) -> None:
    """What always fires tells nothing: on stacks of ours it is found, unless its owner says that it is meant to."""
    always: dict[str, Any] = {"active": (12.0, 40.0), "true": (11.9, 40.0), "resolution": {}, "expect": []}
    allow = ({"alert": "Down", "reason": "a watchdog"},)

    found = World(**always, manifest={"expect": ()}).write(tmp_path / "found")
    meant = World(**always, manifest={"expect": (), "allow": allow}).write(tmp_path / "meant")
    away = World(**always, manifest={"expect": (), "ours": False}).write(tmp_path / "away")

    assert found.verdict.outcome is Outcome.FAILED
    assert "fired before anything was done" in found.verdict.reason
    assert meant.verdict.outcome is Outcome.PASSED, meant.verdict.reason
    assert away.verdict.outcome is Outcome.PASSED, away.verdict.reason


def test_a_label_that_is_a_template_is_no_obstacle(tmp_path: Path) -> None:
    """An expectation may name what a templated label becomes."""
    world = World()
    rule = world.facts().rules[0]
    templated = rule.model_copy(update={"labels": {**rule.labels, "job": "{{ $labels.job }}"}})
    world.manifest = {"rules": (templated,)}
    world.expect[0]["labels"] = {"severity": "critical", "job": "backend"}

    assert world.write(tmp_path).verdict.outcome is Outcome.PASSED


@pytest.mark.parametrize(("at", "outcome"), [(22.0, Outcome.PASSED), (12.0, Outcome.FAILED)])
def test_a_muted_alert_is_known_by_the_log(tmp_path: Path, at: float, outcome: Outcome) -> None:
    """Alertmanager 0.25 tells of muting only in its log, and only what it says while the alert fires counts."""
    expect = [{"alert": "Down", "labels": {"severity": "critical"}, "outcome": "muted"}]
    world = World(expect=expect, notified={}, resolution={})
    world.write(tmp_path)
    with (tmp_path / ALERTMANAGER).open("a") as file:
        file.write(f'{{"time": {at}, "event": "muted"}}\n')

    assert judge(read_evidence(tmp_path)).verdict.outcome is outcome


def test_discovery_is_granted_to_what_only_discovery_can_notice(tmp_path: Path) -> None:
    """What Prometheus cannot know earlier is not late."""
    late: dict[str, Any] = {"true": (23.1, 28.09), "active": (23.25, 28.0), "received": 24.26}
    late |= {"notified": {"pager": 24.77}}

    impatient = World(**late).write(tmp_path / "impatient")
    patient = World(**late, manifest={"notice_seconds": 5.5}).write(tmp_path / "patient")

    assert "from injected to crossed took" in impatient.verdict.reason
    assert patient.verdict.outcome is Outcome.PASSED, patient.verdict.reason


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\ud800", "\r\n", "🔔"], ids=ascii)
def test_what_an_alert_says_survives_the_evidence(tmp_path: Path, odd: str) -> None:
    """Separators, lone surrogates and signs beyond ASCII in an annotation neither break a line nor the writing."""
    recording = Recording(tmp_path)
    line = {"time": 1.0, "receiver": "pager", "integration": "webhook", "payload": {"said": f"a{odd}b"}}
    World().write(tmp_path)

    recording.append(NOTIFICATIONS, line)

    assert read_evidence(tmp_path).notifications[-1].payload == {"said": f"a{odd}b"}


def test_stages_are_json(tmp_path: Path) -> None:
    """A stage is a number, null or `not observable`."""
    result = World(manifest={"not_observable": ("received",)}, received=None).write(tmp_path)
    written = result.expected[0].stages.written()

    assert written["received"] == "not observable"
    assert all(v is None or isinstance(v, str) or math.isfinite(v) for v in written.values())
    assert result.verdict.outcome is Outcome.PASSED, result.verdict.reason
