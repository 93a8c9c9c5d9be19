"""One try of an exec probe: a command on this machine, or in a container (pkg/probe/exec/exec.go).

Inside a container the kubelet asks the container runtime; here that is a function that is passed in. On this machine
the supervisor runs the command, for environments that declare their probes as local commands.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers.reason import Reason, Verdict

OUTPUT_BYTES = 10 * 1024
"""How much of the output is kept for the event."""

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))?")


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a command in a container ended."""

    code: int | None
    """Its exit code; None if it was still there after its time."""
    output: bytes = b""
    """What it printed, stdout before stderr."""


class CommandNotRun(Exception):
    """The runtime could not run the command: no such program, no such container, or trouble of its own."""


ContainerCommand = Callable[[Sequence[str], float], Awaitable[CommandEnd]]
"""Runs a command in a container for so many seconds at most. Raises CommandNotRun."""


@dataclass(frozen=True, slots=True)
class Exec:
    """An exec probe."""

    command: tuple[str, ...]
    run: ContainerCommand | None = field(default=None, hash=False, compare=False)
    """How to run it in its container; None runs it on this machine."""
    directory: Path = Path("/")
    """Where it runs on this machine."""
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The values that the container's `env` says literally: the only ones that `$(NAME)` can mean."""


async def try_exec(probe: Exec, seconds: float) -> Verdict:
    """Make one try, which ends within so many seconds and what it takes to end the command. Nothing is raised."""
    command = [expanded(each, probe.environment) for each in probe.command]
    try:
        ended = await (probe.run(command, seconds) if probe.run else _run_here(probe, command, seconds))
    except CommandNotRun as error:
        return Verdict(Outcome.ERROR, f"rpc error: failed to exec: {error}", Reason.COMMAND_NOT_RUN)
    if ended.code is None:
        said = f'command "{" ".join(command)}" timed out'
        return Verdict(Outcome.FAILURE, said, Reason.COMMAND_TIMED_OUT)
    output = ended.output[:OUTPUT_BYTES].decode("utf-8", "replace")
    if ended.code:
        return Verdict(Outcome.FAILURE, output, Reason.EXIT_CODE, ended.code)
    return Verdict(Outcome.SUCCESS, output, Reason.ANSWERED, 0)


async def _run_here(probe: Exec, command: Sequence[str], seconds: float) -> CommandEnd:
    """Run it on this machine, on a thread, for its end is waited for."""
    return await asyncio.get_running_loop().run_in_executor(None, _run, probe, command, seconds)


def _run(probe: Exec, command: Sequence[str], seconds: float) -> CommandEnd:
    # What asks from within a pod runs no command, and has neither this nor what it needs.
    from tocsin.supervisor import Kind, Trouble, run_once  # noqa: PLC0415

    if not command:
        raise CommandNotRun("the command is empty")
    try:
        done = run_once(command, cwd=probe.directory, env=None, seconds=seconds)
    except Trouble as trouble:
        if trouble.kind is Kind.TIMED_OUT:
            return CommandEnd(None)
        raise CommandNotRun(trouble.detail) from trouble
    return CommandEnd(done.code, (done.stdout + done.stderr).encode())


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Return an argument with `$(NAME)` replaced where the name is known; `$$` is a dollar (third_party/expansion)."""

    def replacement(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name = found[1]
        return environment.get(name, found[0]) if name is not None else found[0]

    return _REFERENCE.sub(replacement, text)
