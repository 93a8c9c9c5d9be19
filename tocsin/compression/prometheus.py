"""Rewrites a Prometheus configuration for compressed time and a stack of ours."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.durations import scale_duration

DEFAULT_INTERVAL = "1m"
"""Between scrapes and between evaluations, where nothing is said (Prometheus, config/config.go)."""

KEPT = (
    "job_name",
    "honor_labels",
    "honor_timestamps",
    "metrics_path",
    "params",
    "sample_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "metric_relabel_configs",
)
"""What a job keeps as it stands. Scheme, credentials, TLS and proxies go: our targets are plain HTTP on loopback."""

REPLICA_LABELS = ("replica", "prometheus_replica", "__replica__")
"""What the external label is called by which replicas differ: in Prometheus's and Thanos's own examples, in the
Prometheus operator, in Cortex and Mimir."""

_WHERE = ("__address__", "__scheme__")
"""Labels that say where a target is. Ours are where we start them: relabelling gives them no other port, no proxy."""

_ALWAYS_SET = re.compile(
    r"__address__|__scheme__|__metrics_path__|__scrape_(interval|timeout)__|__param_.*|job|instance"
)
"""Labels that a target has even if no relabelling sets them."""


@dataclass(frozen=True, slots=True)
class DroppedRelabelling:
    """A relabelling rule that is left out, because what it reads comes from service discovery."""

    job: str
    index: int
    reads: tuple[str, ...]
    by_hand: tuple[str, ...] = ()
    """Those of the labels that its owner gives by hand, on `static_configs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedPrometheus:
    """A rewritten configuration, and what had to be left out of it."""

    value: dict[str, Any]
    jobs: tuple[str, ...]
    """The jobs that are scraped."""
    left_out: tuple[str, ...]
    """The jobs that have no target of ours."""
    dropped: tuple[DroppedRelabelling, ...] = ()
    static_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By job, the labels that all its `static_configs` gave to their targets: for the caller to give to its own."""


def compress_prometheus(
    config: Mapping[str, Any],
    factor: float,
    *,
    target_files: Mapping[str, str],
    alertmanagers: Sequence[str],
    rule_files: Sequence[str],
    external_labels: Mapping[str, str] | None = None,
) -> CompressedPrometheus:
    """Return the configuration with its intervals divided by `factor` and its surroundings replaced by ours.

    `target_files` names, by job, the file that lists its targets (file_sd_configs); a job without one is left out.
    `alertmanagers` are the host:port of each to notify; `external_labels` take the place of those of that name, as
    each replica has its own. Remote writing and reading, and whatever else leads elsewhere, goes.
    The scrape timeout is always the interval: a longer one is refused, and a shorter one would be too short to meet.
    Raises ValueError if an interval is no duration.
    """
    settings = config.get("global")
    settings = settings if isinstance(settings, dict) else {}
    every = _scaled("scrape_interval", settings.get("scrape_interval"), factor) or _scale(DEFAULT_INTERVAL, factor)
    top: dict[str, Any] = {
        "scrape_interval": every,
        "scrape_timeout": every,
        "evaluation_interval": _scaled("evaluation_interval", settings.get("evaluation_interval"), factor)
        or _scale(DEFAULT_INTERVAL, factor),
    }
    labels = {**(settings.get("external_labels") or {}), **(external_labels or {})}
    if labels:
        top["external_labels"] = labels
    written: dict[str, Any] = {"global": top, "rule_files": list(rule_files)}
    alerting = _alerting(config.get("alerting"), alertmanagers)
    if alerting:
        written["alerting"] = alerting
    jobs = [job for job in config.get("scrape_configs") or [] if isinstance(job, dict)]
    kept = [job for job in jobs if _name(job) in target_files]
    written["scrape_configs"] = [_job(job, factor, target_files[_name(job)]) for job in kept]
    return CompressedPrometheus(
        value=written,
        jobs=tuple(map(_name, kept)),
        left_out=tuple(_name(job) for job in jobs if _name(job) not in target_files),
        dropped=tuple(drop for job in kept for drop in _dropped(job)),
        static_labels={_name(job): _static_labels(job) for job in kept},
    )


def dropped_relabelling(config: Mapping[str, Any], jobs: Container[str]) -> Iterator[tuple[int, DroppedRelabelling]]:
    """Yield the relabelling that is left out of the jobs named, each with the place of its job among all of them."""
    for position, job in enumerate(config.get("scrape_configs") or []):
        if isinstance(job, dict) and _name(job) in jobs:
            yield from ((position, dropped) for dropped in _dropped(job))


def _name(job: Mapping[str, Any]) -> str:
    return str(job.get("job_name", ""))


def _scale(duration: str, factor: float) -> str:
    return duration if factor == 1 else scale_duration(duration, factor)


def _scaled(name: str, value: Any, factor: float) -> str | None:
    if value in (None, ""):
        return None
    try:
        return _scale(str(value), factor)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _alerting(alerting: Any, alertmanagers: Sequence[str]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if isinstance(alerting, dict) and alerting.get("alert_relabel_configs"):
        written["alert_relabel_configs"] = alerting["alert_relabel_configs"]
    if alertmanagers:
        written["alertmanagers"] = [{"static_configs": [{"targets": list(alertmanagers)}]}]
    return written


def replica_label(config: Mapping[str, Any]) -> str | None:
    """Return the external label that tells one replica of this Prometheus from another, None if it has none."""
    settings = config.get("global")
    labels = settings.get("external_labels") if isinstance(settings, dict) else None
    return next((name for name in REPLICA_LABELS if name in labels), None) if isinstance(labels, dict) else None


def _job(job: Mapping[str, Any], factor: float, target_file: str) -> dict[str, Any]:
    written: dict[str, Any] = {key: job[key] for key in KEPT if job.get(key) not in (None, "")}
    own = _scaled(f"scrape_interval of job {_name(job)}", job.get("scrape_interval"), factor)
    if own is not None:
        written |= {"scrape_interval": own, "scrape_timeout": own}
    written["file_sd_configs"] = [{"files": [target_file]}]
    gone = {drop.index for drop in _dropped(job)}
    relabelling = [
        rule
        for index, rule in enumerate(_relabelling(job))
        if index not in gone and not (isinstance(rule, dict) and rule.get("target_label") in _WHERE)
    ]
    if relabelling:
        written["relabel_configs"] = relabelling
    return written


# Relabelling without service discovery.


def _relabelling(job: Mapping[str, Any]) -> list[Any]:
    rules = job.get("relabel_configs")
    return rules if isinstance(rules, list) else []


def _dropped(job: Mapping[str, Any]) -> Iterator[DroppedRelabelling]:
    """Yield the rules that read labels of service discovery, or labels that only such rules set."""
    rules = [rule if isinstance(rule, dict) else {} for rule in _relabelling(job)]
    given = set(_static_labels(job))
    absent: set[str] = set()
    for index, rule in enumerate(rules):
        reads = _discovered(rule) or tuple(label for label in _sources(rule) if label in absent)
        target = str(rule.get("target_label") or "")
        if reads:
            yield DroppedRelabelling(_name(job), index, reads, tuple(_by_hand(job, reads)))
            if target and target not in given and not _ALWAYS_SET.fullmatch(target):
                absent.add(target)
        elif target:
            absent.discard(target)
            given.add(target)


def _by_hand(job: Mapping[str, Any], reads: Iterable[str]) -> Iterator[str]:
    """Yield the labels of any static targets that are read, by name or by pattern."""
    groups = [group for group in job.get("static_configs") or [] if isinstance(group, dict)]
    given = {str(name) for group in groups if isinstance(group.get("labels"), dict) for name in group["labels"]}
    for name in sorted(given):
        if any(name == each or _names(each, name) for each in reads):
            yield name


def _names(pattern: str, label: str) -> bool:
    try:
        return re.fullmatch(pattern, label) is not None
    except re.error:
        return False


def _sources(rule: Mapping[str, Any]) -> tuple[str, ...]:
    sources = rule.get("source_labels")
    return tuple(map(str, sources)) if isinstance(sources, list) else ()


def _discovered(rule: Mapping[str, Any]) -> tuple[str, ...]:
    named = tuple(label for label in _sources(rule) if label.startswith("__meta_"))
    if named:
        return named
    by_pattern = str(rule.get("action") or "").lower() in ("labelmap", "labelkeep", "labeldrop")
    pattern = str(rule.get("regex") or "")
    return (pattern,) if by_pattern and "__meta_" in pattern else ()


def _static_labels(job: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that every static target of the job has, with the same value."""
    groups = [group for group in job.get("static_configs") or [] if isinstance(group, dict)]
    return _common(labels if isinstance(labels := group.get("labels"), dict) else {} for group in groups)


def _common(labels: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] | None = None
    for one in labels:
        own = {str(name): str(value) for name, value in one.items()}
        found = own if found is None else {n: v for n, v in found.items() if own.get(n) == v}
    return found or {}
