"""Why an expected alert missed a stage: the cause, where it stands, and how to mend it, from the evidence alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.artefacts.alertmanager import Routing
from tocsin.drill.timeline import AlertInstance, Stages, selected, snapshots_of, span_after, told_of, true_stretches
from tocsin.durations import format_duration
from tocsin.evidence import Evidence, ExpectedAlert, Manifest, RuleFacts, Series
from tocsin.source import nearest


def no_rule(manifest: Manifest, expected: ExpectedAlert) -> str:
    """Say why no loaded rule gives the expected alert."""
    named = f"{expected.alert}{_braced(expected.labels)}"
    left_out = next((r for r in manifest.left_out if r.name == expected.alert), None)
    if left_out:
        return f"{named}: its rule at {left_out.file}:{left_out.line} was left out of drills: {left_out.reason}"
    same = [r for r in manifest.rules if r.name == expected.alert]
    if same:
        have = "; ".join(f"{_braced(r.labels)} at {r.file}:{r.line}" for r in same)
        return f"{named}: rules of that name are loaded, but with other labels: {have}"
    offered = nearest(expected.alert, (r.name for r in manifest.rules))
    return (
        f"{named}: no loaded rule has that name, so it can never ring"
        + (f"; the nearest is {', '.join(offered)}" if offered else "")
        + ". Was the rule renamed or removed? Bring it back, or name the new one in the drill."
    )


def not_crossed(evidence: Evidence, manifest: Manifest, rule: RuleFacts) -> str:
    """Say why the rule's expression never came true."""
    where = f"{rule.name}: its expression at {rule.file}:{rule.expression_line} never came true"
    for reason in (*_unselected(evidence, manifest, rule), *_unmoved(evidence, manifest, rule)):
        return f"{where}: {reason}"
    reached = "; ".join(_reached(evidence, manifest, rule))
    return f"{where}: {reached or 'it gave no value on either side during the stimulus'}"


def _unselected(evidence: Evidence, manifest: Manifest, rule: RuleFacts) -> Iterator[str]:
    for selector in rule.selectors:
        if selected(evidence, selector) or f"absent({selector.text}" in rule.expression.replace(" ", ""):
            continue
        same_metric = [s for s in evidence.series if s.name == selector.metric]
        if same_metric:
            labels = "; ".join(
                f"{label} is {_values(same_metric, label)}, not {operator} {value!r}"
                for label, operator, value in selector.matchers
                if not any(selected(evidence, selector.model_copy(update={"matchers": ((label, operator, value),)})))
            )
            yield f"{selector.text} selects none of the {len(same_metric)} series of that metric ({labels})"
        else:
            offered = nearest(selector.metric, manifest.metric_names)
            yield f"no target exposes {selector.metric}" + (
                f"; the nearest are {', '.join(offered)}" if offered else ""
            )


def _values(series: list[Series], label: str) -> str:
    return ", ".join(sorted({repr(s.labels.get(label, "")) for s in series})[:5])


def _unmoved(evidence: Evidence, manifest: Manifest, rule: RuleFacts) -> Iterator[str]:
    """Find counters that the stimulus should have moved and that stood still."""
    since, until = manifest.moments.injected or 0.0, manifest.moments.recovered or math.inf
    seen = _seen_by_load(evidence, since, until)
    for selector in rule.selectors:
        series = selected(evidence, selector)
        if not selector.metric.endswith(("_total", "_count", "_bucket")) or not series:
            continue
        values = [{v for t, v in s.samples if since <= t <= until} for s in series]
        if all(len(v) <= 1 for v in values):
            yield (
                f"{selector.text} ({len(series)} series) did not move between injected and recovered"
                f"{seen}; the metric is not incremented by what it should count"
            )


def _seen_by_load(evidence: Evidence, since: float, until: float) -> str:
    counts: dict[str, int] = {}
    for line in evidence.load:
        if line.get("event") == "interval" and since <= line["time"] <= until + 1:
            for status, count in (line.get("status") or {}).items():
                counts[str(status)] = counts.get(str(status), 0) + count
    if not counts:
        return ""
    return ", while the load generator saw " + ", ".join(f"{n} x {status}" for status, n in sorted(counts.items()))


