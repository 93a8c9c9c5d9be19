"""The judge of a drill: reads its evidence, touches nothing, and says what it proves."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.artefacts.alertmanager import RouteNode, Routing, read_routing
from tocsin.drill import explain
from tocsin.drill.grouping import waiting_terms
from tocsin.drill.guards import starved, trouble
from tocsin.drill.repeats import note, repeats
from tocsin.drill.timeline import (
    ROUNDING,
    AlertInstance,
    Stages,
    alert_instances,
    crossing_terms,
    resolving_terms,
    rule_of,
    snapshots_of,
    span_after,
    stages,
    told_of,
)
from tocsin.evidence import CONFIG, AllowedAlert, Evidence, ExpectedAlert, Manifest, RuleFacts, Target, read_evidence
from tocsin.source import Unreadable, read_document, read_text
from tocsin.verdict import PASSED, Verdict, failed, inconclusive, worst

DELIVERY = 0.1
"""Seconds granted for an alert's way from Prometheus through Alertmanager to the sink."""
REWRITTEN_ALERTMANAGER = "alertmanager.rewritten.yml"


@dataclass(frozen=True, slots=True)
class ExpectedResult:
    """What became of one expected alert."""

    expected: ExpectedAlert
    rule: RuleFacts | None
    labels: Mapping[str, str]
    receivers: tuple[str, ...]
    stages: Stages
    minimum_seconds: float | None
    """The theoretical least from crossed to notified."""
    took_seconds: float | None
    """From crossed to notified."""
    budget: Mapping[str, float]
    """The terms of the budget from crossed to notified, in seconds."""
    verdict: Verdict
    note: str = ""
    """What is to be said of it although it is no fault."""


