"""Replicas of the engines: what a drill may declare of them, and how often it may be told of an alert."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.drill_worlds import World
from tocsin.drill.judge import DrillResult
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.evidence import Moments, Replica
from tocsin.report.results import _expected as written
from tocsin.stimuli import known_stimuli, stimulus
from tocsin.system import BadSystem, Replicas, load_system
from tocsin.verdict import Outcome

SYSTEM = """
schema: 1
name: shop
environments:
  local:
    factor: 60
    processes: {backend: {command: [serve]}}
  staging:
    prometheus: {url: "http://127.0.0.1:9090"}
drills:
  lost: {%s, expect: [{alert: Down, receivers: [pager]}]}
"""


def planned(drill: str, directory: Path, environment: str = "local") -> PlannedDrill:
    """Plan a drill that is declared so."""
    (directory / "system.yaml").write_text(SYSTEM % drill)
    return plan_drills(load_system(directory), environment)[0]


@pytest.mark.parametrize(
    ("declared", "prometheus", "alertmanager"),
    [
        (Replicas(), ("prometheus",), ("alertmanager",)),
        (Replicas(prometheus=2), ("prometheus-1", "prometheus-2"), ("alertmanager",)),
        (Replicas(alertmanager=3), ("prometheus",), ("alertmanager-1", "alertmanager-2", "alertmanager-3")),
    ],
)
def test_engines_are_numbered_where_there_are_several(
    declared: Replicas, prometheus: tuple[str, ...], alertmanager: tuple[str, ...]
) -> None:
    """An engine that is alone keeps its name; only those of which there is another can be lost."""
    assert declared.names("prometheus") == prometheus
    assert declared.names("alertmanager") == alertmanager
    assert set(declared.several) == {n for names in (prometheus, alertmanager) if len(names) > 1 for n in names}


LOAD = "stimulus: {load: {profile: browse, target: backend}}"
APART = "partition: [alertmanager-1, alertmanager-2]"
TWO = "replicas: {prometheus: 2, alertmanager: 2}"
MISTAKES = {
    "no-replicas": ("stimulus: {kill: backend}, disturbance: {when: before, kill: prometheus-2}", "add `replicas"),
    "nothing-done": (f"{TWO}, stimulus: {{kill: backend}}, disturbance: {{when: before}}", "must be one of `kill"),
    "both-done": (
        f"{TWO}, stimulus: {{kill: backend}}, disturbance: {{when: before, kill: prometheus-2, {APART}}}",
        "must be one of `kill",
    ),
    "no-such-time": (f"{TWO}, stimulus: {{kill: backend}}, disturbance: {{when: later, kill: prometheus-2}}", "when"),
    "none": ("replicas: {prometheus: 0}, stimulus: {kill: backend}", "replicas.prometheus"),
    "the-only-one": ("stimulus: {kill: prometheus}", "there is no prometheus that could be lost; it has prometheus,"),
    "not-that-many": (f"{TWO}, stimulus: {{kill: alertmanager-3}}", "there is no alertmanager-3 that could be lost"),
    "no-engine": (
        f"{TWO}, stimulus: {{kill: backend}}, disturbance: {{when: before, kill: backend}}",
        "its disturbance kills 'backend', which is no replica of an engine; it has prometheus-1, prometheus-2",
    ),
    "all-of-them": (
        f"{TWO}, stimulus: {{kill: prometheus-1}}, disturbance: {{when: before, kill: prometheus-2}}",
        "kills prometheus-1 and prometheus-2, so that no prometheus is left",
    ),
    "apart-of-one": (
        f"replicas: {{prometheus: 2}}, stimulus: {{{APART}}}",
        "has one; add `replicas: {alertmanager: 2}`",
    ),
    "not-all-apart": (
        f"replicas: {{alertmanager: 3}}, stimulus: {{{APART}}}",
        "`partition: [alertmanager-1, alertmanager-2, alertmanager-3]`",
    ),
    "apart-alone": (f"{TWO}, stimulus: {{partition: alertmanager-1}}", "partition takes the names"),
    "security": (
        f"{TWO}, marker: security, {LOAD}, disturbance: {{when: before, kill: prometheus-2}}",
        "is for load, and its disturbance kills or cuts",
    ),
}


@pytest.mark.parametrize(("drill", "said"), MISTAKES.values(), ids=MISTAKES)
def test_what_leaves_nobody_to_tell_is_refused(drill: str, said: str, tmp_path: Path) -> None:
    """A drill that takes what is not there, or the last of a kind, is refused with what to write instead."""
    with pytest.raises(BadSystem) as refused:
        planned(drill, tmp_path)
    assert said in str(refused.value)
    assert "system.yaml:11" in str(refused.value)


def test_a_disturbance_at_the_ringing_needs_somebody_who_is_told(tmp_path: Path) -> None:
    """`firing` is a time that never comes in a drill that expects nobody to be told."""
    text = SYSTEM % f"{TWO}, stimulus: {{kill: backend}}, disturbance: {{when: firing, kill: prometheus-2}}"
    (tmp_path / "system.yaml").write_text(text.replace("receivers: [pager]", "outcome: inhibited"))
    with pytest.raises(BadSystem, match="expects none that anybody is told of"):
        load_system(tmp_path)


def test_load_beside_a_killed_engine_is_a_fault(tmp_path: Path) -> None:
    """`-m load` never kills anything, so a drill whose disturbance does is a fault."""
    plan = planned(f"{TWO}, {LOAD}, disturbance: {{when: before, kill: prometheus-2}}", tmp_path)
    assert (plan.marker, plan.fault, plan.problems) == ("faults", "kill", ())
    assert set(plan.disturbed) == {"prometheus-2"}
    assert planned(f"{TWO}, {LOAD}", tmp_path).marker == "load"


def test_a_partition_is_undone_by_joining() -> None:
    """The stimulus cuts off all that it names, and lets them hear each other again however often it is told to."""
    asked: list[tuple[str, tuple[str, ...]]] = []

    class Cluster:
        def partition(self, names: tuple[str, ...]) -> float:
            asked.append(("partition", names))
            return 1.0

        def rejoin(self, names: tuple[str, ...]) -> float:
            asked.append(("rejoin", names))
            return 2.0

    apart: Any = stimulus({"partition": ["alertmanager-1", "alertmanager-2"]})
    names = ("alertmanager-1", "alertmanager-2")
    assert "partition" in known_stimuli()
    assert (apart.stop(Cluster()), apart.start(Cluster()), apart.stop(Cluster())) == (2.0, 1.0, 2.0)
    assert asked == [("rejoin", names), ("partition", names), ("rejoin", names)]
    assert (apart.marker, apart.processes) == ("faults", frozenset())


# How often it was told.


@dataclass
class Told(World):
    """A world with two of each engine, of which the sink was told at these times."""

    times: list[dict[str, Any]] = field(default_factory=list)

    def notifications(self) -> list[dict[str, Any]]:
        return [self.line(**each) for each in self.times]

    def line(self, time: float, status: str, by: str, **others: Any) -> dict[str, Any]:
        alert: dict[str, Any] = {"status": status, "annotations": {}, "fingerprint": "ab12"}
        alerts = [{**alert, "labels": {**self.labels(), **extra}} for extra in others.get("extra", [{}])]
        payload = {"externalURL": f"http://{by}", "groupKey": "{}", "alerts": [*alerts, *others.get("beside", [])]}
        return {"time": time, "receiver": "pager", "integration": "pagerduty", "payload": payload}


REPLICAS = (
    Replica(name="prometheus-1", engine="prometheus", address="127.0.0.1:11"),
    Replica(name="prometheus-2", engine="prometheus", address="127.0.0.1:12", disturbed=True),
    Replica(name="alertmanager-1", engine="alertmanager", address="127.0.0.1:21"),
    Replica(name="alertmanager-2", engine="alertmanager", address="127.0.0.1:22", disturbed=True),
)
FIRING = {"time": 21.77, "status": "firing", "by": "alertmanager-1"}
RESOLVED = {"time": 31.8, "status": "resolved", "by": "alertmanager-1"}
OTHER = {"status": "firing", "labels": {"alertname": "Other"}, "fingerprint": "cd34"}


def judged(folder: Path, *times: dict[str, Any], **facts: Any) -> DrillResult:
    """Judge a drill with replicas in which the sink was told so."""
    known = {"replicas": REPLICAS, "peers_wait_seconds": 0.25, "alert_relabelling": "prometheus.yml:9:3"}
    pressure = [{"event": "machine", "time": 25.0, "cpu_waited_10s": facts.pop("waited", 0.0)}]
    return Told(times=list(times), manifest={**known, **facts}, processes=pressure).write(folder)


def test_told_once_is_well(tmp_path: Path) -> None:
    """One notification that it fires and one that it is over is what a drill with replicas demands."""
    result = judged(tmp_path, FIRING, RESOLVED)
    assert result.verdict.outcome is Outcome.PASSED, result.verdict
    assert result.expected[0].note == ""
    assert result.expected[0].budget["peers"] == 0.25


TWICE = {
    "firing": ({**FIRING, "time": 22.02, "by": "alertmanager-2"}, "that it fires", "22.02 s by alertmanager-2"),
    "resolved": ({**RESOLVED, "time": 32.05, "by": "alertmanager-2"}, "that it is over", "32.05 s by alertmanager-2"),
}


@pytest.mark.parametrize(("again", "what", "who"), TWICE.values(), ids=TWICE)
def test_told_twice_fails_with_who_and_when(again: dict[str, Any], what: str, who: str, tmp_path: Path) -> None:
    """A second notification of nothing new fails, and the reason names both senders and their times."""
    verdict = judged(tmp_path, FIRING, RESOLVED, again).verdict
    assert verdict.outcome is Outcome.FAILED
    assert f"Down: pager (pagerduty 0) was notified twice {what}" in verdict.reason
    assert "by alertmanager-1" in verdict.reason
    assert who in verdict.reason
    assert "waits 0.25 s at most" in verdict.reason


def test_told_twice_by_a_starved_machine_proves_nothing(tmp_path: Path) -> None:
    """An Alertmanager that hears too late on a machine without CPU to spare is not the system's fault."""
    again = {**FIRING, "time": 22.02, "by": "alertmanager-2"}
    verdict = judged(tmp_path, FIRING, RESOLVED, again, waited=0.7).verdict
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "notified twice" in verdict.reason
    assert "the machine was starved" in verdict.reason


