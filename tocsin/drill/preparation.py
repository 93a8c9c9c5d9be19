"""Preparing an environment of ours: its files read once, rewritten for the factor, ready for any number of stacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from tocsin.artefacts.alertmanager import RouteNode, Routing, read_routing
from tocsin.artefacts.files import Artefacts, read_artefacts
from tocsin.artefacts.scrape import Scraping, read_scraping
from tocsin.compression.alertmanager import compress_alertmanager
from tocsin.compression.flags import compress_flags
from tocsin.compression.prometheus import CompressedPrometheus, compress_prometheus, dropped_relabelling, replica_label
from tocsin.compression.written import yaml_text
from tocsin.drill.rewriting import RuleRewriter
from tocsin.drill.site import Facts
from tocsin.engines.binaries import Engine, find_engines, version
from tocsin.engines.processes import Processes
from tocsin.evidence import LeftOut, RuleFacts, Target
from tocsin.source import Document, Place, Unreadable, offered
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
        self,
        target_files: Mapping[str, str],
        alertmanagers: Sequence[str],
        rule_files: Sequence[str],
        external_labels: Mapping[str, str] | None = None,
    ) -> CompressedPrometheus:
        """Return the Prometheus configuration, rewritten to discover targets from the given file of each job."""
        return compress_prometheus(
            self.prometheus_document.value,
            self.factor,
            target_files=target_files,
            alertmanagers=alertmanagers,
            rule_files=rule_files,
            external_labels=external_labels,
        )

    @property
    def replica_label(self) -> str | None:
        """The external label by which replicas of its Prometheus differ, as far as the usual names tell."""
        return replica_label(self.prometheus_document.value)

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
            alert_relabelling=str(self.prometheus_document.key_place("alerting", "alert_relabel_configs")),
        )

    def scraping_too(self, exporters: Mapping[str, str]) -> Prepared:
        """Return it with further scrape jobs whose targets are engines."""
        jobs = {**self.jobs, **{job: (*self.jobs.get(job, ()), engine) for job, engine in exporters.items()}}
        return replace(self, jobs=jobs)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What an environment of ours is made from, as its owner wrote it: read, and found to be well."""

    environment: Environment
    prometheus: Document = field(repr=False)
    alertmanager: Document = field(repr=False)
    rule_documents: tuple[Document, ...] = field(repr=False)
    scraping: Scraping
    routing: Routing
    rules: RuleRewriter = field(repr=False)
    processes: Processes


def read_sources(system: System, environment: str) -> Sources:
    """Read what an environment of ours needs; nothing is started, and no program is asked.

    Raises BadSystem with every problem that stands in the way, each at its place.
    """
    declared = system.environment(environment)[1]
    artefacts = read_artefacts(system)
    if artefacts.unreadable:
        raise BadSystem(artefacts.unreadable)
    prometheus, alertmanager = (_the_one(system, artefacts, kind) for kind in (Kind.PROMETHEUS, Kind.ALERTMANAGER))
    rule_documents = _rule_documents(system, artefacts)
    try:
        scraping, routing = read_scraping(prometheus), read_routing(alertmanager)
        rules = RuleRewriter(
            system=system,
            environment=declared,
            scraping=scraping,
            documents=rule_documents,
            tests=artefacts.documents[Kind.TESTS],
        )
        processes = Processes(system, environment, declared)
        if problems := (*processes.problems(scraping), *_lost_routes(routing), *rules.problems()):
            raise BadSystem(problems)
    except Unreadable as error:
        raise BadSystem((Problem(error.place, error.message),)) from error
    return Sources(
        environment=declared,
        prometheus=prometheus,
        alertmanager=alertmanager,
        rule_documents=rule_documents,
        scraping=scraping,
        routing=routing,
        rules=rules,
        processes=processes,
    )


