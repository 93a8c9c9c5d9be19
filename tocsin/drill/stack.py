"""A fresh stack: the system's processes, the engines and a sink, started for one drill and ended."""

from __future__ import annotations

import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from tocsin.artefacts.exposition import samples_of
from tocsin.drill.guards import COUNTERS
from tocsin.drill.loads import Loads
from tocsin.drill.monitoring import Ground, Monitoring, Setup
from tocsin.drill.preparation import Prepared
from tocsin.drill.site import ActiveAlert, Facts, Refused
from tocsin.engines.alertmanager import Alertmanager
from tocsin.engines.alertmanager_log import AlertmanagerEventKind
from tocsin.engines.node_exporter import start_node_exporter
from tocsin.engines.processes import start_process
from tocsin.engines.prometheus import Prometheus
from tocsin.engines.promtool import tsdb_dump
from tocsin.engines.readiness import await_targets
from tocsin.engines.service import Service
from tocsin.engines.trouble import EngineTrouble
from tocsin.evidence import Recording, Series, Target
from tocsin.sinks.capture import CaptureSink
from tocsin.supervisor import Kind, ProcessEvent, Supervisor
from tocsin.supervisor.usage import machine_pressure
from tocsin.system import Load

STATES = ("process_start_time_seconds", "alertmanager_cluster_members", "alertmanager_peer_position")
"""Metrics of the engines that are kept besides those that must not move."""
TARGETS_WITHIN = 15.0
"""Seconds for every target to be scraped: discovery takes 5 s whatever the factor, a busy machine the rest."""


