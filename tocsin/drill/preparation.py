"""Preparing an environment of ours: its files read once, rewritten for the factor, ready for any number of stacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.artefacts.alertmanager import RouteNode, Routing, read_routing
from tocsin.artefacts.files import Artefacts, read_artefacts
from tocsin.artefacts.rules import Rule, case_ids, read_groups
from tocsin.artefacts.scrape import Scraping, read_scraping
from tocsin.compression.alertmanager import compress_alertmanager
from tocsin.compression.flags import compress_flags
from tocsin.compression.prometheus import CompressedPrometheus, compress_prometheus
from tocsin.compression.rules import Handling, compress_rules, recorded_in
from tocsin.compression.written import yaml_text
from tocsin.drill.site import Facts
from tocsin.durations import format_duration
from tocsin.engines.binaries import Engine, find_engines, version
from tocsin.evidence import LeftOut, RuleFacts, Selected, Target
from tocsin.promql import longest_window, parse, selectors
from tocsin.source import Document, Place, Unreadable
from tocsin.system import BadSystem, Environment, Kind, Problem, System


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a fresh stack is made of."""

    directory: Path
    environment: Environment
    order: tuple[str, ...]
    """The processes, each after those whose address it needs."""
    jobs: Mapping[str, tuple[str, ...]]
    """Scrape jobs that have targets here, with the processes or engines that are their targets."""
    rule_files: Mapping[str, str]
    """The rewritten rule files, by name."""
    rule_count: int
    """Rules that are loaded, alerting and recording."""
    rules: tuple[RuleFacts, ...]
    left_out: tuple[LeftOut, ...]
    flags: Mapping[str, str]
    originals: Mapping[str, str] = field(repr=False)
    """The files as their owner wrote them, by name."""
    scraping: Scraping
    routing: Routing
    prometheus_document: Document = field(repr=False)
    alertmanager_document: Document = field(repr=False)
    engines: Mapping[str, str]

    @property
    def factor(self) -> float:
        """How many times faster than production it runs."""
        return self.environment.factor

    def alertmanager(self, sink_url: str) -> str:
        """Return the Alertmanager configuration, rewritten to tell the sink."""
        return yaml_text(compress_alertmanager(self.alertmanager_document.value, self.factor, sink_url))

    def prometheus(
        self, target_files: Mapping[str, str], alertmanager: str, rule_files: Sequence[str]
    ) -> CompressedPrometheus:
        """Return the Prometheus configuration, rewritten to discover targets from the given file of each job."""
        return compress_prometheus(
            self.prometheus_document.value,
            self.factor,
            target_files=target_files,
            alertmanager=alertmanager,
            rule_files=rule_files,
        )

    def facts(self, targets: tuple[Target, ...]) -> Facts:
        """Return what is known of a stack that has those targets."""
        routes = list(_all_routes(self.routing.root))
        return Facts(
            rules=self.rules,
            left_out=self.left_out,
            targets=targets,
            engines=self.engines,
            scrape_seconds=self.scraping.interval(self.jobs) / self.factor,
            evaluation_seconds=self.scraping.evaluation_seconds / self.factor,
            group_wait=max(r.group_wait for r in routes) / self.factor,
            group_interval=max(r.group_interval for r in routes) / self.factor,
            alertmanager_file=self.alertmanager_document.file,
            alertmanager_places=dict(_receiver_places(self.routing)),
        )

    def job_place(self, job: str) -> Place:
        """Return where a scrape job stands in its file."""
        declared = self.scraping.job(job)
        return declared.place if declared else self.prometheus_document.place()

    def not_scraped(self, job: str, url: str, error: str) -> str:
        """Say that a target cannot be scraped although its process is ready, and what its owner should look at."""
        declared = self.scraping.job(job)
        said = f"scrape job {job} cannot scrape {url}: {error}"
        if declared is None:
            return said
        for name in self.jobs[job]:
            process = self.environment.processes.get(name)
            if process and process.metrics != declared.metrics_path:
                return (
                    f"{said}; {declared.metrics_path_place} asks for {declared.metrics_path}, and {name} exposes its "
                    f"metrics at {process.metrics}: every alert on them is blind"
                )
        return f"{said} ({declared.place}), while its process is ready"


def prepare(system: System, environment: str) -> Prepared:
    """Read and rewrite what an environment of ours needs. Raises BadSystem at the places that stand in the way."""
    declared = system.environment(environment)[1]
    artefacts = read_artefacts(system)
    if artefacts.unreadable:
        raise BadSystem(artefacts.unreadable)
    prometheus = _the_one(system, artefacts, Kind.PROMETHEUS)
    alertmanager = _the_one(system, artefacts, Kind.ALERTMANAGER)
    try:
        scraping, routing = read_scraping(prometheus), read_routing(alertmanager)
        rules = _read_rules(system, artefacts, scraping, declared)
    except Unreadable as error:
        raise BadSystem((Problem(error.place, error.message),)) from error
    engines = find_engines()
    return Prepared(
        directory=system.directory,
        environment=declared,
        order=tuple(_in_order(system, environment, declared)),
        jobs=_jobs(system, environment, declared, scraping),
        rule_files=rules.files,
        rule_count=rules.count,
        rules=tuple(rules.facts),
        left_out=tuple(rules.left_out),
        flags=compress_flags(declared.factor),
        originals={
            d.file: (system.directory / d.file).read_text(encoding="utf-8-sig")
            for d in (prometheus, alertmanager, *artefacts.documents[Kind.RULES])
        },
        scraping=scraping,
        routing=routing,
        prometheus_document=prometheus,
        alertmanager_document=alertmanager,
        engines={
            "prometheus": version(engines[Engine.PROMETHEUS]),
            "alertmanager": version(engines[Engine.ALERTMANAGER]),
        },
    )


