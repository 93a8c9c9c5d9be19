"""How often each series gets a sample and each rule is evaluated, and how long samples are kept, as files say it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.artefacts.rules import Group, Rule
from tocsin.durations import parse_duration
from tocsin.model.processes import Process
from tocsin.model.stacks import Stack
from tocsin.part import Part
from tocsin.promql import Expr, MatrixSelector, VectorSelector, children
from tocsin.promql.intervals import LOOKBACK
from tocsin.promql.regex import matches
from tocsin.source import Place

if TYPE_CHECKING:
    from tocsin.model import Model

DEFAULT_RETENTION = 15 * 86400.0
"""Seconds for which Prometheus keeps samples where no flag says anything (cmd/prometheus/main.go)."""
OPERATOR_RETENTION = 86400.0
"""The same of a Prometheus object of the operator (prometheus-operator, pkg/prometheus/server/operator.go)."""
_WRITTEN_BY_PROMETHEUS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})


@dataclass(frozen=True, slots=True)
class Pace:
    """The shortest time between two samples of a series, and what says so."""

    seconds: float
    source: str
    """`job backend`, `the group node`: for a message."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long a Prometheus keeps its samples, and what says so."""

    seconds: float
    source: str
    place: Place


class Timing:
    """The paces of a system."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def _loading(self) -> dict[int, tuple[Stack, ...]]:
        found: dict[int, tuple[Stack, ...]] = {}
        for stack in self._model.stacks:
            for rule in stack.rules:
                found[id(rule)] = (*found.get(id(rule), ()), stack)
        return found

    def stacks_of(self, rule: Rule) -> tuple[Stack, ...]:
        """Return every Prometheus that is known to evaluate a rule."""
        return self._loading.get(id(rule), ())

    @cached_property
    def _groups(self) -> dict[int, Group]:
        return {id(rule): group for group in self._model.rule_groups for rule in group.rules}

    def group_of(self, rule: Rule) -> Group | None:
        """Return the group that a rule stands in."""
        return self._groups.get(id(rule))

    def evaluation(self, rule: Rule) -> float | None:
        """Return the seconds between two evaluations of a rule, the shortest of its Prometheus; None if not known."""
        group = self.group_of(rule)
        if group is not None and group.interval_seconds:
            return group.interval_seconds
        seconds = [stack.prometheus.seconds("evaluation_interval") for stack in self.stacks_of(rule)]
        return min(seconds, default=None)

    @cached_property
    def _recorders(self) -> dict[str, tuple[Rule, ...]]:
        found: dict[str, list[Rule]] = {}
        for rule in self._model.recording_rules:
            found.setdefault(rule.name, []).append(rule)
        return {name: tuple(rules) for name, rules in found.items()}

    def recorders(self, name: str) -> tuple[Rule, ...]:
        """Return the rules that record a name."""
        return self._recorders.get(name, ())

    def pace(self, selector: VectorSelector, stacks: Iterable[Stack]) -> Pace | None:
        """Return the shortest time between two samples of a selector's series; None if it is not known.

        Of several jobs that may scrape them, and of several Prometheus, the fastest is taken, so that what is too
        short for it is too short for all.
        """
        name = selector.name
        if name in _WRITTEN_BY_PROMETHEUS:
            return None
        recorders = self.recorders(name) if name else ()
        if recorders:
            return self._recorded_pace(name or "", recorders)
        paces: list[Pace] = []
        stacks = list(stacks)
        asks = any(matcher.name == "job" for matcher in selector.matchers)
        if not asks and (any(stack.object for stack in stacks) or not self._model.prometheus_configs):
            return self._monitored_pace(name or "")
        for stack in stacks:
            jobs = list(self.candidates(selector, stack))
            if not jobs or not stack.fragments_known or any(_paced_by_label(job) for job in jobs):
                return None
            fastest = min(jobs, key=lambda job: job.interval_seconds)
            place = fastest.part.get("scrape_interval") or fastest.config.part.get("global", "scrape_interval")
            paces.append(Pace(fastest.interval_seconds, fastest.said, place.place))
        return min(paces, key=lambda pace: pace.seconds, default=None)

    def _monitored_pace(self, name: str) -> Pace | None:
        """Return the pace of what the system's own application exports, by the monitors of the operator."""
        if not any(metric.origin == "application" for metric in self._model.metrics.own(name)):
            return None
        keys = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}
        monitors = self._model.objects_of(*keys)
        intervals = [p.get("interval") for each in monitors for p in each.part.list("spec", keys[each.kind])]
        paces = [(_seconds(part.text), part) for part in intervals]
        known = [(seconds, part) for seconds, part in paces if seconds]
        if not known or len(known) < len(paces):
            return None
        seconds, part = min(known, key=lambda each: each[0])
        return Pace(seconds, "the fastest of the monitors", part.place)

    def _recorded_pace(self, name: str, recorders: tuple[Rule, ...]) -> Pace | None:
        paces = [(self.evaluation(rule), rule) for rule in recorders]
        known = [(seconds, rule) for seconds, rule in paces if seconds]
        if not known or len(known) < len(paces) or self._model.metrics.named(name)[:1] == ():
            return None
        seconds, rule = min(known, key=lambda each: each[0])
        return Pace(seconds, f"the group {rule.group} that records it", rule.place)

    def candidates(self, selector: VectorSelector, stack: Stack) -> Iterator[ScrapeJob]:
        """Yield the jobs whose targets' series a selector may find, by what it asks of the label `job`."""
        for job in stack.jobs:
            if job.origin is not None:
                asked = [m for m in selector.matchers if m.name == "job"]
                names = job.origin.jobs
                if names is None or any(all(_may_be(name, m.op, m.value) for m in asked) for name in names):
                    yield job
                continue
            renamed = job.honor_labels or any(
                step.string("target_label") == "job" or step.string("action") == "labelmap"
                for step in (*job.relabelling, *job.metric_relabelling)
            )
            if renamed or all(_may_be(job.name, m.op, m.value) for m in selector.matchers if m.name == "job"):
                yield job

    def timeout(self, selector: VectorSelector, stacks: Iterable[Stack]) -> float | None:
        """Return the longest scrape timeout of the jobs that a selector may be about; None if it is not known."""
        longest = 0.0
        for stack in stacks:
            jobs = list(self.candidates(selector, stack))
            if not jobs or not stack.fragments_known:
                return None
            longest = max(longest, *(job.timeout_seconds for job in jobs))
        return longest or None

    @cached_property
    def lookback(self) -> float:
        """Return for how many seconds a sample counts as present: the longest of the flags, or the default."""
        said = [_seconds(process.flag("query.lookback-delta")) for process in self._prometheus()]
        custom = [_seconds(part.text) for part in self._operated("spec", "query", "lookbackDelta")]
        return max([LOOKBACK, *(seconds for seconds in (*said, *custom) if seconds)])

    @cached_property
    def asked_in_gaps(self) -> tuple[tuple[Group, str, Rule], ...]:
        """What a group records so seldom that it is gone for a while, and a rule elsewhere that asks for its present.

        Nothing where some command line sets the lookback: then it is known to whoever wrote the group.
        """
        slow = {
            rule.name: group
            for group in self._model.rule_groups
            for rule in group.rules
            if not rule.alerting and (group.interval_seconds or 0) > LOOKBACK
        }
        if not slow or any("query.lookback-delta" in file.text for file in self._model.files()):
            return ()
        found: dict[tuple[str, str], tuple[Group, str, Rule]] = {}
        for rule in self._model.rules:
            tree = self._model.tree(rule)
            for name in _asked_at_once(tree) if tree is not None else ():
                group = slow.get(name)
                if group is None or (rule.file, rule.group) == (group.file, group.name):
                    continue
                if len(self._model.rule_labels.recorders.get(name, ())) == 1:
                    found.setdefault((group.subject, name), (group, name, rule))
        return tuple(found.values())

    def retentions(self, rule: Rule) -> Iterator[Retention]:
        """Yield for how long each Prometheus keeps what a rule reads."""
        for stack in self.stacks_of(rule):
            if stack.prometheus.remote_reads:
                continue
            for process in stack.processes:
                yield from _retention(process)

    def _prometheus(self) -> Iterator[Process]:
        return (process for process in self._model.processes if process.program == "prometheus")

    def _operated(self, *route: str) -> Iterator[Part]:
        for each in self._model.objects_of("Prometheus"):
            if each.part.string("apiVersion").startswith("monitoring.coreos.com/"):
                yield each.part.get(*route)

    def operated_retentions(self) -> Iterator[Retention]:
        """Yield for how long each Prometheus object of the operator keeps its samples."""
        for spec in self._operated("spec"):
            written = spec.get("retention")
            seconds = _seconds(written.text) if written else OPERATOR_RETENTION
            by_size = spec.get("retentionSize") and not written
            if seconds and not by_size and not spec.get("remoteRead"):
                source = f"retention: {written.text}" if written else "no `retention`, which means 24h"
                yield Retention(seconds, source, written.place if written else spec.key_place)