class FreshStack:
    """A site of our own, from nothing to working monitoring and back to nothing."""

    def __init__(
        self,
        prepared: Prepared,
        recording: Recording,
        *,
        name: str,
        stop: threading.Event,
        ports: Mapping[str, int] | None = None,
        setup: Setup | None = None,
    ) -> None:
        self._setup = setup or Setup()
        self.prepared = prepared.scraping_too(self._setup.exporters)
        self.recording = recording
        self.name = name
        self.stop = stop
        self._ports: Mapping[str, int] = ports or {}
        """Of processes, engines and `sink`; what is not named gets a free one."""
        self._events: list[dict[str, Any]] = []
        self._scratch = TemporaryDirectory(prefix=f"tocsin-{name}-", dir=_fast_folder(), ignore_cleanup_errors=True)
        self._folder = Path(self._scratch.name)
        self._supervisor: Supervisor | None = None
        self._services: dict[str, Service] = {}
        self._loads = Loads(system=prepared.directory, folder=self._folder, stop=stop)
        self._monitoring: Monitoring | None = None
        self._sink: CaptureSink | None = None
        self._target_labels: Mapping[str, Mapping[str, str]] = {}

    # -- its life

    def arm(self, tell: Callable[[str], None]) -> None:
        """Start everything and wait until monitoring works; rules come last, when every target has been scraped.

        An `absent()` would otherwise fire in the first seconds, in which nothing has been scraped yet.
        """
        tell("starting")
        logs = self.recording.folder / "logs"
        self._supervisor = Supervisor(self.name, logs, self._on_event, scratch=self._folder).__enter__()
        self._sink = CaptureSink.start(
            self._supervisor, self._folder / "notifications.jsonl", port=self._port("sink"), stop=self.stop
        )
        self._monitoring = Monitoring(self._ground(self._supervisor), self._setup)
        self._monitoring.start_alertmanagers(self._sink.url)
        for name in self.prepared.order:
            if self._setup.processes is None or name in self._setup.processes:
                self._services[name] = self._start_process(name, self._port(name))
        self._start_prometheus(self._monitoring)
        tell("first scrapes")
        self._await_targets()
        tell("arming rules")
        for name, text in self.prepared.rule_files.items():
            (self._folder / "rules" / name).write_text(text)
        self._monitoring.arm()

    def close(self) -> None:
        """End every process and remove the scratch folder."""
        if self._supervisor is not None:
            self._supervisor.close(seconds=2)
        if self._monitoring is not None:
            self._monitoring.close()
        self._scratch.cleanup()

    def _ground(self, supervisor: Supervisor) -> Ground:
        return Ground(
            prepared=self.prepared,
            supervisor=supervisor,
            folder=self._folder,
            config=self._config,
            ports=self._ports,
            stop=self.stop,
        )

    def _config(self, name: str, text: str) -> Path:
        """Keep a configuration as evidence, and return the copy that an engine is given."""
        self.recording.config(name, text)
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def _port(self, name: str) -> int:
        return self._ports.get(name, 0)

    def _start_process(self, name: str, port: int) -> Service:
        return start_process(
            self._running,
            self.prepared.environment,
            name,
            directory=self.prepared.directory,
            running=self._services,
            port=port,
            stop=self.stop,
        )

    def _start_prometheus(self, monitoring: Monitoring) -> None:
        """Start every Prometheus, each with its targets.

        Where a Prometheus is a target too, its port is known once it runs. It hands targets over every 5 s, the first
        time after 5 s, so nothing is lost by writing those of its own job then.
        """
        (self._folder / "rules").mkdir()
        for name, text in self.prepared.rule_files.items():
            self.recording.config(f"rules/{name}", text)
        for name, original in self.prepared.originals.items():
            self.recording.config(f"original/{name}", original)
        files = {job: str(self._folder / "targets" / f"{job}.json") for job in self.prepared.jobs}
        rule_files = [str(self._folder / "rules" / "*.yml")]
        self._target_labels = self.prepared.prometheus(files, (), rule_files).static_labels
        late = {job for job, targets in self.prepared.jobs.items() if "prometheus" in targets}
        for job in self.prepared.jobs.keys() - late:
            self._write_targets(job)
        monitoring.start_prometheus(files, rule_files)
        for job in late:
            self._write_targets(job)

    def _write_targets(self, job: str, *, gone: bool = False) -> None:
        """Write a job's file of targets in one rename, so that no half of it is ever discovered."""
        targets = self.prepared.jobs[job]
        addresses = [] if gone else [each for target in targets for each in self._addresses(target).values()]
        path = self._folder / "targets" / f"{job}.json"
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".part")
        group = {"targets": addresses, "labels": dict(self._target_labels.get(job, {}))}
        draft.write_text(json.dumps([group] if addresses else []))
        draft.replace(path)

    def _addresses(self, target: str) -> Mapping[str, str]:
        """Return host and port of a process, or of each engine of a kind, by the process's name."""
        if target in ("prometheus", "alertmanager"):
            return self._engines.addresses(target)
        if target == "node_exporter" and target not in self._services:
            self._services[target] = self._start_node_exporter(self._port(target))
        return {target: self._services[target].url.removeprefix("http://")}

    def _start_node_exporter(self, port: int) -> Service:
        return start_node_exporter(self._running, cwd=self._folder, port=port, stop=self.stop)

    def _await_targets(self) -> None:
        try:
            for prometheus in self._engines.prometheus.values():
                await_targets(
                    prometheus.api,
                    jobs=self.prepared.jobs.keys(),
                    seconds=TARGETS_WITHIN,
                    stop=self.stop,
                    check=self.check,
                )
        except EngineTrouble as trouble:
            if trouble.kind is not Kind.TIMED_OUT:
                raise
            raise Refused(list(self._not_scraped())) from trouble

    def _not_scraped(self) -> Iterable[str]:
        """Say which targets cannot be scraped although their processes are ready."""
        for target in self._prom.api.targets():
            job = target["labels"].get("job", "")
            if target["health"] != "up" and job in self.prepared.jobs:
                yield self.prepared.not_scraped(job, target["scrapeUrl"], target["lastError"] or "not scraped yet")
        discovered = {target["labels"].get("job") for target in self._prom.api.targets()}
        for job in self.prepared.jobs:
            if job not in discovered:
                place = self.prepared.job_place(job)
                yield f"scrape job {job} keeps no target: its relabelling drops them all ({place})"

    # -- what it is

    @property
    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise EngineTrouble("the stack has not been started", self.name, "arm it first")
        return self._supervisor

    @property
    def _engines(self) -> Monitoring:
        if self._monitoring is None:
            raise EngineTrouble("the engines have not been started", self.name, "arm the stack first")
        return self._monitoring

    @property
    def _prom(self) -> Prometheus:
        return self._engines.observed

    def facts(self) -> Facts:
        """Return the rules and targets as they run here."""
        targets = tuple(
            Target(job=job, instance=target["labels"].get("instance", ""), process=process)
            for target in self._prom.api.targets()
            if (job := target["labels"].get("job", "")) in self.prepared.jobs
            for named in self.prepared.jobs[job]
            for process, address in self._addresses(named).items()
            if address in target["scrapeUrl"]
        )
        known = self.prepared.facts(targets)
        return replace(known, replicas=self._engines.replicas, peers_wait=self._engines.peers_wait)

    def now(self) -> float:
        """Return the machine's clock, which all engines of a stack share."""
        return time.time()

    def check(self) -> None:
        """Raise Trouble if a process ended that the drill did not end."""
        if self._supervisor is not None and not self._supervisor.alive:
            raise EngineTrouble("the supervisor of the stack is gone", self.name, "something killed it", Kind.EXITED)
        for line in list(self._events):
            if line["event"] == "exited" and not line["expected"]:
                how = f"signal {line['signal']}" if line["signal"] else f"exit code {line['code']}"
                what = f"{line['process']} ended by {how}, which was not the drill's doing"
                raise EngineTrouble(what, f"pid {line['pid']}", "the drill cannot tell anything", Kind.EXITED)

    def _on_event(self, event: ProcessEvent) -> None:
        used = event.usage
        self._events.append(
            {
                "time": event.time,
                "event": str(event.kind),
                "process": event.process,
                "pid": event.pid,
                "code": event.code,
                "signal": event.signal,
                "expected": event.expected,
                **({"cpu_seconds": used.cpu_seconds, "max_rss_bytes": used.max_rss_bytes} if used else {}),
            }
        )

    # -- what it says

    def active_alerts(self) -> Sequence[ActiveAlert]:
        """Ask Prometheus which alerts are pending or firing."""
        return [ActiveAlert(alert["labels"], alert["state"]) for alert in self._prom.api.alerts()]

    def alertmanager_alerts(self) -> Sequence[Mapping[str, Any]]:
        """Ask Alertmanager for its alerts."""
        return self._engines.asked.api.alerts()

    def notifications(self) -> Sequence[Mapping[str, Any]]:
        """Return what the sink captured so far."""
        return [asdict(notification) for notification in self._sink.notifications()] if self._sink else []

    def received(self) -> Sequence[Mapping[str, Any]]:
        """Return every Alertmanager's log, an alert a line; of several, each line says whose it is."""
        if self._monitoring is None:
            return []
        several = len(self._monitoring.logged) > 1
        return [
            {**line, "alertmanager": name} if several else line
            for name, alertmanager in self._monitoring.logged
            for line in self._received(alertmanager)
        ]

    @staticmethod
    def _received(alertmanager: Alertmanager) -> Sequence[Mapping[str, Any]]:
        logged = alertmanager.events()
        muted = [{"time": e.time, "event": str(e.kind)} for e in logged if e.kind is AlertmanagerEventKind.MUTED]
        return muted + [
            {
                "time": event.time,
                "event": str(event.kind),
                "alert": alert.name,
                "fingerprint": alert.fingerprint,
                "state": alert.state,
                "receiver": event.receiver,
            }
            for event in logged
            for alert in event.alerts
        ]

    def usage(self) -> Sequence[Mapping[str, Any]]:
        """Return what each process of the system uses, by the kernel's account."""
        found = []
        for name, service in list(self._services.items()):
            with suppress(psutil.Error):
                process = psutil.Process(service.process.pid)
                times = process.cpu_times()
                used = {"rss_bytes": process.memory_info().rss, "cpu_seconds": times.user + times.system}
                found.append({"process": name, "pid": service.process.pid, **used})
        return found

    def machine(self) -> Mapping[str, float]:
        """Return how pressed the machine is, for the record."""
        return machine_pressure()

    def process_events(self) -> Sequence[Mapping[str, Any]]:
        """Return what happened to every process."""
        return list(self._events)

    @property
    def marker(self) -> str:
        """What every process of this stack carries in its environment."""
        return self._supervisor.marker if self._supervisor else ""

    def process_ids(self) -> Mapping[str, int]:
        """Return the pid of everything that runs for this stack, its supervisor included."""
        if self._supervisor is None:
            return {}
        running = {p.name: p.pid for p in self._supervisor.processes if p.exited is None}
        return {**running, "supervisor": self._supervisor.pid}

    def load_lines(self) -> Sequence[Mapping[str, Any]]:
        """Return what the load profiles wrote, each line with its part."""
        return self._loads.lines()

    def engine_counters(self) -> Sequence[Series]:
        """Scrape the own counters of the engines that the drill leaves alone."""
        found = []
        for engine, running in self._engines.undisturbed:
            now = self.now()
            for labels, value in samples_of(running.api.metrics()):
                if labels["__name__"] in COUNTERS or labels["__name__"] in STATES:
                    found.append(Series({**labels, "engine": engine}, ((now, value),)))
        return found

    def raw_series(self, names: Sequence[str], since: float, until: float) -> Sequence[Series]:
        """Return raw samples from the API, and the stale markers, which it hides, from the database itself."""
        selector = '{__name__=~"' + "|".join(map(re.escape, names)).replace("\\", "\\\\") + '"}'
        found = self._prom.api.raw_samples(selector, start=since, end=until)
        unseen: dict[tuple[tuple[str, str], ...], set[float]] = {}
        for dumped in tsdb_dump(self._prom.settings.data, selector, start=since, end=until):
            if math.isnan(dumped.value):
                unseen.setdefault(tuple(sorted(dumped.labels.items())), set()).add(dumped.time)
        result = []
        for series in found:
            key = tuple(sorted(series.labels.items()))
            seen = {round(t, 3) for t, _ in series.samples}
            stale = sorted(t for t in unseen.pop(key, set()) if round(t, 3) not in seen)
            result.append(Series(series.labels, tuple((p.time, p.value) for p in series.samples), tuple(stale)))
        return result

    def evaluate(self, expression: str, since: float, until: float, step: float) -> Sequence[Series]:
        """Evaluate an expression at every step."""
        found = self._prom.api.query_range(expression, start=since, end=until, step=step)
        return [Series(s.labels, tuple((p.time, p.value) for p in s.samples)) for s in found]

    def metric_names(self) -> Sequence[str]:
        """Return the names of all metrics."""
        return [str(name) for name in self._prom.api.json("/api/v1/label/__name__/values")["data"]]

    # -- what can be done to it

    def kill(self, process: str) -> float:
        """Kill a process of the system, or a replica of an engine."""
        if self._engines.has(process):
            return self._engines.kill(process)
        service = self._services.get(process)
        if service is None:
            raise EngineTrouble(f"there is no process {process}", self.name, f"it has {', '.join(self._services)}")
        return service.kill().time

    def revive(self, process: str) -> float:
        """Start it again on the port that it had."""
        if self._engines.has(process):
            return self._engines.revive(process)
        service = self._services[process]
        if service.process.exited is not None:
            declared = process in self.prepared.environment.processes
            self._services[process] = (
                self._start_process(process, service.port) if declared else self._start_node_exporter(service.port)
            )
        return self.now()

    def remove_target(self, job: str) -> float:
        """Take the targets out of the job's discovery file."""
        if job not in self.prepared.jobs:
            raise EngineTrouble(f"there is no scrape job {job}", self.name, f"it has {', '.join(self.prepared.jobs)}")
        self._write_targets(job, gone=True)
        return self.now()

    def restore_target(self, job: str) -> float:
        """Put them back."""
        if job in self.prepared.jobs and self._monitoring is not None and self._monitoring.prometheus:
            self._write_targets(job)
        return self.now()

    def partition(self, alertmanagers: Sequence[str]) -> float:  # noqa: ARG002 the plan knows that they are all
        """End the relay by which they gossip."""
        return self._engines.partition()

    def rejoin(self, alertmanagers: Sequence[str]) -> float:  # noqa: ARG002 they are all
        """Start the relay again."""
        return self._engines.rejoin()

    def scale_to_zero(self, workload: str) -> float:
        """Refuse: processes of ours are in no cluster."""
        raise self._no_cluster(f"scale {workload} to no pods")

    def end_container(self, workload: str, container: str, times: int) -> float:  # noqa: ARG002 there is none
        """Refuse: processes of ours are in no container."""
        raise self._no_cluster(f"end a container of {workload}")

    def restore_workload(self, workload: str) -> float:  # noqa: ARG002 nothing was done to it
        """Do nothing."""
        return self.now()

    def _no_cluster(self, what: str) -> EngineTrouble:
        detail = "use `kill: PROCESS`, or perform the drill in an environment with `prometheus` and `cluster`"
        return EngineTrouble(f"cannot {what}: this stack is of processes, and has no cluster", self.name, detail)

    def start_load(self, part: str, load: Load) -> float:
        """Start a profile; return when it sent its first request."""
        return self._loads.start(self._running, part, load, self._services[load.target].url, check=self.check)

    def stop_load(self, part: str) -> float:
        """Stop it, if it runs; return when its users had stopped."""
        return self._loads.stop(part) or self.now()


def _fast_folder() -> str | None:
    """Return the memory file system where there is one: databases that live for seconds need no disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 a folder of our own is made in it
