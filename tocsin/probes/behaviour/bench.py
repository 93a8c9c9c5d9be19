"""A container's process on this machine, and the processes that it calls: started, hurt, and made well again."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.engines.processes import Processes, service_command, start_process
from tocsin.engines.service import Service, ServiceCommand
from tocsin.engines.trouble import EngineTrouble
from tocsin.model.workloads import Workload
from tocsin.probes.behaviour.asking import Asking, ask
from tocsin.probes.behaviour.effort import Effort
from tocsin.probes.behaviour.episode import Attempted
from tocsin.probes.behaviour.ports import free_port
from tocsin.probes.behaviour.pulse import Pulse
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.specification import ProbeKind
from tocsin.probes.versions import Version, read_version
from tocsin.supervisor import Process, ProcessExit, Supervisor, await_line, tail, usage
from tocsin.system import Environment, System

STOPPED_WITHIN = 1.0
"""Seconds from SIGTERM to SIGKILL where nothing is to be learnt from the end."""
_ADDRESS = re.compile(r"\{([a-z_][a-z0-9_-]*)\.(?:url|port)\}")


@dataclass(frozen=True, slots=True)
class Scene:
    """A subject, and where it is exercised."""

    subject: Subject
    system: System
    name: str
    """The environment's."""
    environment: Environment
    effort: Effort
    folder: Path
    """Where its episodes are kept."""
    asked: frozenset[str] = frozenset()
    """Kinds of experiments that were asked for by name."""
    workloads: tuple[Workload, ...] = ()
    """All of the system's."""

    @property
    def version(self) -> Version:
        """The kubelet that is imitated."""
        return read_version(self.system.declaration.probes.kubernetes)

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The processes that it calls: those that system.yaml declares, and those whose address it is given."""
        if not self.environment.ours:
            return ()
        named = dict.fromkeys((*self.subject.declared.dependencies, *self._named(self.subject.process)))
        return tuple(each for each in named if each in self.environment.processes and each != self.subject.process)

    @property
    def needed(self) -> frozenset[str]:
        """The processes that it calls, those that these call, and so on."""
        found: set[str] = set()
        waiting = list(self.dependencies)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [each for each in self._named(name) if each in self.environment.processes]
        return frozenset(found - {self.subject.process})

    def _named(self, process: str) -> Iterator[str]:
        declared = self.environment.processes[process]
        own = self.subject.declared.environment if process == self.subject.process else {}
        for text in (*declared.command, *{**declared.environment, **own}.values()):
            yield from _ADDRESS.findall(text)


@dataclass(slots=True)
class Bench:
    """The processes of a scene. Of one loop; what blocks is done on other threads."""

    scene: Scene
    supervisor: Supervisor
    changes: Pulse
    """Beats whenever a process has ended, or something else has changed that is waited for."""
    port: int = 0
    others: dict[str, Service] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    process: Process | None = None
    """The one that runs, or ran last."""
    still: Process | None = None
    """The one that was made to stand still."""

    @property
    def name(self) -> str:
        """The subject's process."""
        return self.scene.subject.process

    async def open(self) -> None:
        """Start the processes that are called. Raises EngineTrouble."""
        scene = self.scene
        for name in Processes(scene.system, scene.name, scene.environment).order:
            if name in scene.needed:
                await asyncio.to_thread(self._start_other, name, free_port())

    def _start_other(self, name: str, port: int) -> None:
        scene = self.scene
        self.others[name] = start_process(
            self.supervisor, scene.environment, name, directory=scene.system.directory, running=self.others, port=port
        )

    async def kill(self, name: str) -> None:
        """SIGKILL another process."""
        await asyncio.to_thread(self.others[name].kill)

    async def revive(self, name: str) -> None:
        """Start another process again, where it was. Raises EngineTrouble."""
        service = self.others[name]
        if service.process.exited is not None:
            await asyncio.to_thread(self._start_other, name, service.port)

    async def freeze(self, name: str) -> None:
        """SIGSTOP another process, with all that comes from it."""
        self.frozen.add(name)
        await asyncio.to_thread(self._signal, self.others[name].process, signal.SIGSTOP)

    async def thaw(self, name: str) -> None:
        """SIGCONT it."""
        if name in self.frozen:
            await asyncio.to_thread(self._signal, self.others[name].process, signal.SIGCONT)
            self.frozen.discard(name)

    def _signal(self, process: Process, number: int) -> None:
        self.supervisor.signal(process, number, tree=True)

    async def signal(self, number: int, *, tree: bool = False) -> float:
        """Send the subject's process a signal; return when (Unix time). Raises SupervisorTrouble if it is gone."""
        return await asyncio.to_thread(self.supervisor.signal, self._own, number, tree=tree)

    async def stand_still(self) -> Process:
        """SIGSTOP the subject's process, with all that comes from it; return which that was."""
        await self.signal(signal.SIGSTOP, tree=True)
        self.still = self._own
        return self._own

    async def terminate(self) -> float:
        """SIGTERM the subject's process; return when (Unix time). Raises SupervisorTrouble if it is gone.

        One that stands still and has a handler for it does not hear it; the supervisor would wake it.
        """
        if self.still is self.process and await asyncio.to_thread(_handles, self._own.pid, signal.SIGTERM):
            return time.time()
        return await self.signal(signal.SIGTERM)

    @property
    def _own(self) -> Process:
        if self.process is None:
            raise EngineTrouble(f"{self.name} does not run", self.scene.name, "it was not started")
        return self.process

    @property
    def running(self) -> bool:
        """Whether the subject's process runs."""
        return self.process is not None and self.process.exited is None

    async def launch(self, *, fresh: bool = False) -> Process:
        """Start the subject's process, and do not wait for anything; `fresh` at another port, as a new pod has its own.

        Raises SupervisorTrouble.
        """
        declared = self.scene.environment.processes[self.name]
        variables = {**declared.environment, **self.scene.subject.declared.environment}
        texts = (*declared.command, *variables.values())
        chosen = any("{port}" in text for text in texts)
        if chosen and (fresh or not self.port):
            self.port = free_port()
        self.process = await asyncio.to_thread(self._launch, self.port if chosen else 0)
        if not chosen:  # it has a port of its own, which its log tells
            self.port = await asyncio.to_thread(self._told_port, self.process)
        return self.process

    def _launch(self, port: int) -> Process:
        command = self._command(port)
        return self.supervisor.start(command.name, command.argv, cwd=command.cwd, env=command.env)

    def _command(self, port: int) -> ServiceCommand:
        """Return how its process is started, with what system.yaml has the manifest give it."""
        return service_command(
            self.scene.environment,
            self.name,
            directory=self.scene.system.directory,
            running=self.others,
            port=port,
            more=self.scene.subject.declared.environment,
        )

    def _told_port(self, process: Process) -> int:
        said = await_line(
            process,
            self._command(0).listens,
            what=f"{self.name} did not say where it listens",
            seconds=self.scene.effort.boot,
        )
        return int(said["port"])

    async def exited(self, within: float) -> ProcessExit | None:
        """Return how the subject's process ended, as soon as it has; None if it has not within so many seconds."""
        process = self._own
        await self.changes.until(lambda: process.exited is not None, asyncio.get_running_loop().time() + within)
        return process.exited

    async def end(self, *, seconds: float = STOPPED_WITHIN) -> ProcessExit | None:
        """SIGTERM, so many seconds, SIGKILL; return how the subject's process ended. None if it was never started."""
        if self.process is None:
            return None
        return await asyncio.to_thread(self.supervisor.stop, self.process, seconds=seconds)

    async def destroy(self) -> ProcessExit:
        """SIGKILL the subject's process, with all that comes from it."""
        return await asyncio.to_thread(self.supervisor.kill, self._own)

    def askings(self) -> tuple[Mapping[ProbeKind, Asking], Mapping[ProbeKind, str]]:
        """Return what can be asked of the subject's process, and why the rest cannot."""
        scene = self.scene
        directory = scene.system.directory / scene.environment.processes[self.name].directory
        return askings_of(scene.subject, self.port, directory=directory)

    def some_askings(self) -> tuple[Mapping[ProbeKind, Asking], Mapping[ProbeKind, str]]:
        """Return the same. Raises ValueError if nothing can be asked."""
        found, unasked = self.askings()
        if not found:
            raise ValueError(nothing_asked(self.scene.subject, unasked))
        return found, unasked

    @property
    def cpu_seconds(self) -> float:
        """What the subject's process has used so far."""
        return usage([self._own]).cpu_seconds

    async def others_well(self) -> None:
        """Have the processes run that are called. Raises EngineTrouble."""
        for name in self.others:
            await self.thaw(name)
            await self.revive(name)

    async def well(self) -> None:
        """Have everything run, and every probe succeed once. Raises EngineTrouble if that cannot be had in time."""
        await self.others_well()
        if not self.running:
            await self.launch()
        began = time.monotonic()
        askings, _ = self.askings()
        missing = set(askings)
        tape = Tape("well", self.scene.subject.name)
        stopped = asyncio.Event()

        def seen(each: Attempted) -> None:
            if each.outcome.healthy:
                missing.discard(each.kind)
            if not missing or not self.running or time.monotonic() - began > self.scene.effort.well:
                stopped.set()

        if askings:
            await ask(askings, tape, spacing=self.scene.effort.spacing, seen=seen, stopped=stopped)
        if missing or not self.running:
            raise self._unwell(tape, missing)

    def _unwell(self, tape: Tape, missing: set[ProbeKind]) -> EngineTrouble:
        last = {each.kind: each for each in tape.attempts}
        said = "; ".join(
            f"{kind}: {last[kind].message or last[kind].outcome}" for kind in sorted(missing) if kind in last
        )
        what = f"{self.name} did not get well within {self.scene.effort.well:g} s"
        if not self.running:
            what = f"{self.name} {self._own.exited}"
        return EngineTrouble(what, str(self._own.log), f"{said}. The end of its log:\n{tail(self._own)}")


