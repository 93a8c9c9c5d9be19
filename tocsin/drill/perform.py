"""Performing a drill: steady state, stimulus, recovery; then its evidence is written. Nothing is judged here."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

from tocsin import __version__
from tocsin.deadline import DeadlineExceeded, Stopped, wait_until
from tocsin.drill.collect import collect
from tocsin.drill.judge import DELIVERY
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.site import Facts, Refused, Site
from tocsin.drill.timeline import STEP, crossing_terms, resolving_terms, rule_of
from tocsin.evidence import (
    AllowedAlert,
    ExpectedAlert,
    Manifest,
    Moments,
    Recording,
    RuleFacts,
    Series,
    Target,
    Trouble,
)
from tocsin.supervisor import Trouble as EngineTrouble
from tocsin.system import Expectation

POLL = 0.1
"""Seconds between two looks at a running drill. Stages are read from the evidence later, not from these looks."""
DEFECT = "defect.txt"
"""Where the traceback of an exception goes that nobody foresaw."""
PATIENCE = 1.0
"""Seconds beyond all budgets before a drill stops waiting: the judge must see that a budget was missed, not guess."""
AGAIN = "again, for it proved nothing"
"""The stage of a drill that is about to be performed another time."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Something to show of a running drill; moments are Unix time."""

    drill: str
    stage: str
    time: float
    until: float | None = None
    """When the stage's budget ends."""


