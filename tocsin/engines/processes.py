"""The processes of an environment of ours: in which order they start, how, and which scrape jobs they answer for."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from tocsin.artefacts.scrape import Scraping
from tocsin.engines.service import PRINTED_URL, Service, ServiceCommand, start_service
from tocsin.source import Place, offered
from tocsin.supervisor import Supervisor
from tocsin.system import Environment, Problem, Process, System

_ADDRESS = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\.(?:url|port)\}")
_FILLED_IN = re.compile(r"[a-z_][a-z0-9_-]*")
"""The names of processes that can stand in a placeholder."""
_OTHER_PART = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\.(?!(?:url|port)\})([A-Za-z0-9_.-]+)\}")
"""A placeholder of a name and a part that is neither its URL nor its port."""
_LIMIT = re.compile(r"\{(memory_bytes|cores)\}")


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of a process's that has placeholders, and where it stands."""

    text: str
    place: Place

    @property
    def needs(self) -> frozenset[str]:
        """The processes whose addresses it asks for."""
        return frozenset(_ADDRESS.findall(self.text))


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that one environment declares, with their places in system.yaml."""

    system: System
    name: str
    """The environment's."""
    environment: Environment

    def place(self, *route: str | int) -> Place:
        """Return where a part of the environment stands."""
        return self.system.place("environments", self.name, *route)

    def problems(self, scraping: Scraping) -> Iterator[Problem]:
        """Yield what keeps them from starting, or from being scraped, as far as it can be read."""
        for name, process in self.environment.processes.items():
            for text in self._texts(name, process):
                yield from self._unfilled(name, process, text)
            if not (self.system.directory / process.directory).is_dir():
                place = self.place("processes", name, "directory")
                yield Problem(place, f"process {name} starts in {process.directory!r}, and there is no such folder")
            else:
                yield from self._no_program(name, process)
        if stuck := self._started()[1]:
            said = f"processes need each other's address in a circle: {', '.join(stuck)}"
            yield Problem(self.place("processes", stuck[0]), said)
        yield from self._unknown_jobs(scraping)

    def _no_program(self, name: str, process: Process) -> Iterator[Problem]:
        """Yield what keeps a process's program from being executed; one whose name is not known yet is let through."""
        program, path = (
            filled(text, {"python": sys.executable})
            for text in (process.command[0], process.environment.get("PATH", ""))
        )
        if "{" in program or "{" in path:
            return
        folder = self.system.directory / process.directory
        # as execvp does: relative folders of PATH count from where the process starts
        folders = [str(folder / each) for each in (path or os.environ.get("PATH", os.defpath)).split(os.pathsep)]
        sought = folder / program if "/" in program else program
        if shutil.which(sought, path=os.pathsep.join(folders)) is not None:
            return
        said = f"there is no program {program!r} on PATH; if it is the system's own, write ./{program}"
        if "/" in program:
            said = f"there is no program {program!r} in the folder where it starts, {process.directory!r}"
            if (folder / program).is_file():
                said = f"{program!r} may not be executed; `chmod +x` it"
        yield Problem(self.place("processes", name, "command", 0), f"process {name}: {said}")

    @property
    def order(self) -> tuple[str, ...]:
        """The processes, each after those whose address it asks for."""
        return self._started()[0]

    @property
    def jobs(self) -> Mapping[str, tuple[str, ...]]:
        """Scrape jobs that have targets here, with the processes or engines that are their targets."""
        found: dict[str, list[str]] = {}
        for job, target, _ in self._claims():
            found.setdefault(job, []).append(target)
        return {job: tuple(targets) for job, targets in found.items()}

    def _claims(self) -> Iterator[tuple[str, str, Place]]:
        """Yield each job that has a target, the target, and where that is said."""
        for name, process in self.environment.processes.items():
            if process.jobs is None:
                yield name, name, self.place("processes", name)
            for i, job in enumerate(process.jobs or ()):
                yield job, name, self.place("processes", name, "jobs", i)
        for job, engine in self.environment.exporters.items():
            yield job, engine, self.place("exporters", job)

    def _unknown_jobs(self, scraping: Scraping) -> Iterator[Problem]:
        known = sorted(job.name for job in scraping.jobs)
        for job, target, place in self._claims():
            if job not in known:
                said = f"there is no scrape job {job!r} of which {target} could be a target; {offered(job, known)}"
                cure = "name its jobs (`jobs: [NAME]`), or none (`jobs: []`)" if job == target else ""
                yield Problem(place, "; ".join(filter(None, [said, cure])))

    def _texts(self, name: str, process: Process) -> Iterator[_Text]:
        route = ("processes", name)
        yield from (_Text(text, self.place(*route, "command", i)) for i, text in enumerate(process.command))
        yield from (_Text(text, self.place(*route, "environment", k)) for k, text in process.environment.items())

    def _unfilled(self, name: str, process: Process, text: _Text) -> Iterator[Problem]:
        known = self.environment.processes.keys()
        for other in sorted(text.needs):
            if other not in known:
                said = f"process {name} asks for the address of {other!r}, which is no process of this environment"
                yield Problem(text.place, f"{said}; {offered(other, sorted(known))}")
            elif not _FILLED_IN.fullmatch(other):
                yield Problem(text.place, f"process {name} asks for the address of {other!r}: write it in lower case")
        for other, part in sorted(set(_OTHER_PART.findall(text.text))):
            if other in known:
                has = f"a process has `{{{other}.url}}` and `{{{other}.port}}`"
                said = f"process {name} asks for {part!r} of {other}; {has}"
                yield Problem(text.place, said)
        for limit in sorted(set(_LIMIT.findall(text.text))):
            if getattr(process, limit) is None:
                yield Problem(
                    text.place, f"process {name} asks for {{{limit}}} and does not declare it: add `{limit}:`"
                )

    def _started(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the order of starting, and the processes that never could start."""
        waiting = {
            name: frozenset().union(*(text.needs for text in self._texts(name, process)))
            for name, process in self.environment.processes.items()
        }
        order: list[str] = []
        while ready := [name for name, others in waiting.items() if not others & waiting.keys()]:
            order += ready
            for name in ready:
                del waiting[name]
        return tuple(order), tuple(waiting)


def start_process(
    supervisor: Supervisor,
    environment: Environment,
    name: str,
    *,
    directory: Path,
    running: Mapping[str, Service],
    port: int = 0,
    stop: Event | None = None,
) -> Service:
    """Start one process of an environment and return it when it is ready.

    `directory` is the system's; `running` are those that were started before it, whose addresses it may ask for; port 0
    is any that is free. Raises EngineTrouble if it does not start, and Stopped if `stop` is set.
    """
    command = service_command(environment, name, directory=directory, running=running, port=port)
    return start_service(supervisor, command, stop=stop)


def service_command(
    environment: Environment,
    name: str,
    *,
    directory: Path,
    running: Mapping[str, Service],
    port: int = 0,
    more: Mapping[str, str] | None = None,
) -> ServiceCommand:
    """Return how a process is started, its placeholders filled in; `more` are environment variables over its own."""
    declared = environment.processes[name]
    known: dict[str, Any] = {"python": sys.executable, "port": port}
    known |= {f"{n}.{part}": "" for n, p in environment.processes.items() if p.optional for part in ("url", "port")}
    known |= {f"{n}.url": service.url for n, service in running.items()}
    known |= {f"{n}.port": service.port for n, service in running.items()}
    known |= {"memory_bytes": declared.memory_bytes, "cores": declared.cores}
    return ServiceCommand(
        name=name,
        argv=tuple(filled(part, known) for part in declared.command),
        cwd=directory / declared.directory,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            **{key: filled(text, known) for key, text in {**declared.environment, **(more or {})}.items()},
        },
        listens=re.compile(declared.listening) if declared.listening else PRINTED_URL,
        ready=declared.ready,
    )


def filled(text: str, known: Mapping[str, Any]) -> str:
    """Fill `{name}` in a declared text with what is known by that name; other braces stay as they are."""
    return re.sub(
        r"\{([a-z_][a-z0-9_.-]*)\}", lambda m: str(known[m[1]]) if known.get(m[1]) is not None else m[0], text
    )