def _handles(pid: int, number: int) -> bool:
    """Tell whether a process catches or ignores a signal (proc(5), status: SigCgt and SigIgn)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigCgt:", "SigIgn:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def watched(scene: Scene) -> float:
    """Return for how many seconds a start is watched at most: twice the budget of its startup probe."""
    startup = scene.subject.spec.probe(ProbeKind.STARTUP)
    return scene.effort.boot if startup is None else min(2 * startup.timing.budget, scene.effort.longest_boot)


def askings_of(
    subject: Subject, port: int, *, host: str = "127.0.0.1", directory: Path = Path("/")
) -> tuple[Mapping[ProbeKind, Asking], Mapping[ProbeKind, str]]:
    """Return what can be asked of a subject at an address, and why the rest cannot."""
    found: dict[ProbeKind, Asking] = {}
    unasked: dict[ProbeKind, str] = {}
    for spec in subject.spec.probes:
        try:
            handler = subject.handler(spec.kind, port, host=host, directory=directory)
        except ValueError as error:
            unasked[spec.kind] = str(error)
        else:
            found[spec.kind] = Asking(handler, spec.timeout)
    return found, unasked


def nothing_asked(subject: Subject, unasked: Mapping[ProbeKind, str]) -> str:
    """Return why no probe of a subject can be asked."""
    return "; ".join(unasked.values()) or (
        f"none of the probes of {subject.name} ({subject.place}) can be asked: each must have exactly one of httpGet,"
        " tcpSocket, grpc and exec"
    )
