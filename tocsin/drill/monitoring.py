"""The engines of a stack: one Prometheus and one Alertmanager, or several of which a drill takes one away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from tocsin.compression.flags import PEER_TIMEOUT, compress_cluster_flags
from tocsin.compression.written import yaml_text
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.preparation import Prepared
from tocsin.durations import parse_duration
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings
from tocsin.engines.cluster import Cluster
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.engines.readiness import await_targets
from tocsin.engines.trouble import EngineTrouble
from tocsin.evidence import Replica
from tocsin.supervisor import Supervisor
from tocsin.system import Replicas

ONE_OF_EACH = Replicas()
REVIVED_WITHIN = 20.0
"""Seconds for a Prometheus that came back to have scraped every target again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Which engines and processes a stack has, and what its drill does to the engines."""

    replicas: Replicas = ONE_OF_EACH
    disturbed: frozenset[str] = frozenset()
    """The processes that the drill takes down at some time: no other part of the stack relies on them."""
    partitioned: bool = False
    """Whether the Alertmanagers are to be cut off from each other."""
    processes: frozenset[str] | None = None
    """The system's processes that it starts; None: all."""
    exporters: Mapping[str, str] = field(default_factory=dict)
    """Scrape jobs whose target is an engine, besides those of the environment."""

    @property
    def several(self) -> bool:
        """Whether there is more than one of a kind."""
        return bool(self.replicas.several)