EXTRA = [{"replica": "prometheus-1"}, {"replica": "prometheus-2"}]
UNDROPPED = {
    "in one": [{**FIRING, "extra": EXTRA}, {**RESOLVED, "extra": EXTRA}],
    "in two": [
        {**FIRING, "extra": EXTRA[:1]},
        {**FIRING, "time": 26.8, "extra": EXTRA},
        {**RESOLVED, "extra": EXTRA},
    ],
}


@pytest.mark.parametrize("times", UNDROPPED.values(), ids=UNDROPPED)
def test_a_replica_label_that_is_not_dropped_is_named(times: list[dict[str, Any]], tmp_path: Path) -> None:
    """Alerts that differ in a replica's label are told twice, in one notification or two, starved or not."""
    verdict = judged(tmp_path, *times, waited=0.7).verdict
    assert verdict.outcome is Outcome.FAILED
    assert "Down: pager (pagerduty 0) was notified" in verdict.reason
    assert ("twice" in verdict.reason) or len(times) == 3
    assert 'of replica="prometheus-1"' in verdict.reason
    assert "they differ in replica: drop that label" in verdict.reason
    assert "prometheus.yml:9:3" in verdict.reason


def test_those_apart_may_tell_twice_and_it_is_said(tmp_path: Path) -> None:
    """Cut off from each other, two Alertmanagers tell twice: it passes, and a note says so; three times fails."""
    apart = [FIRING, {**FIRING, "time": 21.9, "by": "alertmanager-2"}, RESOLVED]
    result = judged(tmp_path / "a", *apart, partitioned=True)
    assert result.verdict.outcome is Outcome.PASSED, result.verdict
    said = "pager (pagerduty 0) got 2 notifications that it fires: the Alertmanagers could not see each other"
    assert result.expected[0].note == said
    assert written(result.expected[0])["note"] == said
    thrice = [*apart, {**FIRING, "time": 26.9, "by": "alertmanager-2"}]
    verdict = judged(tmp_path / "b", *thrice, partitioned=True).verdict
    assert verdict.outcome is Outcome.FAILED
    assert "notified 3 times that it fires" in verdict.reason


