"""Visit every target of an environment: start its processes if they are ours, ask each target, and end them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.atomic import write_json
from tocsin.engines.processes import Processes, start_process
from tocsin.engines.service import Service
from tocsin.engines.trouble import EngineTrouble
from tocsin.exposition.asked import Asked, facts_of, read_asked, write_asked
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.contract import file_stem
from tocsin.exposition.many.asking.visiting import Outages
from tocsin.exposition.often import scrape_often
from tocsin.exposition.scraped import shown_url
from tocsin.exposition.targets import Endpoint, endpoint_at
from tocsin.model import Model
from tocsin.source import Place
from tocsin.supervisor import Supervisor
from tocsin.system import Environment, System

DONE = "visited.json"
"""Written last: whoever finds it finds all of the rest."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A target that will be asked: a scrape job, and the process or the address of the environment that it is at."""

    job: ScrapeJob
    at: str

    @property
    def name(self) -> str:
        """As keys of findings and folders of evidence have it."""
        return f"{self.job.name}/{self.at}"

    @property
    def place(self) -> Place:
        """Where the job stands."""
        return self.job.part.place


def planned(model: Model, environment: str) -> tuple[Planned, ...]:
    """Return the targets that an environment has: by the jobs of its processes, or by jobs that its addresses name."""
    system = model.system
    if system is None:
        return ()
    declared = system.environment(environment)[1]
    jobs: dict[str, ScrapeJob] = {}
    for stack in model.stacks:
        for job in stack.jobs:
            jobs.setdefault(job.name, job)
    at = (
        _processes_of(system, environment, declared)
        if declared.ours
        else {name: (name,) for name in declared.addresses}
    )
    return tuple(Planned(jobs[job], each) for job, those in at.items() if job in jobs for each in those)


def _processes_of(system: System, environment: str, declared: Environment) -> Mapping[str, tuple[str, ...]]:
    """Return the processes that are targets of each job; engines of ours are nobody's to mend here."""
    found = Processes(system, environment, declared).jobs
    return {job: tuple(each for each in those if each in declared.processes) for job, those in found.items()}


def folder_of(folder: Path, name: str) -> Path:
    """Return the folder of what one target answered."""
    return folder / file_stem(name)


def visit(model: Model, environment: str, folder: Path, *, now: float, manner: Manner | None = None) -> None:
    """Ask every target of an environment, and write what they answer; a folder that was visited is left as it is.

    Where processes cannot be started, their targets were not asked, and say why. `now` is Unix time.
    """
    if (folder / DONE).is_file() or model.system is None:
        return
    targets = planned(model, environment)
    declared = model.system.environment(environment)[1]
    folder.mkdir(parents=True, exist_ok=True)
    answered: list[tuple[Planned, Endpoint, Asked]] = []
    with _running(model.system, environment, declared, folder) as running:
        for target in targets:
            base = running.addresses.get(target.at, "")
            endpoint = endpoint_at(model, target.job, base or "http://not-started")
            endpoint = replace(endpoint, name=target.name)
            if base:
                asked = ask(endpoint, folder_of(folder, target.name), now=now, manner=manner)
                answered.append((target, endpoint, asked))
            else:
                _not_asked(endpoint, folder, now, running.problem or f"{target.at} was not started")
        for target, endpoint, asked in answered:
            outages = running.outages(target.at) if declared.ours else None
            often = model.system.declaration.endpoints
            scrape_often(endpoint, asked, often, at=target.at, environment=declared, outages=outages)
    write_json(folder / DONE, {"environment": environment, "targets": [target.name for target in targets]})


def visited(folder: Path, name: str) -> Asked:
    """Return what a target answered. Raises OSError, ValueError, KeyError or TypeError if that cannot be read."""
    return read_asked(folder_of(folder, name))


def _not_asked(endpoint: Endpoint, folder: Path, now: float, lacking: str) -> None:
    where = folder_of(folder, endpoint.name)
    where.mkdir(parents=True, exist_ok=True)
    write_asked(Asked(where, facts_of(endpoint, shown_url(endpoint.url)), now, {}, lacking))


@dataclass(slots=True)
class _Running:
    """An environment while it is visited: its processes if they are ours, else its addresses."""

    addresses: Mapping[str, str]
    """Base URLs by process or address."""
    problem: str = ""
    """Why there is none of some."""
    services: dict[str, Service] = field(default_factory=dict)
    again: Callable[[str, int], Service] | None = None
    """Starts a process on a port."""

    def outages(self, target: str) -> Outages:
        """Return how processes around a target are ended, and the target."""

        def restart() -> None:
            self._stop(target)
            self._start(target)

        return Outages(frozenset(self.services), self._stop, self._start, restart)

    def _stop(self, name: str) -> None:
        self.services[name].kill()

    def _start(self, name: str) -> None:
        if self.again is not None:
            self.services[name] = self.again(name, self.services[name].port)


@contextmanager
def _running(system: System, environment: str, declared: Environment, folder: Path) -> Iterator[_Running]:
    """Give an environment that runs; what was started is ended."""
    if not declared.ours:
        yield _Running(declared.addresses)
        return
    services: dict[str, Service] = {}
    problem = ""
    needed = {name for said in system.declaration.endpoints.targets.values() for name in said.outages}
    with Supervisor("endpoints", folder / "logs") as supervisor:

        def start(name: str, port: int = 0) -> Service:
            return start_process(supervisor, declared, name, directory=system.directory, running=services, port=port)

        for name in Processes(system, environment, declared).order:
            if declared.processes[name].optional and name not in needed:
                continue
            try:
                services[name] = start(name)
            except EngineTrouble as trouble:
                problem = problem or str(trouble)
                break
        yield _Running({name: service.url for name, service in services.items()}, problem, services, start)