def prepare(system: System, environment: str) -> Prepared:
    """Read and rewrite what an environment of ours needs.

    Raises BadSystem with every problem that stands in the way, each at its place, and EngineTrouble where a program
    of the engines' is missing.
    """
    sources = read_sources(system, environment)
    try:
        rewritten = sources.rules.rewritten()
    except Unreadable as error:
        raise BadSystem((Problem(error.place, error.message),)) from error
    return Prepared(
        directory=system.directory,
        environment=sources.environment,
        order=sources.processes.order,
        jobs=sources.processes.jobs,
        rule_files=rewritten.files,
        rule_count=rewritten.count,
        rules=rewritten.facts,
        left_out=(*rewritten.left_out, *_left_out_relabelling(sources)),
        flags=compress_flags(sources.environment.factor),
        originals={
            d.file: (system.directory / d.file).read_text(encoding="utf-8-sig")
            for d in (sources.prometheus, sources.alertmanager, *sources.rule_documents)
        },
        scraping=sources.scraping,
        routing=sources.routing,
        prometheus_document=sources.prometheus,
        alertmanager_document=sources.alertmanager,
        engines=_versions(),
    )


def _left_out_relabelling(sources: Sources) -> Iterator[LeftOut]:
    """Yield the relabelling that is not applied although its owner gives by hand what it reads.

    What reads labels of service discovery alone is left out as a matter of course: nothing is discovered here.
    """
    document = sources.prometheus
    for position, dropped in dropped_relabelling(document.value, sources.processes.jobs):
        if dropped.by_hand:
            place = document.place("scrape_configs", position, "relabel_configs", dropped.index)
            yield LeftOut(
                id=f"relabelling@{place.file}::{dropped.job}#{dropped.index + 1}",
                name=f"relabelling {dropped.index + 1} of job {dropped.job}",
                file=place.file,
                line=place.line,
                reason=(
                    f"it reads {', '.join(dropped.by_hand)}, as if service discovery gave it; `static_configs` give it "
                    "by hand, and a drill's targets do not have it: give the label itself there"
                ),
                kind="relabelling",
            )


def _versions() -> dict[str, str]:
    """Return the versions of the engines that a stack is made of."""
    programs = find_engines()
    engines = {"prometheus": programs[Engine.PROMETHEUS], "alertmanager": programs[Engine.ALERTMANAGER]}
    with ThreadPoolExecutor(len(engines), thread_name_prefix="version") as pool:
        found = dict(zip(engines, pool.map(version, engines.values()), strict=True))
    return {**found, "locust": metadata.version("locust")}  # asked of its package: importing it patches the process


def _the_one(system: System, artefacts: Artefacts, kind: Kind) -> Document:
    documents = artefacts.documents[kind]
    if len(documents) == 1:
        return documents[0]
    files = ", ".join(dict.fromkeys(d.file for d in documents))
    said = f"a drill needs exactly one {kind} file; there are: {files}" if files else f"a drill needs a {kind} file"
    cure = f"name it: `artefacts: {{{kind}: [FILE]}}`"
    if files and len(set(files.split(", "))) == 1:
        said, cure = f"a drill needs exactly one {kind} document; {files} holds {len(documents)}", "keep one"
    raise BadSystem((Problem(system.place("artefacts", kind), f"{said}; {cure}"),))


def _rule_documents(system: System, artefacts: Artefacts) -> tuple[Document, ...]:
    """Return the rule files; Prometheus reads the first document of a file, so there may be no other."""
    documents = artefacts.documents[Kind.RULES]
    if not documents:
        said = "a drill needs a rule file; name it: `artefacts: {rules: [FILE]}`"
        raise BadSystem((Problem(system.place("artefacts", Kind.RULES), said),))
    several = [file for file, count in Counter(d.file for d in documents).items() if count > 1]
    if several:
        said = "holds several YAML documents, of which Prometheus reads the first alone; make it one, or several files"
        raise BadSystem(tuple(Problem(Place(file), said) for file in several))
    return documents


def _lost_routes(routing: Routing) -> Iterator[Problem]:
    """Yield the routes that lead to no receiver: Alertmanager does not start with them."""
    for route in _all_routes(routing.root):
        if route.receiver not in routing.receivers:
            said = (
                f"sends to receiver {route.receiver!r}, which does not exist" if route.receiver else "names no receiver"
            )
            yield Problem(route.place, f"this route {said}; {offered(route.receiver, routing.receivers)}")


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
