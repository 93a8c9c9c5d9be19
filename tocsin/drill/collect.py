"""Collecting a drill's series: raw samples, and both sides of each comparison in steps of 10 ms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.drill.site import Site
from tocsin.drill.timeline import STEP
from tocsin.evidence import EXPRESSIONS, SAMPLES, Manifest, Recording, RuleFacts, Series, written
from tocsin.promql import comparisons, parse

ALWAYS = ("ALERTS", "up", "scrape_duration_seconds", "tocsin:evaluation")
"""What the timeline and the guards read, whatever the rules do."""
BEFORE = 4
"""Evaluations or scrapes before the site was armed from which on series are collected."""
MOST_STEPS = 5000
"""Steps of one query; beyond that an expression is evaluated coarsely, and finely only around its changes."""


def collect(site: Site, recording: Recording, manifest: Manifest, counters: Sequence[Series], origin: float) -> float:
    """Write samples.jsonl and expressions.jsonl from what Prometheus still holds.

    Return the step, in seconds, at which expressions were evaluated where their alert did not change.
    """
    moments = manifest.moments
    # An alert that was active before the stimulus must be seen to have been, so at least one evaluation before it.
    before = BEFORE * max(manifest.evaluation_seconds, manifest.scrape_seconds)
    since = max(moments.started, (moments.armed or moments.started) - before)
    window = _Window(site, origin + since, site.now(), origin)
    names = {s.metric for rule in manifest.rules for s in rule.selectors if s.metric} | set(ALWAYS)
    series = list(site.raw_series(sorted(names), window.since, window.until))
    recording.append(SAMPLES, *(_series_line(s, origin) for s in _joined(series, counters)))
    rung = {s.labels.get("alertname") for s in series if s.name == "ALERTS"} | {e.alert for e in manifest.expect}
    for rule in manifest.rules:
        if rule.name in rung:
            recording.append(EXPRESSIONS, *_expressions(window, rule, series))
    return window.coarse_step


def _joined(series: Iterable[Series], counters: Iterable[Series]) -> Iterator[Series]:
    """Yield all series, the engines' counters of several scrapes joined into one."""
    yield from series
    grown: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for counter in counters:
        grown.setdefault(tuple(sorted(counter.labels.items())), []).extend(counter.samples)
    for labels, samples in grown.items():
        yield Series(dict(labels), tuple(sorted(samples)))


def _series_line(series: Series, origin: float) -> dict[str, Any]:
    return {
        "labels": dict(series.labels),
        "samples": written((t - origin, v) for t, v in series.samples),
        "stale": [round(t - origin, 6) for t in series.stale],
    }


@dataclass(frozen=True, slots=True)
class _Side:
    side: str
    comparison: int
    operator: str
    text: str


def _sides(rule: RuleFacts) -> Iterator[_Side]:
    """Yield what is evaluated of a rule: the whole expression, and both sides of each comparison."""
    yield _Side("whole", 0, "", rule.expression)
    for index, comparison in enumerate(comparisons(parse(rule.expression))):
        yield _Side("left", index, comparison.op, comparison.left.text(rule.expression))
        yield _Side("right", index, comparison.op, comparison.right.text(rule.expression))


@dataclass(frozen=True, slots=True)
class _Window:
    """The time that is collected, on the clock of `site`; lines are written relative to `origin`."""

    site: Site
    since: float
    until: float
    origin: float

    @property
    def coarse_step(self) -> float:
        """Seconds between two evaluations where nothing changes."""
        return max(STEP, (self.until - self.since) / MOST_STEPS)


def _expressions(window: _Window, rule: RuleFacts, series: Sequence[Series]) -> Iterator[dict[str, Any]]:
    for side in _sides(rule):
        for found in _evaluated(window, rule, side, series):
            yield {
                "rule": rule.id,
                "side": side.side,
                "comparison": side.comparison,
                "operator": side.operator,
                "text": side.text,
                "labels": {k: v for k, v in found.labels.items() if k != "__name__"},
                "samples": written((t - window.origin, v) for t, v in found.samples),
            }


def _evaluated(window: _Window, rule: RuleFacts, side: _Side, series: Sequence[Series]) -> Iterable[Series]:
    """Evaluate in steps of 10 ms; of a long drill, only around the changes of its alert, and coarsely between."""
    if window.coarse_step <= STEP:
        return window.site.evaluate(side.text, window.since, window.until, STEP)
    merged: dict[tuple[tuple[str, str], ...], dict[float, float]] = {}
    for begin, end, step in _pieces(window, rule, series):
        for found in window.site.evaluate(side.text, begin, end, step):
            merged.setdefault(tuple(sorted(found.labels.items())), {}).update(found.samples)
    return [Series(dict(labels), tuple(sorted(samples.items()))) for labels, samples in merged.items()]


def _pieces(window: _Window, rule: RuleFacts, series: Sequence[Series]) -> Iterator[tuple[float, float, float]]:
    """Yield begin, end and step of each query; no query has more than MOST_STEPS steps."""
    yield window.since, window.until, window.coarse_step
    around = 2 * max(rule.interval_seconds, rule.scrape_seconds)
    for alert in series:
        if alert.name == "ALERTS" and alert.labels.get("alertname") == rule.name and alert.samples:
            for change in (alert.samples[0][0], alert.samples[-1][0]):
                begin = max(window.since, change - around)
                while begin < min(window.until, change + around):
                    end = min(begin + MOST_STEPS * STEP, window.until, change + around)
                    yield begin, end, STEP
                    begin = end
