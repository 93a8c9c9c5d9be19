"""Clients of a container, who go on whatever becomes of it: requests at a steady rate, each on a connection of its own.

They wait for no answer before they ask again (an open loop): a Service's clients know nothing of each
other.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from tocsin.probes.behaviour.pulse import until_moment
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.handlers import ExplainedAttempt, HttpGet, TcpSocket, try_once
from tocsin.probes.handlers.reason import Reason
from tocsin.probes.specification import ProbeKind

BROKEN = 500
"""From this status on, an answer to a path that clients ask for is none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What clients ask for."""

    handler: HttpGet | TcpSocket
    any_status: bool
    """Whether every status will do: a readiness probe's own path may say that it is not ready."""

    def lost(self, made: ExplainedAttempt) -> str:
        """Return why a request was not answered; empty if it was."""
        if made.reason is Reason.STATUS and made.status is not None:
            return "" if self.any_status or made.status < BROKEN else f"it was answered {made.status}"
        return "" if made.outcome.healthy else f"{made.reason}: {made.message}"


def wanted(subject: Subject, port: int) -> Wanted:
    """Return what a subject's clients ask for: what system.yaml declares, else what a probe asks for.

    Raises ValueError if neither is a path or a port.
    """
    path = subject.declared.requests
    if path is not None:
        return Wanted(HttpGet("127.0.0.1", port, path), any_status=False)
    for kind in (ProbeKind.READINESS, ProbeKind.LIVENESS, ProbeKind.STARTUP):
        with contextlib.suppress(ValueError):
            handler = subject.handler(kind, port)
            if isinstance(handler, HttpGet | TcpSocket):
                return Wanted(handler, any_status=True)
    raise ValueError(
        f"no probe of {subject.name} asks for a path, so it is not known what clients ask for; say so:"
        f" `requests: /path` under `probes: workloads: {subject.workload.object.name}:` in system.yaml"
    )


@dataclass(slots=True)
class Clients:
    """All clients of a subject, until they are told that it is gone."""

    wanted: Wanted
    tape: Tape
    patience: float
    """For how many seconds one waits for its answer."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def ask(self, rate: float, until: float) -> None:
        """Send so many requests a second, up to a moment of the loop's clock. What is not over then goes on."""
        loop = asyncio.get_running_loop()
        origin, number = loop.time(), 0
        while (moment := origin + number / rate) < until:
            await until_moment(moment)
            task = asyncio.create_task(self._once())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            number += 1

    async def _once(self) -> None:
        sent = self.tape.now
        self.tape.sent += 1
        try:
            made = await try_once(self.wanted.handler, self.patience)
        except asyncio.CancelledError:
            self.tape.lost.append((sent, "there was no answer, and nobody left to give one"))
            raise
        if why := self.wanted.lost(made):
            self.tape.lost.append((sent, why))
        else:
            self.tape.answered += 1

    async def finished(self, within: float) -> None:
        """Wait until all have their answer, so many seconds at most; who has none by then has lost it."""
        tasks = list(self.tasks)
        if not tasks:
            return
        _, waiting = await asyncio.wait(tasks, timeout=within)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
