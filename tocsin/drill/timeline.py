"""When the stages of an alert happened, read from a drill's evidence; exact to the 10 ms of its expressions."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.artefacts.alertmanager import Matcher
from tocsin.evidence import Evidence, ExpectedAlert, Manifest, Notification, RuleFacts, Sample, Selected, Series

STEP = 0.01
"""Seconds between two evaluations of an expression in the evidence."""
ROUNDING = 0.002
"""Seconds that a timestamp may be off by its own rounding to milliseconds."""
NAMES = (
    "injected",
    "crossed",
    "scraped",
    "pending",
    "firing",
    "received",
    "notified",
    "recovered",
    "resolved",
    "resolution_notified",
)


@dataclass(frozen=True, slots=True)
class Stages:
    """The moment of each stage, in seconds since the run's start; None where it did not happen."""

    injected: float | None = None
    crossed: float | None = None
    scraped: float | None = None
    pending: float | None = None
    firing: float | None = None
    received: float | None = None
    notified: float | None = None
    recovered: float | None = None
    resolved: float | None = None
    resolution_notified: float | None = None
    not_observable: frozenset[str] = field(default=frozenset())

    def written(self) -> dict[str, float | str | None]:
        """Return the stages as results.json holds them."""
        return {n: "not observable" if n in self.not_observable else _rounded(getattr(self, n)) for n in NAMES}


def _rounded(moment: float | None) -> float | None:
    return None if moment is None else round(moment, 3)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which an alert was active without a break."""

    pending: float | None
    firing: float | None
    last: float
    """The last evaluation at which it was still active."""
    last_firing: float | None
    ended: float | None
    """The evaluation at which it was found inactive; None if it was active to the end of the evidence."""

    @property
    def began(self) -> float:
        """The first evaluation at which it was active."""
        return min(t for t in (self.pending, self.firing) if t is not None)


@dataclass(frozen=True, slots=True)
class AlertInstance:
    """One alert as Prometheus kept it: a label set, and when it was active."""

    labels: Mapping[str, str]
    spans: tuple[Span, ...]

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels.get("alertname", "")

    def matches(self, alert: str, labels: Mapping[str, str]) -> bool:
        """Tell whether this is the named alert with at least these labels."""
        return self.name == alert and all(self.labels.get(k) == v for k, v in labels.items())

    @property
    def first_firing(self) -> float | None:
        """The first evaluation at which it fired."""
        return min((s.firing for s in self.spans if s.firing is not None), default=None)


def alert_instances(evidence: Evidence) -> tuple[AlertInstance, ...]:
    """Return every alert that was ever pending or firing, from the ALERTS series."""
    grouped: dict[tuple[tuple[str, str], ...], dict[str, Series]] = {}
    for series in evidence.series:
        if series.name == "ALERTS":
            labels = tuple(sorted((k, v) for k, v in series.labels.items() if k not in ("__name__", "alertstate")))
            grouped.setdefault(labels, {})[series.labels.get("alertstate", "")] = series
    return tuple(AlertInstance(dict(labels), tuple(_spans(states, evidence))) for labels, states in grouped.items())


def _spans(states: Mapping[str, Series], evidence: Evidence) -> Iterator[Span]:
    """Join the samples of an alert's two series into stretches without a gap of more than an evaluation."""
    manifest = evidence.manifest
    name = next(iter(states.values())).labels.get("alertname", "")
    interval = max((r.interval_seconds for r in manifest.rules if r.name == name), default=1.0) if manifest else 1.0
    ticks = sorted((t, state) for state, series in states.items() for t, value in series.samples if value == 1)
    stale = sorted(t for series in states.values() for t in series.stale)
    end = manifest.moments.ended if manifest else None
    stretch: list[tuple[float, str]] = []
    for tick in ticks:
        if stretch and tick[0] - stretch[-1][0] > 1.5 * interval:
            yield _span(stretch, stale, interval, to_the_end=False)
            stretch = []
        stretch.append(tick)
    if stretch:
        yield _span(stretch, stale, interval, to_the_end=end is None or end - stretch[-1][0] <= 1.5 * interval)


