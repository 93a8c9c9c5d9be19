"""Visit every target of an environment: start its processes if they are ours, ask each target, and end them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.atomic import write_json
from tocsin.engines.processes import Processes, start_process
from tocsin.engines.service import Service
from tocsin.engines.trouble import EngineTrouble
from tocsin.exposition.asked import Asked, facts_of, read_asked, write_asked
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.contract import file_stem
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
    with _running(model.system, environment, declared, folder) as (addresses, problem):
        for target in targets:
            base = addresses.get(target.at, "")
            endpoint = endpoint_at(model, target.job, base or "http://not-started")
            endpoint = replace(endpoint, name=target.name)
            if base:
                ask(endpoint, folder_of(folder, target.name), now=now, manner=manner)
            else:
                _not_asked(endpoint, folder, now, problem or f"{target.at} was not started")
    write_json(folder / DONE, {"environment": environment, "targets": [target.name for target in targets]})


def visited(folder: Path, name: str) -> Asked:
    """Return what a target answered. Raises OSError, ValueError, KeyError or TypeError if that cannot be read."""
    return read_asked(folder_of(folder, name))


def _not_asked(endpoint: Endpoint, folder: Path, now: float, lacking: str) -> None:
    where = folder_of(folder, endpoint.name)
    where.mkdir(parents=True, exist_ok=True)
    write_asked(Asked(where, facts_of(endpoint, shown_url(endpoint.url)), now, {}, lacking))


@contextmanager
def _running(
    system: System, environment: str, declared: Environment, folder: Path
) -> Iterator[tuple[Mapping[str, str], str]]:
    """Give base URLs by process or address, and why there is none of some; what was started is ended."""
    if not declared.ours:
        yield declared.addresses, ""
        return
    services: dict[str, Service] = {}
    problem = ""
    with Supervisor("endpoints", folder / "logs") as supervisor:
        for name in Processes(system, environment, declared).order:
            if declared.processes[name].optional:
                continue
            try:
                services[name] = start_process(supervisor, declared, name, directory=system.directory, running=services)
            except EngineTrouble as trouble:
                problem = problem or str(trouble)
                break
        yield {name: service.url for name, service in services.items()}, problem
