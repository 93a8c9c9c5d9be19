"""Guards: signs in the evidence that Prometheus, Alertmanager, the load or the machine was in trouble.

Any of them makes a drill Inconclusive, whatever else it shows: a verdict on alerts needs instruments that worked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from tocsin.evidence import Evidence, Manifest, RuleFacts, Series

GAP = 1.5
"""Intervals between two evaluations or scrapes beyond which one was missed."""
GRACE = 0.05
"""Seconds that a scrape's start may drift by the scheduler's own jitter."""

COUNTERS = {
    "prometheus_rule_group_iterations_missed_total": "Prometheus missed evaluations of rule groups",
    "prometheus_rule_evaluation_failures_total": "Prometheus failed to evaluate rules",
    "prometheus_notifications_errors_total": "Prometheus could not reach Alertmanager",
    "prometheus_notifications_dropped_total": "Prometheus dropped alerts on their way to Alertmanager",
    "alertmanager_notifications_failed_total": "Alertmanager gave up on notifications",
    "alertmanager_notification_requests_failed_total": "Alertmanager's requests to the sink failed",
}
"""Counters of the engines that must not move during a drill."""


def trouble(evidence: Evidence) -> list[str]:
    """Return what was wrong with the instruments, most telling first; nothing if the evidence can be trusted."""
    manifest = evidence.manifest
    if manifest is None or evidence.problem:
        return [evidence.problem or "there is no manifest"]
    found = [f"{t.what} (at {t.time:.2f} s)" for t in manifest.trouble]
    found += _exits(evidence)
    if manifest.refused:
        return found
    if not manifest.complete:
        return found or ["the evidence is not complete: the drill was cut off before its end"]
    if manifest.moments.injected is None:
        return found or ["the stimulus was never applied"]
    for guard in (_counters, _restarts, _evaluations, _scrapes, _proof):
        found += guard(evidence, manifest)
    return found


def _exits(evidence: Evidence) -> Iterator[str]:
    for line in evidence.processes:
        if line.get("event") == "exited" and not line.get("expected"):
            how = f"signal {line['signal']}" if line.get("signal") else f"exit code {line.get('code')}"
            yield f"{line.get('process')} (pid {line.get('pid')}) ended by {how} at {line['time']:.2f} s; not our doing"
        if line.get("event") == "supervisor_lost":
            yield f"the supervisor of this stack was lost at {line['time']:.2f} s"


def _between(evidence: Evidence, name: str) -> Iterator[Series]:
    yield from (s for s in evidence.series if s.name == name)


def _counters(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    since = manifest.moments.steady or manifest.moments.injected or 0.0
    for name, said in COUNTERS.items():
        grown = 0.0
        for series in _between(evidence, name):
            if _of_the_lost(series, manifest):
                continue
            values = [v for t, v in series.samples if t >= since - GRACE]
            if len(values) > 1:
                grown += max(values) - values[0]
        if grown > 0:
            yield f"{said}: {name} grew by {grown:g} during the drill"


def _of_the_lost(series: Series, manifest: Manifest) -> bool:
    """Tell whether a counter is about an engine that the drill takes down: its own, or another's trouble with it."""
    lost = [each for each in manifest.replicas if each.disturbed]
    about = {urlsplit(series.labels.get("alertmanager", "")).netloc, series.labels.get("instance", "")}
    return any(each.name == series.labels.get("engine") or each.address in about for each in lost)


def _restarts(evidence: Evidence, _manifest: Manifest) -> Iterator[str]:
    for series in _between(evidence, "process_start_time_seconds"):
        engine = series.labels.get("engine")
        if engine and len({v for _, v in series.samples}) > 1:
            yield f"{engine} was restarted during the drill: its process_start_time_seconds changed"