def _span(stretch: Sequence[tuple[float, str]], stale: Sequence[float], interval: float, *, to_the_end: bool) -> Span:
    last = stretch[-1][0]
    marked = next((t for t in stale if last < t <= last + 1.5 * interval), None)
    ended = None if marked is None and to_the_end else marked or last + interval
    firing = [t for t, state in stretch if state == "firing"]
    return Span(
        pending=next((t for t, state in stretch if state == "pending"), None),
        firing=firing[0] if firing else None,
        last=last,
        last_firing=firing[-1] if firing else None,
        ended=ended,
    )


def rule_of(manifest: Manifest, alert: str, labels: Mapping[str, str]) -> RuleFacts | None:
    """Return the rule that gives an alert of that name and those labels, by its static labels.

    A label that is a template may become anything, so it tells nothing.
    """
    named = [rule for rule in manifest.rules if rule.name == alert]
    return next((r for r in named if all("{{" in v or labels.get(k, v) == v for k, v in r.labels.items())), None)


def crossing_terms(manifest: Manifest, rule: RuleFacts) -> dict[str, float]:
    """Return the seconds granted from injected to crossed, term by term."""
    landing = manifest.landing_seconds
    return {**({"the stimulus itself": landing} if landing else {}), **_noticing_terms(manifest, rule)}


def _noticing_terms(manifest: Manifest, rule: RuleFacts) -> dict[str, float]:
    """Return the seconds until a rule can see a change, term by term."""
    noticed = {"discovery": manifest.notice_seconds} if manifest.notice_seconds else {}
    recording = {"recording rules": rule.recording_seconds} if rule.recording_seconds else {}
    return {**noticed, "window": rule.window_seconds, **recording, "two scrapes": 2 * rule.scrape_seconds}


def resolving_terms(manifest: Manifest, rule: RuleFacts) -> dict[str, float]:
    """Return the seconds granted from recovered to resolved, term by term."""
    ending = {"keep_firing_for": rule.keep_firing_seconds, "one evaluation": rule.interval_seconds}
    return {**_noticing_terms(manifest, rule), **ending}


def selected(evidence: Evidence, selector: Selected) -> list[Series]:
    """Return the series that a selector finds in the evidence."""
    matchers = [Matcher(*m) for m in selector.matchers]
    return [
        s
        for s in evidence.series
        if (not selector.metric or s.name == selector.metric) and all(m.matches(s.labels) for m in matchers)
    ]


def true_stretches(evidence: Evidence, rule: RuleFacts, labels: Mapping[str, str] | None) -> list[tuple[float, float]]:
    """Return the stretches of time in which a rule's expression held, for the alert of those labels or for any."""
    moments: set[float] = set()
    for expression in evidence.expressions:
        if expression.rule == rule.id and expression.side == "whole" and _belongs(expression.labels, labels, rule):
            moments.update(t for t, _ in expression.samples)
    step = evidence.manifest.coarse_step if evidence.manifest else STEP
    stretches: list[tuple[float, float]] = []
    for moment in sorted(moments):
        if stretches and moment - stretches[-1][1] <= 1.5 * step:
            stretches[-1] = (stretches[-1][0], moment)
        else:
            stretches.append((moment, moment))
    return stretches


def _belongs(result: Mapping[str, str], labels: Mapping[str, str] | None, rule: RuleFacts) -> bool:
    if labels is None:
        return True
    return all(labels.get(k) == v for k, v in result.items() if k != "__name__" and k not in rule.labels)


def crossing(evidence: Evidence, rule: RuleFacts, instance: AlertInstance | None, span: Span | None) -> float | None:
    """Return the first sample (or stale marker) at which the expression was true.

    Of an alert that became active, the stretch of truth in which it did; else the first one since the stimulus.
    """
    manifest = evidence.manifest
    if manifest is None or manifest.moments.injected is None:
        return None
    stretches = true_stretches(evidence, rule, instance.labels if instance else None)
    if span is not None:
        around = [
            s for s in stretches if s[0] <= span.began + STEP and s[1] >= span.began - 1.5 * rule.interval_seconds
        ]
        if not around:
            return None
        return _sample_at(evidence, rule, around[-1][0], before=span.began)
    since = [s for s in stretches if s[1] >= manifest.moments.injected]
    return _sample_at(evidence, rule, max(since[0][0], manifest.moments.injected), before=None) if since else None