@dataclass(slots=True)
class _Story:
    """What a performance writes down as it goes, on the site's clock."""

    started: float
    armed: float | None = None
    steady: float | None = None
    injected: float | None = None
    recovered: float | None = None
    ended: float | None = None
    disturbed: float | None = None
    landing: float = 0.0
    """Seconds that a stimulus took which is done by others, from its begin to when it was whole."""
    refused: tuple[str, ...] = ()
    trouble: list[tuple[float, str]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    usage: list[dict[str, Any]] = field(default_factory=list)
    counters: list[Series] = field(default_factory=list)
    facts: Facts | None = None
    coarse_step: float = STEP


class Performance:
    """One drill on one site, from arming to evidence."""

    def __init__(
        self,
        plan: PlannedDrill,
        site: Site,
        recording: Recording,
        *,
        origin: float,
        phase_delay: float,
        tell: Callable[[Progress], None],
        stop: threading.Event,
    ) -> None:
        self.plan = plan
        self.site = site
        self.recording = recording
        self.origin = origin
        """The run's start, Unix time."""
        self.phase_delay = phase_delay
        """Fraction of the longest interval to wait before the stimulus, so that phases differ between runs."""
        self.tell = tell
        self.stop = stop
        self.story = _Story(site.now())

    def perform(self, turn: AbstractContextManager[object]) -> None:
        """Perform the drill; `turn` is held while it must not be disturbed. Trouble is written down, not raised."""
        try:
            self.site.arm(self._say)
            self.story.facts = self.site.facts()
            self.story.armed = self.site.now()
            self._say("waiting for its turn")
            with turn:
                self._drill(self.story.facts)
        except Refused as refused:
            self.story.refused = refused.reasons
        except EngineTrouble as trouble:
            self._note(str(trouble))
        except DeadlineExceeded as missed:
            self._note(str(missed))
        except Stopped as stopped:
            self._note(f"interrupted: {stopped}")
        except Exception as error:  # noqa: BLE001 one drill's defect must not take the others, and the report, with it
            self._defect(error)
        if self.stop.is_set() and self.story.ended is None and not self._was_interrupted:
            self.story.trouble.insert(0, (self.site.now(), "interrupted: the run was stopped"))
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 as above: what is written so far stays, and the manifest says why
            self._defect(error)
            troubles = (Trouble(time=self._relative(at), what=what) for at, what in self.story.trouble)
            self.recording.conclude(unperformed(self.plan, origin=self.origin, troubles=tuple(troubles)))

    @property
    def _was_interrupted(self) -> bool:
        return any(what.startswith("interrupted") for _, what in self.story.trouble)

    def _defect(self, error: Exception) -> None:
        """Write down an exception that nobody foresaw: it is ours, so the drill is inconclusive."""
        (self.recording.folder / DEFECT).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        self._note(
            f"a defect of Tocsin, please report it with {DEFECT} of the evidence: {type(error).__name__}: {error}"
        )

    def _say(self, stage: str, seconds: float | None = None) -> None:
        now = self.site.now()
        self.tell(Progress(self.plan.name, stage, now, None if seconds is None else now + seconds))

    def _note(self, what: str) -> None:
        self.story.trouble.append((self.site.now(), what))

    def _drill(self, facts: Facts) -> None:
        drill, stimulus = self.plan.drill, self.plan.stimulus
        self._no_early_bell()
        with ExitStack() as undo:
            if drill.background:
                undo.callback(self.site.stop_load, "background")
                self.site.start_load("background", drill.background)
            self._settle(facts)
            self._disturb("before", facts)
            self.story.steady = self.site.now()
            self.story.counters += self.site.engine_counters()
            with ExitStack() as heal:
                heal.callback(stimulus.stop, self.site)  # before it starts: what is half started is healed too
                self._say("injecting")
                self.story.injected = stimulus.start(self.site)
                if not self.plan.ours and stimulus.marker == "faults":  # a cluster's controllers take their time
                    self.story.landing = max(0.0, self.site.now() - self.story.injected)
                self._watch_alerts(facts)
            self.story.recovered = stimulus.stop(self.site)
            self._watch_resolution(facts)
            self._repeats(facts)
        self._linger("last samples", 2 * max(facts.scrape_seconds, facts.evaluation_seconds))
        self.story.counters += self.site.engine_counters()
        self.site.check()
        self.story.ended = self.site.now()

    def _disturb(self, when: str, facts: Facts) -> None:
        """Take from the monitoring what the drill takes at that time; it is not given back."""
        declared, disturbance = self.plan.drill.disturbance, self.plan.disturbance
        if declared is None or disturbance is None or declared.when != when:
            return
        # Two evaluations, in which an Alertmanager's word that it has notified reaches the others: what is killed
        # before that leaves others who must notify again, as anything must that would rather tell twice than never.
        self._linger("calm", 2 * facts.evaluation_seconds)
        self._say("disturbing the monitoring")
        self.story.disturbed = disturbance.start(self.site)
        self._linger("calm", 2 * facts.evaluation_seconds)

    def _repeats(self, facts: Facts) -> None:
        """Give replicas the time in which one of them would tell again what another has told."""
        if self.plan.ours and self.plan.drill.replicas is not None:
            self._linger("who tells again", facts.group_interval + facts.peers_wait + facts.evaluation_seconds)

    def _no_early_bell(self) -> None:
        """Refuse a system whose expected alerts ring before anything was done."""
        active = [
            alert
            for alert in self.site.active_alerts()
            for expected in self.plan.drill.expect
            if alert.labels.get("alertname") == expected.alert and expected.labels.items() <= alert.labels.items()
        ]
        if active:
            names = sorted({f"{a.labels.get('alertname')} is {a.state}" for a in active})
            raise Refused([f"before anything was done, {', '.join(names)}: the drill would prove nothing"])

    def _settle(self, facts: Facts) -> None:
        """Wait out the warm-up, and a part of an interval more, so that phases differ from run to run."""
        drill = self.plan.drill
        if drill.warm_up is not None:
            warm_up = drill.warm_up / self.plan.factor
        else:
            windows = [rule.window_seconds for rule in self._rules(facts)]
            warm_up = max(windows, default=0.0) if drill.background else 0.0
        self._say("warming up", warm_up)
        self._linger("warm-up", warm_up + self.phase_delay * max(facts.scrape_seconds, facts.evaluation_seconds))

    def _rules(self, facts: Facts) -> list[RuleFacts]:
        manifest = self._manifest(facts)
        found = [rule_of(manifest, e.alert, e.labels) for e in self.plan.drill.expect]
        return [rule for rule in found if rule is not None]

    def _watch_alerts(self, facts: Facts) -> None:
        """Keep the stimulus on until every expected alert has come to its end, and `hold` is over."""
        injected = self.story.injected or self.site.now()
        budgets = [self._budget(e, facts) for e in self.plan.drill.expect]
        seconds = max([*budgets, self.plan.drill.hold / self.plan.factor])
        least = injected + self.plan.drill.hold / self.plan.factor
        self._until(
            lambda: self.site.now() >= least and all(map(self._has_ended, self.plan.drill.expect)),
            seconds if budgets else seconds + PATIENCE,
            "alerts",
        )
        if all(map(self._has_ended, self.plan.drill.expect)):
            self._disturb("firing", facts)
        self._repeats(facts)
        if self.plan.drill.expect:
            # What else would be told of now, is; and an inhibited alert has had its chance to be told of.
            self._linger("what else rings", facts.group_wait + facts.evaluation_seconds)

    def _budget(self, expected: Expectation, facts: Facts) -> float:
        """Return the seconds after which an expected alert is given up."""
        factor = self.plan.factor
        if expected.within is not None:
            return expected.within / factor + PATIENCE
        rule = rule_of(self._manifest(facts), expected.alert, expected.labels)
        if rule is None:
            return 0.0
        crossed = expected.crossed_within / factor if expected.crossed_within is not None else None
        crossed = sum(crossing_terms(self._manifest(facts), rule).values()) if crossed is None else crossed
        told = rule.hold_seconds + 2 * rule.interval_seconds + facts.group_wait + rule.scrape_seconds + DELIVERY
        return crossed + told + facts.peers_wait + PATIENCE

    def _has_ended(self, expected: Expectation) -> bool:
        """Tell whether an expected alert has been told of, or held back, as the drill expects."""
        if expected.outcome != "notified":
            return any(
                _is(alert.get("labels"), expected) and dict(alert.get("status") or {}).get("state") == "suppressed"
                for alert in (self.story.snapshots[-1]["alerts"] if self.story.snapshots else ())
            )
        hidden = self.story.facts.not_observable if self.story.facts else ()
        if {"notified", "received"} <= set(hidden):
            return any(_is(a.labels, expected) and a.state == "firing" for a in self.site.active_alerts())
        if "notified" in hidden:
            return any(_is(alert.get("labels"), expected) for alert in self.site.alertmanager_alerts())
        return self._told(expected, "firing")

    def _told(self, expected: Expectation, status: str) -> bool:
        receivers = {
            line["receiver"]
            for line in self.site.notifications()
            for alert in line["payload"].get("alerts", ())
            if alert.get("status") == status and _is(alert.get("labels"), expected)
        }
        silent = expected.resolution_not_sent if status == "resolved" else ()
        return set(expected.receivers) - set(silent) <= receivers if expected.receivers else bool(receivers)

    def _watch_resolution(self, facts: Facts) -> None:
        """Wait until every alert that was told of is over, and told to be."""
        rung = [e for e in self.plan.drill.expect if e.outcome == "notified" and self._has_ended(e)]
        if not rung:
            return
        hidden = "resolution_notified" in facts.not_observable
        seconds = max(self._resolving(e, facts) for e in rung) + facts.peers_wait + PATIENCE
        with_end = [] if hidden else [e for e in rung if not e.ends_in_silence]
        self._until(
            lambda: all(self._told(e, "resolved") for e in with_end) and not self._still_active(rung),
            seconds,
            "resolution",
        )
        if any(e.resolution_not_sent for e in rung) and not hidden:
            # A receiver that must not be told of the end has its chance to be.
            self._linger("resolution that is not sent", facts.group_interval + facts.evaluation_seconds + DELIVERY)

    def _still_active(self, expected: Sequence[Expectation]) -> bool:
        return any(_is(alert.labels, e) for alert in self.site.active_alerts() for e in expected)

    def _resolving(self, expected: Expectation, facts: Facts) -> float:
        rule = rule_of(self._manifest(facts), expected.alert, expected.labels)
        if rule is None:
            return 0.0
        if expected.resolved_within is not None:
            resolved = expected.resolved_within / self.plan.factor
        else:
            resolved = sum(resolving_terms(self._manifest(facts), rule).values())
        return resolved + facts.group_interval + facts.evaluation_seconds + DELIVERY

    def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Look at the drill until a condition holds or time is up; both are for the judge to weigh."""
        self._say(f"waiting for {what}", seconds)

        def look() -> bool:
            self._look()
            return condition()

        try:
            wait_until(look, seconds=seconds, what=what, every=POLL, stop=self.stop)
        except DeadlineExceeded:
            return

    def _linger(self, what: str, seconds: float) -> None:
        """Keep looking for so many seconds: things happen meanwhile that no condition tells of."""
        until = self.site.now() + seconds
        self._until(lambda: self.site.now() >= until, seconds + PATIENCE, what)

    def _look(self) -> None:
        """Take down what only a look can tell: how Alertmanager treats its alerts, and what processes use."""
        self.site.check()
        now = self.site.now()
        alerts = [dict(alert) for alert in self.site.alertmanager_alerts()]
        if alerts and (not self.story.snapshots or _treated(self.story.snapshots[-1]["alerts"]) != _treated(alerts)):
            self.story.snapshots.append({"time": now, "event": "alerts", "alerts": alerts})
        if not self.story.usage or now - self.story.usage[-1]["time"] >= 0.5:
            self.story.usage += [{"time": now, "event": "usage", **used} for used in self.site.usage()]
            self.story.usage.append({"time": now, "event": "machine", **self.site.machine()})
        for alert in self.site.active_alerts():
            self._show(alert.labels, alert.state)

    def _show(self, labels: Mapping[str, str], state: str) -> None:
        if any(_is(labels, e) for e in self.plan.drill.expect):
            self.tell(Progress(self.plan.name, f"{labels.get('alertname')} {state}", self.site.now()))

    def _write(self) -> None:
        """Write the evidence: what the engines still know first, the manifest last."""
        facts, story = self.story.facts, self.story
        names: Sequence[str] = ()
        complete = story.ended is not None
        if facts is not None and story.injected is not None:
            self._say("collecting evidence")
            try:
                names = self.site.metric_names()
                manifest = self._manifest(facts)
                story.coarse_step = collect(self.site, self.recording, manifest, story.counters, self.origin)
            except (EngineTrouble, Stopped) as trouble:
                self._note(f"the evidence could not be collected: {trouble}")
                complete = False
        moved = self._moved
        self.recording.append("alertmanager.jsonl", *map(moved, self.site.received()), *map(moved, story.snapshots))
        self.recording.append("notifications.jsonl", *map(moved, self.site.notifications()))
        self.recording.append("load.jsonl", *map(moved, self.site.load_lines()))
        self.recording.append("processes.jsonl", *map(moved, self.site.process_events()), *map(moved, story.usage))
        self.recording.conclude(self._manifest(facts, complete=complete, metric_names=tuple(names)))

    def _moved(self, line: Mapping[str, Any]) -> dict[str, Any]:
        return {**line, "time": self._relative(line["time"])}

    def _relative(self, moment: float) -> float:
        return round(moment - self.origin, 6)

    def _manifest(self, facts: Facts | None, *, complete: bool = False, metric_names: tuple[str, ...] = ()) -> Manifest:
        plan, story = self.plan, self.story

        def moment(at: float | None) -> float | None:
            return None if at is None else self._relative(at)

        return Manifest(
            complete=complete,
            tocsin=__version__,
            system=plan.system,
            environment=plan.environment,
            ours=plan.ours,
            drill=plan.name,
            marker=plan.marker,
            file=plan.place.file,
            line=plan.place.line,
            stimulus=dict(plan.drill.stimulus),
            clock_origin=self.origin,
            factor=plan.factor,
            engines=dict(facts.engines) if facts else {},
            phase_delay=self.phase_delay,
            moments=Moments(
                started=self._relative(story.started),
                armed=moment(story.armed),
                steady=moment(story.steady),
                injected=moment(story.injected),
                recovered=moment(story.recovered),
                ended=moment(story.ended),
                disturbed=moment(story.disturbed),
            ),
            scrape_seconds=facts.scrape_seconds if facts else 1.0,
            evaluation_seconds=facts.evaluation_seconds if facts else 1.0,
            rules=facts.rules if facts else (),
            left_out=facts.left_out if facts else (),
            expect=expected_alerts(plan),
            allow=tuple(AllowedAlert(alert=a.alert, labels=a.labels, reason=a.reason) for a in plan.drill.allow),
            flaps=plan.drill.flaps,
            targets=tuple(map(self._target, facts.targets)) if facts else (),
            alertmanager_file=facts.alertmanager_file if facts else "",
            alertmanager_places=dict(facts.alertmanager_places) if facts else {},
            metric_names=metric_names,
            coarse_step=story.coarse_step,
            notice_seconds=plan.stimulus.noticed_within,
            landing_seconds=round(story.landing, 3),
            proof=plan.drill.proof.model_dump() if plan.drill.proof else None,
            trouble=tuple(Trouble(time=self._relative(at), what=what) for at, what in story.trouble),
            earlier=plan.earlier,
            refused=story.refused,
            not_observable=facts.not_observable if facts else (),
            replicas=facts.replicas if facts else (),
            disturbance=plan.drill.disturbance.model_dump(exclude_none=True) if plan.drill.disturbance else None,
            partitioned=plan.ours and plan.drill.partitions,
            peers_wait_seconds=facts.peers_wait if facts else 0.0,
            alert_relabelling=facts.alert_relabelling if facts else "",
        )

    def _target(self, target: Target) -> Target:
        plan = self.plan
        drilled = target.job in plan.stimulus.jobs or (target.model_extra or {}).get("process") in plan.disturbed
        return target.model_copy(update={"drilled": drilled})


def unperformed(plan: PlannedDrill, *, origin: float, troubles: tuple[Trouble, ...]) -> Manifest:
    """Return the manifest of a drill that was not performed, or whose evidence could not be written, and why."""
    return Manifest(
        tocsin=__version__,
        system=plan.system,
        environment=plan.environment,
        ours=plan.ours,
        drill=plan.name,
        marker=plan.marker,
        file=plan.place.file,
        line=plan.place.line,
        stimulus=dict(plan.drill.stimulus),
        clock_origin=origin,
        factor=plan.factor,
        moments=Moments(started=min((trouble.time for trouble in troubles), default=0.0)),
        expect=expected_alerts(plan),
        trouble=troubles,
        earlier=plan.earlier,
    )


def expected_alerts(plan: PlannedDrill) -> tuple[ExpectedAlert, ...]:
    """Return a drill's expectations as the judge is told of them: budgets as they run, in seconds."""

    def scaled(seconds: float | None) -> float | None:
        return None if seconds is None else seconds / plan.factor

    return tuple(
        ExpectedAlert(
            alert=expected.alert,
            labels=expected.labels,
            receivers=expected.receivers,
            resolution_not_sent=expected.resolution_not_sent,
            outcome=expected.outcome,
            within=scaled(expected.within),
            crossed_within=scaled(expected.crossed_within),
            resolved_within=scaled(expected.resolved_within),
            line=plan.place.line,
        )
        for expected in plan.drill.expect
    )


def _is(labels: object, expected: Expectation) -> bool:
    if not isinstance(labels, Mapping):
        return False
    return labels.get("alertname") == expected.alert and expected.labels.items() <= labels.items()


def _treated(alerts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return how Alertmanager treats each alert, without what changes with every resend."""
    return {str(a.get("fingerprint")): str((a.get("status"), a.get("receivers"))) for a in alerts}