REASONS = {
    "something joined": ({**FIRING, "time": 26.8, "beside": [OTHER]}, "1h"),
    "it was due again": ({**FIRING, "time": 26.8}, "5s"),
}


@pytest.mark.parametrize(("again", "every"), REASONS.values(), ids=REASONS)
def test_what_is_told_again_for_a_reason_is_no_repeat(again: dict[str, Any], every: str, tmp_path: Path) -> None:
    """A group that another alert joins is told again, as is one that is due; without the reason it is a repeat."""
    known = {"replicas": REPLICAS, "peers_wait_seconds": 0.25}
    told = Told(times=[FIRING, again, RESOLVED], manifest=known)
    told.routing, changed = re.subn(r"repeat_interval: \w+", f"repeat_interval: {every}", told.routing)
    assert changed == 1
    verdict = told.write(tmp_path / "a").verdict
    assert verdict.outcome is Outcome.PASSED, verdict
    verdict = judged(tmp_path / "b", FIRING, {**FIRING, "time": 26.8}, RESOLVED).verdict
    assert "the same Alertmanager told it again" in verdict.reason


def test_without_replicas_nothing_is_counted(tmp_path: Path) -> None:
    """A drill of one engine each is judged as it always was."""
    again = {**FIRING, "time": 22.02, "by": "alertmanager-2"}
    assert judged(tmp_path, FIRING, again, RESOLVED, replicas=()).verdict.outcome is Outcome.PASSED