def _sample_at(evidence: Evidence, rule: RuleFacts, moment: float, *, before: float | None) -> float:
    """Return the timestamp of the sample that made an expression true by `moment`, a step of 10 ms."""
    times = sorted({t for selector in rule.selectors for s in selected(evidence, selector) for t in _timestamps(s)})
    at = bisect_right(times, moment + ROUNDING / 2)
    if at and moment - times[at - 1] <= STEP + ROUNDING:
        return times[at - 1]
    if at < len(times) and (before is None or times[at] <= before):
        return times[at]  # it came true by an old sample's leaving the window; the next one is the first to show it
    return moment


def _timestamps(series: Series) -> Iterable[float]:
    yield from (t for t, _ in series.samples)
    yield from series.stale


def scrape_end(evidence: Evidence, rule: RuleFacts, crossed: float) -> float:
    """Return when the sample of `crossed` could be seen: its timestamp is the scrape's start, it is stored at its end.

    A target that leaves service discovery has no scrape: Prometheus stamps its stale markers with the time at which
    the next one would have been, and writes them one interval and a tenth later, in case the target comes back
    (scrape/scrape.go, endOfRunStaleness). Where the markers cannot be had, the end of its `up` tells.
    """
    if evidence.manifest is not None and not evidence.manifest.ours and _some_left(evidence, rule, crossed):
        return crossed + 1.1 * rule.scrape_seconds
    for selector in rule.selectors:
        for series in selected(evidence, selector):
            if _near(series.samples, crossed):
                return crossed + _scrape_duration(evidence, series, crossed)
            if any(abs(t - crossed) <= ROUNDING for t in series.stale):
                if _left_discovery(evidence, series, crossed):
                    return crossed + 1.1 * rule.scrape_seconds
                return crossed + _scrape_duration(evidence, series, crossed)
    return crossed


def _near(samples: Sequence[Sample], moment: float) -> bool:
    at = bisect_left(samples, (moment - ROUNDING, -math.inf))
    return at < len(samples) and abs(samples[at][0] - moment) <= ROUNDING


def _left_discovery(evidence: Evidence, series: Series, moment: float) -> bool:
    """Tell whether the target's own `up` was marked stale: a target that only fails has up 0."""
    wanted = {k: series.labels[k] for k in ("job", "instance") if k in series.labels}
    return any(
        any(abs(t - moment) <= ROUNDING for t in s.stale)
        for s in evidence.series
        if s.name == "up" and s.matches(wanted)
    )


def _some_left(evidence: Evidence, rule: RuleFacts, moment: float) -> bool:
    """Tell whether a target that a rule looks at left service discovery just before: its `up` has ended."""
    near = 2.5 * rule.scrape_seconds
    looked_at = {
        (series.labels["job"], series.labels["instance"])
        for selector in rule.selectors
        for series in selected(evidence, selector)
        if {"job", "instance"} <= series.labels.keys()
    }
    for series in evidence.series:
        if series.name == "up" and (series.labels.get("job"), series.labels.get("instance")) in looked_at:
            before = [t for t, _ in series.samples if t <= moment]
            after = [t for t, _ in series.samples if before and before[-1] < t <= before[-1] + near]
            if before and moment - before[-1] <= near and not after:
                return True
    return False


def _scrape_duration(evidence: Evidence, carried: Series, moment: float) -> float:
    wanted = {k: carried.labels[k] for k in ("job", "instance") if k in carried.labels}
    if len(wanted) < 2:
        return 0.0
    for series in evidence.series:
        if series.name == "scrape_duration_seconds" and series.matches(wanted):
            return next((v for t, v in series.samples if abs(t - moment) <= ROUNDING), 0.0)
    return 0.0