def _reached(evidence: Evidence, manifest: Manifest, rule: RuleFacts) -> Iterator[str]:
    since, until = manifest.moments.injected or 0.0, manifest.moments.recovered or math.inf
    sides: dict[tuple[int, str], list[float]] = {}
    texts: dict[tuple[int, str], tuple[str, str]] = {}
    for e in evidence.expressions:
        if e.rule == rule.id and e.side in ("left", "right"):
            values = [v for t, v in e.samples if since <= t <= until and not math.isnan(v)]
            sides.setdefault((e.comparison, e.side), []).extend(values)
            texts[e.comparison, e.side] = (e.text, e.operator)
    for comparison in sorted({c for c, _ in texts}):
        left, right = sides.get((comparison, "left"), []), sides.get((comparison, "right"), [])
        text, operator = texts.get((comparison, "left"), texts.get((comparison, "right"), ("", "")))
        if not left:
            yield f"{text} gave no value at all (of nothing, or of NaN) between injected and recovered"
        elif right:
            best = max(left) if operator in (">", ">=") else min(left)
            extreme = "at most" if operator in (">", ">=") else "at least"
            yield f"its value was {extreme} {best:.4g}, and the rule asks for {operator} {right[-1]:.4g}"


def not_pending(evidence: Evidence, rule: RuleFacts) -> str:
    """Say why an expression that came true did not make the alert pending."""
    stretches = true_stretches(evidence, rule, None)
    longest = max((b - a for a, b in stretches), default=0.0)
    return (
        f"{rule.name}: its expression was true for {longest:.2f} s at the most, and no evaluation "
        f"(every {rule.interval_seconds:g} s) saw it; {rule.file}:{rule.expression_line}"
    )


def not_firing(instance: AlertInstance, manifest: Manifest, rule: RuleFacts) -> str:
    """Say why a pending alert did not fire in time."""
    injected = manifest.moments.injected or 0.0
    span = span_after(instance, injected)
    lasted = 0.0 if span is None else span.last - span.began
    resets = len([s for s in instance.spans if s.began >= injected]) - 1
    again = f"; it became inactive and pending again {resets} times" if resets > 0 else ""
    return (
        f"{rule.name}: was pending for {lasted:.2f} s and did not fire: `for: {rule.production_hold}` at "
        f"{rule.file}:{rule.hold_line} asks for {rule.hold_seconds:g} s here{again}"
    )


def not_notified(
    evidence: Evidence, manifest: Manifest, expected: ExpectedAlert, instance: AlertInstance, routing: Routing | None
) -> str:
    """Say why no notification of a firing alert came to the expected receivers."""
    elsewhere = sorted({n.receiver for n, _ in told_of(evidence, instance, "firing")})
    wanted = ", ".join(expected.receivers) or "any receiver"
    snapshots = [alert for _, alert in snapshots_of(evidence, instance)]
    for reason in _suppressed(evidence, manifest, snapshots):
        return f"{expected.alert}: was not notified to {wanted}: {reason}"
    if elsewhere and not set(expected.receivers) <= set(elsewhere):
        routes = _routes(manifest, routing, instance)
        return f"{expected.alert}: was notified to {', '.join(elsewhere)}, not to {wanted}{routes}"
    for name in _routed(snapshots):
        receiver = routing.receivers.get(name) if routing else None
        if receiver is not None and not receiver.integrations:
            place = manifest.alertmanager_places.get(f"receiver {name}", manifest.alertmanager_file)
            return (
                f"{expected.alert}: Alertmanager routed it to {name}, which has no integration; nobody is told; {place}"
            )
    return (
        f"{expected.alert}: Alertmanager had it, and the sink of {wanted} heard nothing before the drill's deadline"
        f"{_routes(manifest, routing, instance)}"
    )


def _routed(snapshots: list[dict[str, Any]]) -> list[str]:
    return sorted({str(r.get("name")) for alert in snapshots for r in alert.get("receivers", [])})


def _routes(manifest: Manifest, routing: Routing | None, instance: AlertInstance) -> str:
    if routing is None:
        return ""
    taken = [r.receiver for r in routing.routes(instance.labels)]
    file = manifest.alertmanager_file
    return f"; {file} routes its labels to {', '.join(taken)}" if taken else ""