def _paced_by_label(job: ScrapeJob) -> bool:
    """Whether relabelling sets the interval of a target (prometheus.io/docs, relabel_config: __scrape_interval__)."""
    return any(step.string("target_label").startswith("__scrape_") for step in job.relabelling)


def _retention(process: Process) -> Iterator[Retention]:
    for flag in ("storage.tsdb.retention.time", "storage.tsdb.retention"):
        found = process.flag_part(flag)
        if found is not None:
            seconds = _seconds(found[1])
            if seconds:
                yield Retention(seconds, f"--{flag}={found[1]}", found[0].place)
            return
    if process.arguments and process.flag("storage.tsdb.retention.size") is None and not _agent(process):
        yield Retention(DEFAULT_RETENTION, "no --storage.tsdb.retention.time, which means 15d", process.part.place)


def _agent(process: Process) -> bool:
    return process.flag("agent") is not None or "agent" in (process.flag("enable-feature") or "")


def _seconds(text: str | None) -> float | None:
    try:
        return parse_duration((text or "").strip().strip("'\"")) or None
    except ValueError:
        return None


def _may_be(name: str, op: str, value: str) -> bool:
    if op in ("=", "!="):
        return (name == value) == (op == "=")
    found = matches(value, name)
    return found is None or found == (op == "=~")


def most_samples(seconds: float, pace: float) -> int:
    """Return how many samples, `pace` seconds apart, a window of both its ends can hold."""
    return math.floor(seconds / pace + 1e-9) + 1


def _asked_at_once(tree: Expr) -> Iterator[str]:
    """Yield the metrics whose present value is asked for, those under a range left out."""
    waiting: list[Expr] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, VectorSelector) and node.name:
            yield node.name
        elif not isinstance(node, MatrixSelector):
            waiting.extend(children(node))
