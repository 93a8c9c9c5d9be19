"""A system that runs already: nothing is started but load, nothing is rewritten, and all is seen through its APIs.

Where its environment has a `cluster` that allows it, workloads can be done something to, which is always undone.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from tocsin.artefacts.exposition import samples_of
from tocsin.drill.admission import LoadWatch, loads_of
from tocsin.drill.cluster_faults import ClusterFaults
from tocsin.drill.counted import CountedNotifications, told_apart
from tocsin.drill.discovery import TIMEOUT, Discovery, all_routes, headers
from tocsin.drill.guards import COUNTERS
from tocsin.drill.judge import REWRITTEN_ALERTMANAGER
from tocsin.drill.loads import Loads
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.site import ActiveAlert, Facts
from tocsin.engines.alertmanager import AlertmanagerApi
from tocsin.engines.http_api import HttpApi
from tocsin.engines.kubernetes_changes import Workload
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.readiness import await_alertmanagers, await_targets
from tocsin.engines.trouble import EngineTrouble
from tocsin.evidence import Recording, RuleFacts, Series, Target
from tocsin.promql import comparisons, parse
from tocsin.stimuli import OnWorkload
from tocsin.supervisor import Kind, ProcessEvent, Supervisor
from tocsin.supervisor.usage import machine_pressure
from tocsin.system import Environment, Load, System

PIECE_SECONDS = 600.0
"""Of raw samples that are asked for at once."""
MOST_POINTS = 10_000
"""Of a range query; Prometheus refuses more than 11,000."""
PATIENCE = 10.0
"""Seconds in which a system far away may fail to answer a look, before it is given up."""
OLDEST_LOOK = 1.0
"""Seconds between two looks at most; an evaluation's quarter, if that is less."""
REMEMBERED = 900.0
"""Seconds for which Prometheus tells Alertmanager again of what is resolved (rules/alerting.go, resolvedRetention)."""
SETTLING = 5.0
"""Seconds that a target or an Alertmanager may take to be there, beyond two scrapes."""

T = TypeVar("T")


class Looks(Generic[T]):
    """Answers to one question, asked again when the last has grown old; a silence is borne with for a while."""

    def __init__(self, ask: Callable[[], T], *, old: float) -> None:
        self._ask = ask
        self._old = old
        self._last: tuple[float, T] | None = None

    def now(self) -> T:
        """Return an answer that is not old; raises EngineTrouble if there has been none for too long."""
        asked = time.monotonic()
        if self._last is not None and asked - self._last[0] < self._old:
            return self._last[1]
        try:
            found = self._ask()
        except EngineTrouble as trouble:
            if self._last is None or trouble.kind is Kind.ANSWERED or asked - self._last[0] > PATIENCE:
                raise
            return self._last[1]
        self._last = (asked, found)
        return found


@dataclass(frozen=True, slots=True)
class _Apis:
    """Whom a running system can be asked through."""

    prometheus: PrometheusApi
    alertmanager: AlertmanagerApi | None
    sink: HttpApi | None

    @classmethod
    def of(cls, system: System, declared: Environment) -> _Apis:
        """Return those that an environment names."""
        prometheus, alertmanager, sink = declared.prometheus, declared.alertmanager, declared.sink
        if prometheus is None:
            raise EngineTrouble("no Prometheus is declared", system.name, "name it: `prometheus: {url: ...}`")
        return cls(
            PrometheusApi(prometheus.url, timeout=TIMEOUT, headers=headers(system, prometheus)),
            AlertmanagerApi(alertmanager.url, timeout=TIMEOUT, headers=headers(system, alertmanager))
            if alertmanager
            else None,
            HttpApi("The sink", sink.url, timeout=TIMEOUT, headers=headers(system, sink)) if sink else None,
        )

    def close(self) -> None:
        """Close all connections."""
        for api in (self.prometheus, self.alertmanager, self.sink):
            if api is not None:
                api.close()