def told_of(evidence: Evidence, instance: AlertInstance, status: str) -> list[tuple[Notification, dict[str, object]]]:
    """Return the notifications that tell of an alert with that status, each with the alert as it was told."""
    return [
        (notification, alert)
        for notification in evidence.notifications
        for alert in notification.alerts
        if alert.get("status") == status and _same(alert.get("labels"), instance.labels)
    ]


def is_told(alert: Mapping[str, object], instance: AlertInstance) -> bool:
    """Tell whether an alert of a notification is this one, whatever labels it was sent with besides."""
    return _same(alert.get("labels"), instance.labels)


def _same(told: object, labels: Mapping[str, str]) -> bool:
    return isinstance(told, dict) and all(told.get(k) == v for k, v in labels.items())


def snapshots_of(evidence: Evidence, instance: AlertInstance) -> list[tuple[float, dict[str, object]]]:
    """Return what Alertmanager's API said of an alert, with the moment at which it was asked."""
    return [
        (line["time"], alert)
        for line in evidence.alertmanager
        if line.get("event") == "alerts"
        for alert in line["alerts"]
        if _same(alert.get("labels"), instance.labels)
    ]


def received(evidence: Evidence, instance: AlertInstance, firing: float) -> float | None:
    """Return when Alertmanager received an alert that fires since `firing`: by its log, else by its API."""
    prints = {str(alert.get("fingerprint", "")) for _, alert in snapshots_of(evidence, instance)}
    prints |= {str(alert.get("fingerprint", "")) for _, alert in told_of(evidence, instance, "firing")}
    logged = [
        line["time"]
        for line in evidence.alertmanager
        if line.get("event") == "received"
        and line.get("alert") == instance.name
        and line.get("state") == "active"
        and line["time"] >= firing - ROUNDING
        and (not prints or any(p.startswith(str(line.get("fingerprint"))) for p in prints))
    ]
    if logged:
        return float(min(logged))
    return min((t for t, _ in snapshots_of(evidence, instance) if t >= firing - ROUNDING), default=None)


def span_after(instance: AlertInstance, moment: float) -> Span | None:
    """Return the first stretch in which an alert fired after `moment`, else the first in which it was pending."""
    after = [s for s in instance.spans if s.began >= moment - ROUNDING]
    return next((s for s in after if s.firing is not None), after[0] if after else None)


def stages(evidence: Evidence, expected: ExpectedAlert, rule: RuleFacts, instance: AlertInstance | None) -> Stages:
    """Return the stages of an expected alert; `instance` is None if it never became active."""
    manifest = evidence.manifest
    if manifest is None or manifest.moments.injected is None:
        return Stages()
    hidden = frozenset(manifest.not_observable)
    injected, recovered = manifest.moments.injected, manifest.moments.recovered
    span = span_after(instance, injected) if instance else None
    crossed = crossing(evidence, rule, instance, span)
    scraped = None if crossed is None else scrape_end(evidence, rule, crossed)
    common = {"injected": injected, "recovered": recovered, "crossed": crossed, "scraped": scraped}
    if instance is None or span is None:
        return Stages(**common, not_observable=hidden)
    resolved = span.ended if span.firing is not None else None
    return Stages(
        **common,
        pending=span.pending,
        firing=span.firing,
        received=None if span.firing is None else received(evidence, instance, span.firing),
        notified=_told_all(evidence, expected, instance, "firing", since=injected),
        resolved=resolved,
        resolution_notified=None
        if resolved is None
        else _told_all(evidence, expected, instance, "resolved", since=resolved),
        not_observable=hidden,
    )


def _told_all(
    evidence: Evidence, expected: ExpectedAlert, instance: AlertInstance, status: str, *, since: float
) -> float | None:
    """Return when the last of the expected receivers (or the first of any) was told."""
    first: dict[str, float] = {}
    for notification, _ in told_of(evidence, instance, status):
        if notification.time >= since - ROUNDING:
            first.setdefault(notification.receiver, notification.time)
    if not expected.receivers:
        return min(first.values(), default=None)
    silent = expected.resolution_not_sent if status == "resolved" else ()
    told = [first.get(receiver) for receiver in expected.receivers if receiver not in silent]
    known = [t for t in told if t is not None]
    return max(known, default=None) if len(known) == len(told) else None
