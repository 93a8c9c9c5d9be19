"""The judge of drills, on evidence written by hand: each way in which a drill can end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tocsin.drill.judge import DrillResult, judge
from tocsin.evidence import (
    ALERTMANAGER,
    CONFIG,
    EXPRESSIONS,
    LOAD,
    MANIFEST,
    NOTIFICATIONS,
    PROCESSES,
    SAMPLES,
    ExpectedAlert,
    Manifest,
    Moments,
    Recording,
    RuleFacts,
    Selected,
    Target,
    read_evidence,
)
from tocsin.verdict import Outcome

INJECTED, RECOVERED, ENDED = 20.0, 28.0, 40.0
ROUTING = """
route: {receiver: warnings, group_by: [alertname], group_wait: 500ms, group_interval: 5s, repeat_interval: 4m,
        routes: [{matchers: ['severity="critical"'], receiver: pager}]}
receivers:
  - {name: pager, webhook_configs: [{url: 'http://x/', send_resolved: true}]}
  - {name: warnings, webhook_configs: [{url: 'http://x/', send_resolved: true}]}
"""


@dataclass
class World:
    """A drill's evidence in the making: BackendDown crosses at 20.1, fires at 21.25, is over at 28.25."""

    name: str = "Down"
    expression: str = 'up{job="backend"} == 0'
    hold: float = 1.0
    active: tuple[float, float] | None = (20.25, 28.0)
    """First and last evaluation at which the alert is active."""
    true: tuple[float, float] | None = (20.1, 28.09)
    received: float | None = 21.26
    notified: dict[str, float] = field(default_factory=lambda: {"pager": 21.77})
    resolution: dict[str, float] = field(default_factory=lambda: {"pager": 31.8})
    status: dict[str, Any] = field(default_factory=lambda: {"state": "active", "inhibitedBy": [], "silencedBy": []})
    expect: list[dict[str, Any]] = field(
        default_factory=lambda: [{"alert": "Down", "labels": {"severity": "critical"}, "receivers": ("pager",)}]
    )
    manifest: dict[str, Any] = field(default_factory=dict)
    extra_series: list[dict[str, Any]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    load: list[dict[str, Any]] = field(default_factory=list)
    left: float = 1.0
    counters: tuple[float, float] = (0.0, 0.0)
    routing: str = ROUTING
    flapped: tuple[float, float] | None = None
    scraped: bool = False
    """Whether the target answers throughout."""

    def labels(self) -> dict[str, str]:
        """Return the labels of the alert."""
        return {"alertname": "Down", "severity": "critical", "job": "backend", "instance": "127.0.0.1:1"}

    def write(self, folder: Path) -> DrillResult:
        """Write the evidence and judge it."""
        recording = Recording(folder)
        recording.config("alertmanager.rewritten.yml", self.routing)
        recording.append(SAMPLES, *self.series())
        recording.append(EXPRESSIONS, *self.expressions())
        recording.append(NOTIFICATIONS, *self.notifications())
        recording.append(ALERTMANAGER, *self.alertmanager())
        recording.append(PROCESSES, *self.processes)
        recording.append(LOAD, *self.load)
        recording.conclude(self.facts())
        return judge(read_evidence(folder))

    def facts(self) -> Manifest:
        rule = RuleFacts(
            id=f"{self.name}@rules.yml::g",
            name=self.name,
            group="g",
            file="rules.yml",
            line=3,
            expression_line=4,
            hold_line=5,
            expression=self.expression,
            production_expression=self.expression,
            labels={"severity": "critical"},
            hold_seconds=self.hold,
            production_hold="1m",
            interval_seconds=0.25,
            scrape_seconds=0.25,
            selectors=(Selected(text='up{job="backend"}', metric="up", matchers=(("job", "=", "backend"),)),),
        )
        known: dict[str, Any] = {
            "complete": True,
            "drill": "down",
            "marker": "faults",
            "stimulus": {"kill": "backend"},
            "clock_origin": 1000.0,
            "factor": 60,
            "moments": Moments(started=0, armed=10, steady=15, injected=INJECTED, recovered=RECOVERED, ended=ENDED),
            "scrape_seconds": 0.25,
            "evaluation_seconds": 0.25,
            "rules": (rule,),
            "expect": tuple(ExpectedAlert(**e) for e in self.expect),
            "targets": (Target(job="backend", instance="127.0.0.1:1", drilled=True),),
            "alertmanager_file": "alertmanager.yml",
            "metric_names": ("up", "ALERTS"),
        }
        return Manifest(**{**known, **self.manifest})

    def series(self) -> list[dict[str, Any]]:
        ticks = [round(10 + i * 0.25, 3) for i in range(121)]
        up = [[round(t - 0.15, 3), 1.0 if self.scraped or not INJECTED < t - 0.15 < RECOVERED else 0.0] for t in ticks]
        found = [
            {"labels": {"__name__": "up", "job": "backend", "instance": "127.0.0.1:1"}, "samples": up},
            {
                "labels": {"__name__": "scrape_duration_seconds", "job": "backend", "instance": "127.0.0.1:1"},
                "samples": [[t, 0.01] for t, _ in up],
            },
            {"labels": {"__name__": "tocsin:evaluation", "group": "g"}, "samples": [[t, t] for t in ticks]},
            {
                "labels": {"__name__": "prometheus_notifications_dropped_total", "engine": "prometheus"},
                "samples": [[15.0, self.counters[0]], [39.0, self.counters[1]]],
            },
            *self.extra_series,
        ]
        states: dict[str, list[float]] = {"pending": [], "firing": []}
        stale: dict[str, list[float]] = {"pending": [], "firing": []}
        for begin, end in filter(None, (self.active, self.flapped)):
            for state, inside in (("pending", (begin, begin + self.hold - 0.25)), ("firing", (begin + self.hold, end))):
                times = [t for t in ticks if inside[0] <= t <= min(inside[1], end)]
                states[state] += times
                stale[state] += [times[-1] + 0.25] if times and times[-1] < ENDED else []
        for state, times in states.items():
            if times:
                labels = {"__name__": "ALERTS", **self.labels(), "alertstate": state}
                found.append({"labels": labels, "samples": [[t, 1] for t in times], "stale": stale[state]})
        return found

    def expressions(self) -> list[dict[str, Any]]:
        rule = f"{self.name}@rules.yml::g"
        common = {"rule": rule, "comparison": 0, "operator": "==", "text": self.expression}
        labels = {"job": "backend", "instance": "127.0.0.1:1"}
        steps = [round(10 + i * 0.01, 2) for i in range(3000)]
        found = [
            {**common, "side": "left", "labels": labels, "samples": [[t, self.left] for t in steps[::10]]},
            {**common, "side": "right", "labels": {}, "samples": [[t, 0] for t in steps[::10]]},
        ]
        if self.true:
            inside = [[t, 0] for t in steps if self.true[0] <= t <= self.true[1]]
            found.append({**common, "side": "whole", "labels": labels, "samples": inside})
        return found

    def notifications(self) -> list[dict[str, Any]]:
        def line(receiver: str, time: float, status: str) -> dict[str, Any]:
            alert = {
                "status": status,
                "labels": self.labels(),
                "annotations": {"summary": "down"},
                "fingerprint": "ab12",
            }
            return {"time": time, "receiver": receiver, "integration": "pagerduty", "payload": {"alerts": [alert]}}

        return [line(r, t, "firing") for r, t in self.notified.items()] + [
            line(r, t, "resolved") for r, t in self.resolution.items()
        ]

    def alertmanager(self) -> list[dict[str, Any]]:
        if self.received is None:
            return []
        alert = {
            "labels": self.labels(),
            "fingerprint": "ab12",
            "receivers": [{"name": "pager"}],
            "status": self.status,
        }
        received = {"event": "received", "alert": "Down", "fingerprint": "ab12", "state": "active"}
        return [
            {**received, "time": self.received},
            {"time": 22.0, "event": "alerts", "alerts": [alert]},
        ]


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
    nowhere = {"expect": (), "ours": False, "targets": ()}
    away = World(expect=[], manifest=nowhere, scraped=True).write(tmp_path / "away")
    near = World(expect=[], manifest={"expect": (), "ours": False}).write(tmp_path / "near")

    assert away.verdict.outcome is Outcome.PASSED
    assert "shares no job" in away.allowed[0].reason
    assert near.verdict.outcome is Outcome.FAILED


def test_stages_are_json(tmp_path: Path) -> None:
    """A stage is a number, null or `not observable`."""
    result = World(manifest={"not_observable": ("received",)}, received=None).write(tmp_path)
    written = result.expected[0].stages.written()

    assert written["received"] == "not observable"
    assert all(v is None or isinstance(v, str) or math.isfinite(v) for v in written.values())
    assert result.verdict.outcome is Outcome.PASSED, result.verdict.reason