@dataclass(frozen=True, slots=True)
class Undeclared:
    """An alert that started during a drill and is not its subject."""

    alert_id: str
    labels: Mapping[str, str]
    pending: float | None
    firing: float | None
    reason: str = ""
    """Why it does not count, where it does not."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The judgement of one drill."""

    name: str
    evidence: Evidence
    verdict: Verdict
    expected: tuple[ExpectedResult, ...] = ()
    allowed: tuple[Undeclared, ...] = ()
    unexpected: tuple[Undeclared, ...] = ()

    @property
    def slowest(self) -> ExpectedResult | None:
        """The expected alert that came closest to its budget, or went furthest beyond it."""
        timed = [e for e in self.expected if e.took_seconds is not None and e.minimum_seconds is not None]
        return max(timed, key=lambda e: (e.took_seconds or 0) - (e.minimum_seconds or 0), default=None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the drill although it is no fault."""
        earlier = self.evidence.manifest.earlier if self.evidence.manifest else ()
        again = [f"performed again, for an earlier attempt proved nothing: {' '.join(r.splitlines())}" for r in earlier]
        return tuple(dict.fromkeys([*again, *(e.note for e in self.expected if e.note)]))


@dataclass(frozen=True, slots=True)
class _Question:
    """An expected alert with all that is known of it."""

    evidence: Evidence
    manifest: Manifest
    expected: ExpectedAlert
    rule: RuleFacts
    instance: AlertInstance | None
    reached: Stages
    routing: Routing | None
    route: RouteNode | None
    """The slowest of the routes by which the alert goes to its expected receivers."""


def judge_folder(folder: Path) -> DrillResult:
    """Read the evidence of a drill and judge it. A defect of ours makes that drill inconclusive; it is never raised."""
    try:
        return judge(read_evidence(folder))
    except Exception as error:  # noqa: BLE001 the other drills, and the reports, must not be lost with it
        return defective(folder.name, folder, "judged", error)


def defective(drill: str, folder: Path, what: str, error: Exception) -> DrillResult:
    """Return the result of a drill whose evidence could not be judged, or shown (`what`), for a defect of ours."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" ({Path(frame.filename).name}:{frame.lineno})" for frame in last)
    named = f"{type(error).__name__}: {error}{where}"
    said = (
        f"a defect of Tocsin, please report it: this drill could not be {what}: {named}; "
        f"its evidence is in {folder}, and `tocsin rejudge` of a Tocsin without the defect judges it"
    )
    return DrillResult(drill, Evidence(folder, None, said), inconclusive(said))


def judge(evidence: Evidence) -> DrillResult:
    """Judge a drill by its evidence. Trouble of the instruments beats every other verdict."""
    manifest = evidence.manifest
    if manifest is None:
        return DrillResult(evidence.folder.name, evidence, inconclusive(evidence.problem))
    troubles = trouble(evidence)
    if manifest.refused and not troubles:
        return DrillResult(manifest.drill, evidence, failed("\n".join(manifest.refused)))
    if evidence.problem or manifest.moments.injected is None:
        return DrillResult(manifest.drill, evidence, inconclusive("\n".join(troubles)))
    instances = alert_instances(evidence)
    routing = _routing(evidence)
    expected = tuple(_expected(evidence, manifest, e, instances, routing) for e in manifest.expect)
    allowed, unexpected = _undeclared(manifest, instances)
    verdicts = [e.verdict for e in expected]
    verdicts += [failed(_said_of(u, manifest)) for u in unexpected]
    verdicts += [failed(said) for said in _flapping(manifest, instances)]
    if not manifest.expect and not verdicts:
        verdicts.append(PASSED)
    verdict = inconclusive("\n".join(troubles)) if troubles else worst(verdicts)
    return DrillResult(manifest.drill, evidence, verdict, expected, allowed, unexpected)


def _routing(evidence: Evidence) -> Routing | None:
    path = evidence.folder / CONFIG / REWRITTEN_ALERTMANAGER
    try:
        return read_routing(read_document(read_text(path, path.name), path.name, raw=True))
    except Unreadable:
        return None


def _expected(
    evidence: Evidence,
    manifest: Manifest,
    expected: ExpectedAlert,
    instances: tuple[AlertInstance, ...],
    routing: Routing | None,
) -> ExpectedResult:
    injected = manifest.moments.injected or 0.0
    rule = rule_of(manifest, expected.alert, expected.labels)
    if rule is None:
        reason = explain.no_rule(manifest, expected)
        return ExpectedResult(expected, None, expected.labels, (), Stages(), None, None, {}, failed(reason))
    found = [i for i in instances if i.matches(expected.alert, expected.labels) and span_after(i, injected)]
    instance = min(found, key=lambda i: i.first_firing or math.inf, default=None)
    reached = stages(evidence, expected, rule, instance)
    route = _route(evidence, routing, expected, instance)
    asked = _Question(evidence, manifest, expected, rule, instance, reached, routing, route)
    budget = _budget(asked)
    took = reached.notified - reached.crossed if reached.notified and reached.crossed else None
    missed = _missed(asked)
    again = repeats(evidence, manifest, instance, route) if instance and expected.outcome == "notified" else ()
    late = [] if missed or again else _late(asked, budget)
    reasons = missed or [repeat.reason for repeat in again] or late or _ill_told(asked)
    by_timing = bool(late) or (not missed and bool(again) and all(repeat.by_timing for repeat in again))
    return ExpectedResult(
        expected=expected,
        rule=rule,
        labels=instance.labels if instance else expected.labels,
        receivers=_told(evidence, instance),
        stages=reached,
        minimum_seconds=budget["for"] + budget["group_wait"] if expected.outcome == "notified" else None,
        took_seconds=took,
        budget=budget,
        verdict=_weighed(evidence, reasons, late=by_timing),
        note=note(evidence, manifest, instance, route),
    )


def _weighed(evidence: Evidence, reasons: list[str], *, late: bool) -> Verdict:
    """Return the verdict of what was found. Lateness on a machine without CPU to spare proves nothing.

    Nor does an Alertmanager's word that came too late to the others.
    """
    if not reasons:
        return PASSED
    share = starved(evidence) if late else None
    if share is None:
        return failed("\n".join(reasons))
    said = f"the machine was starved: for {share:.0%} of ten seconds something waited for a CPU"
    return inconclusive("\n".join([*reasons, said]))


def _told(evidence: Evidence, instance: AlertInstance | None) -> tuple[str, ...]:
    return tuple(sorted({n.receiver for n, _ in told_of(evidence, instance, "firing")})) if instance else ()


def _route(
    evidence: Evidence, routing: Routing | None, expected: ExpectedAlert, instance: AlertInstance | None
) -> RouteNode | None:
    if routing is None:
        return None
    labels: dict[str, str] = dict(instance.labels) if instance else {"alertname": expected.alert, **expected.labels}
    for _, alert in snapshots_of(evidence, instance) if instance else ():
        labels |= {str(k): str(v) for k, v in dict(alert["labels"]).items()}  # type: ignore[call-overload]
    taken = routing.routes(labels)
    wanted = [r for r in taken if r.receiver in expected.receivers] or list(taken)
    return max(wanted, key=lambda r: r.group_wait, default=None)


def _budget(asked: _Question) -> dict[str, float]:
    """Return the terms granted from crossed to notified, in seconds.

    `for` counts in whole evaluations (Prometheus, rules/alerting.go: it fires at the first evaluation at which it has
    been active for at least that long).
    """
    rule, reached = asked.rule, asked.reached
    evaluations = math.ceil(round(rule.hold_seconds / rule.interval_seconds, 6))
    return {
        "for": evaluations * rule.interval_seconds,
        **waiting_terms(asked.evidence, asked.routing, asked.route, asked.instance),
        **_peers(asked.manifest),
        "one evaluation": rule.interval_seconds,
        "the scrape": (reached.scraped or 0.0) - (reached.crossed or 0.0),
        "delivery": DELIVERY,
    }


def _peers(manifest: Manifest) -> dict[str, float]:
    """Return what an Alertmanager may wait for those before it in its cluster; one of them may be gone."""
    return {"peers": manifest.peers_wait_seconds} if manifest.peers_wait_seconds else {}


def _missed(asked: _Question) -> list[str]:
    """Return what to say of the first stage that did not happen; nothing if all did."""
    evidence, manifest, rule, reached = asked.evidence, asked.manifest, asked.rule, asked.reached
    if reached.crossed is None:
        return [explain.not_crossed(evidence, manifest, rule)]
    if asked.instance is None:
        return [explain.not_pending(evidence, rule)]
    if reached.firing is None:
        return [explain.not_firing(asked.instance, manifest, rule)]
    if reached.received is None and "received" not in reached.not_observable:
        return [f"{rule.name}: fired at {reached.firing:.2f} s and Alertmanager never received it"]
    if asked.expected.outcome != "notified":
        return _not_suppressed(asked, asked.instance)
    return _not_told(asked, asked.instance)


def _not_told(asked: _Question, instance: AlertInstance) -> list[str]:
    """Return what to say if the receivers were not told of the alert and of its end."""
    evidence, manifest, expected, reached = asked.evidence, asked.manifest, asked.expected, asked.reached
    if reached.notified is None and "notified" not in reached.not_observable:
        return [explain.not_notified(evidence, manifest, expected, instance, asked.routing)]
    if "notified" in reached.not_observable and (said := _ill_routed(asked, instance)):
        return [said]
    wrong = sorted(set(_told(evidence, instance)) - set(expected.receivers)) if expected.receivers else []
    if wrong:
        return [f"{expected.alert}: was notified to {', '.join(wrong)} too, which the drill does not expect"]
    if reached.resolved is None:
        return [explain.not_resolved(expected, manifest, reached, _resolving(asked))]
    if (too_much := _told_of_end(asked, instance)) or expected.ends_in_silence:
        return too_much
    if reached.resolution_notified is None and "resolution_notified" not in reached.not_observable:
        return [explain.resolution_not_notified(evidence, manifest, expected, instance, asked.routing)]
    return []


def _told_of_end(asked: _Question, instance: AlertInstance) -> list[str]:
    """Say which receivers were told of the end that must not be."""
    expected, manifest = asked.expected, asked.manifest
    told = {
        n.receiver: n
        for n, _ in told_of(asked.evidence, instance, "resolved")
        if n.receiver in expected.resolution_not_sent and n.time >= (manifest.moments.injected or 0.0)
    }
    return [
        f"{expected.alert}: {name} was told at {n.time:.2f} s that it is over, which `resolution_not_sent` rules out: "
        f"its {n.integration} integration at "
        f"{explain.integration_place(manifest, name, n.integration, n.index)} sends resolved"
        for name, n in sorted(told.items())
    ]


def _ill_routed(asked: _Question, instance: AlertInstance) -> str:
    """Say to which receivers Alertmanager routes an alert whose notifications cannot be seen, if not as expected."""
    routed = {
        str(receiver.get("name"))
        for _, alert in snapshots_of(asked.evidence, instance)
        for receiver in alert.get("receivers") or ()  # type: ignore[attr-defined]
    }
    missing = sorted(set(asked.expected.receivers) - routed)
    if not routed or not missing:
        return ""
    return (
        f"{asked.expected.alert}: Alertmanager routes it to {', '.join(sorted(routed))}, and not to "
        f"{', '.join(missing)}; see `routes` in {asked.manifest.alertmanager_file}"
    )


def _not_suppressed(asked: _Question, instance: AlertInstance) -> list[str]:
    expected = asked.expected
    told = [n for n, _ in told_of(asked.evidence, instance, "firing")]
    labels = "".join(f" {k}={v}" for k, v in expected.labels.items())
    if told:
        said = (
            f"{expected.alert}{labels}: should have been {expected.outcome}, and {told[0].receiver} was told at "
            f"{told[0].time:.2f} s; see inhibit_rules and time intervals in {asked.manifest.alertmanager_file}"
        )
        return [said]
    held = explain.inhibited if expected.outcome == "inhibited" else explain.muted
    if not held(asked.evidence, instance):
        said = (
            f"{expected.alert}{labels}: nobody was told, but Alertmanager never called it {expected.outcome}: it was"
            " held back by something else, or the drill was too short to tell"
        )
        return [said]
    return []


def _late(asked: _Question, budget: Mapping[str, float]) -> list[str]:
    """Return which stages took longer than they may."""
    return [*_late_crossing(asked), *_late_notice(asked, budget), *_late_end(asked)]


def _late_crossing(asked: _Question) -> list[str]:
    expected, rule, reached = asked.expected, asked.rule, asked.reached
    took = (reached.crossed or 0.0) - (reached.injected or 0.0)
    what = f"{rule.name}: from injected to crossed"
    if expected.crossed_within is not None:
        late = took > expected.crossed_within
        return [explain.too_late(what, took, expected.crossed_within, asked.manifest.factor)] if late else []
    terms = crossing_terms(asked.manifest, rule)
    return [explain.late(what, took, terms)] if took > sum(terms.values()) + ROUNDING else []


def _late_notice(asked: _Question, budget: Mapping[str, float]) -> list[str]:
    expected, rule, reached = asked.expected, asked.rule, asked.reached
    if reached.notified is None or expected.outcome != "notified":
        return []
    said = []
    took = reached.notified - (reached.crossed or 0.0)
    if took > sum(budget.values()) + ROUNDING:
        said.append(explain.late(f"{rule.name}: from crossed to notified", took, budget))
    took = reached.notified - (reached.injected or 0.0)
    if expected.within is not None and took > expected.within:
        what = f"{rule.name}: from injected to notified"
        said.append(explain.too_late(what, took, expected.within, asked.manifest.factor))
    return said


def _late_end(asked: _Question) -> list[str]:
    expected, rule, reached = asked.expected, asked.rule, asked.reached
    said = []
    if reached.resolved is None:
        return []
    took = reached.resolved - (reached.recovered or 0.0)
    what = f"{rule.name}: from recovered to resolved"
    if took > _resolving(asked) + ROUNDING:
        declared = expected.resolved_within
        if declared is not None:
            said.append(explain.too_late(what, took, declared, asked.manifest.factor))
        else:
            said.append(explain.late(what, took, resolving_terms(asked.manifest, rule)))
    if reached.resolution_notified is not None and asked.route is not None:
        took = reached.resolution_notified - reached.resolved
        terms = {"group_interval": asked.route.group_interval, "one evaluation": rule.interval_seconds}
        terms |= {**_peers(asked.manifest), "delivery": DELIVERY}
        if took > sum(terms.values()):
            said.append(explain.late(f"{rule.name}: from resolved to its notification", took, terms))
    return said


def _resolving(asked: _Question) -> float:
    declared = asked.expected.resolved_within
    return declared if declared is not None else sum(resolving_terms(asked.manifest, asked.rule).values())


def _ill_told(asked: _Question) -> list[str]:
    """Return which annotations reached the receiver without having been rendered."""
    signs = ("{{", "<no value>", "<error expanding template")
    told = told_of(asked.evidence, asked.instance, "firing") if asked.instance else []
    said = [
        f"{asked.expected.alert}: {notification.receiver} was told {name}: {text!r}, which was not rendered"
        for notification, alert in told
        if isinstance(annotations := alert.get("annotations"), dict)
        for name, text in annotations.items()
        if any(sign in str(text) for sign in signs)
    ]
    return list(dict.fromkeys(said))


def _undeclared(
    manifest: Manifest, instances: tuple[AlertInstance, ...]
) -> tuple[tuple[Undeclared, ...], tuple[Undeclared, ...]]:
    """Return the alerts that started between stimulus and recovery undeclared: the allowed, and the rest.

    On stacks of ours also those that fired before the stimulus and went on: nothing may ring in steady state.
    """
    since, until = _touched(manifest), manifest.moments.recovered or math.inf
    allowed: list[Undeclared] = []
    unexpected: list[Undeclared] = []
    for instance in instances:
        started = [s for s in instance.spans if since <= s.began <= until]
        if manifest.ours:  # a stack of ours is quiet before the stimulus, or its owner says what rings there
            started = started or [s for s in instance.spans if s.firing is not None and s.firing < since <= s.last]
        if not started or any(instance.matches(e.alert, e.labels) for e in manifest.expect):
            continue
        rule = rule_of(manifest, instance.name, instance.labels)
        firing = next((s.firing for s in started if s.firing is not None), None)
        excuse = _excuse(manifest, instance)
        undeclared = Undeclared(rule.id if rule else instance.name, instance.labels, started[0].pending, firing, excuse)
        (allowed if excuse else unexpected).append(undeclared)
    return tuple(allowed), tuple(unexpected)


def _touched(manifest: Manifest) -> float:
    """Return when the drill first did anything: its stimulus, or before it a disturbance."""
    moments = [manifest.moments.injected, manifest.moments.disturbed]
    return min((moment for moment in moments if moment is not None), default=0.0)


def _excuse(manifest: Manifest, instance: AlertInstance) -> str:
    """Return why an undeclared alert does not count against the system; nothing if it does."""
    permit: AllowedAlert | None = next((a for a in manifest.allow if instance.matches(a.alert, a.labels)), None)
    if permit:
        return permit.reason
    if manifest.ours:
        return ""
    injected = manifest.moments.injected or 0.0
    if any(s.began < injected for s in instance.spans):
        return "unrelated: it was pending or firing before the stimulus"
    touched = {pair for t in manifest.targets if t.drilled or t.loaded for pair in _known_by(t)}
    if touched and not any(pair in touched for pair in instance.labels.items()):
        return "unrelated: it shares no job, namespace or instance with the stimulus's target"
    return ""


def _known_by(target: Target) -> Iterator[tuple[str, str]]:
    """Yield the labels by which an alert is known to be about a target."""
    known = {"job": target.job, "instance": target.instance, "namespace": target.namespace}
    yield from ((label, value) for label, value in known.items() if value)


def _said_of(undeclared: Undeclared, manifest: Manifest) -> str:
    name = undeclared.labels.get("alertname", undeclared.alert_id)
    labels = ", ".join(f'{k}="{v}"' for k, v in sorted(undeclared.labels.items()) if k != "alertname")
    if undeclared.firing is not None and undeclared.firing < (manifest.moments.injected or 0.0):
        return (
            f"{name}{{{labels}}} fired before anything was done, since {undeclared.firing:.2f} s at the latest: if it "
            "always fires it tells nothing; if that is its purpose (a watchdog), put it under the `allow` of the "
            "system, with a reason"
        )
    fired = f"fired at {undeclared.firing:.2f} s" if undeclared.firing else None
    state = fired or f"became pending at {undeclared.pending or 0:.2f} s"
    return (
        f"{name}{{{labels}}} {state}, which the drill does not declare (stimulus {manifest.stimulus}); if it belongs to"
        " this stimulus, add it to `expect`; if it may happen, to `allow` with a reason"
    )


def _flapping(manifest: Manifest, instances: tuple[AlertInstance, ...]) -> list[str]:
    injected = manifest.moments.injected or 0.0
    said = []
    for instance in instances:
        if not manifest.ours and _excuse(manifest, instance):
            continue
        firings = [s for s in instance.spans if s.firing is not None and s.began >= injected]
        if len(firings) - 1 > manifest.flaps:
            said.append(
                f"{instance.name} flapped: it fired {len(firings)} times in one drill, where {manifest.flaps} "
                "repeats are declared (`flaps`)"
            )
    return said
