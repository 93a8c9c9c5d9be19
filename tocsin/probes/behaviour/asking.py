"""Probes that are asked again and again, all kinds at once, each no sooner than its last attempt is over."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tocsin.probes.behaviour.episode import Attempted
from tocsin.probes.behaviour.pulse import until_moment
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.handlers import Handler, attempt
from tocsin.probes.prober import following
from tocsin.probes.specification import ProbeKind


@dataclass(frozen=True, slots=True)
class Asking:
    """What a probe asks here, and how long one try may take, in seconds."""

    handler: Handler
    timeout: float


async def ask(
    askings: Mapping[ProbeKind, Asking],
    tape: Tape,
    *,
    spacing: float,
    count: float = math.inf,
    seen: Callable[[Attempted], object] = lambda _: None,
    stopped: asyncio.Event | None = None,
) -> None:
    """Ask each probe so many times, `spacing` seconds apart, and write down what comes of it.

    A slow attempt is followed at once by one that was due meanwhile, never by two. When the event is set, attempts that
    are under way are given up.
    """

    async def again(kind: ProbeKind, asking: Asking) -> None:
        loop = asyncio.get_running_loop()
        origin, tick, made = loop.time(), 0, 0
        while made < count:
            due = origin + tick * spacing
            await until_moment(due)
            started = loop.time()
            found = await attempt(asking.handler, asking.timeout)
            seen(tape.attempted(kind, found, due=due, started=started))
            made += 1
            tick = following(tick, started - origin, spacing)

    tasks = [asyncio.create_task(again(kind, asking)) for kind, asking in askings.items()]
    await finished(tasks, stopped)


async def finished(tasks: list[asyncio.Task[None]], stopped: asyncio.Event | None = None) -> None:
    """Wait until all tasks have ended, or the event is set; none is left. Raises what one of them raises."""
    stopping = asyncio.create_task(_come(stopped))
    everything = asyncio.create_task(_all(tasks))
    try:
        await asyncio.wait([everything, stopping], return_when=asyncio.FIRST_COMPLETED)
        if everything.done():
            everything.result()
    finally:
        for each in (everything, stopping, *tasks):
            each.cancel()
        await asyncio.gather(everything, stopping, *tasks, return_exceptions=True)


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


async def _come(event: asyncio.Event | None) -> None:
    await (event or asyncio.Event()).wait()