def _the_one(system: System, artefacts: Artefacts, kind: Kind) -> Document:
    documents = artefacts.documents[kind]
    if len(documents) != 1:
        files = ", ".join(d.file for d in documents) or "none"
        raise BadSystem(
            (Problem(system.place("artefacts", kind), f"a drill needs exactly one {kind} file; there are: {files}"),)
        )
    return documents[0]


def _in_order(system: System, environment: str, declared: Environment) -> Iterator[str]:
    """Yield processes so that each comes after those whose address it asks for."""
    needs = {
        name: {
            other
            for text in (*process.command, *process.environment.values())
            for other in re.findall(r"\{([a-z_][a-z0-9_-]*)\.(?:url|port)\}", text)
        }
        for name, process in declared.processes.items()
    }
    while needs:
        ready = [name for name, others in needs.items() if not others & needs.keys()]
        if not ready:
            place = system.place("environments", environment, "processes")
            raise BadSystem((Problem(place, f"processes need each other's address in a circle: {', '.join(needs)}"),))
        for name in ready:
            yield name
            del needs[name]


def _jobs(system: System, environment: str, declared: Environment, scraping: Scraping) -> dict[str, tuple[str, ...]]:
    """Return which processes are the targets of which scrape jobs; a job that does not exist is a problem."""
    jobs: dict[str, list[str]] = {}
    problems = []
    known = {job.name for job in scraping.jobs}
    for name, process in declared.processes.items():
        for job in (name,) if process.jobs is None else process.jobs:
            jobs.setdefault(job, []).append(name)
    for job, engine in declared.exporters.items():
        jobs.setdefault(job, []).append(engine)
    for job in jobs.keys() - known:
        place = system.place("environments", environment, "processes", jobs[job][0])
        problems.append(
            Problem(place, f"there is no scrape job {job!r}; the configuration has {', '.join(sorted(known))}")
        )
    if problems:
        raise BadSystem(tuple(problems))
    return {job: tuple(names) for job, names in jobs.items()}


def _receiver_places(routing: Routing) -> Iterator[tuple[str, str]]:
    """Yield where each receiver and each of its integrations stands, by the names that messages look them up with."""
    for receiver in routing.receivers.values():
        yield f"receiver {receiver.name}", str(receiver.place)
        for integration in receiver.integrations:
            yield f"integration {receiver.name}/{integration.kind}/{integration.index}", str(integration.place)


def _all_routes(node: RouteNode) -> Iterator[RouteNode]:
    yield node
    for child in node.children:
        yield from _all_routes(child)


@dataclass(slots=True)
class _Rules:
    """The rules of a system, rewritten."""

    files: dict[str, str] = field(default_factory=dict)
    count: int = 0
    facts: list[RuleFacts] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def _read_rules(system: System, artefacts: Artefacts, scraping: Scraping, declared: Environment) -> _Rules:
    """Rewrite every rule file; what one leaves out is left out of the readers in the files after it too."""
    documents = artefacts.documents[Kind.RULES]
    recorded = recorded_in(documents)
    gone: dict[str, Handling] = {}
    rules = _Rules()
    for document in documents:
        compressed = compress_rules(
            document,
            declared.factor,
            system.declaration.compression.rules,
            traffic=declared.traffic,
            recorded=recorded,
            left_out=gone,
        )
        rules.files[document.file.replace("/", "_")] = yaml_text(compressed.value)
        groups = read_groups(Document(document.file, compressed.value, document.places, document.keys))
        rules.count += sum(len(group.rules) for group in groups)
        running = case_ids(rule for group in groups for rule in group.rules)
        intervals = {group.name: group.interval_seconds for group in groups}
        for handled in compressed.rules:
            rule = handled.rule
            if handled.handling is not Handling.COMPRESSED:
                gone[rule.name] = handled.handling
                out = {"id": handled.case, "name": rule.name, "file": rule.file, "line": rule.place.line}
                rules.left_out.append(LeftOut(**out, reason=f"{handled.handling}: {handled.reason}"))
            elif rule.alerting:
                interval = intervals[rule.group] or scraping.evaluation_seconds / declared.factor
                pair = _Pair(handled.case, rule, running[handled.case])
                rules.facts.append(_facts(pair, scraping, declared.factor, interval))
    return rules


@dataclass(frozen=True, slots=True)
class _Pair:
    """A rule as its owner wrote it, and as it runs."""

    case: str
    written: Rule
    running: Rule


def _facts(pair: _Pair, scraping: Scraping, factor: float, interval: float) -> RuleFacts:
    rule, running = pair.written, pair.running
    expression = parse(running.expression)
    found = selectors(expression)
    jobs = [m.value for s in found for m in s.matchers if m.name == "job" and m.op == "="]
    return RuleFacts(
        id=pair.case,
        name=rule.name,
        group=rule.group,
        file=rule.file,
        line=rule.place.line,
        expression_line=rule.expression_place.line,
        hold_line=rule.hold_place.line,
        expression=running.expression,
        production_expression=rule.expression,
        labels=dict(rule.labels),
        hold_seconds=running.hold_seconds,
        production_hold=format_duration(rule.hold_seconds),
        keep_firing_seconds=running.keep_firing_seconds,
        interval_seconds=interval,
        window_seconds=longest_window(expression),
        scrape_seconds=scraping.interval(jobs) / factor,
        selectors=tuple(
            Selected(
                text=s.text(running.expression),
                metric=s.name or "",
                matchers=tuple((m.name, m.op, m.value) for m in s.matchers if m.name != "__name__"),
            )
            for s in found
        ),
    )