def _evaluations(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    beats = list(_between(evidence, "tocsin:evaluation"))
    if manifest.ours and not beats:
        yield "no rule group left a trace of being evaluated (tocsin:evaluation)"
    intervals = {r.group: r.interval_seconds for r in manifest.rules}
    for series in beats:
        group = series.labels.get("group", "")
        interval = intervals.get(group, manifest.evaluation_seconds)
        for said in _gaps([t for t, _ in series.samples], interval, manifest):
            yield f"rule group {group} was not evaluated {said}"


def _scrapes(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    drilled = {(t.job, t.instance) for t in manifest.targets if t.drilled}
    # In a cluster, pods come back under other addresses, so that what is drilled is known by its job.
    whole = {t.job for t in manifest.targets if t.drilled and not manifest.ours}
    for series in _between(evidence, "up"):
        job, instance = series.labels.get("job", ""), series.labels.get("instance", "")
        if (job, instance) in drilled or job in whole:
            continue
        for said in _gaps([t for t, _ in series.samples], manifest.scrape_seconds, manifest):
            yield f"target {instance} of job {job} was not scraped {said}"
        if down := [t for t, v in series.samples if v == 0 and t >= (manifest.moments.steady or 0)]:
            yield f"target {instance} of job {job} failed {len(down)} scrapes, the first at {down[0]:.2f} s"


def _gaps(times: Iterable[float], interval: float, manifest: Manifest) -> Iterator[str]:
    since, until = manifest.moments.steady or 0.0, manifest.moments.ended or float("inf")
    inside = [t for t in sorted(times) if since - GAP * interval <= t <= until]
    gaps = [(b - a, a) for a, b in pairwise(inside) if b - a > GAP * interval + GRACE]
    if gaps:
        longest, at = max(gaps)
        yield f"for {longest:.2f} s after {at:.2f} s; its interval is {interval:g} s"


def _proof(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    """Tell what is missing of the proof that the stimulus landed."""
    injected, recovered = manifest.moments.injected or 0.0, manifest.moments.recovered or float("inf")
    during = [line for line in evidence.load if injected - 1 <= line["time"] <= recovered + 1]
    if "load" in manifest.stimulus:
        intervals = [line for line in during if line.get("event") == "interval" and line.get("part") == "stimulus"]
        if not sum(line.get("requests", 0) for line in intervals):
            yield "the load generator completed no request while it was to drive the system"
            return
        for check in (_seen_statuses, _seen_latency):
            yield from check(intervals, manifest.proof or {})
    yield from _seen_usage(evidence, manifest, injected, recovered)


def _seen_statuses(intervals: list[dict[str, Any]], proof: dict[str, Any]) -> Iterator[str]:
    if not proof.get("status"):
        return
    counts: dict[str, int] = {}
    for line in intervals:
        for status, count in (line.get("status") or {}).items():
            counts[str(status)] = counts.get(str(status), 0) + count
    total = sum(counts.values())
    seen = sum(n for status, n in counts.items() if re.fullmatch(proof["status"], status))
    if not total or seen / total < proof.get("share", 0):
        yield (
            f"the stimulus did not land: {seen} of {total} responses had a status like {proof['status']}, "
            f"where {proof.get('share', 0):.0%} were asked for"
        )


def _seen_latency(intervals: list[dict[str, Any]], proof: dict[str, Any]) -> Iterator[str]:
    wanted = proof.get("p95_seconds")
    seen = [line["p95"] for line in intervals if line.get("p95") is not None]
    if wanted and (not seen or max(seen) < wanted):
        reached = f"{max(seen):.2f} s" if seen else "nothing"
        yield f"the stimulus did not land: the load generator saw {reached} at its 95th percentile, not {wanted:g} s"


def _seen_usage(evidence: Evidence, manifest: Manifest, injected: float, recovered: float) -> Iterator[str]:
    proof = manifest.proof or {}
    name = proof.get("process")
    if not name:
        return
    used = [
        line
        for line in evidence.processes
        if line.get("event") == "usage" and line.get("process") == name and injected <= line["time"] <= recovered
    ]
    windows = [r.window_seconds + 2 * r.scrape_seconds for r in manifest.rules if _expected(manifest, r)]
    span = max([*windows, LEAST_SPAN])
    reached: dict[str, Callable[[], float]] = {
        "memory_bytes": lambda: max((line["rss_bytes"] for line in used), default=0),
        "cpu_cores": lambda: min(_cores(used), _cores([line for line in used if line["time"] <= injected + span])),
    }
    for what, measure in reached.items():
        wanted = proof.get(what)
        if wanted and (have := measure()) < wanted:
            why = _stolen(evidence, injected, recovered) if what == "cpu_cores" else ""
            yield f"the stimulus did not land: {name} reached {what} {have:.3f}, where {wanted:g} was asked for{why}"


def _stolen(evidence: Evidence, injected: float, recovered: float) -> str:
    """Say what a virtual machine's host kept of its CPUs during the stimulus, if that could have been the cause."""
    known = [line for line in evidence.processes if "stolen_seconds" in line and injected <= line["time"] <= recovered]
    cores = _rate(known, "stolen_seconds")
    said = f"; meanwhile this machine's host kept {cores:.2f} cores of it for others (steal)"
    return said if cores >= NOTEWORTHY else ""


def _expected(manifest: Manifest, rule: RuleFacts) -> bool:
    return any(rule.name == expected.alert for expected in manifest.expect)


def _cores(used: list[dict[str, Any]]) -> float:
    """Return the cores that a process used over its usage lines, without the ramp of the first half second.

    It is asked of the whole stimulus, and of the time in which the alert had to cross: a process that was starved
    then, and had its way later, makes an alert late that is not.
    """
    since = used[0]["time"] + 0.5 if used else 0.0
    return _rate([line for line in used if line["time"] >= since], "cpu_seconds")


def _rate(lines: list[dict[str, Any]], field: str) -> float:
    """Return by how much a field grew in a second, from the first to the last line; 0 if they span no time."""
    if len(lines) < 2 or lines[-1]["time"] <= lines[0]["time"]:
        return 0.0
    return float((lines[-1][field] - lines[0][field]) / (lines[-1]["time"] - lines[0]["time"]))


NOTEWORTHY = 0.05
"""Cores that a host keeps, from which on they are named: passing drills had 0.04 at most, one that did not 0.24."""
LEAST_SPAN = 3.0
"""Seconds of usage lines, one each half second, below which cores are not told from chance."""
STARVED = 0.5
"""Share of ten seconds in which something waited for a CPU, from which on lateness proves nothing.

Of nine whole fire drills on two cores, those on a quiet machine had 0.39 at most, those beside other work 0.45 to 0.82.
"""


def starved(evidence: Evidence) -> float | None:
    """Return the greatest share of time in which something waited for a CPU, if the machine was starved; else None.

    It is never a guard by itself: a starved machine can still show that an alert rang, or that it never did.
    """
    shares = [line["cpu_waited_10s"] for line in evidence.processes if "cpu_waited_10s" in line]
    most = max(shares, default=0.0)
    return most if most >= STARVED else None
