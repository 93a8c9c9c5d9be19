"""Worlds in which a drill was performed: evidence written by hand, whole or with one thing wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.drill.judge import DrillResult, judge
from tocsin.evidence import (
    ALERTMANAGER,
    EXPRESSIONS,
    LOAD,
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