def _suppressed(evidence: Evidence, manifest: Manifest, snapshots: list[dict[str, Any]]) -> Iterator[str]:
    names = {
        str(alert.get("fingerprint")): f"{alert['labels'].get('alertname')}{_braced(_without_name(alert['labels']))}"
        for line in evidence.alertmanager
        if line.get("event") == "alerts"
        for alert in line["alerts"]
    }
    status = [alert.get("status", {}) for alert in snapshots]
    if by := sorted({str(p) for s in status for p in s.get("inhibitedBy") or ()}):
        sources = ", ".join(names.get(p, p) for p in by)
        yield f"it was inhibited by {sources}; see inhibit_rules in {manifest.alertmanager_file}"
    if by := sorted({str(p) for s in status for p in s.get("silencedBy") or ()}):
        yield f"it was silenced by {', '.join(by)}"
    if by := sorted({str(p) for s in status for p in s.get("mutedBy") or ()}):
        yield f"it was muted by the time intervals {', '.join(by)}"


def inhibited(evidence: Evidence, instance: AlertInstance) -> bool:
    """Tell whether Alertmanager ever called an alert inhibited."""
    return any(dict(alert.get("status") or {}).get("inhibitedBy") for _, alert in snapshots_of(evidence, instance))  # type: ignore[call-overload]


def muted(evidence: Evidence, instance: AlertInstance) -> bool:
    """Tell whether Alertmanager ever called an alert muted, in its API (0.28 on) or in its log."""
    said = any(dict(alert.get("status") or {}).get("mutedBy") for _, alert in snapshots_of(evidence, instance))  # type: ignore[call-overload]
    since = instance.first_firing
    if said or since is None:
        return said
    # The log names no group; that nobody was told of this alert, and a group was muted while it fired, is the most.
    return any(line.get("event") == "muted" and line["time"] >= since for line in evidence.alertmanager)


def not_resolved(expected: ExpectedAlert, manifest: Manifest, stages: Stages, budget: float) -> str:
    """Say that an alert went on after its stimulus was gone."""
    waited = (manifest.moments.ended or 0.0) - (manifest.moments.recovered or 0.0)
    return (
        f"{expected.alert}: still fired {waited:.2f} s after the stimulus was gone; "
        f"its budget for resolving is {budget:.2f} s (fired at {stages.firing or 0:.2f} s)"
    )


def resolution_not_notified(
    evidence: Evidence, manifest: Manifest, expected: ExpectedAlert, instance: AlertInstance, routing: Routing | None
) -> str:
    """Say why nobody was told that an alert was over."""
    told = {n.receiver for n, _ in told_of(evidence, instance, "resolved")}
    asked = set(expected.receivers) - set(expected.resolution_not_sent)
    missing = [r for r in expected.receivers if r in asked - told] or ["any receiver"]
    for name in missing:
        receiver = routing.receivers.get(name) if routing else None
        if receiver is not None and not any(i.send_resolved for i in receiver.integrations):
            integrations = {(n.integration, n.index) for n in evidence.notifications if n.receiver == name}
            where = ", ".join(
                f"its {kind} integration at {integration_place(manifest, name, kind, i)}"
                for kind, i in sorted(integrations)
            )
            return (
                f"{expected.alert}: resolved, and {name} was never told: {where} has send_resolved: false, written or "
                "by its kind's default; set `send_resolved: true`, or `resolution_not_sent` in the drill if it is meant"
            )
    return f"{expected.alert}: resolved, and {', '.join(missing)} was not told before the drill's deadline"


def integration_place(manifest: Manifest, receiver: str, kind: str, index: int) -> str:
    """Return where an integration of a receiver stands; its file, if no more is known."""
    return manifest.alertmanager_places.get(f"integration {receiver}/{kind}/{index}", manifest.alertmanager_file)


def _without_name(labels: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in labels.items() if k in ("severity", "service", "job", "instance")}


def _braced(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}" if labels else ""


def late(what: str, took: float, terms: Mapping[str, float]) -> str:
    """Say that a stage took longer than the sum of its terms, each shown in seconds."""
    total = sum(terms.values())
    shown = " + ".join(f"{name} {seconds:.3f}" for name, seconds in terms.items())
    return f"{what} took {took:.3f} s; its budget is {total:.3f} s ({shown})"


def too_late(what: str, took: float, declared: float, factor: float) -> str:
    """Say that a stage took longer than its drill declares."""
    production = format_duration(declared * factor)
    return f"{what} took {took:.2f} s; the drill declares {production}, which is {declared:.2f} s here"