class RunningSystem:
    """A site that was there before us and stays: load is put on it, and it is watched."""

    def __init__(
        self,
        system: System,
        found: Discovery,
        plan: PlannedDrill,
        recording: Recording,
        *,
        stop: threading.Event,
        workloads: Mapping[str, Workload] | None = None,
    ) -> None:
        """`workloads` are those of the cluster that drills are done to, by their names in system.yaml."""
        self.system = system
        self.found = found
        self.plan = plan
        self.recording = recording
        self.stop = stop
        self.environment = system.environment(plan.environment)[1]
        self._apis = _Apis.of(system, self.environment)
        self._scratch = TemporaryDirectory(prefix=f"tocsin-{plan.name}-", ignore_cleanup_errors=True)
        self._loads = Loads(system=system.directory, folder=Path(self._scratch.name), stop=stop)
        ceilings = self.environment.ceilings
        self._workloads = workloads or {}
        self._faults = self._cluster_faults()
        self._watch = LoadWatch(ceilings, self._loads, time.time) if ceilings else None
        self._supervisor: Supervisor | None = None
        self._events: list[dict[str, Any]] = []
        self._offset = 0.0
        """What Prometheus's clock is ahead of ours, in seconds."""
        self._armed = 0.0
        self._taken: list[Mapping[str, Any]] = []
        self._last_told: Sequence[Mapping[str, Any]] = ()
        self._before = 0
        """Notifications that the sink had before the drill."""
        old = min(OLDEST_LOOK, self._evaluation_seconds / 4)
        self._active = Looks(self._apis.prometheus.alerts, old=old)
        self._held = Looks(self._held_alerts, old=old)
        self._told = Looks(self._more_notifications, old=old)
        self._used = Looks(self._usage, old=old)
        self._silent: EngineTrouble | None = None
        """Why notifications are not asked for any more."""
        self._counted = self._counting()

    # -- its life

    def arm(self, tell: Callable[[str], None]) -> None:
        """Make sure that what the drill needs is there and calm, and write down how it is configured."""
        tell("asking what runs")
        self._supervisor = Supervisor(
            self.plan.name, self.recording.folder / "logs", self._on_event, scratch=Path(self._scratch.name)
        ).__enter__()
        self._offset = self._clock_offset()
        self.recording.config("prometheus.running.yml", self.found.prometheus)
        if self.found.alertmanager:
            self.recording.config(REWRITTEN_ALERTMANAGER, self.found.alertmanager)
        jobs, seconds = self._loaded_jobs, SETTLING + 2 * self._scrape_seconds
        if jobs:
            await_targets(self._apis.prometheus, jobs=jobs, seconds=seconds, stop=self.stop)
        if self._apis.alertmanager is not None:
            await_alertmanagers(self._apis.prometheus, seconds=seconds, stop=self.stop)
        if self._apis.sink is not None:
            self._before = len(self._asked_of_sink(0))
        self._told.now()
        if self._faults is not None and isinstance(self.plan.stimulus, OnWorkload):
            self._faults.open(self._running, Path(self._scratch.name))
            self._faults.expect_well(self.plan.stimulus.workload)
        self._expect_calm()
        self._armed = self.now()

    def close(self) -> None:
        """End the load, and leave the system as it was: what could not be put back is raised once all else is ended."""
        with ExitStack() as closing:
            closing.callback(self._scratch.cleanup)
            closing.callback(self._apis.close)
            if self._supervisor is not None:
                closing.callback(self._supervisor.close, seconds=5)
            if self._faults is not None:
                closing.callback(self._faults.close)
            if self._watch is not None:
                self._watch.end()

    def _expect_calm(self) -> None:
        """Raise EngineTrouble if an alert that the drill is to ring is active already: it may be another's doing."""
        for alert in self._active.now():
            for expected in self.plan.drill.expect:
                labels = alert["labels"]
                if labels.get("alertname") == expected.alert and expected.labels.items() <= labels.items():
                    what = f"before anything was done, {expected.alert} was {alert['state']}"
                    raise EngineTrouble(what, self._apis.prometheus.url, "drill again when it is over", Kind.ANSWERED)

    def _clock_offset(self) -> float:
        """Return what Prometheus's clock is ahead of ours: of five answers, by the one that came soonest."""
        found = []
        for _ in range(5):
            asked = time.time()
            told = self._apis.prometheus.query("time()")[0].samples[0].value
            took = time.time() - asked
            found.append((took, told - (asked + took / 2)))
        took, offset = min(found)
        return offset if abs(offset) > took else 0.0  # what the answer's way may explain is no difference

    # -- what it is

    @property
    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise EngineTrouble("the drill has not been armed", self.plan.name, "arm it first")
        return self._supervisor

    @property
    def _expected_rules(self) -> list[RuleFacts]:
        rules = [self.found.rule_of(e.alert, e.labels) for e in self.plan.drill.expect]
        return [rule for rule in rules if rule is not None]

    def _is_loaded(self, target: Target) -> bool:
        """Tell whether a scrape target is what load goes to: by its job's name, else by its address."""
        where = urlsplit(str((target.model_extra or {}).get("scrape_url", ""))).netloc
        return any(
            target.job == load.target or where == urlsplit(self.environment.addresses[load.target]).netloc
            for load in loads_of(self.plan)
        )

    @property
    def _loaded_jobs(self) -> set[str]:
        return {target.job for target in self.found.targets if self._is_loaded(target)}

    @property
    def _jobs(self) -> set[str]:
        """The scrape jobs that the drill is about: under load, taken away, or named by the expected alerts."""
        matchers = [m for rule in self._expected_rules for s in rule.selectors for m in s.matchers]
        named = {value for name, operator, value in matchers if (name, operator) == ("job", "=")}
        return self._loaded_jobs | named | self.plan.stimulus.jobs

    @property
    def _scrape_seconds(self) -> float:
        return self.found.scraping.interval(job for job in self._jobs if self.found.scraping.job(job))

    @property
    def _evaluation_seconds(self) -> float:
        rules = self._expected_rules or self.found.rules
        return max((rule.interval_seconds for rule in rules), default=self.found.scraping.evaluation_seconds)

    def facts(self) -> Facts:
        """Return what was discovered, with the targets under load marked; `selectors` only of the expected rules."""
        own = {rule.id for rule in self._expected_rules}
        routes = list(all_routes(self.found.routing.root)) if self.found.routing else []
        return Facts(
            rules=tuple(r if r.id in own else r.model_copy(update={"selectors": ()}) for r in self.found.rules),
            left_out=self.found.left_out,
            targets=tuple(map(self._known, self.found.targets)),
            engines=self.found.engines,
            scrape_seconds=self._scrape_seconds,
            evaluation_seconds=self._evaluation_seconds,
            group_wait=max((r.group_wait for r in routes), default=0.0),
            group_interval=max((r.group_interval for r in routes), default=0.0),
            alertmanager_file="the running Alertmanager's configuration",
            alertmanager_places={},
            not_observable=tuple(self._hidden()),
        )

    def _known(self, target: Target) -> Target:
        """Return a target with what is known of it: whether load goes to it, and the namespace of a workload's pods."""
        space = target.namespace
        if not space and target.job in self.plan.stimulus.jobs and isinstance(self.plan.stimulus, OnWorkload):
            workload = self._workloads.get(self.plan.stimulus.workload)
            space = workload.namespace if workload else ""
        return target.model_copy(update={"loaded": self._is_loaded(target), "namespace": space})

    def _hidden(self) -> Iterator[str]:
        if self._apis.alertmanager is None:
            yield "received"
        if self._apis.sink is None and self._counted is None:
            yield from ("notified", "resolution_notified")

    def now(self) -> float:
        """Return the time on Prometheus's clock."""
        return time.time() + self._offset

    def check(self) -> None:
        """Raise Trouble if the load went over a ceiling, a profile ended by itself, or the sink fell silent."""
        if self._silent is not None:
            raise self._silent
        if self._counted is not None and self._counted.undecided:
            what = "whom Alertmanager told of what cannot be told"
            raise EngineTrouble(what, self._counted.api.url, self._counted.undecided + "; name a `sink`")
        if self._watch is not None and self._watch.reason:
            what = "the load was stopped at a ceiling"
            raise EngineTrouble(what, f"environment {self.plan.environment}", self._watch.reason)
        if self._supervisor is not None and not self._supervisor.alive:
            raise EngineTrouble(
                "the supervisor of the load is gone", self.plan.name, "something killed it", Kind.EXITED
            )
        for line in list(self._events):
            if line["event"] == "exited" and not line["expected"]:
                how = f"signal {line['signal']}" if line["signal"] else f"exit code {line['code']}"
                what = f"{line['process']} ended by {how}, which was not the drill's doing"
                raise EngineTrouble(what, f"pid {line['pid']}", "the drill cannot tell anything", Kind.EXITED)

    def _on_event(self, event: ProcessEvent) -> None:
        self._events.append(
            {
                "time": event.time + self._offset,
                "event": str(event.kind),
                "process": event.process,
                "pid": event.pid,
                "code": event.code,
                "signal": event.signal,
                "expected": event.expected,
            }
        )

    # -- what it says

    def active_alerts(self) -> Sequence[ActiveAlert]:
        """Ask Prometheus which alerts are pending or firing."""
        return [ActiveAlert(alert["labels"], alert["state"]) for alert in self._active.now()]

    def alertmanager_alerts(self) -> Sequence[Mapping[str, Any]]:
        """Ask Alertmanager which alerts it holds; of others' alerts only those that Prometheus sent."""
        return self._held.now()

    def _held_alerts(self) -> Sequence[Mapping[str, Any]]:
        """Return what Alertmanager holds of the rules that run here; it may serve other systems too."""
        if self._apis.alertmanager is None:
            return []
        names = {rule.name for rule in self.found.rules}
        return [a for a in self._apis.alertmanager.alerts() if dict(a.get("labels") or {}).get("alertname") in names]

    def notifications(self) -> Sequence[Mapping[str, Any]]:
        """Return what the sink took since the drill was armed, or what Alertmanager counted; else nothing.

        If it does not answer any more, return what it told before, and let `check` raise.
        """
        if self._silent is None:
            try:
                self._last_told = self._told.now()
            except EngineTrouble as trouble:
                self._silent = trouble
        return list(self._last_told)

    def _counting(self) -> CountedNotifications | None:
        """Return how notifications are counted where no sink tells of them and the counters can."""
        if self._apis.sink is not None or self._apis.alertmanager is None or self.found.routing is None:
            return None
        known = told_apart(self.found.routing)
        expected = [e.receivers for e in self.plan.drill.expect if e.outcome == "notified"]
        if not all(receivers and known.keys() >= set(receivers) for receivers in expected):
            return None
        return CountedNotifications(self._apis.alertmanager, known, self.now)

    def _more_notifications(self) -> Sequence[Mapping[str, Any]]:
        if self._counted is not None:
            return self._counted.look()
        if self._apis.sink is not None:
            self._taken += self._asked_of_sink(self._before + len(self._taken))
        return list(self._taken)

    def _asked_of_sink(self, since: int) -> list[Mapping[str, Any]]:
        if self._apis.sink is None:
            return []
        found = self._apis.sink.json("/notifications", params={"since": since})
        if not isinstance(found, list) or not all(isinstance(n, dict) and n.keys() >= NOTIFICATION for n in found):
            detail = f"GET /notifications must answer a list of objects with {', '.join(sorted(NOTIFICATION))}"
            raise EngineTrouble("the sink answers in another form", self._apis.sink.url, detail, Kind.ANSWERED)
        return found

    def received(self) -> Sequence[Mapping[str, Any]]:
        """Return which alerts fired in the time before the drill that Alertmanager still hears of.

        Its log is elsewhere, so when it received an alert is known from looks at its API alone. A group that was told
        of something lives on, and what joins it waits for its next interval.
        """
        if not self._armed:
            return []
        try:
            found = self._raw('ALERTS{alertstate="firing"}', self._armed - REMEMBERED, self._armed)
        except EngineTrouble:
            return []  # a Prometheus that does not answer makes the drill inconclusive by itself
        return [
            {
                "time": series.samples[-1][0],
                "event": "rang",
                "alert": series.labels.get("alertname", ""),
                "labels": {k: v for k, v in series.labels.items() if k not in ("__name__", "alertstate")},
            }
            for series in found
        ]

    def usage(self) -> Sequence[Mapping[str, Any]]:
        """Return what the process that a proof asks for uses, by its own metrics: the kernel's account is elsewhere."""
        return self._used.now()

    def _usage(self) -> Sequence[Mapping[str, Any]]:
        name = self.plan.drill.proof.process if self.plan.drill.proof else None
        if name is None:
            return []
        asked = {"rss_bytes": "process_resident_memory_bytes", "cpu_seconds": "process_cpu_seconds_total"}
        window = f"{max(1, round(3 * self._scrape_seconds))}s"
        line: dict[str, Any] = {"process": name, "by": "its own metrics"}
        for field, metric in asked.items():
            last = [s.samples[-1] for s in self._apis.prometheus.query(f'{metric}{{job="{name}"}}[{window}]')]
            if not last:
                return []
            line |= {field: sum(sample.value for sample in last), "time": max(sample.time for sample in last)}
        return [line]

    def machine(self) -> Mapping[str, float]:
        """Return how pressed the machine is that sends the load."""
        return machine_pressure()

    def process_events(self) -> Sequence[Mapping[str, Any]]:
        """Return what happened to the load's processes."""
        return list(self._events)

    def load_lines(self) -> Sequence[Mapping[str, Any]]:
        """Return what the load profiles recorded, on Prometheus's clock."""
        return [{**line, "time": line["time"] + self._offset} for line in self._loads.lines()]

    def engine_counters(self) -> Sequence[Series]:
        """Ask the engines for their own counters; one that shows them to nobody has none."""
        found = []
        for engine, api in (("prometheus", self._apis.prometheus), ("alertmanager", self._apis.alertmanager)):
            if api is None:
                continue
            now = self.now()
            try:
                samples = list(samples_of(api.metrics()))
            except EngineTrouble as trouble:
                if trouble.kind is not Kind.ANSWERED:
                    raise
                continue
            for labels, value in samples:
                if labels["__name__"] in COUNTERS or labels["__name__"] == "process_start_time_seconds":
                    found.append(Series({**labels, "engine": engine}, ((now, value),)))
        return found

    def raw_series(self, names: Sequence[str], since: float, until: float) -> Sequence[Series]:
        """Return raw samples. Stale markers are not to be had from outside, and of others' targets nothing is asked."""
        found: list[Series] = []
        jobs = "|".join(map(re.escape, sorted(self._jobs))).replace("\\", "\\\\").replace('"', '\\"')
        for name in names:
            of_a_scrape = name in ("up", "scrape_duration_seconds") and jobs
            found += self._raw(f'{name}{{job=~"{jobs}"}}' if of_a_scrape else name, since, until)
        return found

    def _raw(self, selector: str, since: float, until: float) -> list[Series]:
        """Ask for raw samples in pieces of time, and join them."""
        joined: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for begin, end in _pieces(since, until, PIECE_SECONDS):
            for series in self._apis.prometheus.raw_samples(selector, start=begin, end=end):
                samples = joined.setdefault(tuple(sorted(series.labels.items())), [])
                samples += [(s.time, s.value) for s in series.samples if not samples or s.time > samples[-1][0]]
        return [Series(dict(labels), tuple(samples)) for labels, samples in joined.items()]

    def evaluate(self, expression: str, since: float, until: float, step: float) -> Sequence[Series]:
        """Evaluate an expression of an expected rule; others' rules are not asked for, which would load Prometheus."""
        if expression not in self._own_expressions():
            return []
        joined: dict[tuple[tuple[str, str], ...], dict[float, float]] = {}
        for begin, end in _pieces(since, until, step * MOST_POINTS):
            for series in self._apis.prometheus.query_range(expression, start=begin, end=end, step=step):
                joined.setdefault(tuple(sorted(series.labels.items())), {}).update(series.samples)
        return [Series(dict(labels), tuple(sorted(samples.items()))) for labels, samples in joined.items()]

    def _own_expressions(self) -> set[str]:
        found = set()
        for rule in self._expected_rules:
            sides = [side for c in comparisons(parse(rule.expression)) for side in (c.left, c.right)]
            found |= {rule.expression, *(side.text(rule.expression) for side in sides)}
        return found

    def metric_names(self) -> Sequence[str]:
        """Return the names of all metrics."""
        return [str(name) for name in self._apis.prometheus.json("/api/v1/label/__name__/values")["data"]]

    # -- what can be done to it

    def kill(self, process: str) -> float:
        """Refuse: no process of a system that we did not start is ours to end."""
        raise self._impossible(f"kill {process}")

    def revive(self, process: str) -> float:  # noqa: ARG002 nothing was killed
        """Do nothing."""
        return self.now()

    def remove_target(self, job: str) -> float:
        """Refuse: the service discovery is not ours."""
        raise self._impossible(f"remove the targets of {job}")

    def restore_target(self, job: str) -> float:  # noqa: ARG002 nothing was removed
        """Do nothing."""
        return self.now()

    def partition(self, alertmanagers: Sequence[str]) -> float:
        """Refuse: the cluster is not ours."""
        raise self._impossible(f"cut off {' and '.join(alertmanagers)}")

    def rejoin(self, alertmanagers: Sequence[str]) -> float:  # noqa: ARG002 nothing was cut off
        """Do nothing."""
        return self.now()

    def scale_to_zero(self, workload: str) -> float:
        """Have a workload of the cluster run no pods."""
        return self._of_cluster(f"scale {workload} to no pods").scale_to_zero(workload) + self._offset

    def end_container(self, workload: str, container: str, times: int) -> float:
        """End the main process of a container."""
        faults = self._of_cluster(f"end a container of {workload}")
        return faults.end_container(workload, container, times) + self._offset

    def restore_workload(self, workload: str) -> float:
        """Put a workload back as it was, if anything was done to it."""
        if self._faults is not None:
            self._faults.restore(workload)
        return self.now()

    def _of_cluster(self, what: str) -> ClusterFaults:
        if self._faults is None:
            detail = "the environment has no `cluster`"
            raise EngineTrouble(f"cannot {what}: this system is in no cluster", self.plan.environment, detail)
        return self._faults

    def _cluster_faults(self) -> ClusterFaults | None:
        """Return what does faults to workloads, if this drill does."""
        declared = self.environment.cluster
        if declared is None or not isinstance(self.plan.stimulus, OnWorkload):
            return None
        return ClusterFaults(
            self.system,
            (self.plan.environment, declared),
            self._workloads,
            stop=self.stop,
            look=self._meanwhile,
            tell=self._note,
        )

    def _meanwhile(self) -> None:
        """Look at what only looks can tell, while something is done that takes its time."""
        self.check()
        self.notifications()

    def _note(self, event: str, what: str) -> None:
        """Write down what was done to the cluster, beside what happened to processes."""
        self._events.append({"time": self.now(), "event": event, "process": what, "expected": True})

    def _impossible(self, what: str) -> EngineTrouble:
        detail = "it needs a system that Tocsin started; `allow_faults` cannot give what is not ours"
        return EngineTrouble(f"cannot {what}: this system runs already", self.plan.environment, detail)

    def start_load(self, part: str, load: Load) -> float:
        """Start a profile; return when it sent its first request. It ends by itself when the ceiling of time is met."""
        if self._watch is None:
            raise EngineTrouble("load is refused", self.plan.environment, "the environment has no `ceilings`")
        limits = {"LOAD_SECONDS": f"{self._watch.begin():.1f}"}
        url = self.environment.addresses[load.target]
        return self._loads.start(self._running, part, load, url, check=self.check, environment=limits) + self._offset

    def stop_load(self, part: str) -> float:
        """Stop it, if it runs; return when its users had stopped."""
        with suppress(EngineTrouble):
            stopped = self._loads.stop(part)
            if stopped is not None:
                return stopped + self._offset
        return self.now()


NOTIFICATION = frozenset({"time", "receiver", "integration", "payload"})
"""What a sink tells of each notification; `index` may be left out."""


def _pieces(since: float, until: float, length: float) -> Iterable[tuple[float, float]]:
    begin = since
    while begin < until:
        end = min(begin + length, until)
        yield begin, end
        begin = end