def setup_of(plan: PlannedDrill) -> Setup:
    """Return what a drill asks for."""
    return Setup(
        replicas=plan.drill.replicas or ONE_OF_EACH,
        disturbed=plan.disturbed,
        partitioned=plan.drill.partitions,
        processes=plan.processes,
        exporters=plan.drill.exporters,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the engines of one stack stand on."""

    prepared: Prepared
    supervisor: Supervisor
    folder: Path
    """Of the stack, for all that lives as long as it."""
    config: Callable[[str, str], Path]
    """Keeps a configuration as evidence, and returns the copy that an engine is given."""
    ports: Mapping[str, int]
    """By name; what is not there gets a free one."""
    stop: Event


class Monitoring:
    """The engines of one stack, by name. A kind of which there is one is started as if there were no replicas."""

    def __init__(self, ground: Ground, setup: Setup) -> None:
        self.ground = ground
        self.setup = setup
        self.prometheus: dict[str, Prometheus] = {}
        self._configs: dict[str, Mapping[str, Any]] = {}
        """Of each Prometheus, as it runs."""
        self._alone: dict[str, Alertmanager] = {}
        self._cluster: Cluster | None = None

    # -- starting

    def start_alertmanagers(self, sink_url: str) -> None:
        """Start the Alertmanagers; those of a cluster see each other when it returns."""
        ground, names = self.ground, self.setup.replicas.names("alertmanager")
        config = ground.config("alertmanager.rewritten.yml", ground.prepared.alertmanager(sink_url))
        settings = [AlertmanagerSettings(config=config, data=ground.folder / name, name=name) for name in names]
        if len(settings) == 1:
            (only,) = settings
            started = Alertmanager.start(ground.supervisor, only, port=ground.ports.get(only.name, 0), stop=ground.stop)
            self._alone = {only.name: started}
            return
        # each says in every notification who it is; all of them have the same receivers
        told = [replace(each, flags=[f"--web.external-url=http://{each.name}"]) for each in settings]
        self._cluster = Cluster(
            ground.supervisor, compress_cluster_flags(ground.prepared.factor), ground.folder, ground.stop
        )
        self._cluster.start(told, ground.ports, relayed=self.setup.partitioned)

    def start_prometheus(self, target_files: Mapping[str, str], rule_files: Sequence[str]) -> None:
        """Start every Prometheus: all read the same rules and targets, and each tells every Alertmanager."""
        ground = self.ground
        alertmanagers = [_address(each) for each in self.alertmanagers.values()]
        for name in self.setup.replicas.names("prometheus"):
            own = ground.prepared.prometheus(target_files, alertmanagers, rule_files, self._external_labels(name))
            self._configs[name] = own.value
            settings = PrometheusSettings(
                config=ground.config(f"{name}.rewritten.yml", yaml_text(own.value)),
                data=ground.folder / name,
                flags=[f"--{flag}={value}" for flag, value in ground.prepared.flags.items()],
                name=name,
            )
            self.prometheus[name] = Prometheus.start(
                ground.supervisor, settings, port=ground.ports.get(name, 0), stop=ground.stop
            )

    def _external_labels(self, name: str) -> Mapping[str, str]:
        """Return the external label by which a replica differs from the others, where there are any and it does."""
        label = self.setup.replicas.label or self.ground.prepared.replica_label
        return {label: name} if label is not None and self.setup.replicas.prometheus > 1 else {}

    def arm(self) -> None:
        """Make every Prometheus read the rules, and wait until it knows its Alertmanagers again."""
        with ThreadPoolExecutor(len(self.prometheus), thread_name_prefix="arm") as pool:
            for done in [pool.submit(self._reload, each) for each in self.prometheus.values()]:
                done.result()

    def _reload(self, prometheus: Prometheus) -> None:
        prometheus.reload(
            rules=self.ground.prepared.rule_count, alertmanagers=len(self.alertmanagers), stop=self.ground.stop
        )

    def close(self) -> None:
        """Close the connections to all of them; the processes are their supervisor's."""
        for prometheus in self.prometheus.values():
            prometheus.api.close()
        for alertmanager in self._cluster.started if self._cluster is not None else self._alone.values():
            alertmanager.api.close()

    # -- what there is

    @property
    def alertmanagers(self) -> Mapping[str, Alertmanager]:
        """The Alertmanagers."""
        return self._cluster.members if self._cluster is not None else self._alone

    @property
    def observed(self) -> Prometheus:
        """The Prometheus by which the drill is told: the first that the drill leaves alone."""
        found = next((p for n, p in self.prometheus.items() if n not in self.setup.disturbed), None)
        if found is None:
            raise EngineTrouble("Prometheus has not been started", str(self.ground.folder), "arm the stack first")
        return found

    @property
    def asked(self) -> Alertmanager:
        """The Alertmanager that is asked for what it holds: the first that the drill leaves alone."""
        found = next((a for n, a in self.alertmanagers.items() if n not in self.setup.disturbed), None)
        if found is None:
            raise EngineTrouble("Alertmanager has not been started", str(self.ground.folder), "arm the stack first")
        return found

    @property
    def logged(self) -> Sequence[tuple[str, Alertmanager]]:
        """The Alertmanagers whose logs tell all, by name: of one that was killed and came back, the first."""
        if self._cluster is None:
            return list(self._alone.items())
        first: dict[str, Alertmanager] = {}
        for member in self._cluster.started:
            first.setdefault(member.settings.name, member)
        return list(first.items())

    @property
    def undisturbed(self) -> Sequence[tuple[str, Prometheus | Alertmanager]]:
        """The engines that the drill leaves alone, by name: those are its instruments."""
        every: dict[str, Prometheus | Alertmanager] = {**self.prometheus, **self.alertmanagers}
        return [(name, engine) for name, engine in every.items() if name not in self.setup.disturbed]

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """The engines as evidence has them; none where there is one of each."""
        if not self.setup.several:
            return ()
        return tuple(
            Replica(name=name, engine=kind, address=address, disturbed=name in self.setup.disturbed)
            for kind in ("prometheus", "alertmanager")
            for name, address in self.addresses(kind).items()
        )

    @property
    def peers_wait(self) -> float:
        """The longest that an Alertmanager waits for its peers before it notifies, in seconds."""
        others = self.setup.replicas.alertmanager - 1
        return others * parse_duration(compress_cluster_flags(self.ground.prepared.factor)[PEER_TIMEOUT])

    def addresses(self, kind: str) -> Mapping[str, str]:
        """Return host and port of each engine of a kind, by name."""
        named: Mapping[str, Prometheus | Alertmanager] = self.prometheus if kind == "prometheus" else self.alertmanagers
        return {name: _address(each) for name, each in named.items()}

    # -- what can be done to it

    def has(self, name: str) -> bool:
        """Tell whether an engine of that name is among several, so that it can be lost."""
        return name in self.setup.replicas.several

    def kill(self, name: str) -> float:
        """Kill a replica; return when it was gone."""
        return self._engine(name).service.kill().time

    def revive(self, name: str) -> float:
        """Start a killed replica again at its address, with its data; return when it was ready."""
        if name in self.alertmanagers and self._cluster is not None:
            return self._cluster.revive(name)
        if self.prometheus[name].process.exited is None:
            return time.time()
        return self._revive_prometheus(name)

    def _revive_prometheus(self, name: str) -> float:
        """Start a Prometheus again as a stack does: rules come when every target has been scraped.

        Until then an `absent()` holds, which would fire, at a drill's pace, before the first scrape is over.
        """
        ground, before = self.ground, self.prometheus[name]
        config = before.settings.config
        config.write_text(yaml_text({**self._configs[name], "rule_files": []}))
        revived = Prometheus.start(ground.supervisor, before.settings, port=before.service.port, stop=ground.stop)
        ready = time.time()
        before.api.close()
        self.prometheus[name] = revived
        check = revived.service.check_running
        jobs = ground.prepared.jobs.keys()
        await_targets(revived.api, jobs=jobs, seconds=REVIVED_WITHIN, stop=ground.stop, check=check)
        config.write_text(yaml_text(self._configs[name]))
        self._reload(revived)
        return ready

    def partition(self) -> float:
        """Cut the Alertmanagers off from each other; return when that was done."""
        return self._members.part()

    def rejoin(self) -> float:
        """Let them hear each other again; return when that was done."""
        return self._members.rejoin()

    @property
    def _members(self) -> Cluster:
        if self._cluster is None:
            raise EngineTrouble("there is no cluster", str(self.ground.folder), "the stack has one Alertmanager")
        return self._cluster

    def _engine(self, name: str) -> Prometheus | Alertmanager:
        return self.prometheus.get(name) or self.alertmanagers[name]


def _address(engine: Prometheus | Alertmanager) -> str:
    return engine.url.removeprefix("http://")