LOST = {"alertmanager": "http://127.0.0.1:22/api/v2/alerts", "engine": "prometheus-1"}
COUNTED = {
    "to the lost": (LOST, Outcome.PASSED),
    "of the lost": ({"engine": "prometheus-2"}, Outcome.PASSED),
    "of the lost, as scraped": ({"job": "prometheus", "instance": "127.0.0.1:12"}, Outcome.PASSED),
    "to another": ({**LOST, "alertmanager": "http://127.0.0.1:21/api/v2/alerts"}, Outcome.INCONCLUSIVE),
    "of another": ({"engine": "alertmanager-1"}, Outcome.INCONCLUSIVE),
}


@pytest.mark.parametrize(("labels", "outcome"), COUNTED.values(), ids=COUNTED)
def test_trouble_with_what_the_drill_took_away_is_none(
    labels: dict[str, str], outcome: Outcome, tmp_path: Path
) -> None:
    """Errors of a lost engine, or in reaching it, are the drill's own doing; those of a surviving one are trouble."""
    errors = {"__name__": "prometheus_notifications_errors_total", **labels}
    series = [{"labels": errors, "samples": [[16.0, 0.0], [39.0, 3.0]]}]
    told = Told(times=[FIRING, RESOLVED], manifest={"replicas": REPLICAS}, extra_series=series)
    assert told.write(tmp_path).verdict.outcome is outcome


def test_what_rings_between_disturbance_and_stimulus_is_seen(tmp_path: Path) -> None:
    """An alert that begins with the disturbance has begun in the drill, and must be allowed."""
    labels = {"__name__": "ALERTS", "alertname": "PrometheusDown", "alertstate": "firing"}
    rung = {"labels": labels, "samples": [[18.0 + n / 4, 1] for n in range(60)]}
    moments = Moments(started=0, armed=10, steady=19, disturbed=17.5, injected=20.0, recovered=28.0, ended=40.0)
    for allow, outcome in (((), Outcome.FAILED), ([{"alert": "PrometheusDown", "reason": "gone"}], Outcome.PASSED)):
        known = {"replicas": REPLICAS, "moments": moments, "allow": allow}
        told = Told(times=[FIRING, RESOLVED], manifest=known, extra_series=[rung])
        verdict = told.write(tmp_path / outcome).verdict
        assert verdict.outcome is outcome, verdict
